"""How are UPnP devices searched for: M-SEARCH (facts: discovery 1)?"""

from __future__ import annotations

from camscan.decode import ssdp
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (ssdp.search_message(wait=1),)


def _is_answer(data: bytes) -> bool:
    return data[:8].upper() != b"M-SEARCH"


ANNOUNCEMENT = Announcement(
    name="ssdp",
    kind=Kind.SSDP,
    groups=(ssdp.GROUP,),
    ports=(ssdp.PORT,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 1",
)
