"""Which question to a device is worth its cost next, given what it has said and refused so far?

Pure: the same answers and refusals give the same jobs. What observations mean is decided by the matcher
and the resolver alone; this module only weighs what is still open against the plan's guards
(DESIGN rule 10). A question that has an answer or an Attempt is never asked again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from camscan.identify.canary import WEB, hollow
from camscan.identify.gateway import gateway_job
from camscan.identify.match import Matcher, Reading
from camscan.identify.question import (
    HTTP,
    OWN_QUESTION,
    SETTLE,
    Answers,
    Asked,
    Question,
    State,
    gain,
    job,
    known,
    leant_on,
)
from camscan.identify.relations import Relations
from camscan.identify.resolve import IDENTITY, resolve
from camscan.model.claim import VIDEO_ROLES, Attribute, Evidence, Family, Level
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Attempt, Kind, Observation
from camscan.model.probe import Exchange, Job, NextJobs, Probe

_CORROBORATED = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.ROLE})
"""Settled from E3; the others are printed by one source only and are settled from E2."""
_KEPT = ("status", "title", "body", "request-path", "sdp.media", "open", "protocol")
_KEPT_TEXT = 8192
_ENTRIES = 2048
_WELL_KNOWN = 1024
_Said = tuple[Attribute, str, Family, Level]
"""What one piece of evidence adds to the state of a device."""


def make_next_jobs(knowledge: Knowledge, matcher: Matcher, port_offset: int = 0) -> NextJobs:
    """The function an engine asks after each answer of a device.

    `port_offset`: added to ports below 1024, as the engine does (test benches of ordinary users).
    """
    return _Planner(knowledge, matcher, port_offset).next_jobs


class _Planner:
    def __init__(self, knowledge: Knowledge, matcher: Matcher, port_offset: int) -> None:
        self._matcher = matcher
        self._relations = Relations(knowledge)
        self._probes = knowledge.probe_plan.probes
        self._by_id = {p.id: (p.exchange.value, p) for p in self._probes}
        self._denied = frozenset(knowledge.probe_plan.denied_ports)
        self._offset = port_offset
        self._questions = tuple(self._question(p) for p in self._probes)
        named = {n for q in self._questions for n in q.yields | q.unknown}
        self._wanted = named | {a.value for a in (*IDENTITY, *SETTLE)}
        self._readings: OrderedDict[tuple[str, str], tuple[Reading, frozenset[_Said]]] = (
            OrderedDict()
        )
        self._states: OrderedDict[frozenset[_Said], State] = OrderedDict()

    def next_jobs(
        self, observations: Sequence[Observation], attempts: Sequence[Attempt]
    ) -> tuple[Job, ...]:
        """Jobs still worth asking, best first."""
        read = {o.id: self._reading(o) for o in observations}
        readings = {name: reading for name, (reading, _) in read.items()}
        dropped = hollow(observations, readings)
        asked = self._asked(observations, attempts, readings)
        leant = leant_on(observations, readings)
        state = self._state(read[o.id][1] for o in observations if o.id not in dropped)
        answers = Answers(
            state,
            # Looked at for the canary alone, which has something to test only where a 200 is used.
            self._state(read[o.id][1] for o in observations if o.kind not in WEB)
            if leant
            else state,
            leant,
        )
        own_ports = self._own_ports(observations, read, dropped)
        ranked: list[tuple[tuple[int, int, int, str], Job]] = []
        given: set[tuple[str, str, int | None]] = set()
        for question in self._questions:
            probe = question.probe
            worth = gain(question, answers, asked)
            if worth is None:
                continue
            for place, (port, tls) in enumerate(self._ports(question, asked)):
                request = (question.exchange, probe.path, port)
                if request in given or known(question, port, asked):
                    continue
                if probe.canary and port not in answers.leant_on:
                    continue
                if question.http and not _concerns(question, port, own_ports):
                    continue
                given.add(request)
                ranked.append(
                    ((probe.priority, -worth, place, probe.id), job(probe, port, tls=tls))
                )
        ranked.sort(key=lambda pair: pair[0])
        jobs = tuple(job for _, job in ranked)
        table = gateway_job(observations, attempts, self._denied)
        return jobs if table is None else (*jobs, table)

    def _own_ports(
        self,
        observations: Sequence[Observation],
        read: Mapping[str, tuple[Reading, frozenset[_Said]]],
        dropped: frozenset[str],
    ) -> dict[str, set[int]]:
        """Platform -> the ports whose own web answers speak for it."""
        found: dict[str, set[int]] = {}
        for observation in observations:
            if observation.kind in WEB and observation.port and observation.id not in dropped:
                for attribute, value, _, _ in read[observation.id][1]:
                    if attribute is Attribute.PLATFORM:
                        found.setdefault(value, set()).add(observation.port)
        return found

    def _question(self, probe: Probe) -> Question:
        return Question(
            probe=probe,
            exchange=probe.exchange.value,
            http=probe.exchange in HTTP,
            root=probe.path == "/" or probe.exchange in OWN_QUESTION,
            ports=tuple(self._real(p) for p in probe.ports),
            needs_open=frozenset(self._real(p) for p in probe.guard.open_port),
            platforms=frozenset(probe.guard.platform),
            seen=frozenset(probe.guard.seen),
            unknown=frozenset(probe.guard.unknown),
            yields=frozenset(probe.yields),
        )

    def _reading(self, observation: Observation) -> tuple[Reading, frozenset[_Said]]:
        """The few fields that count here, and what was said."""
        key = (observation.device_id, observation.id)
        kept = self._readings.get(key)
        if kept is not None:
            self._readings.move_to_end(key)
            return kept
        read = self._matcher.read(observation)
        fields = {
            name: tuple(text[:_KEPT_TEXT] for text in read.fields[name])
            for name in _KEPT
            if name in read.fields
        }
        said = frozenset(
            (e.attribute, e.value, e.family, e.level)
            for e in read.evidence
            if e.attribute in self._wanted
        )
        kept = self._readings[key] = (Reading(fields, read.evidence, read.error), said)
        if len(self._readings) > _ENTRIES:
            self._readings.popitem(last=False)
        return kept

    def _state(self, answers: Iterable[frozenset[_Said]]) -> State:
        """What these answers settle; fleets say the same again and again."""
        said = frozenset[_Said]().union(*answers)
        kept = self._states.get(said)
        if kept is None:
            kept = self._states[said] = self._resolve(said)
            if len(self._states) > _ENTRIES:
                self._states.popitem(last=False)
        return kept

    def _resolve(self, said: frozenset[_Said]) -> State:
        # What was said by which signature how often changes no level: a family counts once.
        evidence = [
            Evidence(
                signature=f"{family} {level}",
                version="",
                family=family,
                level=level,
                observation="",
                attribute=attribute,
                value=value,
            )
            for attribute, value, family, level in said
        ]
        claims = resolve("", evidence, self._relations)
        settled = set()
        role = None
        for claim in claims:
            floor = Level.E3 if claim.attribute in _CORROBORATED else Level.E2
            if claim.value is not None and claim.level >= floor:
                settled.add(claim.attribute.value)
            if claim.attribute is Attribute.ROLE and claim.level >= Level.E2:
                role = claim.value
        platforms = frozenset(e.value for e in evidence if e.attribute is Attribute.PLATFORM)
        other = role is not None and role not in VIDEO_ROLES and not platforms
        return State(frozenset(settled), platforms, other)

    def _asked(
        self,
        observations: Sequence[Observation],
        attempts: Sequence[Attempt],
        readings: Mapping[str, Reading],
    ) -> Asked:
        open_ports: set[int] = set()
        http: dict[int, bool] = {}
        tls: set[int] = set()
        probes: set[str] = set()
        done: set[tuple[str, int | None]] = set()
        requests: set[tuple[str, str, int | None]] = set()
        searched: set[str] = set()
        for observation in observations:
            fields = readings[observation.id].fields
            if observation.kind is Kind.PORTS:
                open_ports |= {int(t) for t in fields.get("open", ()) if t.isdecimal()}
                continue
            searched.add(observation.kind.value)
            searched.update(fields.get("protocol", ()))
            port = observation.port
            if observation.job is not None:
                probes.add(observation.job)
                done.add((observation.job, port))
                if (probed := self._by_id.get(observation.job)) is not None:
                    requests.add((probed[0], probed[1].path, port))
            if port is None or observation.transport == "udp":
                continue
            open_ports.add(port)
            if observation.tls or observation.kind in {Kind.TLS, Kind.HTTPS_CERT}:
                tls.add(port)
            if observation.kind in WEB and fields.get("status"):
                http[port] = observation.tls and http.get(port, True)
        mute: set[int] = set()
        for attempt in attempts:
            done.add((attempt.test, attempt.port))
            probed = self._by_id.get(attempt.test)
            if probed is None:
                continue
            requests.add((probed[0], probed[1].path, attempt.port))
            if probed[1].exchange in HTTP and attempt.port is not None:
                mute.add(attempt.port)
        return Asked(
            frozenset(open_ports),
            http,
            frozenset(tls),
            frozenset(probes),
            frozenset(done),
            frozenset(requests),
            frozenset(mute - http.keys()),
            frozenset(searched),
        )

    def _ports(self, question: Question, asked: Asked) -> Iterator[tuple[int, bool]]:
        """(port, through TLS) on which the probe may be asked."""
        probe, listed = question.probe, question.ports
        candidates: Iterable[tuple[int, bool]]
        if probe.transport == "udp":
            candidates = [(p, False) for p in listed]
        elif probe.on == "http":
            spoken = sorted(asked.http.items())
            candidates = [(p, tls) for p, tls in spoken if not listed or p in listed]
        elif probe.on == "https":
            candidates = [(p, True) for p in listed or sorted(asked.tls) if p in asked.open_ports]
        else:
            through = probe.exchange is Exchange.TLS
            candidates = [(p, through) for p in listed if p in asked.open_ports]
        for port, tls in candidates:
            if port in self._denied:
                continue
            if probe.guard.http and port not in asked.http:
                continue
            if probe.guard.tls and port not in asked.tls:
                continue
            speaks = asked.http.get(port)
            yield port, tls if speaks is None or not question.http else speaks or tls

    def _real(self, port: int) -> int:
        return port + self._offset if port < _WELL_KNOWN else port


def _concerns(question: Question, port: int, own_ports: Mapping[str, set[int]]) -> bool:
    """Whether a web question about platforms belongs to this port.

    Where some ports speak for one of its platforms, the others (of another camera behind the same
    address) are not asked: twelve connections must do for all of them.
    """
    own = {p for platform in question.platforms for p in own_ports.get(platform, ())}
    return not own or port in own
