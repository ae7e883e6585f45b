"""Is the camera network separated, and its egress filtered?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.declared import declared
from camscan.judge.subject import Subject
from camscan.model.claim import Level, State
from camscan.model.observation import Reason

CONDITION = "segmentation"
TITLE = "The camera network is separated and its egress filtered"
QUESTION = "Is the camera network separated, and its egress filtered?"
NEEDS = ("declaration",)


def check(subject: Subject) -> Answer | None:
    said = declared(subject.device, "C", subject.site)
    if said is None:
        words = f"{subject.name}: separation and egress rules were neither tested nor declared."
        return unknown(subject, words, Reason.NOT_REQUESTED)
    return Answer(
        state=State.CONFLICTING if said.lower != said.upper else State.DECLARED,
        statement=f"{subject.name}: {said.text}; not tested.",
        level=Level.E1,
        would_change="a test of egress from the camera segment",
    )
