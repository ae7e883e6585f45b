"""Is an endpoint operated or hosted by a PRC group?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import Subject
from camscan.judge.ties import tied

CONDITION = "cloud-operator-cn-group"
TITLE = "No endpoint is operated or hosted by a PRC group"
QUESTION = "Is an endpoint operated or hosted by a PRC group?"
NEEDS = ("capture", "settings")


def check(subject: Subject) -> Answer | None:
    return tied(subject, CONDITION, "a service operated by, or hosted on a network of, a PRC group")
