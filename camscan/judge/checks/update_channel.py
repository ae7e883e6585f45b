"""From which host does the device take its firmware?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject, strongest
from camscan.model.claim import Confidence, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "update-channel"
TITLE = "The source of firmware updates is known"
QUESTION = "From which host does the device take its firmware?"
NEEDS = ("capture", "settings", "firmware")

_HOW = {
    Mark.CONTACTED: "contacted",
    Mark.CONFIGURED: "set",
    Mark.NAMED: "asked for by name",
    Mark.EMBEDDED: "contained in its firmware",
}


def check(subject: Subject) -> Answer | None:
    """A host that also serves other purposes is named with all of them."""
    found = [
        e for e in subject.device.endpoints if "update" in {p.strip() for p in e.purpose.split(",")}
    ]
    if not found:
        words = f"{subject.name}: no host for firmware updates was seen, set or read."
        reason = Reason.WINDOW_TOO_SHORT if subject.captured else Reason.NO_CAPTURE
        return unknown(subject, words, reason)
    lines = tuple(
        f"{e.name or e.address} ({_HOW[next(m for m in _HOW if m in e.marks)]}; {e.purpose}; "
        f"{e.service_operator or e.network_operator or 'operator not named'})"
        for e in found
    )
    return Answer(
        state=State.OBSERVED,
        statement=f"{subject.name}: hosts that serve firmware updates among their purposes: {'; '.join(lines)}.",
        level=strongest((Level.E2, *(ev.level for e in found for ev in e.evidence))),
        confidence=Confidence.MODERATE if any(e.evidence for e in found) else Confidence.LOW,
        details=lines,
    )
