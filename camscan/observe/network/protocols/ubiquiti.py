"""How are Ubiquiti devices searched for: versions 1 and 2 (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import ubiquiti
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 4


def _messages(_: str) -> tuple[bytes, ...]:
    return (ubiquiti.search_message(1), ubiquiti.search_message(2))


def _is_answer(data: bytes) -> bool:
    return len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="ubiquiti",
    kind=Kind.VENDOR_DISC,
    groups=(ubiquiti.GROUP, BROADCAST),
    ports=(ubiquiti.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=ubiquiti.PORT,
    source="facts: discovery 6",
)
