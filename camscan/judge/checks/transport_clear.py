"""Is management or media offered in clear text?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "transport-clear"
TITLE = "Management and media are not offered in clear text"
QUESTION = "Is management or media offered in clear text?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    clear = claims_of(subject.device, Attribute.SERVICE_CLEAR)
    if clear:
        values = ", ".join(sorted(c.value or "" for c in clear))
        return answered(f"{subject.name} offers services without encryption: {values}.", clear)
    encrypted = claims_of(subject.device, Attribute.SERVICE_ENCRYPTED)
    if encrypted:
        values = ", ".join(sorted(c.value or "" for c in encrypted))
        words = f"{subject.name}: of the services that answered ({values}) none was in clear text."
        return answered(words, encrypted, no=True)
    words = f"{subject.name}: no management or media service answered."
    return unknown(subject, words, Reason.NOT_REQUESTED)
