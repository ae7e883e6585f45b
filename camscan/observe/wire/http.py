"""How is one HTTP request put, and where does its answer end?

A lenient reader: camera servers send bare LF, no reason phrase, two lengths, headers without
names (facts: scanning 2.4). It frames; `camscan.decode.http` reads. Nothing is decompressed here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from camscan.decode import igd
from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.reading import Limits, Reading, Stream, read

AGENT = "Mozilla/5.0 (compatible; camscan)"
_PATH = re.compile(r"/[\x21-\x7e]*\Z")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(
    rb"^content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_CHUNKED = re.compile(rb"^transfer-encoding[ \t]*:[^\n]*\bchunked\b", re.IGNORECASE | re.MULTILINE)
_CONNECTION = re.compile(
    rb"^(?:proxy-)?connection[ \t]*:[ \t]*([^\n]*)", re.IGNORECASE | re.MULTILINE
)
_LOCATION = re.compile(rb"^location[ \t]*:[ \t]*([^\r\n]{1,2048})", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"\s*(?:HTTP|ICY|RTSP)(?:/(\d)\.?(\d)?)?[ \t]+(\d{3})", re.IGNORECASE)
_BODILESS = {204, 304}
_REDIRECTS = {301, 302, 303, 307, 308}

# ONVIF core specification: the one operation that needs no login on any conforming device.
ONVIF_PATH = "/onvif/device_service"
ONVIF_BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
    b"<s:Body>"
    b'<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>'
    b"</s:Body></s:Envelope>"
)
ONVIF_TYPE = (
    "application/soap+xml; charset=utf-8; "
    'action="http://www.onvif.org/ver10/device/wsdl/GetSystemDateAndTime"'
)


class NotHttpError(ObserveError):
    """Something answered, in another protocol: `data`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(Reason.ERROR, f"the answer is not HTTP: {data[:16].hex(' ')}")
        self.data = data


def authority(address: str, port: int, *, tls: bool) -> str:
    """Value of the Host header: IPv6 in brackets, the default port left out."""
    host = f"[{address}]" if ":" in address else address
    return host if port == (443 if tls else 80) else f"{host}:{port}"


def get_request(path: str, host: str) -> bytes:
    """A GET without credentials. ObserveError(refused-by-policy) for a path that is no path."""
    _check(path)
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n"
        "Connection: keep-alive\r\n\r\n"
    ).encode("ascii")


def onvif_request(path: str, host: str) -> bytes:
    """The read-only POST of ONVIF GetSystemDateAndTime."""
    _check(path)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n"
        f"Content-Type: {ONVIF_TYPE}\r\nContent-Length: {len(ONVIF_BODY)}\r\n"
        "Connection: keep-alive\r\n\r\n"
    ).encode("ascii") + ONVIF_BODY


def mapping_request(path: str, host: str, service: str, index: int) -> bytes:
    """The read-only POST of UPnP GetGenericPortMappingEntry; no third POST exists in camscan."""
    _check(path)
    action, body = igd.mapping_request(service, index)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n"
        f'Content-Type: text/xml; charset="utf-8"\r\nSOAPAction: {action}\r\n'
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    ).encode("ascii") + body


def ending(data: bytearray) -> int | None:
    """Where the answer at the front of `data` ends; None: not yet, or only with the connection."""
    start = 0
    while True:
        head = _HEAD_END.search(data, start)
        if head is None:
            return None
        status = _STATUS.match(data, start)
        if status is None:
            return None  # HTTP/0.9 or another protocol: ends with the connection
        code = int(status[3])
        if 100 <= code < 200 and code != 101:
            start = head.end()  # an interim answer; the real one follows
            continue
        break
    fields = bytes(data[start : head.end()])
    if code in _BODILESS:
        return head.end()
    if _CHUNKED.search(fields):
        return _chunks_end(data, head.end())
    lengths = [int(value) for value in _LENGTH.findall(fields)]
    if lengths:
        # Two lengths: the longer one loses no bytes; the total deadline bounds the wait.
        return head.end() + max(lengths) if len(data) >= head.end() + max(lengths) else None
    if data.rstrip().endswith((b"</html>", b"</HTML>")):
        return len(data)  # no length given, connection kept open: the page itself says it ends
    return None


