"""Does every id that one record of signatures/ names exist as a record?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from camscan.model.claim import Attribute, Role
from camscan.model.knowledge import Knowledge

Missing = tuple[str, str, str, str]
"""(table, record id, field, what is wrong)"""

_ROLES = frozenset(r.value for r in Role)
_ATTRIBUTES = frozenset(a.value for a in Attribute)


def references(knowledge: Knowledge) -> Iterator[Missing]:
    """Every reference that leads nowhere."""
    parties, platforms = set(knowledge.parties), set(knowledge.platforms)
    makers = {p.id for p in knowledge.parties.values() if p.builds}
    # Advisories may wait for a platform that no signature names yet, if vocab/ lists it.
    awaited = platforms | set(knowledge.vocabulary.get("platform", ()))
    conditions = set(knowledge.conditions)
    for platform in knowledge.platforms.values():
        yield from _check("platform", platform.id, "maker", [platform.maker], makers)
        yield from _check("platform", platform.id, "role", [platform.role or None], _ROLES)
    for brand in knowledge.brands:
        yield from _check("brand", brand.id, "maker", [brand.maker], makers)
    for party in knowledge.parties.values():
        yield from _check("party", party.id, "parent", [party.parent], parties)
        if party.id in _line(knowledge, party.parent):
            yield ("party", party.id, "parent", "is its own ancestor")
    for block in knowledge.mac_blocks:
        yield from _check("block", block.prefix, "party", [block.party], parties)
        if len(block.prefix) not in {6, 7, 9} or not _is_hex(block.prefix):
            yield ("block", block.prefix, "prefix", "write 6, 7 or 9 lower-case hex digits")
    patterns: dict[str, str] = {}
    for endpoint in knowledge.endpoints:
        first = patterns.setdefault(endpoint.match.lower(), endpoint.id)
        if endpoint.matchable and first != endpoint.id:
            yield ("endpoint", endpoint.id, "match", f"already the pattern of {first}")
        yield from _check("endpoint", endpoint.id, "operator", [endpoint.operator], parties)
        yield from _check("endpoint", endpoint.id, "platform", [endpoint.platform], platforms)
    for advisory in knowledge.advisories:
        yield from _check("advisory", advisory.id, "platform", [advisory.platform], awaited)
    for law in knowledge.laws.values():
        yield from _check("law", law.id, "triggers", law.triggers, conditions)
    for rule in knowledge.rules.values():
        yield from _check("rule", rule.id, "triggers", rule.triggers, conditions)
        yield from _check("rule", rule.id, "makers", rule.makers, makers)
    for concern in knowledge.concerns.values():
        # `refutes` holds sentences for readers (facts: concerns); nothing refers by it.
        for field in ("supports", "precondition"):
            # `<condition>`, or `<condition> <state> ...`: the first word is the reference.
            named = [text.partition(" ")[0] for text in getattr(concern, field)]
            yield from _check("concern", concern.id, field, named, conditions)
        yield from _check("concern", concern.id, "makers", concern.makers, makers)
        yield from _check("concern", concern.id, "laws", concern.laws, set(knowledge.laws))
        yield from _check("concern", concern.id, "rules", concern.rules, set(knowledge.rules))
    for condition in knowledge.law_nexus:
        if condition not in conditions:
            yield ("law", "nexus", "nexus", f"{condition!r} is no condition")
    yield from _plan(knowledge, platforms)


def _plan(knowledge: Knowledge, platforms: set[str]) -> Iterator[Missing]:
    ids = {p.id for p in knowledge.probe_plan.probes}
    for probe in knowledge.probe_plan.probes:
        yield from _check("probe", probe.id, "guard.platform", probe.guard.platform, platforms)
        yield from _check("probe", probe.id, "guard.seen", probe.guard.seen, ids)
        yield from _check("probe", probe.id, "guard.unknown", probe.guard.unknown, _ATTRIBUTES)
        yield from _check("probe", probe.id, "yields", probe.yields, _ATTRIBUTES)


def _check(
    table: str, record: str, field: str, named: Iterable[str | None], known: Iterable[str]
) -> Iterator[Missing]:
    known = frozenset(known)
    for name in named:
        if name is not None and name not in known:
            yield (table, record, field, f"{name!r} does not exist")


def _line(knowledge: Knowledge, party: str | None) -> set[str]:
    found: set[str] = set()
    while party is not None and party not in found:
        found.add(party)
        record = knowledge.parties.get(party)
        party = record.parent if record is not None else None
    return found


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdef" for c in text)
