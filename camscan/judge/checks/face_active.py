"""Is face recognition, identification or template extraction active?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "face-active"
TITLE = "Face recognition is not active"
QUESTION = "Is face recognition, identification or template extraction active?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.FACE_ACTIVE,
        yes="states that a face recognition function is active",
        no="states that no face recognition function is active",
        open_="whether a face recognition function is active was not read",
        reason=Reason.NO_CREDENTIALS,
    )
