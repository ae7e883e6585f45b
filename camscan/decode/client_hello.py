"""Which server does a TLS client name, and how (RFC 8446 section 4.1.2, RFC 6066, RFC 7301, RFC 9849)?

A ClientHello of today has about 1.7 kB (X25519MLKEM768 keys) and comes in several segments; the caller
hands in what it has, None means: more is needed.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode.host_name import host_name
from camscan.decode.text import clean, decode_text
from camscan.errors import DecodeError

MAX_HELLO = 32_768
"""Bytes of a ClientHello that are put together; RFC 8446 allows more, no client sends it."""
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _VERSIONS, _ECH = 0x0000, 0x0010, 0x002B, 0xFE0D
_MAX_PROTOCOLS = 16
_RECORD = struct.Struct(">BBxH").unpack_from
_NUMBER = struct.Struct(">H").unpack_from
_ENTRY = struct.Struct(">BH").unpack_from
_EXTENSION = struct.Struct(">HH").unpack_from


class ClientHello(Struct, frozen=True):
    """`name` is empty where no SNI was sent; with `ech` it is the outer name only."""

    name: str
    alpn: tuple[str, ...] = ()
    ech: bool = False
    version: str = ""
    """Highest version offered: `TLSv1.2`, `TLSv1.3` ..."""


def of_records(stream: bytes) -> ClientHello | None:
    """The ClientHello at the start of a TCP stream; None while it is not whole.

    Raises DecodeError where the stream is no TLS client's or grows beyond all measure.
    """
    handshake = b""
    at = 0
    while at + 5 <= len(stream):
        kind, major, size = _RECORD(stream, at)
        if kind != _HANDSHAKE or major != 3 or not 0 < size <= 16_640:
            raise DecodeError("not a TLS handshake record")
        handshake += stream[at + 5 : at + 5 + size]
        if (hello := of_handshake(handshake)) is not None:
            return hello
        at += 5 + size
    if stream and stream[0] != _HANDSHAKE:
        raise DecodeError("not a TLS handshake record")
    return None


def of_handshake(data: bytes) -> ClientHello | None:
    """The ClientHello at the start of handshake bytes (TLS records or QUIC CRYPTO joined)."""
    if len(data) < 4:
        return None
    if data[0] != _CLIENT_HELLO:
        raise DecodeError("handshake message is no ClientHello")
    size = int.from_bytes(data[1:4], "big")
    if size > MAX_HELLO:
        raise DecodeError(f"ClientHello of {size} bytes; {MAX_HELLO} is the limit")
    if len(data) < 4 + size:
        return None
    return parse(data[4 : 4 + size])


def of_datagram(data: bytes) -> ClientHello:
    """The ClientHello of one DTLS datagram (RFC 6347 section 4.2); DecodeError where it is none, or in parts.

    Its body is that of TLS with a cookie between session id and cipher suites.
    """
    if len(data) < 60 or data[0] != _HANDSHAKE or data[1] != 0xFE or data[13] != _CLIENT_HELLO:
        raise DecodeError("no ClientHello of DTLS")
    size, begin, part = (int.from_bytes(data[n : n + 3], "big") for n in (14, 19, 22))
    body = data[25 : 25 + size]
    if begin or part != size or len(body) < size:
        raise DecodeError("ClientHello of DTLS in parts")
    behind = 35 + body[34] if size > 35 else size
    if behind >= size:
        raise DecodeError("ClientHello of DTLS is cut off")
    return parse(b"\x03\x03" + body[2:behind] + body[behind + 1 + body[behind] :])


def parse(body: bytes) -> ClientHello:
    """Read the body of a ClientHello; raises DecodeError where its frame is damaged."""
    try:
        return _parse(body)
    except (struct.error, IndexError) as error:
        raise DecodeError("ClientHello is cut off") from error


def _parse(body: bytes) -> ClientHello:
    (legacy,) = _NUMBER(body)
    if legacy >> 8 != 3:
        raise DecodeError(f"ClientHello of version 0x{legacy:04x}")
    at = 34
    at += 1 + body[at]  # session id
    (size,) = _NUMBER(body, at)
    at += 2 + size  # cipher suites
    at += 1 + body[at]  # compression
    if at > len(body):
        raise DecodeError("ClientHello is cut off")
    name, ech, best = "", False, legacy
    alpn: tuple[str, ...] = ()
    if at + 2 <= len(body):
        (size,) = _NUMBER(body, at)
        end = min(len(body), at + 2 + size)
        at += 2
        while at + 4 <= end:
            kind, size = _EXTENSION(body, at)
            begin, at = at + 4, at + 4 + size
            if kind == _SERVER_NAME and not name:
                name = _server_name(body[begin:at])
            elif kind == _ALPN:
                alpn = _protocols(body[begin:at])
            elif kind == _VERSIONS:
                best = _highest(body[begin:at], best)
            elif kind == _ECH:
                ech = True
    return ClientHello(name, alpn, ech, _version(best))


def _server_name(value: bytes) -> str:
    """The first entry of type host_name (RFC 6066 section 3)."""
    at = 2
    while at + 3 <= len(value):
        kind, size = _ENTRY(value, at)
        if kind == 0:
            name = value[at + 3 : at + 3 + size]
            return host_name(name) if len(name) == size else ""
        at += 3 + size
    return ""


def _protocols(value: bytes) -> tuple[str, ...]:
    found: list[str] = []
    at = 2
    while at < len(value) and len(found) < _MAX_PROTOCOLS:
        size = value[at]
        text = clean(decode_text(value[at + 1 : at + 1 + size]))
        if text:
            found.append(text)
        at += 1 + size
    return tuple(found)


def _highest(value: bytes, best: int) -> int:
    """The highest version offered, at least `best`."""
    for major, minor in zip(value[1::2], value[2::2], strict=False):
        # What does not begin with 3 is GREASE (RFC 8701) or a draft.
        if major == 3 and best < 0x300 | minor:
            best = 0x300 | minor
    return best


def _version(number: int) -> str:
    minor = number & 0xFF
    return "SSLv3" if minor == 0 else f"TLSv1.{minor - 1}" if minor > 1 else "TLSv1"


def partial(stream: bytes) -> ClientHello | None:
    """What the beginning of a ClientHello says, where the rest was lost or cut by the capture."""
    handshake = bytearray()
    at = 0
    while at + 5 <= len(stream) and stream[at] == _HANDSHAKE:
        size = int.from_bytes(stream[at + 3 : at + 5], "big")
        handshake += stream[at + 5 : at + 5 + size]
        at += 5 + size
    if handshake[:1] != b"\x01":
        return None
    try:
        return parse(bytes(handshake[4:MAX_HELLO]))
    except DecodeError:
        return None
