"""How are VStarcam devices searched for (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import vstarcam
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (vstarcam.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:4] == b"\x44\x48\x01\x08"


ANNOUNCEMENT = Announcement(
    name="vstarcam",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(vstarcam.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 7",
)
