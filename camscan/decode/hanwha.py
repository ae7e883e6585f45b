"""What does a Hanwha (Wisenet) search answer say (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import search_ports
from camscan.decode.layout import c_text, need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORT = search_ports.HANWHA
ANSWER_PORT = search_ports.HANWHA_ANSWER
_LENGTH = 262


def parse(data: bytes) -> SearchAnswer:
    """Read an answer; raises DecodeError unless it begins with 0b and reaches the model."""
    need(data, 0x77, "Hanwha search answer")
    if data[0] != 0x0B:
        raise DecodeError(f"Hanwha search answers begin with 0b, this one with {data[0]:02x}")
    return SearchAnswer(
        protocol="hanwha",
        mac=c_text(data[0x13 : 0x13 + 18]),
        ipv4=c_text(data[0x25 : 0x25 + 16]),
        model=c_text(data[0x6D : 0x6D + 10]),
        items=(
            ("mask", c_text(data[0x35 : 0x35 + 16])),
            ("gateway", c_text(data[0x45 : 0x45 + 16])),
            ("url", c_text(data[0x85 : 0x85 + 39])),
        ),
    )


def search_message() -> bytes:
    """01 and 261 zeros."""
    return b"\x01" + bytes(_LENGTH - 1)
