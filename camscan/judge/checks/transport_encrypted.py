"""Are management and media encrypted?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "transport-encrypted"
TITLE = "Management and media are encrypted"
QUESTION = "Are management and media encrypted?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    clear = claims_of(subject.device, Attribute.SERVICE_CLEAR)
    encrypted = claims_of(subject.device, Attribute.SERVICE_ENCRYPTED)
    if clear:
        values = ", ".join(sorted(c.value or "" for c in clear))
        words = f"{subject.name} offers services in clear text beside any encrypted one: {values}."
        return answered(words, clear, no=True)
    if encrypted:
        values = ", ".join(sorted(c.value or "" for c in encrypted))
        words = f"{subject.name}: the services that answered are encrypted: {values}."
        return answered(words, encrypted)
    words = f"{subject.name}: no management or media service answered."
    return unknown(subject, words, Reason.NOT_REQUESTED)
