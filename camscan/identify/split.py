"""Do the answers at one address come from one device, or from several behind port forwarding?

Only services of the same sort are compared: a camera has one start page per device, so two start pages
of different makers, models or serial numbers are two devices. One device that claims several makers on
one port, or on ports of different sorts, stays one device; so does an address whose answers together
claim three or more unrelated makers, and it is not believed (DESIGN rule 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from camscan.identify.canary import WEB
from camscan.identify.relations import Relations
from camscan.identify.resolve import UNRELATED, expand, unrelated_makers
from camscan.identify.values import same
from camscan.model.claim import Attribute, Evidence, Level
from camscan.model.observation import Kind, Observation

_SORTS: Mapping[Kind, str] = dict.fromkeys(WEB, "web") | {Kind.RTSP: "rtsp"}
_TELLING = (Attribute.MAKER, Attribute.MODEL, Attribute.SERIAL, Attribute.MAC)
"""Attributes of which one device has one value."""


class _Voice(Struct, frozen=True):
    """What one port says."""

    port: int
    sort: str
    values: Mapping[Attribute, frozenset[str]]


def split(
    observations: Sequence[Observation],
    evidence: Mapping[str, Sequence[Evidence]],
    relations: Relations,
) -> dict[int | None, tuple[Observation, ...]]:
    """Port -> observations; one entry with key None where it is one device.

    `evidence`: by observation id, what counts for nothing already left out.
    """
    whole: dict[int | None, tuple[Observation, ...]] = {None: tuple(observations)}
    voices = _voices(observations, evidence, relations)
    groups = _groups(voices, relations)
    if len(groups) < 2:
        return whole
    # A brand name in a realm alone (E1) makes nobody a liar: it is what a third camera may show.
    spoken = [
        e
        for o in observations
        if not o.canary
        for e in evidence.get(o.id, ())
        if e.level > Level.E1
    ]
    if len(unrelated_makers(expand(spoken, relations), relations)) >= UNRELATED:
        return whole
    head_of = {voice.port: min(v.port for v in group) for group in groups for voice in group}
    found: dict[int | None, list[Observation]] = {}
    for observation in observations:
        port = observation.port
        udp = observation.transport == "udp"
        key = head_of.get(port) if port is not None and not udp else None
        found.setdefault(key, []).append(observation)
    return {key: tuple(found[key]) for key in sorted(found, key=lambda k: (k is not None, k or 0))}


def _voices(
    observations: Sequence[Observation],
    evidence: Mapping[str, Sequence[Evidence]],
    relations: Relations,
) -> list[_Voice]:
    pieces: dict[tuple[int, str], list[Evidence]] = {}
    for observation in observations:
        sort = _SORTS.get(observation.kind)
        if observation.port is None or sort is None or observation.canary:
            continue
        pieces.setdefault((observation.port, sort), []).extend(evidence.get(observation.id, ()))
    voices = []
    for (port, sort), mine in sorted(pieces.items()):
        values: dict[Attribute, set[str]] = {}
        for piece in expand(mine, relations):
            if piece.attribute in _TELLING:
                values.setdefault(piece.attribute, set()).add(piece.value)
        if values:
            frozen = {name: frozenset(found) for name, found in values.items()}
            voices.append(_Voice(port, sort, frozen))
    return voices


def _groups(voices: Sequence[_Voice], relations: Relations) -> list[list[_Voice]]:
    """Voices that may be of one device; more than one group only if two of one sort contradict."""
    groups: list[list[_Voice]] = []
    clash = False
    for sort in ("web", "rtsp"):
        mine = [v for v in voices if v.sort == sort]
        clash |= any(not _agree(a, b, relations) for n, a in enumerate(mine) for b in mine[n + 1 :])
        for voice in mine:
            home = [g for g in groups if all(_agree(voice, other, relations) for other in g)]
            if len(home) == 1:
                home[0].append(voice)
            else:
                groups.append([voice])
    return groups if clash else []


def _agree(left: _Voice, right: _Voice, relations: Relations) -> bool:
    if left.port == right.port:
        return True
    for attribute in left.values.keys() & right.values.keys():
        one, two = left.values[attribute], right.values[attribute]
        if not any(
            same(attribute, a, b) or relations.agree(attribute, a, b) for a in one for b in two
        ):
            return False
    return True
