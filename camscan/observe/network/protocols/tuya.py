"""Which devices on the Tuya platform are heard by listening alone (facts: scanning 5)?

Nothing is sent: they broadcast by themselves, every few seconds, to UDP 6666 (plain) or 6667.
"""

from __future__ import annotations

from camscan.decode.tuya import HEADS, PORTS
from camscan.model.observation import Kind
from camscan.observe.network.announcement import Announcement


def _none(_: str) -> tuple[bytes, ...]:
    return ()


def _is_broadcast(data: bytes) -> bool:
    return data[:4] in HEADS


def _listening(port: int) -> Announcement:
    return Announcement(
        name=f"tuya{port}",
        kind=Kind.VENDOR_DISC,
        groups=(),
        ports=(port,),
        messages=_none,
        accepts=_is_broadcast,
        answer_port=port,
        source="facts: scanning 5; jasonacox/tinytuya README (read 2026-11-25)",
    )


PLAIN, ENCIPHERED = (_listening(port) for port in PORTS)
