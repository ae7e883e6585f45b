"""How many channels does a recorder announce beyond the cameras seen?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute, Role, State
from camscan.model.observation import Reason

CONDITION = "hidden-cameras"
TITLE = "Every camera behind the recorder was seen"
QUESTION = "How many channels does a recorder announce beyond the cameras seen?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    claim = subject.device.claim(Attribute.CHANNELS_ANNOUNCED)
    if claim is None:
        if subject.device.role is not Role.RECORDER:
            return None
        words = f"{subject.name} is a recorder; how many channels it has was not stated."
        return unknown(subject, words, Reason.NO_CREDENTIALS)
    if claim.state is State.CONFLICTING:
        return torn(f"{subject.name}: indicators name different channel counts.", (claim,))
    if claim.value is None or not claim.value.isdigit():
        return unknown(
            subject, f"{subject.name}: the channel count was not readable.", Reason.ERROR
        )
    if subject.device.role is not Role.RECORDER and int(claim.value) <= 1:
        return None  # a camera is its own only channel
    announced, behind = int(claim.value), len(subject.behind)
    missing = max(0, announced - behind)
    words = (
        f"{subject.name} announces {announced} channels; {behind} cameras behind it were seen, "
        f"{missing} channels were not examined."
    )
    return Answer(
        state=State.OBSERVED if missing else State.OBSERVED_NOT,
        statement=words,
        level=claim.level,
        confidence=claim.confidence,
        claims=(claim,),
        details=tuple(subject.behind),
    )
