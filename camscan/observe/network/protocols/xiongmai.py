"""How are Xiongmai devices searched for: DVRIP message 1530 (facts: discovery 4)?"""

from __future__ import annotations

from camscan.decode import dvrip
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (dvrip.search_message(),)


def _is_answer(data: bytes) -> bool:
    # Cameras also send this JSON unasked (facts: discovery 4); searches carry no body.
    return len(data) > 20 and (data[:1] == b"\xff" or b"NetWork.NetCommon" in data)


ANNOUNCEMENT = Announcement(
    name="xiongmai",
    kind=Kind.DVRIP,
    groups=(BROADCAST,),
    ports=(dvrip.PORT,),
    messages=_messages,
    accepts=_is_answer,
    answer_port=dvrip.PORT,
    source="facts: discovery 4",
)
