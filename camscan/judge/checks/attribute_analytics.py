"""Does the device itself say that it offers person-attribute analytics?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "attribute-analytics"
TITLE = "No person-attribute analytics are offered"
QUESTION = "Does the device itself say that it offers person-attribute analytics?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.ATTRIBUTE_ANALYTICS,
        yes="states that it offers person-attribute analytics",
        no="states that it offers no person-attribute analytics",
        open_="whether it offers person-attribute analytics was not stated without a login",
        reason=Reason.NO_CREDENTIALS,
    )
