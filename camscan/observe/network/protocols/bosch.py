"""How are Bosch devices searched for: the 12-byte request (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import bosch
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 12
_TRANSACTION = 0x43616D53
"""Comes back in the answer; any number."""


def _messages(_: str) -> tuple[bytes, ...]:
    return (bosch.search_message(_TRANSACTION),)


def _is_answer(data: bytes) -> bool:
    return len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="bosch",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(bosch.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=bosch.ANSWER_PORT,
    source="facts: discovery 6",
)
