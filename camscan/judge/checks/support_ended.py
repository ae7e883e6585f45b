"""Has a published end-of-support date passed?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject
from camscan.judge.weakness import matched
from camscan.model.claim import Attribute, Confidence, Level, State
from camscan.model.observation import Reason

CONDITION = "support-ended"
TITLE = "The device is within its support period"
QUESTION = "Has a published end-of-support date passed?"
NEEDS = ("model", "document")


def check(subject: Subject) -> Answer | None:
    """An unknown support period is never "supported" (facts: concerns, support-ended)."""
    ended = [m for m in matched(subject) if m.ended]
    if not ended:
        words = f"{subject.name}: no published end of support for this model is in the data."
        return unknown(subject, words, Reason.NO_DATABASE)
    claims = tuple(c for c in subject.device.claims if c.attribute is Attribute.MODEL)
    return Answer(
        state=State.OBSERVED,
        statement=f"{subject.name}: the advisory {ended[0].advisory} states that no fix is to be expected.",
        level=Level.E2,
        confidence=Confidence.LOW,
        claims=claims,
        details=tuple(m.advisory for m in ended),
    )
