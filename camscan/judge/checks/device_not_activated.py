"""Is the device still in factory state, waiting for its first password?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, flag
from camscan.model.claim import Attribute, State
from camscan.model.observation import Reason

CONDITION = "device-not-activated"
TITLE = "The device has left its factory state"
QUESTION = "Is the device still in factory state, waiting for its first password?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    claim = subject.device.claim(Attribute.ACTIVATED)
    if claim is not None and claim.state is State.CONFLICTING:
        return torn(f"{subject.name}: indicators disagree whether it is activated.", (claim,))
    active = flag(claim)
    if claim is None or active is None:
        words = f"{subject.name}: whether it is activated was not stated."
        return unknown(subject, words, Reason.NOT_REQUESTED)
    if active:
        return answered(f"{subject.name} states that it is activated.", (claim,), no=True)
    return answered(f"{subject.name} states that it still waits for its first password.", (claim,))
