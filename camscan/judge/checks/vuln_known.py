"""Is the version in the affected range of a published flaw?"""

from __future__ import annotations

from camscan.judge.advisories import answer
from camscan.judge.answer import Answer
from camscan.judge.subject import Subject

CONDITION = "vuln-known"
TITLE = "The version is in no affected range that was compared"
QUESTION = "Is the version in the affected range of a published flaw?"
NEEDS = ("firmware",)


def check(subject: Subject) -> Answer | None:
    return answer(subject, exploited=False)
