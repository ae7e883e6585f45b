"""Was traffic from the device to the internet seen?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject, destinations, strongest
from camscan.model.claim import Confidence, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "egress-observed"
TITLE = "No traffic to the internet was seen"
QUESTION = "Was traffic from the device to the internet seen?"
NEEDS = ("capture",)


def check(subject: Subject) -> Answer | None:
    met = destinations(subject.device, (Mark.CONTACTED,))
    if met:
        names = sorted({e.name or e.address or "" for e in met})
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name} exchanged traffic with {', '.join(names)}.",
            level=strongest((Level.E2, *(ev.level for e in met for ev in e.evidence))),
            confidence=Confidence.MODERATE,
            details=tuple(names),
        )
    if not subject.captured:
        return unknown(subject, f"{subject.name}: its traffic was not captured.", Reason.NO_CAPTURE)
    words = f"{subject.name}: no traffic to the internet in the capture; which stimuli were applied is not stated."
    return unknown(subject, words, Reason.WINDOW_TOO_SHORT)
