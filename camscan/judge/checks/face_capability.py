"""Does the device itself say that it offers face recognition or identification?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "face-capability"
TITLE = "No face recognition is offered by the device"
QUESTION = "Does the device itself say that it offers face recognition or identification?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.FACE_RECOGNITION,
        yes="states that it offers face recognition or identification",
        no="states that it offers no face recognition",
        open_="whether it offers face recognition was not stated without a login",
        reason=Reason.NO_CREDENTIALS,
    )
