"""How are Uniview devices searched for: the older form of its private Probe (facts: discovery 5)?"""

from __future__ import annotations

from uuid import uuid4

from camscan.decode import wsd
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement
from camscan.observe.network.protocols.wsd import is_answer


def _messages(_: str) -> tuple[bytes, ...]:
    return wsd.uniview_search_messages(uuid4(), uuid4())[:1]


ANNOUNCEMENT = Announcement(
    name="uniview",
    kind=Kind.WSD,
    groups=(wsd.GROUP,),
    ports=(wsd.PORT,),
    messages=_messages,
    accepts=is_answer,
    source="facts: discovery 5",
)
