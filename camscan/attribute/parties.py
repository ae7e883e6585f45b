"""Who stands behind a device: brand, maker, parent, seat of the group?

A disputed seat is shown as disputed and gives an interval; a maker alone never carries more than J2
(facts: scoring 6). Intermediaries and makers of chips are never matched as a maker (facts: vendors).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from camscan.model.attribution import Chain
from camscan.model.claim import Attribute, Confidence, Device, Level, State
from camscan.model.knowledge import Knowledge
from camscan.model.party import Party

OPEN = (0, 4)
"""J of a device whose maker is not known: none to mainland endpoint (facts: scoring 6, J?)."""
_DISPUTED = "disputed"
_DEPTH = 8
_ORDER = (Level.E0, Level.E1, Level.E2, Level.E3, Level.E4)


class Ancestry(Struct, frozen=True, kw_only=True):
    """One party with its parents, nearest first, and what they add up to."""

    parties: tuple[Party, ...]
    seat: str | None
    lower: int
    upper: int
    known: bool
    verified: bool


def ancestry(party: str, parties: Mapping[str, Party]) -> Ancestry | None:
    """The party and its known parents; None where the id is unknown or names a supplier or a chip."""
    line: list[Party] = []
    current: str | None = party
    while current is not None and len(line) < _DEPTH:
        record = parties.get(current)
        if record is None or record in line:
            break
        line.append(record)
        current = record.parent
    if not line or not line[0].builds:
        return None
    spans = [span for record in line if (span := _span(record)) is not None]
    lower = max((low for low, _ in spans), default=OPEN[0])
    upper = max((high for _, high in spans), default=OPEN[1])
    seats = [record.group_seat for record in line if record.group_seat]
    seat = _DISPUTED if _DISPUTED in seats else (seats[-1] if seats else None)
    return Ancestry(
        parties=tuple(line),
        seat=seat,
        lower=lower,
        upper=upper,
        known=bool(spans),
        verified=all(record.verification != "unverified" for record in line),
    )


def chain(device: Device, knowledge: Knowledge) -> Chain:
    """Brand -> maker -> parent -> group seat of one device, with sources and dates."""
    brand = device.value(Attribute.BRAND)
    claim = device.claim(Attribute.MAKER)
    if claim is None:
        return Chain(brand=brand, steps=(*_brand_step(brand), "maker not identified"))
    if claim.state is State.CONFLICTING:
        return _disputed_maker(brand, claim.values, knowledge.parties)
    found = ancestry(claim.value, knowledge.parties) if claim.value else None
    if found is None:
        return Chain(
            brand=brand,
            steps=(*_brand_step(brand), f"maker {claim.value or 'not identified'}: no record"),
        )
    low = not found.verified or claim.confidence is Confidence.LOW
    return Chain(
        brand=brand,
        maker=found.parties[0].id,
        group=found.parties[-1].id,
        seat=found.seat,
        lower=found.lower,
        upper=found.upper,
        known=found.known,
        steps=(*_brand_step(brand), *_steps(found)),
        level=claim.level if found.verified else min(claim.level, Level.E1, key=_ORDER.index),
        confidence=Confidence.LOW if low else claim.confidence,
        seat_verified=found.verified,
        position=_position(found.parties),
    )


def _disputed_maker(
    brand: str | None, values: tuple[str, ...], parties: Mapping[str, Party]
) -> Chain:
    lines = [line for value in values if (line := ancestry(value, parties)) is not None]
    known = [line for line in lines if line.known]
    whole = len(known) == len(values) > 0
    return Chain(
        brand=brand,
        candidates=tuple(sorted(values)),
        lower=min((line.lower for line in known), default=0) if whole else 0,
        upper=max((line.upper for line in known), default=OPEN[1]) if whole else OPEN[1],
        known=whole,
        steps=(
            *_brand_step(brand),
            f"maker conflicting: {', '.join(sorted(values))}",
            *(step for line in lines for step in _steps(line)),
        ),
    )


def _span(party: Party) -> tuple[int, int] | None:
    if "J?" in party.jurisdiction:
        return None
    low, high = (int(level[1:]) for level in party.jurisdiction)
    return low, high


def _brand_step(brand: str | None) -> tuple[str, ...]:
    return (f"brand on the label: {brand}",) if brand else ()


def _steps(found: Ancestry) -> tuple[str, ...]:
    steps = []
    for number, party in enumerate(found.parties):
        word = "maker" if number == 0 else "parent"
        seat = party.group_seat or party.country or "not known"
        if party.group_seat == _DISPUTED:
            seat = f"disputed ({party.seat_note})" if party.seat_note else _DISPUTED
        mark = "" if party.verification == "sourced" else f", {party.verification}"
        share = f"; public ownership as reported: {party.state_share}" if party.state_share else ""
        steps.append(
            f"{word}: {party.name}; seat {seat}{share} ({party.source}, {party.as_of}{mark})"
        )
    return tuple(steps)


def _position(parties: tuple[Party, ...]) -> str:
    for party in parties:
        if party.position:
            return f"{party.name} {party.position} ({party.position_source})"
    return ""
