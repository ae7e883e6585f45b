"""How are Reolink devices searched for: the search on 2000 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import reolink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_REQUEST = 4


def _messages(_: str) -> tuple[bytes, ...]:
    return (reolink.search_message(),)


def _is_answer(data: bytes) -> bool:
    return len(data) > _REQUEST


ANNOUNCEMENT = Announcement(
    name="reolink",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=(reolink.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=reolink.ANSWER_PORT,
    source="facts: discovery 7",
)
