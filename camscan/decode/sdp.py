"""What does a session description say (RFC 8866)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode.text import decode_text

MAX_LINES = 1024


class SessionDescription(Struct, frozen=True):
    """Lines of an SDP, by type; `attributes` are `name:value` or `name`, session and media."""

    origin: str
    session: str
    info: tuple[str, ...]
    tool: str
    media: tuple[str, ...]
    attributes: tuple[str, ...]


def parse(data: bytes) -> SessionDescription:
    """Read an SDP; unknown and broken lines are passed over, so nothing is ever raised."""
    origin = session = tool = ""
    info: list[str] = []
    media: list[str] = []
    attributes: list[str] = []
    for line in decode_text(data[:65_536]).splitlines()[:MAX_LINES]:
        kind, equals, value = line.strip().partition("=")
        if not equals or len(kind) != 1:
            continue
        value = value.strip()
        if kind == "o" and not origin:
            origin = value
        elif kind == "s" and not session:
            session = value
        elif kind == "i":
            info.append(value)
        elif kind == "m":
            media.append(value)
        elif kind == "a":
            attributes.append(value)
            name, _, text = value.partition(":")
            if name == "tool" and not tool:
                tool = text.strip()
    return SessionDescription(
        origin=origin,
        session=session,
        info=tuple(info),
        tool=tool,
        media=tuple(media),
        attributes=tuple(attributes),
    )
