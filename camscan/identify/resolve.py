"""What do all pieces of evidence about one device say together, attribute by attribute?

DESIGN rule 3. Evidence is grouped by value, then by family; a family counts once with its best grade.
Two families that would have to lie independently make E3. Nothing here depends on the order in which
evidence arrives: groups are compared by strength, and a tie is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from camscan.identify.agree import HARD, grade, groups_of
from camscan.identify.relations import Relations
from camscan.identify.values import normal, plain
from camscan.model.claim import (
    MANY_VALUED,
    Attribute,
    Claim,
    Confidence,
    Evidence,
    Family,
    Level,
    State,
)

_HARD_TO_FORGE = frozenset({Family.CERTIFICATE, Family.FIRMWARE})
"""Confidence moderate at E2 (facts: scoring 4)."""
IDENTITY = (
    Attribute.MAKER,
    Attribute.BRAND,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)
_OF_ITSELF = frozenset(
    {*IDENTITY, Attribute.BUILD_DATE, Attribute.SERIAL, Attribute.CHANNELS_ANNOUNCED}
)
"""What a device that is not believed says in vain."""
UNRELATED = 3
"""Evidence for this many unrelated makers and none is believed."""
_NO_VOICE = frozenset({Family.MAC_BLOCK, Family.DOCUMENT})
"""Families that do not speak for the device itself: a registry, a piece of paper."""


UNBELIEVED = "; no identity is believed"
"""End of the reason of a claim that was doubted as a whole."""


def doubted(claims: Iterable[Claim]) -> str:
    """Why the device's identity is not believed, empty where nothing speaks against it."""
    reasons = (c.reason for c in claims if c.reason.endswith(UNBELIEVED))
    return next((r.removesuffix(UNBELIEVED) for r in reasons), "")


def many_makers(count: int) -> str:
    """The note on a device that claims too many makers."""
    return f"claims {count} unrelated makers: honeypot, or several devices behind one address"


def resolve(
    subject: str, evidence: Iterable[Evidence], relations: Relations, *, doubt: str = ""
) -> tuple[Claim, ...]:
    """Claims about one subject, sorted by attribute and value.

    `doubt`: why nothing it says of its identity is believed, empty if there is no such reason.
    """
    pieces = expand(evidence, relations)
    pieces += tuple(_usual_role(pieces, relations))
    makers = unrelated_makers(pieces, relations)
    if len(makers) >= UNRELATED:
        doubt = many_makers(len(makers))
    by_attribute: dict[Attribute, list[Evidence]] = {}
    for piece in pieces:
        by_attribute.setdefault(piece.attribute, []).append(piece)
    claims: list[Claim] = []
    for attribute in sorted(by_attribute):
        found = by_attribute[attribute]
        if attribute in MANY_VALUED:
            claims += _many(subject, attribute, found)
        elif attribute in _OF_ITSELF and doubt:
            claims.append(_unbelieved(subject, attribute, found, makers, doubt))
        else:
            claims.append(_one(subject, attribute, found, relations))
    return tuple(claims)


def expand(evidence: Iterable[Evidence], relations: Relations) -> tuple[Evidence, ...]:
    """Evidence with names in their canonical form, and what it implies; sorted, without doubles.

    One signature says one value once per observation, however many ways lead there.
    """
    pieces: set[Evidence] = set()
    for piece in evidence:
        one = _canonical(piece, relations)
        pieces.add(one)
        if one.attribute is Attribute.PLATFORM:
            maker = relations.platform_maker(one.value)
            if maker is not None:
                note = f"maker of the platform {relations.platform_name(one.value)}"
                pieces.add(replace(one, attribute=Attribute.MAKER, value=maker, note=note))
        elif one.attribute is Attribute.BRAND and one.family is not Family.MAC_BLOCK:
            maker, note = _behind(one.value, relations)
            if maker is not None:
                pieces.add(
                    replace(
                        one,
                        attribute=Attribute.MAKER,
                        value=maker,
                        family=Family.LABEL,
                        level=Level.E1,
                        note=note,
                    )
                )
    kept: dict[tuple[str, ...], Evidence] = {}
    for piece in sorted(pieces, key=_weight):
        kept[piece.attribute, piece.value, piece.signature, piece.observation] = piece
    return tuple(sorted(kept.values(), key=_order))


