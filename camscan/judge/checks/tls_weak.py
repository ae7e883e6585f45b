"""Is the TLS service below present practice?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "tls-weak"
TITLE = "TLS is of present practice"
QUESTION = "Is the TLS service below present practice?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    weak = claims_of(subject.device, Attribute.TLS_WEAK)
    if weak:
        values = ", ".join(sorted(c.value or "" for c in weak))
        return answered(f"{subject.name}: properties of its TLS service: {values}.", weak)
    encrypted = claims_of(subject.device, Attribute.SERVICE_ENCRYPTED)
    if encrypted:
        words = (
            f"{subject.name}: the TLS service that answered showed none of the listed properties."
        )
        return answered(words, encrypted, no=True)
    return unknown(subject, f"{subject.name}: no TLS service answered.", Reason.NOT_REQUESTED)
