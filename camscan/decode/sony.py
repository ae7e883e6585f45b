"""What does a Sony search answer say (facts: discovery 6)?"""

from __future__ import annotations

from camscan.decode import search_ports
from camscan.decode.search_answer import SearchAnswer
from camscan.decode.text import decode_text
from camscan.errors import DecodeError

PORT = search_ports.SONY


def parse(data: bytes) -> SearchAnswer:
    """Read `02 KEY:value ff ... 03`; raises DecodeError otherwise."""
    if data[:1] != b"\x02":
        raise DecodeError(f"Sony search answers begin with 02, this one with {data[:1].hex()}")
    items: list[tuple[str, str]] = []
    for part in data[1:].split(b"\xff")[:64]:
        name, colon, value = decode_text(part.strip(b"\x03\x00\r\n")).partition(":")
        if colon and name:
            items.append((name.strip()[:64], value.strip()))
    if not items:
        raise DecodeError("Sony search answer without any KEY:value")
    first = dict(reversed(items))
    port = first.get("WEBPORT", "")
    return SearchAnswer(
        protocol="sony",
        model=first.get("MODEL", ""),
        mac=first.get("MAC", ""),
        ipv4=first.get("IPADR", ""),
        serial=first.get("SERIAL", ""),
        firmware=first.get("SOFTVERSION", ""),
        dns=tuple(first[key] for key in ("DNS1", "DNS2") if first.get(key)),
        port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None,
        items=tuple(items),
    )


def search_message() -> bytes:
    """`ENQ:allinfo` between 02 and ff 03."""
    return b"\x02ENQ:allinfo\xff\x03"
