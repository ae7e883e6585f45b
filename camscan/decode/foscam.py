"""What does a Foscam search answer say (facts: discovery 7)?"""

from __future__ import annotations

import struct

from camscan.decode import search_ports
from camscan.decode.layout import c_text, ipv4_of_bytes, mac_of_text, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.FOSCAM
_MAGIC = b"MO_I"
_HEADER = 0x17
_LENGTH = 0x57
_KEY = slice(0x07, 0x0F)


def parse(data: bytes) -> SearchAnswer:
    """Read an answer; raises DecodeError when the magic, the type or the length is wrong.

    Where the plain address is impossible the body is tried with the 8-byte key of the header.
    """
    need(data, _LENGTH, "Foscam search answer")
    if data[:4] != _MAGIC:
        raise DecodeError(f"Foscam search answers begin with MO_I, this one with {data[:4]!r}")
    if data[4] != 1:
        raise DecodeError(f"Foscam message type {data[4]} is no search answer")
    coded = data[6] != 0 and not _plausible(data)
    if coded:
        key = data[_KEY]
        body = bytes(byte ^ key[index % 8] for index, byte in enumerate(data[_HEADER:]))
        data = data[:_HEADER] + body
    serial = c_text(data[0x17 : 0x17 + 13])  # the MAC without separators on most units
    return SearchAnswer(
        protocol="foscam",
        serial=serial,
        mac=serial if ":" in mac_of_text(serial) else "",
        name=c_text(data[0x24 : 0x24 + 21]),
        ipv4=ipv4_of_bytes(data[0x39:0x3D]),
        dns=tuple(ip for ip in (ipv4_of_bytes(data[0x45:0x49]),) if ip),
        firmware=_dotted(data[0x4D:0x51]),
        port=struct.unpack_from(">H", data, 0x55)[0],
        items=(
            ("coded", "true" if coded else "false"),
            ("mask", ipv4_of_bytes(data[0x3D:0x41])),
            ("gateway", ipv4_of_bytes(data[0x41:0x45])),
            ("web-version", _dotted(data[0x51:0x55])),
        ),
    )


def _plausible(data: bytes) -> bool:
    """Whether serial and name are plain text: printable up to the first zero."""
    texts = data[0x17:0x23].split(b"\x00", 1)[0]
    return bool(texts) and all(0x30 <= byte < 0x7B for byte in texts)


def _dotted(data: bytes) -> str:
    return ".".join(str(byte) for byte in data)


def search_message() -> bytes:
    """27 bytes: `MO_I`, zeros, 04 at 0x0f and at 0x13, last byte 01."""
    return _MAGIC + bytes(11) + b"\x04" + bytes(3) + b"\x04" + bytes(6) + b"\x01"
