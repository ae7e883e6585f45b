"""What does a Vivotek search answer say (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import search_ports
from camscan.decode.layout import c_text, ipv4_of_bytes, mac_of_bytes, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.VIVOTEK
_MAGIC = bytes.fromhex("4a5d8f1c")
_LONG_NAME, _MAC, _IPV4, _FLAG, _MODEL = 0x01, 0x02, 0x03, 0x04, 0x09


def parse(data: bytes) -> SearchAnswer:
    """Read an answer: session byte, magic, type-length-value; raises DecodeError otherwise."""
    need(data, 5, "Vivotek search answer")
    if data[1:5] != _MAGIC:
        raise DecodeError(f"Vivotek search answers hold 4a5d8f1c at 1, not {data[1:5].hex()}")
    values: dict[int, bytes] = {}
    position = 5
    while position + 1 < len(data):
        kind, length = data[position], data[position + 1]
        position += 2
        if kind == _FLAG:  # a single byte instead of a length
            continue
        values.setdefault(kind, data[position : position + length])
        position += length
    return SearchAnswer(
        protocol="vivotek",
        name=c_text(values.get(_LONG_NAME, b"")),
        model=c_text(values.get(_MODEL, b"")),
        mac=mac_of_bytes(values.get(_MAC, b"")),
        ipv4=ipv4_of_bytes(values.get(_IPV4, b"")),
    )


def search_message(session: int) -> bytes:
    """A session byte of choice and the magic: 5 bytes."""
    return bytes((session & 0xFF,)) + _MAGIC
