"""Did outbound volume and shape fit video or images?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.exchanges import is_media, shown, volume_words
from camscan.judge.subject import Subject, destinations, strongest
from camscan.judge.watching import absent, watch_details
from camscan.model.claim import Confidence, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "media-egress"
TITLE = "No outbound volume fits video or images"
QUESTION = "Did outbound volume and shape fit video or images?"
NEEDS = ("capture",)
_STIMULI = ("power-cycle", "login", "motion")
"""What makes a camera send pictures: starting, a viewer, an event."""


def check(subject: Subject) -> Answer | None:
    met = [e for e in destinations(subject.device, (Mark.CONTACTED,)) if is_media(e)]
    if met:
        names = sorted({e.name or e.address or "" for e in met})
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name}: volume and shape of traffic with {shown(names)} fit video or images.",
            level=strongest((Level.E2, *(ev.level for e in met for ev in e.evidence))),
            confidence=Confidence.MODERATE,
            details=tuple(f"{volume_words(e)}; {'; '.join(e.why)}" for e in met)
            if any(e.packets for e in met)
            else tuple(names),
        )
    if not subject.captured:
        return unknown(subject, f"{subject.name}: its traffic was not captured.", Reason.NO_CAPTURE)
    if subject.watch is not None and not subject.watch.media_judged:
        words = f"{subject.name}: no upload of the size of video; its shape was not judged, the logs hold totals only."
        return unknown(
            subject, words, Reason.WINDOW_TOO_SHORT, details=watch_details(subject.watch)
        )
    return absent(subject, "flow classed as video or images", stimuli=_STIMULI, needs_names=False)
