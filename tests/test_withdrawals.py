"""Withdrawn entries: findings that rested on them are named when a run is assessed again."""

from __future__ import annotations

from camscan.model.claim import Attribute, Claim, Confidence, Evidence, Family, Level, State
from camscan.model.finding import Assessment, Coverage, Finding
from camscan.model.product import Withdrawn
from camscan.withdrawals import rested_on

ENTRY = Withdrawn(
    id="aq.http.old",
    date="2026-11-25",
    reason="matched routers too",
    source="s",
    as_of="2026-11-25",
)


def claim(signature):
    evidence = Evidence(
        signature=signature,
        version="1",
        family=Family.LABEL,
        level=Level.E2,
        observation="1",
        attribute=Attribute.MAKER,
        value="aq",
    )
    return Claim(
        subject="d",
        attribute=Attribute.MAKER,
        value="aq",
        state=State.OBSERVED,
        level=Level.E2,
        confidence=Confidence.LOW,
        evidence=(evidence, evidence),
    )


def assessment(*claims):
    finding = Finding(
        id="vendor_identity@d",
        condition="vendor_identity",
        subject="d",
        state=State.OBSERVED,
        level=Level.E2,
        confidence=Confidence.LOW,
        statement="s",
        claims=claims,
    )
    return Assessment(
        schema="camscan-report/1",
        run_id="r",
        owner="o",
        authority=None,
        as_of="2026-11-25T00:00:00Z",
        knowledge_hash="h",
        knowledge_as_of="2026-11",
        tool_version="0",
        jurisdiction="",
        devices=(),
        endpoints=(),
        findings=(finding,),
        decisions=(),
        factors=(),
        coverage=Coverage(addresses_in_scope=1, addresses_answered=1, devices=1, cameras=0),
        concerns=(),
        next_tests=(),
    )


def test_the_finding_is_named_once_with_date_and_reason():
    (one,) = rested_on(assessment(claim("aq.http.old")), {ENTRY.id: ENTRY})
    assert one.text() == (
        "vendor_identity@d rested on aq.http.old (maker = aq), "
        "withdrawn 2026-11-25: matched routers too"
    )


def test_what_replaces_it_is_said():
    entry = Withdrawn(
        id="aq.http.old",
        date="2026-11-25",
        reason="r",
        source="s",
        as_of="2026",
        replaced_by="aq.http.new",
    )
    (one,) = rested_on(assessment(claim("aq.http.old")), {entry.id: entry})
    assert one.text().endswith("aq.http.new stands in its place")


def test_other_evidence_is_left_alone():
    assert rested_on(assessment(claim("aq.http.new")), {ENTRY.id: ENTRY}) == ()
    assert rested_on(assessment(claim("aq.http.old")), {}) == ()
