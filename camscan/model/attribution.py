"""Who stands behind a device, which advisories fit it, which articles and rules may stand beside it?

Built by `attribute`, read by `judge`; both meet here.
"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.claim import Confidence, Level, Mark


class Chain(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """brand -> maker -> parent -> group seat, each step with source and date."""

    brand: str | None = None
    """Name on the label."""
    maker: str | None = None
    """Party id; None = not identified or conflicting."""
    candidates: tuple[str, ...] = ()
    """Party ids of competing makers where the claim is conflicting."""
    group: str | None = None
    """Party id at the top of the known chain."""
    seat: str | None = None
    """Country of the group's headquarters; None = not known; `disputed`."""
    lower: int = 0
    upper: int = 4
    """J levels the maker alone supports, 0 to 2; 0 to 4 when no maker is known."""
    known: bool = False
    steps: tuple[str, ...] = ()
    """One line per step, with source and date."""
    level: Level = Level.E0
    confidence: Confidence = Confidence.LOW
    seat_verified: bool = False
    """Whether every seat on the chain rests on a source that was read."""
    position: str = ""
    """The maker's published position with its source, empty if none was read."""


class AdvisoryMatch(Struct, frozen=True, kw_only=True):
    """How one advisory compares with one device."""

    advisory: str
    outcome: str
    """`match`, `product` (product named, versions cannot be compared), `no_match`, `undecided`."""
    reason: str
    """`build 2020-05-01 is before 2021-06-28`."""
    known_exploited: str = ""
    ended: bool = False
    """The advisory states that support has ended."""


class EndpointTie(Struct, frozen=True, kw_only=True):
    """An endpoint of a device that ties it to a PRC group or to a mainland registration."""

    condition: str
    """`cloud-operator-cn-group` or `endpoint-located-cn`."""
    endpoint: str
    """Name, else address."""
    words: str
    """`operated by ...`, `hosted on a network of ...`, `registered in mainland China (...)`."""
    mark: Mark
    """Strongest mark of the endpoint: contacted, configured or named; never embedded."""
    purpose: str
    level: Level
    confidence: Confidence


class Attribution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that `attribute` says of one subject."""

    subject: str
    chain: Chain = Chain()
    ties: tuple[EndpointTie, ...] = ()
    advisories: tuple[AdvisoryMatch, ...] = ()
    uncompared: tuple[str, ...] = ()
    """Advisories listed for the platform whose products cannot be compared by software."""
    nexus: tuple[str, ...] = ()
    """Nexus conditions observed for this subject at confidence moderate or better."""
    laws: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(condition, law ids that may be printed beside it)."""
    rules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(condition, rule ids that may be printed beside it)."""

    def laws_for(self, condition: str) -> tuple[str, ...]:
        return next((ids for name, ids in self.laws if name == condition), ())

    def rules_for(self, condition: str) -> tuple[str, ...]:
        return next((ids for name, ids in self.rules if name == condition), ())
