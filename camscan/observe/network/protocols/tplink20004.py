"""How are TP-Link devices searched for: TDP on 20004 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import tplink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement
from camscan.observe.network.protocols.tplink20002 import is_answer, messages

ANNOUNCEMENT = Announcement(
    name="tplink20004",
    kind=Kind.KASA,
    groups=(BROADCAST,),
    ports=tplink.PORTS[1:],
    messages=messages,
    accepts=is_answer,
    source="facts: discovery 7",
)
