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
from camscan.identify.resolve import resolve
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
        self._by_id = {p.id: p for p in self._probes}
        self._denied = frozenset(knowledge.probe_plan.denied_ports)
        self._offset = port_offset
        self._readings: OrderedDict[tuple[str, str], Reading] = OrderedDict()
        self._states: OrderedDict[tuple[str, ...], _State] = OrderedDict()

    def next_jobs(
        self, observations: Sequence[Observation], attempts: Sequence[Attempt]
    ) -> tuple[Job, ...]:
        """Jobs still worth asking, best first."""
        readings = {o.id: self._reading(o) for o in observations}
        dropped = hollow(observations, readings)
        asked = self._asked(observations, attempts, readings)
        state = self._state([o for o in observations if o.id not in dropped], readings)
        ranked: list[tuple[tuple[int, int, int, str], Job]] = []
        given: set[tuple[str, str, int | None]] = set()
        for probe in self._probes:
            gain = self._gain(probe, state, asked, observations, readings)
            if gain is None:
                continue
            for place, (port, tls) in enumerate(self._ports(probe, asked)):
                request = (probe.exchange.value, probe.path, port)
                if request in given or self._known(probe, port, asked):
                    continue
                if probe.canary and not self._leant_on(port, observations, readings):
                    continue
                given.add(request)
                ranked.append(
                    ((probe.priority, -gain, place, probe.id), _job(probe, port, tls=tls))
                )
        ranked.sort(key=lambda pair: pair[0])
        return tuple(job for _, job in ranked)

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

    def _state(
        self, observations: Iterable[Observation], readings: Mapping[str, Reading]
    ) -> _State:
        speaking = [o for o in observations if readings[o.id].evidence]
        key = tuple(f"{o.device_id} {o.id}" for o in speaking)
        known = self._states.get(key)
        if known is None:
            known = self._resolve([e for o in speaking for e in readings[o.id].evidence])
            self._states[key] = known
            if len(self._states) > _ENTRIES:
                self._states.popitem(last=False)
        return known

    def _resolve(self, evidence: Sequence[Evidence]) -> _State:
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
                if (probe := self._by_id.get(observation.job)) is not None:
                    requests.add((probe.exchange.value, probe.path, port))
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
            probe = self._by_id.get(attempt.test)
            if probe is None:
                continue
            requests.add((probe.exchange.value, probe.path, attempt.port))
            if probe.exchange in _HTTP and attempt.port is not None:
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

    def _gain(
        self,
        probe: Probe,
        state: _State,
        asked: _Asked,
        observations: Sequence[Observation],
        readings: Mapping[str, Reading],
    ) -> int | None:
        """How many open claims the answer may settle; None where it is not worth asking."""
        guard = probe.guard
        if guard.open_port and not {self._real(p) for p in guard.open_port} & asked.open_ports:
            return None
        if guard.platform and not set(guard.platform) & state.platforms:
            return None
        if guard.seen and not set(guard.seen) & asked.probes:
            return None
        if probe.canary:
            # What a server says on paths may be exactly what the canary takes away.
            bare = [o for o in observations if o.kind not in WEB]
            settled = self._state(bare, readings).settled
            return None if guard.unknown and set(guard.unknown) <= settled else 0
        if guard.unknown and set(guard.unknown) <= state.settled:
            return None
        wanted = set(probe.yields) - state.settled
        if probe.path == "/" or probe.exchange in _OWN_QUESTION:
            # The first question on each open port: several devices may stand behind one address.
            return len(wanted)
        if state.other or state.settled >= {a.value for a in _SETTLE}:
            return None
        return len(wanted) if wanted or not probe.yields else None

    def _ports(self, probe: Probe, asked: _Asked) -> Iterator[tuple[int, bool]]:
        """(port, through TLS) on which the probe may be asked."""
        listed = [self._real(p) for p in probe.ports]
        if probe.transport == "udp":
            candidates = [(p, False) for p in listed]
        elif probe.on == "http":
            spoken = sorted(asked.http.items())
            candidates = [(p, tls) for p, tls in spoken if not listed or p in listed]
        elif probe.on == "https":
            ports = listed or sorted(asked.tls)
            candidates = [(p, True) for p in ports if p in asked.open_ports]
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
            yield port, tls if speaks is None or probe.exchange not in _HTTP else speaks or tls

    def _known(self, probe: Probe, port: int, asked: _Asked) -> bool:
        if {(probe.id, port), (probe.id, None)} & asked.done:
            return True
        if (probe.exchange.value, probe.path, port) in asked.requests:
            return True
        if probe.exchange is Exchange.UDP_SEARCH:
            own = probe.path if probe.kind is Kind.VENDOR_DISC else probe.kind.value
            return own in asked.searched
        return probe.exchange in _HTTP and port in asked.mute

    @staticmethod
    def _leant_on(
        port: int, observations: Sequence[Observation], readings: Mapping[str, Reading]
    ) -> bool:
        """Whether a 200 of this server is used as evidence, so that the canary has something to test."""
        return any(
            o.port == port
            and o.kind in WEB
            and readings[o.id].fields.get("status", ("",))[0] == "200"
            and readings[o.id].evidence
            for o in observations
        )

    def _real(self, port: int) -> int:
        return port + self._offset if port < _WELL_KNOWN else port


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
