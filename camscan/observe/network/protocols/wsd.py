"""How are ONVIF devices searched for: WS-Discovery Probe (facts: discovery 1)?"""

from __future__ import annotations

from uuid import uuid4

from camscan.decode import wsd
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (wsd.search_message(uuid4()),)


def is_answer(data: bytes) -> bool:
    """A match or a Hello; not another tool's Probe."""
    return b"ProbeMatch" in data or b"Hello" in data


ANNOUNCEMENT = Announcement(
    name="wsd",
    kind=Kind.WSD,
    groups=(wsd.GROUP,),
    ports=(wsd.PORT,),
    messages=_messages,
    accepts=is_answer,
    source="facts: discovery 1",
)
