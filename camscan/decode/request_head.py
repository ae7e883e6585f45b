"""Which party does a text request name: HTTP, CONNECT, RTSP, SIP (RFC 9112, 7826, 3261)?

Only the names are taken. Paths lose their query, user information is dropped, and no header but those
listed is looked at: what a login is made of never leaves this module.
"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode.host_name import authority
from camscan.decode.text import clean, decode_text
from camscan.errors import DecodeError

MAX_HEAD = 16_384
# A target with spaces in it is against the rules, and sent.
_LINE = re.compile(rb"([A-Za-z_-]{2,20})[ ]([^\r\n]{1,16000})[ ]((?:HTTP|RTSP|SIP)/\d\.\d)\r?\n")
_HTTP = (
    "GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "CONNECT", "PATCH", "TRACE", "PROPFIND", "PROPPATCH", "MKCOL",
    "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "SUBSCRIBE", "UNSUBSCRIBE", "NOTIFY", "SOURCE",
    "RPC_IN_DATA", "RPC_OUT_DATA",
)  # fmt: skip
"""RFC 9110, 4918, 3253 and 5323, UPnP eventing, RPC over HTTP, and what encoders push with."""
_METHODS = {
    "HTTP": frozenset(_HTTP),
    "RTSP": frozenset({"OPTIONS", "DESCRIBE", "SETUP", "PLAY", "ANNOUNCE", "RECORD", "REGISTER"}),
    "SIP": frozenset({"REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "BYE"}),
}
_GB28181 = re.compile(r"\d{10}(?:11[1-9]|1[2-9]\d|2\d\d)\d{7}")
"""Ids of GB/T 28181 have 20 digits; the 11th to 13th say what it is: 111 to 199 a device, 200 to 299 a platform."""
_MAX_HEADS = 16
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(
    rb"\ncontent-length[ \t]{0,8}:[ \t]{0,8}(\d{1,9})[ \t]{0,8}\r?\n", re.IGNORECASE
)
_USER = re.compile(r"sips?:([^@;>\s]{1,64})@")


class RequestHead(Struct, frozen=True):
    """A request, reduced to whom it is for."""

    protocol: str
    """HTTP | RTSP | SIP"""
    method: str
    host: str
    """Host header, else the authority of the target; empty where neither is given."""
    port: int | None
    path: str
    """Path without query, control characters removed, at most 200 characters."""
    agent: str
    user: str
    """SIP: the 20-digit id of GB/T 28181 in From; empty for anything else."""
    content_type: str


def parse(data: bytes) -> RequestHead:
    """Read a request line and the headers there are; raises DecodeError where it is no request."""
    match = _LINE.match(data, 0, MAX_HEAD)
    if match is None:
        raise DecodeError("no request line")
    method = match[1].decode("ascii").upper()
    protocol = match[3][:4].decode("ascii").rstrip("/")
    if method not in _METHODS[protocol]:
        raise DecodeError(f"{method} is no method of {protocol}")
    target = decode_text(match[2])
    headers = _headers(data[match.end() : MAX_HEAD])
    host, port, path = _target(target, method)
    if (named := headers.get("host")) and protocol == "HTTP" and method != "CONNECT":
        host, port = authority(named)
    return RequestHead(
        protocol=protocol,
        method=method,
        host=host,
        port=port,
        path=clean(path)[:200],
        agent=clean(headers.get("user-agent", ""))[:200],
        user=_user(headers) if protocol == "SIP" else "",
        content_type=clean(headers.get("content-type", "")).partition(";")[0][:80].lower(),
    )


def parse_all(data: bytes) -> tuple[RequestHead, ...]:
    """The request `data` begins with, and those that follow it at once; raises DecodeError where there is none."""
    found = [parse(data)]
    while len(found) < _MAX_HEADS and (end := _HEAD_END.search(data, 0, MAX_HEAD)):
        length = _LENGTH.search(data, 0, end.end())
        data = data[end.end() + (int(length[1]) if length else 0) :]
        try:
            found.append(parse(data))
        except DecodeError:
            break
    return tuple(found)


def parse_cut(data: bytes) -> RequestHead:
    """A request of which the end is missing, by its whole lines; raises DecodeError where there is none."""
    return parse(data[: data.rfind(b"\n") + 1])


def is_whole(data: bytes) -> bool:
    """Whether the empty line that ends the head is there, or the head is too long to wait for it."""
    return len(data) >= MAX_HEAD or b"\r\n\r\n" in data or b"\n\n" in data


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in data.split(b"\n", 128)[:128]:
        if not line.strip(b"\r"):
            break
        name, colon, value = line.partition(b":")
        key = decode_text(name[:64]).strip().lower()
        if colon and key in {"host", "user-agent", "from", "content-type"}:
            found.setdefault(key, decode_text(value[:1024]).strip())
    return found


def _target(target: str, method: str) -> tuple[str, int | None, str]:
    """(host, port, path) of origin, absolute and authority form (RFC 9112 section 3.2)."""
    if method == "CONNECT":
        return (*authority(target), "")
    head, separator, rest = target.partition("://")
    if separator and head.isalpha():
        where, slash, path = rest.partition("/")
        return (*authority(where.partition("?")[0]), slash + path.partition("?")[0])
    if head[:4].lower() in {"sip:", "sips"}:
        return (*authority(head.partition(":")[2].partition(";")[0]), "")
    return "", None, target.partition("?")[0].partition("#")[0]


def _user(headers: dict[str, str]) -> str:
    match = _USER.search(headers.get("from", ""))
    return match[1] if match and _GB28181.fullmatch(match[1]) else ""
