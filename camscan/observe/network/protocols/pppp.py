"""How are PPPP peer-to-peer cameras searched for: LanSearch (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import pppp
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (pppp.search_message(),)


def _is_answer(data: bytes) -> bool:
    return len(data) > 4 or data[:1] != b"\xf1"


ANNOUNCEMENT = Announcement(
    name="pppp",
    kind=Kind.PPPP,
    groups=(BROADCAST,),
    ports=(pppp.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 7",
)
