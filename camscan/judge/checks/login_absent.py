"""Does the device give media or identity without a login?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "login-absent"
TITLE = "Nothing is given without a login"
QUESTION = "Does the device give media or identity without a login?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    bare = claims_of(subject.device, Attribute.SERVICE_NO_LOGIN)
    if bare:
        values = ", ".join(sorted(c.value or "" for c in bare))
        return answered(f"{subject.name} gave content or identity without a login: {values}.", bare)
    services = (
        *claims_of(subject.device, Attribute.SERVICE_CLEAR),
        *claims_of(subject.device, Attribute.SERVICE_ENCRYPTED),
    )
    if services:
        values = ", ".join(sorted(c.value or "" for c in services))
        words = f"{subject.name}: in the exchanges made, no service gave content without a login ({values})."
        return answered(words, services, no=True)
    words = f"{subject.name}: no management or media service answered."
    return unknown(subject, words, Reason.NOT_REQUESTED)
