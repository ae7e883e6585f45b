"""Which maker's own search protocol is an answer, by its first bytes?"""

from __future__ import annotations

from camscan.decode import (
    bosch,
    foscam,
    hanwha,
    panasonic,
    reolink,
    sony,
    tuya,
    ubiquiti,
    vivotek,
    vstarcam,
)
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError


def parse(data: bytes, port: int | None = None) -> SearchAnswer:
    """Read an answer; `port` settles heads that are short. Raises DecodeError when none fits."""
    head = data[:8]
    if head[:4] == b"MO_I":
        return foscam.parse(data)
    if head[:3] == b"\x44\x48\x01":
        return vstarcam.parse(data)
    if head[:4] == b"\x3a\xcf\x87\x2a" or head[:2] == b"\xaa\xaa":
        return reolink.parse(data)
    if head[:4] in tuya.HEADS:
        return tuya.parse(data)
    if head[:4] == b"\x99\x39\xa4\x27":
        return bosch.parse(data)
    if head[1:5] == b"\x4a\x5d\x8f\x1c":
        return vivotek.parse(data)
    if data.lstrip()[:1] == b"<" and (b"friendlyName" in data or b"RCPPort" in data):
        return bosch.parse(data)
    if head[:1] == b"\x02" and b":" in data and b"\xff" in data and port != ubiquiti.PORT:
        return sony.parse(data)
    if head[:1] in {b"\x01", b"\x02"} and port in {None, ubiquiti.PORT}:
        return ubiquiti.parse(data)
    if head[:2] == b"\x00\x01" and port in {None, panasonic.PORT, panasonic.ANSWER_PORT}:
        return panasonic.parse(data)
    if head[:1] == b"\x0b" and port in {None, hanwha.PORT, hanwha.ANSWER_PORT}:
        return hanwha.parse(data)
    raise DecodeError(f"no known search protocol begins {head.hex()}")