def _behind(brand: str, relations: Relations) -> tuple[str | None, str]:
    """(maker, why) of whom a printed brand is a weak sign."""
    relation = relations.supported_maker(brand)
    if relation is not None:
        note = f"{relation.brand}: {relation.kind}, {relation.strength} ({relation.id})"
        return relation.maker, note
    return relations.self_named(brand), f"{brand} names itself; nobody else is declared behind it"


def _usual_role(pieces: Sequence[Evidence], relations: Relations) -> Iterator[Evidence]:
    """What runs the platform, where nothing says what the device is.

    A mere hint (E1) of a video role counts as much where the maker's platform is of video alone: ONVIF is
    spoken by door controllers and loudspeakers too, but not by those of such a maker.
    """
    hints = [p for p in pieces if p.attribute is Attribute.ROLE]
    if any(p.level >= Level.E2 for p in hints):
        return
    for piece in pieces:
        role = relations.platform_role(piece.value) if piece.attribute is Attribute.PLATFORM else ""
        if role:
            name = relations.platform_name(piece.value)
            note = f"nothing says what it is; {name} runs on video devices"
            level = min(piece.level, Level.E2)
            yield replace(piece, attribute=Attribute.ROLE, value=role, level=level, note=note)
    makers = {p.value for p in pieces if p.attribute is Attribute.MAKER}
    makers -= {p.value for p in pieces if p.family in _NO_VOICE}
    if len(makers) == 1 and relations.makes_video(maker := next(iter(makers))):
        for piece in hints:
            note = f"a hint, and the platform of {maker} runs on video devices"
            yield replace(piece, level=Level.E2, note=note)


def unrelated_makers(pieces: Sequence[Evidence], relations: Relations) -> tuple[str, ...]:
    """One name for each set of related makers that the device's answers name.

    A brand of which nothing is declared may belong to any maker, so it is not counted.
    """
    names: set[tuple[str, frozenset[str]]] = set()
    for piece in pieces:
        if piece.family in _NO_VOICE:
            continue
        if piece.attribute is Attribute.MAKER:
            names.add((piece.value, frozenset({piece.value})))
        elif piece.attribute is Attribute.BRAND:
            party = relations.party(piece.value)
            makers = relations.makers_of_brand(piece.value) | ({party} if party else set())
            if makers:
                names.add((party or min(makers), frozenset(makers)))
    clusters: list[set[tuple[str, frozenset[str]]]] = []
    for name in sorted(names, key=lambda n: (n[0], sorted(n[1]))):
        near = [c for c in clusters if any(_near(name[1], other[1], relations) for other in c)]
        clusters = [c for c in clusters if c not in near]
        clusters.append({name}.union(*near))
    return tuple(sorted(min(c)[0] for c in clusters))


def _near(left: frozenset[str], right: frozenset[str], relations: Relations) -> bool:
    return any(relations.agree(Attribute.MAKER, a, b) for a in left for b in right)


def _canonical(piece: Evidence, relations: Relations) -> Evidence:
    value = normal(piece.attribute, piece.value)
    if piece.attribute is Attribute.MAKER:
        value = relations.party(value) or value
    elif piece.attribute is Attribute.BRAND:
        value = relations.brand(value)
    return piece if value == piece.value else replace(piece, value=value)


def _weight(piece: Evidence) -> tuple[object, ...]:
    """Of two pieces that say the same, the stronger and more direct one comes last."""
    return (piece.level, piece.family in HARD, not piece.note, _order(piece))


