"""How are Vivotek devices searched for: session byte and magic (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import vivotek
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 5
_SESSION = 0x5A
"""Comes back in the answer; any byte."""


def _messages(_: str) -> tuple[bytes, ...]:
    return (vivotek.search_message(_SESSION),)


def _is_answer(data: bytes) -> bool:
    return len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="vivotek",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(vivotek.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 6",
)
