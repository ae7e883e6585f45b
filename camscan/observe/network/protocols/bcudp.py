"""How are Reolink devices searched for: BcUDP C2D_S on 2015 and 2018 (facts: discovery 7)?"""

from __future__ import annotations

from camscan.decode import reolink
from camscan.model.observation import Kind
from camscan.observe.network.announcement import BROADCAST, Announcement

_ANSWER_PORT = 3001
"""Named in the search; any port of ours but the 3000 of the other form."""
_TRANSMISSION = 0x51


def _messages(_: str) -> tuple[bytes, ...]:
    return (reolink.udp_search_message(_TRANSMISSION, _ANSWER_PORT),)


def _is_answer(data: bytes) -> bool:
    return data[:4] == b"\x3a\xcf\x87\x2a"


ANNOUNCEMENT = Announcement(
    name="bcudp",
    kind=Kind.VENDOR_DISC,
    groups=(BROADCAST,),
    ports=reolink.UDP_PORTS,
    messages=_messages,
    accepts=_is_answer,
    answer_port=_ANSWER_PORT,
    source="facts: discovery 7",
)