def _chunks_end(data: bytearray, place: int) -> int | None:
    while True:
        line = data.find(b"\n", place, place + 80)
        if line < 0:
            return len(data) if len(data) - place >= 80 else None
        size_text = bytes(data[place:line]).split(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            return len(data)  # not chunked after all: keep what came
        if size < 0:
            return len(data)
        place = line + 1
        if size == 0:
            trailer = data.find(b"\n", place)
            return None if trailer < 0 else trailer + 1
        place += size
        if len(data) < place:
            return None
        if data[place : place + 2] == b"\r\n":
            place += 2
        elif data[place : place + 1] == b"\n":
            place += 1


def keeps_alive(data: bytes) -> bool:
    """Whether the server offers another request on the same connection (RFC 9112 section 9.3)."""
    head = _HEAD_END.search(data)
    status = _STATUS.match(data)
    if head is None or status is None:
        return False
    fields = data[: head.end()]
    framed = _LENGTH.search(fields) or _CHUNKED.search(fields) or int(status[3]) in _BODILESS
    if not framed:
        return False
    option = _CONNECTION.search(fields)
    if option is not None:
        word = option[1].lower()
        return b"close" not in word
    return (status[1], status[2]) == (b"1", b"1")


def answers_http(data: bytes) -> bool:
    return _STATUS.match(data) is not None


def foreign(data: bytearray) -> bool:
    """Whether the first bytes belong to another protocol: then only silence ends the answer."""
    start = bytes(data[:8]).lstrip().upper()
    return len(start) >= 4 and not start.startswith((b"HTTP", b"ICY ", b"RTSP", b"<"))


def redirect(
    data: bytes, address: str, port: int, *, tls: bool, listed: Collection[str]
) -> tuple[str | None, str]:
    """Where an answer redirects: (path to follow or None, why not followed).

    A redirect is followed only to the same address, port and protocol, and only to a listed
    path (DESIGN rule 10). What is sent is the listed path, never the device's own text.
    """
    status = _STATUS.match(data)
    head = _HEAD_END.search(data)
    if status is None or head is None or int(status[3]) not in _REDIRECTS:
        return None, ""
    found = _LOCATION.search(data, 0, head.end())
    if found is None:
        return None, ""
    text = found[1].decode("latin-1").strip()
    try:
        place = urlsplit(text)
        host, to_port = place.hostname, place.port
    except ValueError:
        return None, "redirect to a malformed address not followed"
    if place.scheme and place.scheme.lower() not in {"http", "https"}:
        return None, f"redirect to scheme {place.scheme[:16]!r} not followed"
    if host is not None and host != address:
        return None, "redirect to another host not followed"
    to_tls = place.scheme.lower() == "https" if place.scheme else tls
    if host is not None and (to_tls, to_port or (443 if to_tls else 80)) != (tls, port):
        return None, ""  # another port of the same device: asked by its own job, if at all
    path = place.path if place.path.startswith("/") else f"/{place.path}"
    if path in listed:
        return path, ""
    return None, "redirect to a path that is not listed not followed"


async def exchange(stream: Stream, request: bytes, limits: Limits) -> Reading:
    """Send one request, read one answer. Raises as `reading.read`, and NotHttpError."""
    stream.take(len(stream.received))  # left over from an answer longer than it said
    stream.send(request)
    reading = await read(stream, ending, limits, foreign=foreign)
    if not answers_http(reading.data) and b"<" not in reading.data[:512]:
        raise NotHttpError(reading.data)
    return reading


def _check(path: str) -> None:
    if _PATH.match(path) is None:
        raise ObserveError(Reason.REFUSED_BY_POLICY, f"{path!r} is not a path")
