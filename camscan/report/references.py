"""Which laws, rules and concerns does a report print beside a finding, and which rules bind the operator?

Rules that bind nobody here go to an annex of reference points (facts: rules, printing rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from camscan.model.finding import ConcernLink, Finding
from camscan.model.knowledge import Law, Rule
from camscan.report.rows import Reference

_RS_ORDER = {"yes": 0, "conditional": 1}


def references(
    findings: Iterable[Finding],
    which: str,
    records: Mapping[str, Law] | Mapping[str, Rule],
) -> tuple[Reference, ...]:
    """Every `laws` or `rules` record that stands beside a finding, by id, with these findings."""
    beside: dict[str, list[str]] = {}
    for finding in findings:
        for name in finding.laws if which == "laws" else finding.rules:
            beside.setdefault(name, []).append(finding.id)
    return tuple(
        Reference(record=records[name], findings=tuple(beside[name]))
        for name in sorted(beside)
        if name in records
    )


def binds(record: Law | Rule, jurisdiction: str) -> bool:
    """Whether a rule is one of the operator's own (else it belongs into the annex)."""
    if not isinstance(record, Rule):
        return False
    if jurisdiction == "RS":
        return record.jurisdiction == "RS" and record.rs_municipality in _RS_ORDER
    # Proposals, opinions and resolutions of the Union bind nobody yet (facts: rules, effect).
    in_force = record.jurisdiction == "EU" and record.effect in {"duty", "permits"}
    return jurisdiction.startswith("EU") and in_force


def binding_first(reference: Reference) -> int:
    """Rules that bind before rules that bind on a condition (facts: rules, printing rule)."""
    record = reference.record
    return _RS_ORDER.get(record.rs_municipality, 2) if isinstance(record, Rule) else 0


def touched(links: Iterable[ConcernLink]) -> tuple[str, ...]:
    """The concerns a finding is printed beside: not those about makers of other devices."""
    return tuple(link.concern for link in links if link.relation != "elsewhere")
