"""How are older TP-Link devices searched for: get_sysinfo on 9999 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import tplink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (tplink.legacy_search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:1] == b"\xd0"  # "{" under the XOR start value 0xab


ANNOUNCEMENT = Announcement(
    name="tplink9999",
    kind=Kind.KASA,
    groups=(BROADCAST,),
    ports=(tplink.LEGACY_PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 7",
)
