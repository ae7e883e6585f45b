"""How are Hikvision devices searched for: SADP inquiry (facts: discovery 2)?

Some units answer to the group, so its port is bound and the group joined on each interface.
"""

from __future__ import annotations

from uuid import uuid4

from camscan.decode import sadp
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (sadp.search_message(uuid4()),)


def _is_answer(data: bytes) -> bool:
    return b"ProbeMatch" in data


ANNOUNCEMENT = Announcement(
    name="sadp",
    kind=Kind.SADP,
    groups=(sadp.GROUP,),
    ports=(sadp.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=sadp.PORT,
    joins=(sadp.GROUP,),
    source="facts: discovery 2",
)
