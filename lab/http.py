"""How does an emulated web or RTSP server read requests and answer?"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from lab import tarpit
from lab.answer import build, find_route

if TYPE_CHECKING:
    from lab.tcp import Connection

_HEAD_LIMIT = 65536
_LENGTH = re.compile(rb"^content-length\s*:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_HOST = re.compile(rb"^host\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_CSEQ = re.compile(rb"^cseq\s*:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_CLOSE = re.compile(rb"^connection\s*:\s*close", re.IGNORECASE | re.MULTILINE)
_SHAPES = frozenset(("slowloris", "drip", "endless", "silent"))


class ResetError(Exception):
    """The device answers a request with a TCP reset."""


async def _read(connection: Connection, data: bytes) -> tuple[bytes, bytes] | None:
    """One whole request and what follows it; None at the end."""
    while True:
        end = re.search(rb"\r?\n\r?\n", data)
        if end:
            match = _LENGTH.search(data, 0, end.end())
            whole = end.end() + min(int(match.group(1)) if match else 0, _HEAD_LIMIT)
            if len(data) >= whole:
                return data[:whole], data[whole:]
        if len(data) > 2 * _HEAD_LIMIT:
            return None
        more = await connection.recv()
        if not more:
            return None
        data += more


def _target(raw: str) -> str:
    """Path of a request target; an absolute URL loses scheme and authority."""
    if "://" in raw:
        rest = raw.split("://", 1)[1]
        return "/" + rest.split("/", 1)[1] if "/" in rest else "/"
    return raw


async def converse(connection: Connection) -> None:
    """Answer requests until either side closes."""
    unit, tcp = connection.unit, connection.tcp
    rtsp = tcp.proto in {"rtsp", "rtsps"}
    rest = b""
    while True:
        request = await _read(connection, rest)
        if request is None:
            return
        whole, rest = request
        first = whole.lstrip(b"\r\n").split(b"\n", 1)[0].decode("latin-1").split()
        if len(first) < 2:
            return
        method, target = first[0].upper(), _target(first[1])
        connection.stats.request(unit.address, method, first[1], whole)
        shape = next((quirk for quirk in tcp.quirks if quirk in _SHAPES), None)
        if "rst" in tcp.quirks:
            raise ResetError
        host, cseq = _HOST.search(whole), _CSEQ.search(whole)
        extra = {
            "host": host.group(1).decode("latin-1") if host else unit.address,
            "cseq": cseq.group(1).decode() if cseq else "0",
            "path": target,
            "port": str(connection.port),
        }
        route = find_route(tcp, method, target, whole)
        delay = connection.first_byte_s + (route.delay_ms / 1000 if route else 0)
        if delay:
            await asyncio.sleep(delay)
        if route is None:
            head, body = _unknown(rtsp, extra["cseq"])
        else:
            head, body = build(
                unit, tcp, route, head_only=method == "HEAD" and route.method == "GET", **extra
            )
        if shape is not None:
            await tarpit.shaped(connection, shape, head, body)
            return
        await connection.send(head + body)
        if tcp.close or (not rtsp and _closes(whole, head)):
            return


def _unknown(rtsp: bool, cseq: str) -> tuple[bytes, bytes]:
    if rtsp:
        return f"RTSP/1.0 404 Not Found\r\nCSeq: {cseq}\r\n\r\n".encode(), b""
    return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b""


def _closes(request: bytes, head: bytes) -> bool:
    """Whether the server closes: it says so, cannot say where the body ends, or speaks 1.0."""
    if _CLOSE.search(head) or _CLOSE.search(request):
        return True
    if _LENGTH.search(head) is None and b"chunked" not in head.lower():
        return b" 204" not in head[:16] and b" 304" not in head[:16]
    return head.startswith(b"HTTP/1.0") and b"keep-alive" not in head.lower()
