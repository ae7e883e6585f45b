"""How are older Dahua devices searched for: the binary search on 5050 (facts: discovery 3)?"""

from __future__ import annotations

from camscan.decode import dahua5050
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (dahua5050.search_message(),)


def _is_answer(data: bytes) -> bool:
    return data[:1] == b"\xb3"


ANNOUNCEMENT = Announcement(
    name="dahua5050",
    kind=Kind.DHDISCOVER,
    groups=(BROADCAST,),
    ports=(dahua5050.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=dahua5050.PORT,
    source="facts: discovery 3",
)
