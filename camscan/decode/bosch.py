"""What does a Bosch search answer say (facts: discovery 6)?"""

from __future__ import annotations

import struct

from camscan.decode import search_ports, xml
from camscan.decode.layout import ipv4_of_bytes, mac_of_bytes, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.BOSCH
ANSWER_PORT = search_ports.BOSCH_ANSWER
_MAGIC = bytes.fromhex("9939a427")


def parse(data: bytes) -> SearchAnswer:
    """Read the short (32 bytes) or the long (XML) answer; raises DecodeError otherwise."""
    if data.lstrip()[:1] == b"<":
        document = xml.parse(data)
        port = document.first("RCPPort") or ""
        return SearchAnswer(
            protocol="bosch",
            model=document.first("friendlyName") or "",
            name=document.first("unitName") or "",
            mac=document.first("physAddress") or "",
            ipv4=document.first("unitIPAddress") or "",
            serial=document.first("serialNumber") or "",
            port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None,
            items=tuple((leaf.name, leaf.text) for leaf in document.leaves),
        )
    need(data, 28, "Bosch search answer")
    if data[:4] != _MAGIC:
        raise DecodeError(f"Bosch search answers begin with 9939a427, not {data[:4].hex()}")
    return SearchAnswer(
        protocol="bosch",
        mac=mac_of_bytes(data[8:14]),
        ipv4=ipv4_of_bytes(data[16:20]),
        items=(("mask", ipv4_of_bytes(data[20:24])), ("gateway", ipv4_of_bytes(data[24:28]))),
    )


def search_message(transaction: int) -> bytes:
    """12 bytes: magic, a transaction number that comes back, ff 00 06 de."""
    return _MAGIC + struct.pack(">I", transaction & 0xFFFFFFFF) + bytes.fromhex("ff0006de")
