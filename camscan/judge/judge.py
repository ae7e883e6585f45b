"""What does it all mean: findings, decisions, concerns and next tests of a run?

Reads claims, endpoints, attribution, coverage and the owner's declarations; nothing else. Pure: the same
input gives the same judgement, in the same order.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from camscan.clock import day_of
from camscan.judge.answer import Answer
from camscan.judge.checks.registry import DEVICE_CHECKS, SITE_CHECKS, DeviceCheck, SiteCheck
from camscan.judge.concerns import links, roll_up
from camscan.judge.decide import compiled, decide
from camscan.judge.factors import factors, paths
from camscan.judge.next_tests import grouped, settles, useful
from camscan.judge.subject import SiteSubject, Subject
from camscan.model.attribution import Attribution
from camscan.model.claim import Attribute, Device, State, Visibility
from camscan.model.finding import (
    ConcernResult,
    Coverage,
    Decision,
    Finding,
    Interval,
    NextTest,
)
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Reason
from camscan.model.site import Site
from camscan.model.traffic import Watch

SITE = "site"
_TRACE = (Attribute.MAKER, Attribute.BRAND, Attribute.PLATFORM)
_PRINTED = frozenset({State.OBSERVED})
"""Laws stand only beside what was observed (facts: laws_cn, printing rule)."""


class Judgement(Struct, frozen=True, kw_only=True):
    findings: tuple[Finding, ...]
    decisions: tuple[tuple[str, Decision], ...]
    factors: tuple[tuple[str, tuple[Interval, ...]], ...]
    concerns: tuple[ConcernResult, ...]
    next_tests: tuple[NextTest, ...]


def judge(
    devices: Sequence[Device],
    coverage: Coverage,
    *,
    knowledge: Knowledge,
    site: Site,
    as_of: str,
    jurisdiction: str,
    attributions: Mapping[str, Attribution],
    captured: frozenset[str] = frozenset(),
    watches: Mapping[str, Watch] | None = None,
) -> Judgement:
    """Judge a run.

    `attributions`: of `attribute.attribution.attribute`, one per device_id and one for `site`.
    `captured`: device_ids whose traffic a capture of this run covers; `watches`: under which circumstances,
    where that is known. `jurisdiction` (`RS`, `EU:xx` or
    empty) leaves the findings as they are: which rules bind and which are reference points only is
    decided where they are printed.
    """
    del jurisdiction
    day = day_of(as_of)
    behind = _behind(devices)
    seen = watches or {}
    subjects = tuple(
        Subject(
            device=device,
            attribution=attributions.get(device.device_id, Attribution(subject=device.device_id)),
            knowledge=knowledge,
            site=site,
            as_of=day,
            captured=device.device_id in captured or device.device_id in seen,
            watch=seen.get(device.device_id),
            behind=behind.get(device.device_id, ()),
        )
        for device in sorted(devices, key=_order)
        if judged(device)
    )
    table = compiled(knowledge.decision)
    findings: list[Finding] = []
    decisions, levels, tests = [], [], {}
    for subject in subjects:
        found = factors(subject)
        known = subject.attribution.chain.known
        tests[subject.device.device_id] = useful(found, table, maker_known=known)
        decision = decide(
            found,
            table,
            settles=settles(tests[subject.device.device_id]),
            paths=paths(subject),
        )
        decisions.append((subject.device.device_id, decision))
        levels.append((subject.device.device_id, tuple(found.values())))
        findings += _device_findings(subject, decision)
    findings += _site_findings(
        subjects,
        answering=frozenset(
            d.listed_as for d in devices if d.listed_as and d.visibility is Visibility.DIRECT
        ),
        attributions=attributions,
        coverage=coverage,
        knowledge=knowledge,
        site=site,
        day=day,
    )
    return Judgement(
        findings=tuple(findings),
        decisions=tuple(decisions),
        factors=tuple(levels),
        concerns=roll_up(findings, knowledge, len(subjects)),
        next_tests=grouped(tests),
    )


def judged(device: Device) -> bool:
    """Video devices, and those of which something speaks for one but nothing settles it."""
    if device.is_camera is not None:
        return device.is_camera
    return any(device.claim(a) is not None for a in _TRACE)


def _order(device: Device) -> tuple[int, int, str]:
    head = device.device_id.partition("#")[0]
    try:
        address = ipaddress.ip_address(head)
    except ValueError:
        return (9, 0, device.device_id)
    return (address.version, int(address), device.device_id)


def _behind(devices: Sequence[Device]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for device in sorted(devices, key=_order):
        if device.behind and device.visibility is Visibility.DIRECT:
            found.setdefault(device.behind, []).append(device.device_id)
    return {key: tuple(ids) for key, ids in found.items()}


def _device_findings(subject: Subject, decision: Decision) -> list[Finding]:
    maker = subject.attribution.chain.maker
    found = []
    for check in DEVICE_CHECKS:
        answer = check.check(subject)
        if answer is not None:
            finding = _finding(
                check,
                answer,
                subject=subject.device.device_id,
                attribution=subject.attribution,
                knowledge=subject.knowledge,
                makers=(maker,) if maker else (),
            )
            found.append(replace(finding, action=decision))
    return found


def _site_findings(
    subjects: tuple[Subject, ...],
    *,
    answering: frozenset[str],
    attributions: Mapping[str, Attribution],
    coverage: Coverage,
    knowledge: Knowledge,
    site: Site,
    day: date,
) -> list[Finding]:
    attribution = attributions.get(SITE, Attribution(subject=SITE))
    whole = SiteSubject(
        subjects=subjects,
        attribution=attribution,
        coverage=coverage,
        knowledge=knowledge,
        site=site,
        as_of=day,
        answering=answering,
    )
    return [
        _finding(
            check,
            answer,
            subject=SITE,
            attribution=attribution,
            knowledge=knowledge,
            makers=answer.makers,
        )
        for check in SITE_CHECKS
        if (answer := check.check(whole)) is not None
    ]


def _finding(
    check: DeviceCheck | SiteCheck,
    answer: Answer,
    *,
    subject: str,
    attribution: Attribution,
    knowledge: Knowledge,
    makers: tuple[str, ...],
) -> Finding:
    condition = check.condition
    text = knowledge.conditions.get(condition)
    beside = answer.state in _PRINTED
    reason = answer.reason if answer.state is State.NOT_OBSERVED else None
    return Finding(
        id=f"{condition}@{subject}",
        condition=condition,
        subject=subject,
        state=answer.state,
        level=answer.level,
        confidence=answer.confidence,
        statement=_one_stop(answer.statement),
        reason=reason or (Reason.NOT_REQUESTED if answer.state is State.NOT_OBSERVED else None),
        claims=answer.claims,
        factor=check.factor,
        concerns=links(condition, answer.state, makers, knowledge.concerns.values()),
        rules=attribution.rules_for(condition) if beside else (),
        laws=attribution.laws_for(condition) if beside else (),
        does_not_show=text.does_not_show if text is not None else "",
        would_change=answer.would_change or (text.next_test if text is not None else ""),
        details=answer.details,
        position=answer.position,
    )


def _one_stop(sentence: str) -> str:
    """A company name that ends in `Ltd.` needs no second full stop."""
    return sentence[:-1] if sentence.endswith("..") else sentence
