"""How are Foscam devices searched for: the 27-byte request (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import foscam
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 27


def _messages(_: str) -> tuple[bytes, ...]:
    return (foscam.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:4] == b"MO_I" and len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="foscam",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(foscam.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=foscam.PORT,
    source="facts: discovery 7",
)
