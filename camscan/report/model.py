"""What does every report show, in which order, as plain text values?

Built once from an assessment; writers only lay it out. Everything that came from a device has lost its
control and bidi characters here; each writer escapes for its own format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from msgspec import Struct

from camscan.decode.text import clean
from camscan.model.claim import Attribute, Claim, Device, State, Visibility
from camscan.model.finding import Assessment, ConcernResult, Decision, Finding, NextTest
from camscan.model.identity import confidence
from camscan.model.knowledge import Knowledge
from camscan.report.images import ImageRow, image_rows
from camscan.report.order import device_key
from camscan.report.paths import Paths, build_paths
from camscan.report.references import binding_first, binds, references, touched
from camscan.report.rows import (
    ConcernRow,
    CoverageRow,
    DeviceRow,
    EndpointRow,
    FindingRow,
    Reference,
)
from camscan.report.text import en


class ReportModel(Struct, frozen=True, kw_only=True):
    assessment: Assessment
    decision_rows: tuple[tuple[int, str, str], ...]
    factor_levels: tuple[tuple[str, str], ...]
    """`J2` and what it means, in the order of the table's factors."""
    title: str
    front: tuple[tuple[str, str], ...]
    coverage: tuple[CoverageRow, ...]
    summary: tuple[tuple[str, str], ...]
    devices: tuple[DeviceRow, ...]
    """Cameras and recorders, worst lower end first."""
    others: tuple[DeviceRow, ...]
    findings: tuple[FindingRow, ...]
    endpoints: tuple[EndpointRow, ...]
    paths: Paths
    concerns: tuple[ConcernRow, ...]
    laws: tuple[Reference, ...]
    rules: tuple[Reference, ...]
    annex: tuple[Reference, ...]
    images: tuple[ImageRow, ...] = ()


def build(assessment: Assessment, knowledge: Knowledge) -> ReportModel:
    """The one report model of an assessment. Pure; order is a function of the values alone."""
    decisions = dict(assessment.decisions)
    by_subject: dict[str, list[Finding]] = {}
    for finding in assessment.findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    rows = [
        _device(
            d,
            decisions.get(d.device_id),
            by_subject.get(d.device_id, ()),
            knowledge=knowledge,
            tests=assessment.next_tests,
        )
        for d in assessment.devices
    ]
    video = [r for r in rows if r.is_camera == "yes"]
    other = [r for r in rows if r.is_camera != "yes"]
    findings = tuple(_finding(f, knowledge, assessment.jurisdiction) for f in assessment.findings)
    named = references(assessment.findings, "rules", knowledge.rules)
    return ReportModel(
        assessment=assessment,
        decision_rows=tuple((r.row, r.text, r.action) for r in knowledge.decision.rows),
        factor_levels=_factor_levels(knowledge),
        title=f"Camera audit: {clean(assessment.site or assessment.owner or 'network')}",
        front=_front(assessment, knowledge),
        coverage=_coverage(assessment),
        summary=_summary(assessment, video),
        devices=tuple(sorted(video, key=_worst_first)),
        others=tuple(sorted(other, key=lambda r: (r.is_camera != "unknown", device_key(r.device_id)))),
        findings=findings,
        endpoints=_endpoints(assessment, knowledge),
        paths=build_paths(assessment, knowledge),
        concerns=_concerns(assessment, knowledge),
        laws=references(assessment.findings, "laws", knowledge.laws),
        rules=tuple(sorted((r for r in named if binds(r.record, assessment.jurisdiction)), key=binding_first)),
        annex=tuple(r for r in named if not binds(r.record, assessment.jurisdiction)),
        images=image_rows(assessment.images, knowledge),
    )  # fmt: skip


