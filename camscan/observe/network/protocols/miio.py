"""How are Xiaomi devices searched for: the miIO hello (facts: discovery 1 and 7)?"""

from __future__ import annotations

from camscan.decode import miio
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (miio.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:2] == b"\x21\x31" and data[4:8] != b"\xff" * 4


ANNOUNCEMENT = Announcement(
    name="miio",
    kind=Kind.MIIO,
    groups=(BROADCAST,),
    ports=(miio.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 7",
)
