"""How are Panasonic and i-PRO devices searched for: the 52-byte request (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import panasonic
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 52


def _messages(own: str) -> tuple[bytes, ...]:
    return (panasonic.search_message(own),)


def _is_answer(data: bytes) -> bool:
    return len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="ipro",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(panasonic.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=panasonic.ANSWER_PORT,
    source="facts: discovery 6",
)
