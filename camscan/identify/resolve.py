"""What do all pieces of evidence about one device say together, attribute by attribute?

DESIGN rule 3. Evidence is grouped by value, then by family; a family counts once with its best grade.
Two families that would have to lie independently make E3. Nothing here depends on the order in which
evidence arrives: groups are compared by strength, and a tie is a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from camscan.identify.relations import Relations
from camscan.identify.values import detail, narrower, normal, same
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

HARD = frozenset({Family.PROTOCOL, Family.CERTIFICATE, Family.FIRMWARE})
"""Families without which maker and platform do not reach E3."""
_HARD_TO_FORGE = frozenset({Family.CERTIFICATE, Family.FIRMWARE})
"""Confidence moderate at E2 (facts: scoring 4)."""
_STRICT = frozenset({Attribute.MAKER, Attribute.PLATFORM})
_RELATED = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.BRAND})
IDENTITY = (
    Attribute.MAKER,
    Attribute.BRAND,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)
UNRELATED = 3
"""Labels of this many unrelated makers and none is believed."""
MANY_MAKERS = "claims three or more unrelated makers"


class _Group(Struct, frozen=True):
    """Values that agree, and everything that supports them."""

    value: str
    values: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    families: tuple[Family, ...]
    level: Level


def resolve(subject: str, evidence: Iterable[Evidence], relations: Relations) -> tuple[Claim, ...]:
    """Claims about one subject, sorted by attribute and value."""
    pieces = expand(evidence, relations)
    labelled = unrelated_makers(pieces, relations)
    by_attribute: dict[Attribute, list[Evidence]] = {}
    for piece in pieces:
        by_attribute.setdefault(piece.attribute, []).append(piece)
    claims: list[Claim] = []
    for attribute in sorted(by_attribute):
        found = by_attribute[attribute]
        if attribute in MANY_VALUED:
            claims += _many(subject, attribute, found)
        elif attribute in IDENTITY and len(labelled) >= UNRELATED:
            claims.append(_unbelieved(subject, attribute, found, labelled))
        else:
            claims.append(_one(subject, attribute, found, relations))
    return tuple(claims)


def expand(evidence: Iterable[Evidence], relations: Relations) -> tuple[Evidence, ...]:
    """Evidence with names in their canonical form, and what it implies; sorted, without doubles."""
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
            relation = relations.supported_maker(one.value)
            if relation is not None:
                note = f"{relation.brand}: {relation.kind}, {relation.strength} ({relation.id})"
                pieces.add(
                    replace(
                        one,
                        attribute=Attribute.MAKER,
                        value=relation.maker,
                        family=Family.LABEL,
                        level=Level.E1,
                        note=note,
                    )
                )
    return tuple(sorted(pieces, key=_order))


def unrelated_makers(pieces: Sequence[Evidence], relations: Relations) -> tuple[str, ...]:
    """One name for each set of related makers that labels name."""
    names: set[tuple[str, frozenset[str]]] = set()
    for piece in pieces:
        if piece.family is not Family.LABEL:
            continue
        if piece.attribute is Attribute.MAKER:
            names.add((piece.value, frozenset({piece.value})))
        elif piece.attribute is Attribute.BRAND:
            party = relations.party(piece.value)
            makers = relations.makers_of_brand(piece.value) | ({party} if party else set())
            names.add((piece.value, frozenset(makers) or frozenset({f"brand {piece.value}"})))
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
    groups = _groups(attribute, found, relations)
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
    subject: str, attribute: Attribute, found: Sequence[Evidence], makers: Sequence[str]
) -> Claim:
    values = tuple(sorted({e.value for e in found}))
    return Claim(
        subject=subject,
        attribute=attribute,
        value=None,
        state=State.CONFLICTING,
        level=Level.E0,
        confidence=Confidence.LOW,
        evidence=tuple(found),
        values=values,
        reason=f"{MANY_MAKERS} ({', '.join(makers)}): no identity is believed",
    )


def _groups(attribute: Attribute, found: Sequence[Evidence], relations: Relations) -> list[_Group]:
    """Values that agree share a group.

    Agreement with a hub (a parent, `video-device`) does not join two values that contradict each
    other: the hub then supports each of them.
    """
    values = sorted({e.value for e in found if e.value})

    def agree(a: str, b: str) -> bool:
        related = attribute in _RELATED and relations.agree(attribute, a, b)
        return related or same(attribute, a, b)

    groups: list[_Group] = []
    for members in _cliques(values, agree):
        mine = tuple(e for e in found if e.value in members)
        level, families = grade(attribute, mine)
        chosen = _choose(attribute, members, mine, relations)
        groups.append(_Group(chosen, tuple(sorted(members)), mine, families, level))
    return groups


def _cliques(values: Sequence[str], agree: Callable[[str, str], bool]) -> list[frozenset[str]]:
    """Maximal sets of values that all agree with each other. Values are few; at most 24 are looked at."""
    found: set[frozenset[str]] = set()
    for value in values[:24]:
        grown = {value}
        for other in values[:24]:
            if other not in grown and all(agree(other, member) for member in grown):
                grown.add(other)
        found.add(frozenset(grown))
    maximal = [c for c in found if not any(c < other for other in found)]
    return sorted(maximal, key=sorted)


def grade(attribute: Attribute, evidence: Iterable[Evidence]) -> tuple[Level, tuple[Family, ...]]:
    """Level that evidence for one value reaches together, and its families, strongest first."""
    best: dict[Family, Level] = {}
    for piece in evidence:
        best[piece.family] = max(best.get(piece.family, Level.E0), piece.level)
    families = tuple(sorted(best, key=lambda f: (_negative(best[f]), f)))
    top = max(best.values(), default=Level.E0)
    if top is Level.E4:
        return top, families
    independent = {f for f, level in best.items() if level >= Level.E2}
    if len(independent) > 1 and (attribute not in _STRICT or independent & HARD):
        return Level.E3, families
    return min(top, Level.E2), families


def _negative(level: Level) -> int:
    return -int(level.value[1])


def _choose(
    attribute: Attribute,
    members: frozenset[str],
    evidence: Sequence[Evidence],
    relations: Relations,
) -> str:
    """Which of the values that agree is printed.

    For maker and platform the one with the harder evidence, else the one that says more.
    """
    if len(members) == 1:
        return next(iter(members))
    if attribute is Attribute.ROLE:
        chosen = min(members)
        for member in sorted(members):
            chosen = narrower(chosen, member)
        return chosen

    def strength(value: str) -> tuple[object, ...]:
        mine = [e for e in evidence if e.value == value]
        level, families = grade(attribute, mine)
        hard = bool(HARD & set(families)) if attribute in _STRICT else False
        if attribute in _RELATED:
            return (hard, relations.depth(attribute, value), level, len(families), detail(value))
        if attribute is Attribute.DEVICE_NAME:
            return (level, len(families), detail(value))
        return (detail(value),)

    return max(sorted(members), key=strength)


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
