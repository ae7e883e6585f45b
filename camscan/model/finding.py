"""What does it mean: factors as intervals, actions, findings, concerns, coverage, the assessment?"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from camscan.model.claim import Claim, Confidence, Device, Endpoint, Level, State
from camscan.model.firmware import ExaminedImage
from camscan.model.observation import Reason
from camscan.model.traffic import DeviceTraffic


class Action(StrEnum):
    """Action classes of the decision table, mildest first (compare with `rank`)."""

    NO_ACTION = "NO ACTION"
    DOCUMENT = "DOCUMENT"
    PLAN = "PLAN"
    ACT = "ACT"

    @property
    def rank(self) -> int:
        return _RANK[self.value]


_RANK = {action.value: place for place, action in enumerate(Action)}


class Interval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A factor between two ordinal levels, ends included, with the reason for either end."""

    factor: str
    """J D P C T x m"""
    lower: int
    upper: int
    why_lower: str = ""
    why_upper: str = ""
    level: Level = Level.E0
    """Evidence strength on which the lower end rests."""
    confidence: Confidence = Confidence.LOW
    declared_by: str = ""


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision table evaluated at both ends, once per device."""

    lower: Action
    upper: Action
    row: int
    """Row of the lower end."""
    upper_row: int
    provisional: bool = False
    """Deciding factors rest on low confidence: `provisional: confirm first`."""
    settles: str = ""
    """Factor whose `?` keeps the ends apart, and the cheapest test that closes it."""
    table: str = ""
    note: str = ""


class ConcernLink(Struct, frozen=True, kw_only=True):
    concern: str
    relation: str
    """supports | refutes | precondition | elsewhere (a device of none of the makers a claim names)"""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one condition for one subject."""

    id: str
    """`condition@subject`"""
    condition: str
    subject: str
    """device_id, `site`, image or endpoint."""
    state: State
    level: Level
    confidence: Confidence
    statement: str
    """One sentence in the wording of facts: scoring 9."""
    reason: Reason | None = None
    """With state not_observed."""
    claims: tuple[Claim, ...] = ()
    """The claims it rests on, with their evidence."""
    factor: str = ""
    """Decision factor it sets (`J`), empty if none."""
    action: Decision | None = None
    """The device's decision; None for site, image or endpoint."""
    concerns: tuple[ConcernLink, ...] = ()
    rules: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    does_not_show: str = ""
    would_change: str = ""
    """What would change the answer."""
    details: tuple[str, ...] = ()
    """Advisory ids, missing devices ...: texts for tables."""
    severity: str = ""
    position: str = ""


class TestCoverage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the coverage table: a test over all it could apply to."""

    __test__ = False  # not a pytest class

    test: str
    about: str
    asked: int
    """Subjects it was put to."""
    answered: int
    not_examined: tuple[tuple[str, int], ...] = ()
    """(reason code, subjects)"""
    note: str = ""


class Coverage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was and was not looked at. Printed before any result."""

    addresses_in_scope: int
    addresses_answered: int
    devices: int
    cameras: int
    tests: tuple[TestCoverage, ...] = ()
    segments: tuple[str, ...] = ()
    """One line per segment: on-link or routed, what that excludes."""
    listed: int | None = None
    """Cameras in the asset list, None if none was given."""
    listed_found: int | None = None
    announced_channels: int = 0
    channels_seen: int = 0
    vantages: tuple[str, ...] = ()
    not_examined: tuple[str, ...] = ()
    """Whole areas nobody looked at: data path, firmware, settings ..."""
    incomplete: tuple[str, ...] = ()
    """Tests asked for that did not finish (exit code 2)."""
    out_of_scope_seen: tuple[str, ...] = ()
    """Addresses that answered but lie outside the scope: seen, not contacted."""


class ConcernResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Site-level word for one concern (facts: scoring 8)."""

    concern: str
    word: str
    """supported | weakly supported | not supported under stated coverage | open |
    outside what a network can show"""
    examined: int
    present: int
    supporting: int
    findings: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    """(condition, state word) rolled up."""
    counts: tuple[tuple[str, int, int], ...] = ()
    """(condition, subjects with an answer, subjects it was put to), in the order of `conditions`."""


class NextTest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test that would settle something, cheapest first."""

    subjects: tuple[str, ...]
    test: str
    settles: tuple[str, ...]
    cost: int
    command: str = ""


class Assessment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One judgement of a run: derived, never overwritten."""

    schema: str
    run_id: str
    owner: str
    authority: str | None
    as_of: str
    knowledge_hash: str
    knowledge_as_of: str
    tool_version: str
    jurisdiction: str
    devices: tuple[Device, ...]
    endpoints: tuple[Endpoint, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[tuple[str, Decision], ...]
    """(device_id, decision) for every device judged."""
    factors: tuple[tuple[str, tuple[Interval, ...]], ...]
    coverage: Coverage
    concerns: tuple[ConcernResult, ...]
    next_tests: tuple[NextTest, ...]
    scope: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    """Left out of the scope: what the owner excluded, network and broadcast addresses."""
    site: str = ""
    """Name of the site from site.toml, printed as declared."""
    declarations: tuple[str, ...] = ()
    """What people declared, by whom, printed as declared."""
    networks_supplied: tuple[str, ...] = ()
    """Owner-supplied network table, printed on page 1 (DESIGN rule 6)."""
    inputs: tuple[tuple[str, str], ...] = ()
    """(name, sha256) of everything the result is a function of."""
    seals: tuple[tuple[str, str], ...] = ()
    """(intake, hash of its seal)."""
    options: tuple[str, ...] = ()
    traffic: tuple[DeviceTraffic, ...] = ()
    """One record per device that a capture shows."""
    images: tuple[ExaminedImage, ...] = ()
    """Firmware images of the run."""
