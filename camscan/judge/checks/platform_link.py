"""Is the device registered to an outside platform?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "platform-link"
TITLE = "No link to an outside platform is configured"
QUESTION = "Is the device registered to an outside platform?"
NEEDS = ("settings",)


def check(subject: Subject) -> Answer | None:
    links = claims_of(subject.device, Attribute.PLATFORM_LINK)
    if links:
        values = ", ".join(sorted(c.value or "" for c in links))
        return answered(f"{subject.name} has a standing link to a platform: {values}.", links)
    words = f"{subject.name}: platform settings were not read."
    return unknown(subject, words, Reason.NO_CREDENTIALS)
