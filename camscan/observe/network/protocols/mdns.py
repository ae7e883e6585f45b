"""How are devices with multicast DNS searched for: PTR questions (facts: discovery 1, 6)?

Asked with the unicast-answer bit from a high port (RFC 6762 sections 5.4 and 6.7), so the group
is not joined.
"""

from __future__ import annotations

from camscan.decode import mdns
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement


def _messages(_: str) -> tuple[bytes, ...]:
    return (mdns.search_message(),)


def _is_answer(data: bytes) -> bool:
    return len(data) > 12 and bool(data[2] & 0x80)


ANNOUNCEMENT = Announcement(
    name="mdns",
    kind=Kind.MDNS,
    groups=("224.0.0.251",),
    ports=(5353,),
    messages=_messages,
    accepts=_is_answer,
    source="facts: discovery 1, 6",
)
