"""Which lines do the tables of a report have?"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.knowledge import Concern, Law, Rule


class DeviceRow(Struct, frozen=True, kw_only=True):
    """One line of the risk table (A2) and of the inventory (A1)."""

    device_id: str
    addresses: str
    macs: str
    place: str
    role: str
    brand: str
    maker: str
    maker_name: str
    model: str
    firmware: str
    build_date: str
    cloud: str
    lower: str
    upper: str
    action: str
    """`at least DOCUMENT, up to ACT`, or the one action both ends agree on."""
    rows: str
    next_test: str
    """`C: declare the control ...`: the open factors and the cheapest test that settles them."""
    next_number: int
    """Place of that test in the list of next tests, from 1; 0 if there is none."""
    confidence: str
    provisional: bool
    concerns: tuple[str, ...]
    behind: str
    visibility: str
    listed_as: str
    notes: tuple[str, ...]
    is_camera: str
    """yes | no | unknown"""


class FindingRow(Struct, frozen=True, kw_only=True):
    id: str
    condition: str
    title: str
    subject: str
    state: str
    state_word: str
    level: str
    confidence: str
    statement: str
    reason: str
    action: str
    factor: str
    concerns: tuple[str, ...]
    rules: tuple[str, ...]
    """Rules of the owner's jurisdiction only; reference points of others stand in the annex."""
    laws: tuple[str, ...]
    does_not_show: str
    would_change: str
    position: str
    details: tuple[str, ...]


class ConcernRow(Struct, frozen=True, kw_only=True):
    concern: Concern
    word: str
    examined: int
    present: int
    supporting: int
    conditions: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]
    sources: tuple[str, ...]


class CoverageRow(Struct, frozen=True, kw_only=True):
    test: str
    about: str
    asked: int
    answered: int
    not_examined: str
    note: str

    @property
    def name(self) -> str:
        """What was asked, in words, and the id of the test, which other texts name."""
        return f"{self.about.rstrip('.')} ({self.test})" if self.about else self.test

    @property
    def whole(self) -> bool:
        """Whether all that the test was put to gave an answer, and nothing is to be said of it."""
        return not (self.not_examined or self.note)


class EndpointRow(Struct, frozen=True, kw_only=True):
    device_id: str
    endpoint: str
    marks: str
    purpose: str
    service_operator: str
    service_parent_country: str
    network_operator: str
    network_parent_country: str
    registry_country: str
    located_country: str
    sources: tuple[str, ...]
    """`column: source (date)`, and in which columns differ."""


class Reference(Struct, frozen=True, kw_only=True):
    """A law or rule that some finding prints, and beside which findings."""

    record: Law | Rule
    findings: tuple[str, ...]
