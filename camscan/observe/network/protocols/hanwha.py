"""How are Hanwha devices searched for: the 262-byte request (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import hanwha
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (hanwha.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:1] == b"\x0b"


ANNOUNCEMENT = Announcement(
    name="hanwha",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(hanwha.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=hanwha.ANSWER_PORT,
    source="facts: discovery 6",
)
