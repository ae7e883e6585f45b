"""What does a Panasonic / i-PRO search answer say (facts: discovery 6)?"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from camscan.decode import search_ports
from camscan.decode.layout import c_text, ipv4_of_bytes, ipv6_of_bytes, mac_of_bytes, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.PANASONIC
ANSWER_PORT = search_ports.PANASONIC_ANSWER
_TLV_START = 53


def parse(data: bytes) -> SearchAnswer:
    """Read an answer: header with the MAC at 6, from byte 53 on type(2) length(2) value."""
    need(data, _TLV_START + 4, "Panasonic search answer")
    if data[:2] != b"\x00\x01":
        raise DecodeError(
            f"Panasonic search answers begin with 0001, this one with {data[:2].hex()}"
        )
    values: dict[int, bytes] = {}
    position = _TLV_START
    while position + 4 <= len(data) and len(values) < 256:
        kind, length = struct.unpack_from(">HH", data, position)
        position += 4
        values.setdefault(kind, data[position : position + length])
        position += length
    dns = values.get(0x23, b"")
    port = values.get(0x25, b"")
    full, short = c_text(values.get(0xA7, b"")), c_text(values.get(0xA8, b""))
    return SearchAnswer(
        protocol="panasonic",
        model=full or short,
        name=short,
        mac=mac_of_bytes(data[6:12]),
        ipv4=ipv4_of_bytes(values.get(0x20, b"")),
        firmware=c_text(values.get(0xA9, b"")),
        dns=tuple(ip for ip in (ipv4_of_bytes(dns[:4]), ipv4_of_bytes(dns[4:8])) if ip),
        port=int.from_bytes(port, "big") if len(port) == 2 else None,
        items=(
            ("mask", ipv4_of_bytes(values.get(0x21, b""))),
            ("gateway", ipv4_of_bytes(values.get(0x22, b""))),
            ("ipv6", ipv6_of_bytes(values.get(0x40, b""))),
        ),
    )


def search_message(own_address: str) -> bytes:
    """52 bytes with the asker's IPv4 address; the asker's MAC is given as ff:ff:ff:ff:ff:ff."""
    return (
        bytes.fromhex("00010000000d000000000000")
        + b"\xff" * 6
        + IPv4Address(own_address).packed
        + bytes.fromhex("000120111e11231f1e1913000002")
        + bytes(12)
        + b"\xff\xff\x00\x00"
    )
