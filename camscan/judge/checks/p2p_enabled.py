"""Is a P2P or cloud relay function enabled?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, flag
from camscan.model.claim import Attribute, Claim, Family, State
from camscan.model.observation import Reason

CONDITION = "p2p-enabled"
TITLE = "No P2P or relay function is enabled"
QUESTION = "Is a P2P or cloud relay function enabled?"
NEEDS = ("scan", "settings", "capture")


def check(subject: Subject) -> Answer | None:
    enabled, supported = (
        subject.device.claim(a) for a in (Attribute.P2P_ENABLED, Attribute.P2P_SUPPORTED)
    )
    for claim in (enabled, supported):
        if claim is not None and claim.state is State.CONFLICTING:
            words = f"{subject.name}: indicators disagree about its P2P function."
            return torn(words, (claim,))
    if enabled is not None and flag(enabled) and _seen_only(enabled):
        words = (
            f"{subject.name} was seen to use its P2P function; what it states of it was not read."
        )
        return answered(words, (enabled,))
    if enabled is not None and (on := flag(enabled)) is not None:
        words = f"{subject.name} states that its P2P function is {'on' if on else 'off'}."
        return answered(words, (enabled,), no=not on)
    if supported is not None and flag(supported) is False:
        words = f"{subject.name} states that it offers no P2P function."
        return answered(words, (supported,), no=True)
    present = "it has a P2P function; " if supported is not None and flag(supported) else ""
    words = f"{subject.name}: {present}whether a P2P function is enabled was not stated."
    return unknown(subject, words, Reason.NO_CREDENTIALS)


def _seen_only(claim: Claim) -> bool:
    return bool(claim.evidence) and all(e.family is Family.TRAFFIC for e in claim.evidence)
