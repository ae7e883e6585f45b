"""What does a check get to see of one device?

Claims, endpoints, attribution, coverage and the owner's words; nothing else (DESIGN section 1, judge).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from camscan.model.attribution import Attribution
from camscan.model.claim import Attribute, Claim, Confidence, Device, Endpoint, Level, Mark, State
from camscan.model.finding import Coverage
from camscan.model.knowledge import Knowledge
from camscan.model.site import Site
from camscan.model.traffic import Watch

TRUE = frozenset({"true", "yes", "on", "1", "enabled"})
FALSE = frozenset({"false", "no", "off", "0", "disabled"})
LEVELS = (Level.E0, Level.E1, Level.E2, Level.E3, Level.E4)
CONFIDENCES = (Confidence.LOW, Confidence.MODERATE, Confidence.HIGH)


class Subject(Struct, frozen=True, kw_only=True):
    """One device before the checks."""

    device: Device
    attribution: Attribution
    knowledge: Knowledge
    site: Site
    as_of: date
    captured: bool = False
    """Whether a capture of its traffic is part of the run."""
    watch: Watch | None = None
    """Under which circumstances it was captured, where that is known."""
    behind: tuple[str, ...] = ()
    """device_ids of cameras behind this recorder that were seen themselves."""

    @property
    def name(self) -> str:
        """How a statement names the device: place or list id beside the address."""
        device = self.device
        extra = device.place or device.listed_as
        return f"{device.device_id} ({extra})" if extra else device.device_id


class SiteSubject(Struct, frozen=True, kw_only=True):
    """All devices together, for checks about the site."""

    subjects: tuple[Subject, ...]
    attribution: Attribution
    coverage: Coverage
    knowledge: Knowledge
    site: Site
    as_of: date
    answering: frozenset[str] = frozenset()
    """Ids of the asset rows whose device answered, whatever it was recognised as."""


def flag(claim: Claim | None) -> bool | None:
    """True or False as the claim says, None where it says nothing or disagrees with itself."""
    if claim is None or claim.value is None or claim.state is State.CONFLICTING:
        return None
    word = claim.value.strip().lower()
    return True if word in TRUE else False if word in FALSE else None


def claims_of(device: Device, attribute: Attribute) -> tuple[Claim, ...]:
    return tuple(c for c in device.claims if c.attribute is attribute and c.value is not None)


def destinations(device: Device, marks: Iterable[Mark]) -> tuple[Endpoint, ...]:
    wanted = frozenset(marks)
    return tuple(e for e in device.endpoints if wanted & set(e.marks))


def weakest(levels: Iterable[Level]) -> Level:
    return min(levels, key=LEVELS.index, default=Level.E0)


def strongest(levels: Iterable[Level]) -> Level:
    return max(levels, key=LEVELS.index, default=Level.E0)


def least(confidences: Iterable[Confidence]) -> Confidence:
    return min(confidences, key=CONFIDENCES.index, default=Confidence.LOW)


def most(confidences: Iterable[Confidence]) -> Confidence:
    return max(confidences, key=CONFIDENCES.index, default=Confidence.LOW)


def cap(level: Level, limit: Level) -> Level:
    return min(level, limit, key=LEVELS.index)
