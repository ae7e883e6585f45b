"""Is a vendor cloud configured or advertised by the device?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, destinations, flag
from camscan.model.claim import Attribute, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "cloud-configured"
TITLE = "No vendor cloud is configured"
QUESTION = "Is a vendor cloud configured or advertised by the device?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    enabled, supported, account = (
        subject.device.claim(a)
        for a in (Attribute.CLOUD_ENABLED, Attribute.CLOUD_SUPPORTED, Attribute.CLOUD_ACCOUNT)
    )
    if enabled is not None and enabled.state is State.CONFLICTING:
        return torn(
            f"{subject.name}: indicators disagree whether its cloud service is on.", (enabled,)
        )
    if enabled is not None and flag(enabled):
        return answered(f"{subject.name} states that its vendor cloud is on.", (enabled,))
    if account is not None and flag(account):
        words = f"{subject.name} states that it is bound to an account of its vendor cloud."
        return answered(words, (account,))
    configured = [e for e in destinations(subject.device, (Mark.CONFIGURED,)) if e.service_operator]
    if configured:
        names = sorted({e.name or e.address or "" for e in configured})
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name} has cloud hosts in its settings: {', '.join(names)}.",
            level=Level.E2,
        )
    if enabled is not None and flag(enabled) is False:
        return answered(f"{subject.name} states that its vendor cloud is off.", (enabled,), no=True)
    if supported is not None and flag(supported):
        words = f"{subject.name} advertises a vendor cloud; whether it is on was not stated."
        return answered(words, (supported,))
    if supported is not None and flag(supported) is False:
        words = f"{subject.name} states that it offers no vendor cloud."
        return answered(words, (supported,), no=True)
    words = f"{subject.name}: whether a vendor cloud is configured was not stated without a login."
    return unknown(subject, words, Reason.NO_CREDENTIALS)
