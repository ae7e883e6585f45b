"""Did outbound volume and shape fit video or images?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject, destinations, strongest
from camscan.model.claim import Confidence, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "media-egress"
TITLE = "No outbound volume fits video or images"
QUESTION = "Did outbound volume and shape fit video or images?"
NEEDS = ("capture",)


def check(subject: Subject) -> Answer | None:
    met = [e for e in destinations(subject.device, (Mark.CONTACTED,)) if "media" in e.purpose]
    if met:
        names = sorted({e.name or e.address or "" for e in met})
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name}: volume and shape of traffic with {', '.join(names)} fit video or images.",
            level=strongest((Level.E2, *(ev.level for e in met for ev in e.evidence))),
            confidence=Confidence.MODERATE,
            details=tuple(names),
        )
    if not subject.captured:
        return unknown(subject, f"{subject.name}: its traffic was not captured.", Reason.NO_CAPTURE)
    words = f"{subject.name}: no flow of the capture was classed as media; which stimuli were applied is not stated."
    return unknown(subject, words, Reason.WINDOW_TOO_SHORT)
