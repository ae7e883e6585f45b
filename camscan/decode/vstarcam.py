"""What does a VStarcam search answer say (facts: discovery 7)?"""

from __future__ import annotations

import struct

from camscan.decode import search_ports
from camscan.decode.layout import c_text, mac_of_bytes, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.VSTARCAM
_ANSWER = bytes.fromhex("44480108")


def parse(data: bytes) -> SearchAnswer:
    """Read an answer; raises DecodeError when the magic or the length is wrong."""
    need(data, 0x9C, "VStarcam search answer")
    if data[:4] != _ANSWER:
        raise DecodeError(f"VStarcam search answers begin with 44480108, not {data[:4].hex()}")
    return SearchAnswer(
        protocol="vstarcam",
        name=c_text(data[0x7C : 0x7C + 32]),
        mac=mac_of_bytes(data[0x54:0x5A]),
        ipv4=c_text(data[0x04:0x14]),
        serial=c_text(data[0x5C : 0x5C + 32]),
        uid=c_text(data[0x5C : 0x5C + 32]),
        firmware=c_text(data[0xCC : 0xCC + 32]),
        dns=tuple(text for text in (c_text(data[0x34:0x44]), c_text(data[0x44:0x54])) if text),
        # Little endian in the sample: 0x90 0x1f is 8080.
        port=struct.unpack_from("<H", data, 0x5A)[0],
        items=(("mask", c_text(data[0x14:0x24])), ("gateway", c_text(data[0x24:0x34]))),
    )


def search_message() -> bytes:
    """44 48 01 01."""
    return bytes.fromhex("44480101")
