"""What does a Ubiquiti search answer say (facts: discovery 6)?"""

from __future__ import annotations

import struct

from camscan.decode import search_ports
from camscan.decode.layout import c_text, ipv4_of_bytes, mac_of_bytes, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.UBIQUITI
GROUP = "233.89.188.1"
_ANSWERS = {(0x01, 0x00), (0x02, 0x06), (0x02, 0x09), (0x02, 0x0B)}


def parse(data: bytes) -> SearchAnswer:
    """Read an answer: version, command, length(2), then type(1) length(2) value."""
    need(data, 8, "Ubiquiti search answer")
    if (data[0], data[1]) not in _ANSWERS:
        raise DecodeError(f"not a Ubiquiti search answer: it begins {data[:4].hex()}")
    values: dict[int, bytes] = {}
    position = 4
    while position + 3 <= len(data) and len(values) < 256:
        kind, length = struct.unpack_from(">BH", data, position)
        position += 3
        values.setdefault(kind, data[position : position + length])
        position += length
    both = values.get(0x02, b"")
    uptime = values.get(0x0A, b"")
    return SearchAnswer(
        protocol="ubiquiti",
        model=c_text(values.get(0x15, b"")) or c_text(values.get(0x0C, b"")),
        name=c_text(values.get(0x0B, b"")),
        mac=mac_of_bytes(values.get(0x01, b"") or values.get(0x13, b"") or both[:6]),
        ipv4=ipv4_of_bytes(both[6:10]),
        firmware=c_text(values.get(0x16, b"")) or c_text(values.get(0x03, b"")),
        items=(
            ("version", str(data[0])),
            ("command", f"{data[1]:02x}"),
            ("short-model", c_text(values.get(0x0C, b""))),
            ("build", c_text(values.get(0x03, b""))),
            ("minimum-version", c_text(values.get(0x1B, b""))),
            ("uptime", str(int.from_bytes(uptime, "big")) if len(uptime) == 4 else ""),
        ),
    )


def search_message(version: int = 1) -> bytes:
    """Version 1: 01 00 00 00; version 2: 02 08 00 00."""
    messages = {1: b"\x01\x00\x00\x00", 2: b"\x02\x08\x00\x00"}
    if version not in messages:
        raise ValueError(f"Ubiquiti discovery has versions 1 and 2, not {version}")
    return messages[version]
