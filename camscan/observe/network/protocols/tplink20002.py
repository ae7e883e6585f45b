"""How are TP-Link devices searched for: TDP on 20002 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import tplink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def messages(_: str) -> tuple[bytes, ...]:
    return (tplink.search_message(),)


def is_answer(data: bytes) -> bool:
    return data[:2] == b"\x02\x00" and len(data) > 16


ANNOUNCEMENT = Announcement(
    name="tplink20002",
    kind=Kind.KASA,
    groups=(BROADCAST,),
    ports=tplink.PORTS[:1],
    messages=messages,
    accepts=is_answer,
    source="facts: discovery 7",
)
