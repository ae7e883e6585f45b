"""How are RTSP OPTIONS and DESCRIBE put on one connection?

Both are read-only (RFC 2326 sections 10.1, 10.2); no SETUP, no PLAY, no credentials.
"""

from __future__ import annotations

import re

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.http import AGENT
from camscan.observe.wire.reading import Limits, Reading, Stream, read

_PATH = re.compile(r"/[\x21-\x7e]*\Z")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,12})", re.IGNORECASE | re.MULTILINE)


def url(address: str, port: int, path: str) -> str:
    """`rtsp://address:port/path`; ObserveError(refused-by-policy) for a path that is no path."""
    if _PATH.match(path) is None:
        raise ObserveError(Reason.REFUSED_BY_POLICY, f"{path!r} is not a path")
    host = f"[{address}]" if ":" in address else address
    return f"rtsp://{host}:{port}{path}"


def options_request(target: str) -> bytes:
    return f"OPTIONS {target} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: {AGENT}\r\n\r\n".encode("ascii")


def describe_request(target: str) -> bytes:
    return (
        f"DESCRIBE {target} RTSP/1.0\r\nCSeq: 2\r\nUser-Agent: {AGENT}\r\n"
        "Accept: application/sdp\r\n\r\n"
    ).encode("ascii")


def ending(data: bytearray) -> int | None:
    """RTSP answers without Content-Length have no body (RFC 2326 section 12.14)."""
    head = _HEAD_END.search(data)
    if head is None:
        return None
    length = _LENGTH.search(data, 0, head.end())
    whole = head.end() + (int(length[1]) if length else 0)
    return whole if len(data) >= whole else None


async def exchange(stream: Stream, request: bytes, limits: Limits) -> Reading:
    """Send one request, read one answer. Raises as `reading.read`."""
    stream.take(len(stream.received))
    stream.send(request)
    return await read(stream, ending, limits)
