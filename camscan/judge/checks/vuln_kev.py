"""Is such a flaw on a list of exploited flaws?"""

from __future__ import annotations

from camscan.judge.advisories import answer
from camscan.judge.answer import Answer
from camscan.judge.subject import Subject

CONDITION = "vuln-kev"
TITLE = "No match is on a known-exploited list"
QUESTION = "Is such a flaw on a list of exploited flaws?"
NEEDS = ("firmware",)


def check(subject: Subject) -> Answer | None:
    return answer(subject, exploited=True)
