"""Is the device reachable from the internet by a port mapping?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, claims_of
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "remote-access-open"
TITLE = "No port mapping leads to the device"
QUESTION = "Is the device reachable from the internet by a port mapping?"
NEEDS = ("scan", "router")


def check(subject: Subject) -> Answer | None:
    """The absence of a mapping in one answer says nothing about the router's other rules."""
    mapped = claims_of(subject.device, Attribute.UPNP_MAPPING)
    if mapped:
        values = ", ".join(sorted(c.value or "" for c in mapped))
        return answered(
            f"{subject.name}: a port mapping from the internet was seen: {values}.", mapped
        )
    words = f"{subject.name}: mappings and rules of the internet router were not read."
    return unknown(subject, words, Reason.NOT_REQUESTED)
