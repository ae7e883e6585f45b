"""Is the device reachable from the internet by a port mapping?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.exchanges import reached, shown, volume_words
from camscan.judge.subject import Subject, claims_of, strongest
from camscan.model.claim import Attribute, Confidence, State
from camscan.model.observation import Reason

CONDITION = "remote-access-open"
TITLE = "No port mapping leads to the device"
QUESTION = "Is the device reachable from the internet by a port mapping?"
NEEDS = ("scan", "router", "capture")


def check(subject: Subject) -> Answer | None:
    """The absence of a mapping in one answer says nothing about the router's other rules."""
    mapped = claims_of(subject.device, Attribute.UPNP_MAPPING)
    if mapped:
        values = ", ".join(sorted(c.value or "" for c in mapped))
        return answered(
            f"{subject.name}: a port mapping from the internet was seen: {values}.", mapped
        )
    if met := reached(subject.device):
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name} answered a conversation that was opened from outside by {shown(sorted({e.address or '' for e in met}))}.",
            level=strongest(e.level for e in met),
            confidence=Confidence.MODERATE,
            details=tuple(volume_words(e) for e in met),
            would_change="the rules of the internet router, read with its owner",
        )
    words = f"{subject.name}: mappings and rules of the internet router were not read."
    return unknown(subject, words, Reason.NOT_REQUESTED)
