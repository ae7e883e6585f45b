"""Which bytes does a route of a persona give for one request?"""

from __future__ import annotations

import base64
import gzip
import io
from functools import lru_cache

from lab.persona import PERSONAS, Route, Tcp
from lab.unit import Unit

_BOMB_BYTES = 64 * 1024 * 1024


def find_route(tcp: Tcp, method: str, target: str, request: bytes = b"") -> Route | None:
    """First match wins; `*` any, `/x/*` prefix, query ignored unless the route has one."""
    plain = target.partition("?")[0]
    for route in tcp.route:
        if route.method not in {"*", method} and not (method == "HEAD" and route.method == "GET"):
            continue
        if route.contains is not None and route.contains.encode() not in request:
            continue
        if route.path in {"*", target, plain}:
            return route
        if route.path.endswith("*") and target.startswith(route.path[:-1]):
            return route
    return None


@lru_cache(maxsize=256)
def _file(name: str) -> bytes:
    return (PERSONAS / name).read_bytes()


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as out:
        for _ in range(_BOMB_BYTES // 65536):
            out.write(b"0" * 65536)
    return stream.getvalue()


def _attached(route: Route) -> bytes | None:
    if route.body_hex is not None:
        return bytes.fromhex(route.body_hex)
    if route.body_base64 is not None:
        return base64.b64decode(route.body_base64)
    if route.body_file is not None:
        return _file(route.body_file)
    return None


def split(text: str) -> tuple[str, str]:
    """Head and body of a response text; the newline before the closing quotes is dropped."""
    text = text.replace("\r\n", "\n").removeprefix("\n").removesuffix("\n")
    head, _, body = text.partition("\n\n")
    return head.removesuffix("\n"), body


def build(
    unit: Unit, tcp: Tcp, route: Route, *, head_only: bool = False, **extra: str
) -> tuple[bytes, bytes]:
    """Head (with its empty line) and body, quirks of the head applied."""
    if route.response_hex is not None:
        return bytes.fromhex(route.response_hex), b""
    head, text = split(route.response or "")
    body = unit.text(text, **extra).encode()
    attached = _attached(route)
    if attached is not None:
        body += attached
    if tcp.proto in {"rtsp", "rtsps"} and body and attached is None:
        body = body.replace(b"\n", b"\r\n") + b"\r\n"
    if "gzip_bomb" in tcp.quirks:
        body = _bomb()
        head += "\nContent-Encoding: gzip"
    head = unit.text(head, length=str(len(body)), **extra)
    lines = head.split("\n")
    if "no_reason" in tcp.quirks:
        lines[0] = " ".join(lines[0].split(" ")[:2])
    if "dup_len" in tcp.quirks:
        lines.append("Content-Length: -1")
    end = "\n" if "lf_only" in tcp.quirks else "\r\n"
    return (end.join(lines) + end + end).encode(), b"" if head_only else body
