"""What does a check answer, before it becomes a finding?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from camscan.judge.subject import Subject, flag
from camscan.model.claim import (
    Attribute,
    Claim,
    Confidence,
    Level,
    State,
    Visibility,
)
from camscan.model.observation import Reason


class Answer(Struct, frozen=True, kw_only=True):
    """State, strength and one sentence; the rest of a finding is the same for every check."""

    state: State
    statement: str
    level: Level = Level.E0
    confidence: Confidence = Confidence.LOW
    reason: Reason | None = None
    claims: tuple[Claim, ...] = ()
    would_change: str = ""
    details: tuple[str, ...] = ()
    position: str = ""
    makers: tuple[str, ...] = ()
    """Whose devices a finding about the site is about; empty: about nobody's in particular."""


def seen(
    statement: str, claims: Sequence[Claim], *, details: tuple[str, ...] = (), no: bool = False
) -> Answer:
    """Observed (or, with `no`, checked and not found) on the strongest of the claims."""
    best = max(claims, key=lambda c: c.level)
    return Answer(
        state=State.OBSERVED_NOT if no else State.OBSERVED,
        statement=statement,
        level=best.level,
        confidence=best.confidence,
        claims=tuple(claims),
        details=details,
    )


def unknown(
    subject: Subject, statement: str, reason: Reason, *, details: tuple[str, ...] = ()
) -> Answer:
    """Not examined, with the reason; a device nobody reached has the reason of that."""
    if subject.device.visibility in {Visibility.LISTED, Visibility.COUNTED, Visibility.DECLARED}:
        reason = Reason.DEVICE_OFFLINE
        statement = f"{subject.name} was not reached by any test of this run ({subject.device.visibility.value})."
    return Answer(state=State.NOT_OBSERVED, statement=statement, reason=reason, details=details)


def torn(statement: str, claims: Sequence[Claim], *, details: tuple[str, ...] = ()) -> Answer:
    return Answer(
        state=State.CONFLICTING,
        statement=statement,
        level=max((c.level for c in claims), default=Level.E0),
        confidence=Confidence.LOW,
        claims=tuple(claims),
        details=details or tuple(v for c in claims for v in c.values),
        would_change="a further indicator of another family that supports one of the values",
    )


def yes_or_no(
    subject: Subject, attribute: Attribute, *, yes: str, no: str, open_: str, reason: Reason
) -> Answer:
    """A check that asks for one true-or-false claim of the device.

    `yes`, `no` and `open_` follow the device's name in the sentence.
    """
    claim = subject.device.claim(attribute)
    if claim is not None and claim.state is State.CONFLICTING:
        return torn(f"{subject.name}: indicators disagree whether it {yes}.", (claim,))
    answer = flag(claim)
    if claim is None or answer is None:
        return unknown(subject, f"{subject.name}: {open_}.", reason)
    if claim.state is State.DECLARED:
        words = yes if answer else no
        return Answer(
            state=State.DECLARED,
            statement=f"{subject.name}: it is declared that it {words}; not tested.",
            level=Level.E1,
            claims=(claim,),
        )
    return seen(f"{subject.name} {yes if answer else no}.", (claim,), no=not answer)
