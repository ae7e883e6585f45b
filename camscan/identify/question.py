"""What is one question worth to a device that has said and refused so much?

Pure look-ups over what plan.py worked out; no field is decoded here (DESIGN rule 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from camscan.identify.canary import WEB
from camscan.identify.match import Reading
from camscan.model.claim import Attribute
from camscan.model.observation import Kind, Observation
from camscan.model.probe import Exchange, Job, Probe

SETTLE = (
    Attribute.MAKER,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)
"""When these are settled a device is left alone (DESIGN rule 10)."""
_ALLSETTLED = frozenset(a.value for a in SETTLE)
OWN_QUESTION = frozenset({Exchange.TLS, Exchange.BANNER})
"""Exchanges whose answer is a finding by itself: weak TLS, a login in clear."""
HTTP = frozenset({Exchange.HTTP_GET, Exchange.HTTP_POST, Exchange.FAVICON})


class State(Struct, frozen=True):
    """What is settled about one device."""

    settled: frozenset[str]
    platforms: frozenset[str]
    """Every platform some evidence speaks for, however weak."""
    other: bool
    """It is something else than video surveillance."""


class Asked(Struct, frozen=True):
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


class Question(Struct, frozen=True):
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


class Answers(Struct, frozen=True):
    """What one device answered so far."""

    state: State
    bare: State
    """What would be settled without the answers to paths, which the canary may take away."""
    leant_on: frozenset[int]
    """Ports whose 200 is used as evidence, so that the canary has something to test."""


def gain(question: Question, answers: Answers, asked: Asked) -> int | None:
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
    if state.other or state.settled >= _ALLSETTLED:
        return None
    return gain if gain or not question.yields else None


def known(question: Question, port: int, asked: Asked) -> bool:
    probe = question.probe
    if (probe.id, port) in asked.done or (probe.id, None) in asked.done:
        return True
    if (question.exchange, probe.path, port) in asked.requests:
        return True
    if probe.exchange is Exchange.UDP_SEARCH:
        own = probe.path if probe.kind is Kind.VENDOR_DISC else probe.kind.value
        return own in asked.searched
    return question.http and port in asked.mute


def leant_on(
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


def job(probe: Probe, port: int, *, tls: bool) -> Job:
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