def _order(piece: Evidence) -> tuple[str, ...]:
    return (
        piece.attribute,
        piece.value,
        piece.family,
        piece.signature,
        piece.observation,
        piece.excerpt,
        piece.level,
        piece.note,
        piece.version,
        str(piece.local),
    )


def _many(subject: str, attribute: Attribute, found: Sequence[Evidence]) -> list[Claim]:
    values = sorted({e.value for e in found if e.value})
    claims = []
    for value in values:
        mine = tuple(e for e in found if e.value == value)
        claims.append(_claim(subject, attribute, value, mine, minor=False))
    return claims


def _one(
    subject: str, attribute: Attribute, found: Sequence[Evidence], relations: Relations
) -> Claim:
    groups = groups_of(attribute, found, relations)
    if attribute is Attribute.MAKER:
        # A registrant is not a maker: alone it neither names nor contradicts one (DESIGN section 2).
        solid = [g for g in groups if set(g.families) != {Family.MAC_BLOCK}]
        if not solid:
            return Claim(
                subject=subject,
                attribute=attribute,
                value=None,
                state=State.NOT_OBSERVED,
                level=Level.E0,
                confidence=Confidence.LOW,
                evidence=tuple(found),
                reason="only the registrant of the MAC block is known, which is not the maker",
            )
        groups = solid
    best = max(g.level for g in groups)
    top = [g for g in groups if g.level == best]
    # Markup is no value of a device: it never stands against a plain text of equal strength.
    top = [g for g in top if plain(g.value)] or top
    if len(top) > 1:
        values = tuple(sorted({v for g in top for v in g.values}))
        return Claim(
            subject=subject,
            attribute=attribute,
            value=None,
            state=State.CONFLICTING,
            level=best,
            confidence=Confidence.LOW,
            evidence=tuple(e for e in found if any(e in g.evidence for g in top)),
            values=values,
            reason=f"equally strong evidence ({best}) for {' and '.join(values)}",
        )
    group = top[0]
    weaker = sorted({v for g in groups if g is not group for v in g.values})
    claim = _claim(subject, attribute, group.value, group.evidence, minor=bool(weaker))
    if not weaker:
        return claim
    reason = f"{claim.reason}; weaker evidence for {', '.join(weaker)}"
    return replace(claim, values=(group.value, *weaker), reason=reason)


def _unbelieved(
    subject: str,
    attribute: Attribute,
    found: Sequence[Evidence],
    makers: Sequence[str],
    doubt: str,
) -> Claim:
    listed = {e.value for e in found if e.family not in _NO_VOICE}
    if attribute is Attribute.MAKER and len(makers) >= UNRELATED:
        listed |= set(makers)
    values = tuple(sorted(listed))
    return Claim(
        subject=subject,
        attribute=attribute,
        value=None,
        state=State.CONFLICTING if len(values) > 1 else State.NOT_OBSERVED,
        level=Level.E0,
        confidence=Confidence.LOW,
        evidence=tuple(found),
        values=values,
        reason=f"{doubt}{UNBELIEVED}",
    )


def _claim(
    subject: str,
    attribute: Attribute,
    value: str,
    evidence: tuple[Evidence, ...],
    *,
    minor: bool,
) -> Claim:
    level, families = grade(attribute, evidence)
    names = " + ".join(families)
    return Claim(
        subject=subject,
        attribute=attribute,
        value=value,
        state=State.DECLARED if set(families) == {Family.DOCUMENT} else State.OBSERVED,
        level=level,
        confidence=confidence(level, families, minor=minor),
        evidence=evidence,
        reason=f"{level} from {names}",
    )


def confidence(level: Level, families: Iterable[Family], *, minor: bool) -> Confidence:
    """high, moderate or low (facts: scoring 4). `minor`: weaker evidence says otherwise."""
    if level is Level.E4 or (level is Level.E3 and not minor):
        return Confidence.HIGH
    if level is Level.E3 or (level is Level.E2 and set(families) & _HARD_TO_FORGE):
        return Confidence.MODERATE
    return Confidence.LOW
