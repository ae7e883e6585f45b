"""Which article or rule may be printed beside which finding?

A Chinese article stands beside a finding only where a nexus condition of that very device or endpoint is
observed at confidence moderate or better, and the finding's condition is among its triggers; the other
triggers narrow the choice and never suffice alone (facts: laws_cn, printing rule). A rule that names makers
stands only beside these makers (facts: rules, printing rule). Which rules bind, and which go to the annex
of reference points, the report decides from the jurisdiction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from camscan.model.knowledge import Law, Rule

# Biometric data need a class that reveals origin, seen active; a capability is not that
# (facts: rules, RS-ZZPL-17).
_NEEDS_ACTIVE_CLASS = frozenset({("RS-ZZPL-17", "attribute-analytics")})


def laws_beside(
    nexus: Collection[str], laws: Mapping[str, Law], kinds: Collection[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(condition, law ids) for one subject; `nexus` are its observed nexus conditions.

    `kinds`: all nexus conditions there are. Empty where nothing is observed.
    """
    found: dict[str, list[str]] = {}
    for law in sorted(laws.values(), key=lambda law: law.id):
        wanted = [t for t in law.triggers if t in kinds]
        if not any(n in (wanted or kinds) for n in nexus):
            continue
        for condition in law.triggers:
            if condition not in kinds or condition in nexus:
                found.setdefault(condition, []).append(law.id)
    return tuple((condition, tuple(ids)) for condition, ids in sorted(found.items()))


def rules_beside(
    maker: str | None, rules: Mapping[str, Rule]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(condition, rule ids) for one subject; `maker`: party id at confidence moderate or better."""
    found: dict[str, list[str]] = {}
    for rule in sorted(rules.values(), key=lambda rule: rule.id):
        if rule.makers and maker not in rule.makers:
            continue
        for condition in rule.triggers:
            if (rule.id, condition) not in _NEEDS_ACTIVE_CLASS:
                found.setdefault(condition, []).append(rule.id)
    return tuple((condition, tuple(ids)) for condition, ids in sorted(found.items()))