def _factor_levels(knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    """What people declare (x, m) in the report's own words: it never calls anything a breach itself."""
    levels = knowledge.decision.levels.items()
    return (*((n, t) for n, t in levels if n[0] not in en.DECLARED), *en.DECLARED.items())


def action_text(decision: Decision | None) -> str:
    """`at least DOCUMENT, up to ACT`; `PLAN` where both ends agree; `not judged` without a decision."""
    if decision is None:
        return "not judged"
    if decision.lower is decision.upper:
        text = decision.lower.value
    else:
        text = f"at least {decision.lower.value}, up to {decision.upper.value}"
    return f"{text} (provisional: confirm first)" if decision.provisional else text


def claim_text(device: Device, attribute: Attribute, shown: Callable[[str], str] = clean) -> str:
    """The value for a cell: settled, `conflicting: a | b`, or `unknown`. Never empty."""
    claim = device.claim(attribute)
    if claim is None or (claim.value is None and claim.state is not State.CONFLICTING):
        return en.UNKNOWN
    if claim.state is State.CONFLICTING:
        return f"{en.CONFLICT}: {' | '.join(shown(v) for v in claim.values)}"
    return shown(claim.value or "")


def cloud_text(device: Device) -> str:
    """What the device itself says of its cloud and P2P functions; `not examined` where it says nothing."""
    parts = []
    for attribute, name in (
        (Attribute.CLOUD_ENABLED, "cloud"),
        (Attribute.P2P_ENABLED, "P2P"),
    ):
        claim = device.claim(attribute)
        supported = device.claim(
            Attribute.CLOUD_SUPPORTED if name == "cloud" else Attribute.P2P_SUPPORTED,
        )
        if claim is not None and claim.value is not None:
            parts.append(f"{name} {'on' if _true(claim) else 'off'}")
        elif claim is not None and claim.state is State.CONFLICTING:
            parts.append(f"{name} conflicting")
        elif supported is not None and supported.value is not None:
            parts.append(f"{name} offered" if _true(supported) else f"{name} not offered")
    if (account := device.claim(Attribute.CLOUD_ACCOUNT)) is not None and _true(account):
        parts.append("bound to an account")
    return ", ".join(parts) or "not examined"


def _true(claim: Claim) -> bool:
    return (claim.value or "").lower() in {"true", "yes", "on", "1"}


def _device(
    device: Device,
    decision: Decision | None,
    findings: Iterable[Finding],
    *,
    knowledge: Knowledge,
    tests: tuple[NextTest, ...],
) -> DeviceRow:
    def short(maker: str) -> str:
        known = knowledge.parties.get(maker)
        return clean(maker) if known is None else known.short

    maker = device.value(Attribute.MAKER)
    party = knowledge.parties.get(maker or "")
    supporting = sorted(
        {
            link.concern
            for f in findings
            if f.state is State.OBSERVED
            for link in f.concerns
            if link.relation == "supports"
        },
    )
    return DeviceRow(
        device_id=clean(device.device_id),
        addresses=", ".join(device.addresses),
        macs=", ".join(device.macs),
        place=clean(device.place or ""),
        role=device.role.value if device.role is not None else en.UNKNOWN,
        brand=claim_text(device, Attribute.BRAND),
        maker=claim_text(device, Attribute.MAKER, short),
        maker_name=party.name if party is not None else "",
        model=claim_text(device, Attribute.MODEL),
        firmware=claim_text(device, Attribute.FIRMWARE),
        build_date=claim_text(device, Attribute.BUILD_DATE),
        cloud=cloud_text(device),
        lower=decision.lower.value if decision is not None else "",
        upper=decision.upper.value if decision is not None else "",
        action=action_text(decision),
        rows="" if decision is None else _rows(decision),
        next_test=decision.settles if decision is not None else "",
        next_number=_number(decision.settles if decision is not None else "", tests),
        confidence=confidence(device).value,
        provisional=decision.provisional if decision is not None else False,
        concerns=tuple(supporting),
        behind=clean(device.behind or ""),
        visibility=device.visibility.value if device.visibility is not Visibility.DIRECT else "",
        listed_as=clean(device.listed_as or ""),
        notes=tuple(clean(n) for n in device.notes),
        is_camera={True: "yes", False: "no", None: "unknown"}[device.is_camera],
    )


def _number(settles: str, tests: tuple[NextTest, ...]) -> int:
    """Which of the listed tests a device's `settles` names."""
    return next((n for n, t in enumerate(tests, 1) if t.test and settles.endswith(t.test)), 0)


def _rows(decision: Decision) -> str:
    if decision.row == decision.upper_row:
        return str(decision.row)
    return f"{decision.row}–{decision.upper_row}"


_ORDER = {"ACT": 0, "PLAN": 1, "DOCUMENT": 2, "NO ACTION": 3, "": 4}


def _worst_first(row: DeviceRow) -> tuple[int, int, tuple[int, int, str]]:
    return (_ORDER[row.lower], _ORDER[row.upper], device_key(row.device_id))


def _finding(finding: Finding, knowledge: Knowledge, jurisdiction: str) -> FindingRow:
    condition = knowledge.conditions.get(finding.condition)
    return FindingRow(
        id=clean(finding.id),
        condition=finding.condition,
        title=condition.title if condition is not None else finding.condition,
        subject=clean(finding.subject),
        state=finding.state.value,
        state_word=en.STATES[finding.state.value],
        level=finding.level.value,
        confidence=finding.confidence.value,
        statement=clean(finding.statement),
        reason=finding.reason.value if finding.reason is not None else "",
        action=action_text(finding.action) if finding.action is not None else "",
        factor=finding.factor,
        concerns=touched(finding.concerns),
        rules=tuple(
            r
            for r in finding.rules
            if r in knowledge.rules and binds(knowledge.rules[r], jurisdiction)
        ),
        laws=finding.laws,
        does_not_show=finding.does_not_show,
        would_change=finding.would_change,
        position=finding.position,
        details=tuple(clean(d) for d in finding.details),
    )


def _front(assessment: Assessment, knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    authority = assessment.authority if assessment.authority is not None else en.AUTHORITY_NONE
    lines = [
        ("Owner", clean(assessment.owner) or "not stated"),
        ("Site", clean(assessment.site) or "not stated"),
        ("Statement of authority", clean(authority)),
        ("Scope", ", ".join(assessment.scope) or "none: nothing was sent"),
        *([("Left out", ", ".join(assessment.excluded))] if assessment.excluded else []),
        ("Judged as of", assessment.as_of),
        (
            "Rules of",
            assessment.jurisdiction or "no jurisdiction declared: no operator's rules are printed",
        ),
        ("Run", assessment.run_id),
        ("Program", f"camscan {assessment.tool_version}"),
        (
            "Signatures",
            f"sha256 {assessment.knowledge_hash} (newest source {assessment.knowledge_as_of}{_stale(assessment)})",
        ),
        ("Decision table", f"version {knowledge.decision.version} ({knowledge.decision.as_of})"),
        *((f"Seal of {intake}", f"sha256 {sha256}") for intake, sha256 in assessment.seals),
        *(("Owner's network table", line) for line in assessment.networks_supplied),
    ]
    return tuple(lines)


_REVIEW_DAYS = 180
"""After that, rules and laws are due for another reading (facts: rules, stale_after_days)."""


def _stale(assessment: Assessment) -> str:
    """A warning where the data are old beside the judgement; nothing where a date is not whole."""
    try:
        newest = date.fromisoformat(assessment.knowledge_as_of)
        age = (date.fromisoformat(assessment.as_of[:10]) - newest).days
    except ValueError:
        return ""
    if age <= _REVIEW_DAYS:
        return ""
    return f"; {age} days before this judgement: rules and laws are due for review after {_REVIEW_DAYS}"


def _coverage(assessment: Assessment) -> tuple[CoverageRow, ...]:
    return tuple(
        CoverageRow(
            test=t.test,
            about=t.about,
            asked=t.asked,
            answered=t.answered,
            not_examined=", ".join(f"{reason}: {count}" for reason, count in t.not_examined),
            note=clean(t.note),
        )
        for t in assessment.coverage.tests
    )


def _summary(assessment: Assessment, video: list[DeviceRow]) -> tuple[tuple[str, str], ...]:
    coverage = assessment.coverage
    lines = [
        (
            "Addresses",
            f"{coverage.addresses_answered} answered of {coverage.addresses_in_scope} in scope",
        ),
        (
            "Devices",
            f"{coverage.devices}, of these {coverage.cameras} cameras, recorders or encoders",
        ),
    ]
    if coverage.listed is not None:
        lines.append(
            ("Asset list", f"{coverage.listed_found} found of {coverage.listed} listed"),
        )
    if coverage.announced_channels:
        lines.append(
            (
                "Behind recorders",
                f"{coverage.announced_channels} channels announced, {coverage.channels_seen} of them seen on the network",
            ),
        )
    for action in _ORDER:
        if action:
            lower = sum(r.lower == action for r in video)
            upper = sum(r.upper == action for r in video)
            lines.append(
                (action, f"lower end of {lower}, upper end of {upper}; {en.ACTIONS[action]}")
            )
    undetermined = sum(r.lower != r.upper for r in video)
    lines.append(
        ("UNDETERMINED", f"{undetermined} of {len(video)}: the two ends differ, see the next test")
    )
    return tuple(lines)


def _endpoints(assessment: Assessment, knowledge: Knowledge) -> tuple[EndpointRow, ...]:
    names = {party.id: party.name for party in knowledge.parties.values()}
    return tuple(
        EndpointRow(
            device_id=clean(e.device_id),
            endpoint=clean(e.name or e.address or ""),
            marks=", ".join(m.value for m in e.marks),
            purpose=e.purpose,
            service_operator=names.get(e.service_operator or "", e.service_operator) or en.UNKNOWN,
            service_parent_country=e.service_parent_country or en.UNKNOWN,
            network_operator=e.network_operator or en.UNKNOWN,
            network_parent_country=e.network_parent_country or en.UNKNOWN,
            registry_country=e.registry_country or en.UNKNOWN,
            located_country=e.located_country or "not examined",
            sources=tuple(map(clean, e.sources)),
        )
        for e in sorted(assessment.endpoints, key=lambda e: device_key(e.device_id))
    )


def _conditions(result: ConcernResult, knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    """Each condition by its title, with the state for the site and how many subjects were examined."""
    counts = {
        name: f" ({done} of {asked} examined)" for name, done, asked in result.counts if asked
    }
    return tuple(
        (
            f"{knowledge.conditions[name].title} ({name})"
            if name in knowledge.conditions
            else name,
            en.STATES.get(word, word) + counts.get(name, ""),
        )
        for name, word in result.conditions
    )


def _concerns(assessment: Assessment, knowledge: Knowledge) -> tuple[ConcernRow, ...]:
    return tuple(
        ConcernRow(
            concern=concern,
            word=r.word
            + (en.PARTLY if concern.testable == "partly" and "supported" in r.word else ""),
            examined=r.examined,
            present=r.present,
            supporting=r.supporting,
            conditions=_conditions(r, knowledge),
            findings=r.findings,
            sources=tuple(knowledge.sources.get(s, s) for s in concern.source),
        )
        for r in assessment.concerns
        if (concern := knowledge.concerns.get(r.concern)) is not None
    )
