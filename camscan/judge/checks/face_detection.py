"""Is face detection (no template, no identity) active?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, flag
from camscan.model.claim import Attribute, State
from camscan.model.observation import Reason

CONDITION = "face-detection"
TITLE = "Face detection is not active"
QUESTION = "Is face detection (no template, no identity) active?"
NEEDS = ("settings",)


def check(subject: Subject) -> Answer | None:
    """The claim is about the capability; whether rules are active is another question."""
    claim = subject.device.claim(Attribute.FACE_DETECTION)
    if claim is not None and claim.state is State.CONFLICTING:
        words = f"{subject.name}: indicators disagree whether it offers face detection."
        return torn(words, (claim,))
    offered = flag(claim)
    if claim is not None and offered is False:
        return answered(
            f"{subject.name} states that it offers no face detection.", (claim,), no=True
        )
    words = "whether face detection is active was not read"
    if offered:
        words = f"it offers face detection; {words}"
    return unknown(subject, f"{subject.name}: {words}.", Reason.NO_CREDENTIALS)
