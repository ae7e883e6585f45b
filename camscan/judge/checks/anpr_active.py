"""Is licence-plate recognition active?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "anpr-active"
TITLE = "Plate recognition is not active"
QUESTION = "Is licence-plate recognition active?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.PLATE_ACTIVE,
        yes="states that licence-plate recognition is active",
        no="states that licence-plate recognition is not active",
        open_="whether licence-plate recognition is active was not read",
        reason=Reason.NO_CREDENTIALS,
    )
