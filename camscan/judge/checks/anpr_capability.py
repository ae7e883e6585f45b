"""Does the device itself say that it offers licence-plate recognition?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "anpr-capability"
TITLE = "No plate recognition is offered by the device"
QUESTION = "Does the device itself say that it offers licence-plate recognition?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.PLATE,
        yes="states that it offers licence-plate recognition",
        no="states that it offers no licence-plate recognition",
        open_="whether it offers licence-plate recognition was not stated without a login",
        reason=Reason.NO_CREDENTIALS,
    )
