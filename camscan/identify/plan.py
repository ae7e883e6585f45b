"""Which question to a device is worth its cost next, given what it has said and refused so far?

Pure: the same answers and refusals give the same jobs. What observations mean is decided by the matcher
and the resolver alone; this module only weighs what is still open against the plan's guards
(DESIGN rule 10). A question that has an answer or an Attempt is never asked again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from camscan.identify.canary import WEB, hollow
from camscan.identify.match import Matcher, Reading
from camscan.identify.relations import Relations
from camscan.identify.resolve import IDENTITY, resolve
from camscan.model.claim import VIDEO_ROLES, Attribute, Evidence, Level
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Attempt, Kind, Observation
from camscan.model.probe import Exchange, Job, NextJobs, Probe

_SETTLE = (
    Attribute.MAKER,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)
"""When these are settled a device is left alone (DESIGN rule 10)."""
_ALL_SETTLED = frozenset(a.value for a in _SETTLE)
_CORROBORATED = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.ROLE})
"""Settled from E3; the others are printed by one source only and are settled from E2."""
_OWN_QUESTION = frozenset({Exchange.TLS, Exchange.BANNER})
"""Exchanges whose answer is a finding by itself: weak TLS, a login in clear."""
_HTTP = frozenset({Exchange.HTTP_GET, Exchange.HTTP_POST, Exchange.FAVICON})
_KEPT = ("status", "title", "body", "request-path", "sdp.media", "open", "protocol")
_KEPT_TEXT = 8192
_ENTRIES = 2048
_WELL_KNOWN = 1024


class _State(Struct, frozen=True):
    """What is settled about one device."""

    settled: frozenset[str]
    platforms: frozenset[str]
    """Every platform some evidence speaks for, however weak."""
    other: bool
    """It is something else than video surveillance."""


class _Asked(Struct, frozen=True):
    """What the device was asked, and on which ports it speaks what."""

    open_ports: frozenset[int]
    http: Mapping[int, bool]
    """Port that answered as HTTP -> through TLS."""
    tls: frozenset[int]
    probes: frozenset[str]
    """Probes that gave an answer."""
    done: frozenset[tuple[str, int | None]]
    """(probe, port) with an answer or an Attempt; port None: on every port."""
    requests: frozenset[tuple[str, str, int | None]]
    """(exchange, path, port) likewise: two probes may ask the same."""
    mute: frozenset[int]
    """Ports on which HTTP was tried in vain."""
    searched: frozenset[str]
    """Kinds and private protocols that announced themselves already."""


class _Question(Struct, frozen=True):
    """A probe with what is asked of it on every call, worked out once."""

    probe: Probe
    exchange: str
    http: bool
    root: bool
    """The first question to a port, or one whose answer is a finding by itself."""
    ports: tuple[int, ...]
    needs_open: frozenset[int]
    platforms: frozenset[str]
    seen: frozenset[str]
    unknown: frozenset[str]
    yields: frozenset[str]


class _Answers(Struct, frozen=True):
    """What one device answered so far."""

    state: _State
    bare: _State
    """What would be settled without the answers to paths, which the canary may take away."""
    leant_on: frozenset[int]
    """Ports whose 200 is used as evidence, so that the canary has something to test."""


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
        self._wanted = named | {a.value for a in (*IDENTITY, *_SETTLE)}
        self._readings: OrderedDict[tuple[str, str], Reading] = OrderedDict()
        self._states: OrderedDict[tuple[str, ...], _State] = OrderedDict()

    def next_jobs(
        self, observations: Sequence[Observation], attempts: Sequence[Attempt]
    ) -> tuple[Job, ...]:
        """Jobs still worth asking, best first."""
        readings = {o.id: self._reading(o) for o in observations}
        dropped = hollow(observations, readings)
        asked = self._asked(observations, attempts, readings)
        speaking = [o for o in observations if o.id not in dropped and readings[o.id].evidence]
        answers = _Answers(
            self._state(speaking, readings),
            self._state(
                [o for o in observations if o.kind not in WEB and readings[o.id].evidence], readings
            ),
            _leant_on(observations, readings),
        )
        ranked: list[tuple[tuple[int, int, int, str], Job]] = []
        given: set[tuple[str, str, int | None]] = set()
        for question in self._questions:
            probe = question.probe
            gain = _gain(question, answers, asked)
            if gain is None:
                continue
            for place, (port, tls) in enumerate(self._ports(question, asked)):
                request = (question.exchange, probe.path, port)
                if request in given or _known(question, port, asked):
                    continue
                if probe.canary and port not in answers.leant_on:
                    continue
                given.add(request)
                ranked.append(
                    ((probe.priority, -gain, place, probe.id), _job(probe, port, tls=tls))
                )
        ranked.sort(key=lambda pair: pair[0])
        return tuple(job for _, job in ranked)

    def _question(self, probe: Probe) -> _Question:
        return _Question(
            probe=probe,
            exchange=probe.exchange.value,
            http=probe.exchange in _HTTP,
            root=probe.path == "/" or probe.exchange in _OWN_QUESTION,
            ports=tuple(self._real(p) for p in probe.ports),
            needs_open=frozenset(self._real(p) for p in probe.guard.open_port),
            platforms=frozenset(probe.guard.platform),
            seen=frozenset(probe.guard.seen),
            unknown=frozenset(probe.guard.unknown),
            yields=frozenset(probe.yields),
        )

    def _reading(self, observation: Observation) -> Reading:
        key = (observation.device_id, observation.id)
        known = self._readings.get(key)
        if known is not None:
            self._readings.move_to_end(key)
            return known
        read = self._matcher.read(observation)
        fields = {
            name: tuple(text[:_KEPT_TEXT] for text in read.fields[name])
            for name in _KEPT
            if name in read.fields
        }
        known = self._readings[key] = Reading(fields, read.evidence, read.error)
        if len(self._readings) > _ENTRIES:
            self._readings.popitem(last=False)
        return known

    def _state(self, speaking: Sequence[Observation], readings: Mapping[str, Reading]) -> _State:
        key = tuple(f"{o.device_id} {o.id}" for o in speaking)
        known = self._states.get(key)
        if known is None:
            known = self._resolve([e for o in speaking for e in readings[o.id].evidence])
            self._states[key] = known
            if len(self._states) > _ENTRIES:
                self._states.popitem(last=False)
        return known

    def _resolve(self, evidence: Sequence[Evidence]) -> _State:
        wanted = [e for e in evidence if e.attribute in self._wanted]
        claims = resolve("", wanted, self._relations)
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
        return _State(frozenset(settled), platforms, other)

    def _asked(
        self,
        observations: Sequence[Observation],
        attempts: Sequence[Attempt],
        readings: Mapping[str, Reading],
    ) -> _Asked:
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
                if (known := self._by_id.get(observation.job)) is not None:
                    requests.add((known[0], known[1].path, port))
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
            known = self._by_id.get(attempt.test)
            if known is None:
                continue
            requests.add((known[0], known[1].path, attempt.port))
            if known[1].exchange in _HTTP and attempt.port is not None:
                mute.add(attempt.port)
        return _Asked(
            frozenset(open_ports),
            http,
            frozenset(tls),
            frozenset(probes),
            frozenset(done),
            frozenset(requests),
            frozenset(mute - http.keys()),
            frozenset(searched),
        )

    def _ports(self, question: _Question, asked: _Asked) -> Iterator[tuple[int, bool]]:
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


def _gain(question: _Question, answers: _Answers, asked: _Asked) -> int | None:
    """How many open claims the answer may settle; None where it is not worth asking."""
    state = answers.state
    if question.needs_open and not question.needs_open & asked.open_ports:
        return None
    if question.platforms and not question.platforms & state.platforms:
        return None
    if question.seen and not question.seen & asked.probes:
        return None
    if question.probe.canary:
        # What a server says on paths may be exactly what the canary takes away.
        settled = answers.bare.settled
        return None if question.unknown and question.unknown <= settled else 0
    if question.unknown and question.unknown <= state.settled:
        return None
    gain = len(question.yields - state.settled)
    if question.root:
        # The first question on each open port: several devices may stand behind one address.
        return gain
    if state.other or state.settled >= _ALL_SETTLED:
        return None
    return gain if gain or not question.yields else None


def _known(question: _Question, port: int, asked: _Asked) -> bool:
    probe = question.probe
    if (probe.id, port) in asked.done or (probe.id, None) in asked.done:
        return True
    if (question.exchange, probe.path, port) in asked.requests:
        return True
    if probe.exchange is Exchange.UDP_SEARCH:
        own = probe.path if probe.kind is Kind.VENDOR_DISC else probe.kind.value
        return own in asked.searched
    return question.http and port in asked.mute


def _leant_on(
    observations: Iterable[Observation], readings: Mapping[str, Reading]
) -> frozenset[int]:
    return frozenset(
        o.port
        for o in observations
        if o.port is not None
        and o.kind in WEB
        and readings[o.id].evidence
        and readings[o.id].fields.get("status", ("",))[0] == "200"
    )


def _job(probe: Probe, port: int, *, tls: bool) -> Job:
    return Job(
        probe=probe.id,
        kind=probe.kind,
        exchange=probe.exchange,
        port=port,
        transport=probe.transport,
        tls=tls,
        path=probe.path,
        canary=probe.canary,
        slow=probe.slow,
    )
