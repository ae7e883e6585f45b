"""How are TP-Link devices searched for: TDP on 20002 and 20004 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import tplink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (tplink.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:2] == b"\x02\x00" and len(data) > 16


ANNOUNCEMENT = Announcement(
    name="tplink",
    kind=Kind.KASA,
    groups=(BROADCAST,),
    ports=tplink.PORTS,
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 7",
)
