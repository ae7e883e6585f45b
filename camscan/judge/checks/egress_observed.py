"""Was traffic from the device to the internet seen?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.exchanges import shown, volume_words
from camscan.judge.subject import Subject, destinations, strongest
from camscan.judge.watching import absent
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
            statement=f"{subject.name} exchanged traffic with {shown(names)}.",
            level=strongest(
                (Level.E2, *(e.level for e in met), *(ev.level for e in met for ev in e.evidence))
            ),
            confidence=Confidence.MODERATE,
            details=tuple(volume_words(e) for e in met)
            if any(e.packets for e in met)
            else tuple(names),
        )
    if not subject.captured:
        return unknown(subject, f"{subject.name}: its traffic was not captured.", Reason.NO_CAPTURE)
    return absent(subject, "traffic to the internet", needs_names=False)
