"""How are Dahua devices searched for: DHDiscover.search (facts: discovery 3)?"""

from __future__ import annotations

from camscan.decode import dhip
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (dhip.search_message(),)


def _unicast() -> bytes:
    return dhip.search_message(unicast=True)


def _is_answer(data: bytes) -> bool:
    return data[4:8] == b"DHIP" and b"DHDiscover.search" not in data


ANNOUNCEMENT = Announcement(
    name="dhip",
    kind=Kind.DHDISCOVER,
    groups=(dhip.GROUP, BROADCAST),
    ports=(dhip.PORT,),
    messages=_messages,
    unicast=_unicast,
    accepts=_is_answer,
    source="facts: discovery 3",
)
