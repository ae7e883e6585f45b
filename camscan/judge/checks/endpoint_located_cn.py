"""Is an endpoint placed in mainland China by public registers?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import Subject
from camscan.judge.ties import tied

CONDITION = "endpoint-located-cn"
TITLE = "No endpoint is registered in mainland China"
QUESTION = "Is an endpoint placed in mainland China by public registers?"
NEEDS = ("capture", "settings")


def check(subject: Subject) -> Answer | None:
    return tied(subject, CONDITION, "an address registered in mainland China")
