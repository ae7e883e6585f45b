"""Which values of one attribute agree, how strongly are they supported, and which one is printed?

DESIGN rule 3: a family counts once with its best grade; two families that would have to lie
independently make E3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from camscan.identify.relations import Relations
from camscan.identify.values import detail, narrower, plain, prefix_words, same
from camscan.model.claim import Attribute, Evidence, Family, Level

HARD = frozenset({Family.PROTOCOL, Family.CERTIFICATE, Family.FIRMWARE})
"""Families without which maker and platform do not reach E3."""
_STRICT = frozenset({Attribute.MAKER, Attribute.PLATFORM})
_RELATED = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.BRAND})


class Group(Struct, frozen=True):
    """Values that agree, and everything that supports them."""

    value: str
    values: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    families: tuple[Family, ...]
    level: Level


def groups_of(attribute: Attribute, found: Sequence[Evidence], relations: Relations) -> list[Group]:
    """Values that agree share a group.

    Agreement with a hub (a parent, `video-device`) does not join two values that contradict each
    other: the hub then supports each of them.
    """
    values = sorted({e.value for e in found if e.value})

    def agree(a: str, b: str) -> bool:
        related = attribute in _RELATED and relations.agree(attribute, a, b)
        return related or same(attribute, a, b)

    groups: list[Group] = []
    for members in _cliques(values, agree):
        mine = tuple(e for e in found if e.value in members)
        level, families = grade(attribute, mine)
        chosen = _choose(attribute, members, mine, relations)
        groups.append(Group(chosen, tuple(sorted(members)), mine, families, level))
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
            # A subsidiary is the maker where the harder evidence names it, else the platform's maker.
            depth = relations.depth(attribute, value)
            if attribute is Attribute.MAKER and not hard:
                depth = -depth
            built = sum(relations.builds(value, other) for other in members)
            return (hard, built, depth, level, len(families), detail(value))
        if attribute is Attribute.DEVICE_NAME:
            return (plain(value), level, len(families), detail(value))
        if attribute is Attribute.MODEL:
            words = [prefix_words(value, other) for other in members]
            labelled = any(relations.party(w) is not None for w in words if w)
            return (plain(value), not labelled, detail(value))
        return (plain(value), detail(value))

    return max(sorted(members), key=strength)
