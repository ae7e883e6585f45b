"""How are Sony devices searched for: ENQ:allinfo (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import sony
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (sony.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:1] == b"\x02" and b"ENQ:" not in data


ANNOUNCEMENT = Announcement(
    name="sony",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(sony.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 6",
)
