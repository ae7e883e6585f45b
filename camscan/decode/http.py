"""What does an HTTP response say about the program that sent it?

Lenient by design: no reason phrase, bare LF, high bytes, empty header names, several
Content-Length, broken chunk sizes and HTTP/0.9 bodies are all read (RFC 9112 is rarely followed
by cameras). Header order and style are kept, they are structure only the server's code produces.
"""

from __future__ import annotations

import hashlib
import html
import re
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from camscan.decode.collect import Collector, Wanted
from camscan.decode.message import CHALLENGE_FIELDS, Message, add_headers, split_message
from camscan.decode.recent import Recent
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_OWN = frozenset({"server", "content-type", "www-authenticate"})
"""Headers that are fields of their own."""
HEADERS: Mapping[str, tuple[str, ...]] = {
    "server": ("server",),
    "www-authenticate": CHALLENGE_FIELDS,
    "location": ("location", "location-path"),
    "set-cookie": ("cookie-names",),
    "content-type": (),
    "content-encoding": (),
    "transfer-encoding": (),
}
"""Headers whose values are looked at -> the fields beside `header` that hold a part of them; none where
they say how the body is to be read."""
_BEGINS = frozenset("cCtT")
"""First letters of the headers that say how a body is to be read."""
_BODIES: Recent[tuple[bytes, str], Fields] = Recent(16 << 20)
MAX_INFLATED = 262_144
"""Bytes of a decompressed body; the rest is dropped (DESIGN rule 9)."""

_STATUS = re.compile(r"^(\S{1,16})(?:\s{1,16}(\d{3})(?!\d)\s{0,16}(.{0,512}))?$")
_TITLE = re.compile(r"<title[^<>]{0,256}>([^<]{0,2048})", re.IGNORECASE)
_META = re.compile(r"<meta\s[^<>]{0,1024}", re.IGNORECASE)
_SCRIPT = re.compile(
    r"<script\s[^<>]{0,512}?src\s{0,4}=\s{0,4}[\"']?([^\"'\s<>]{1,512})", re.IGNORECASE
)
_NAME_GENERATOR = re.compile(r"name\s{0,4}=\s{0,4}[\"']?generator", re.IGNORECASE)
_CONTENT = re.compile(
    r"content\s{0,4}=\s{0,4}(?:\"([^\"<>]*)|'([^'<>]*)|([^\s<>\"']+))", re.IGNORECASE
)
_KV = re.compile(r"^([A-Za-z][\w.\[\]:-]{0,127})\s{0,4}=(.{0,4096})$")


class HttpResponse(Struct, frozen=True):
    """A response; `body` is after chunks and compression, at most 256 KB when compressed."""

    version: str
    status: str
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str
    request_path: str

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a header, by lower-case name."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    def text(self) -> str:
        """The body as text, empty for binary bodies."""
        return _body_text(self.body)

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.HTTP]`."""
        out = Collector(wanted)
        out.add("version", self.version)
        out.add("status", self.status)
        out.add("reason", self.reason)
        add_headers(out, self.headers, _OWN)
        for value in self.values("location"):
            out.add("location", value)
            if out.wants("location-path"):
                out.add("location-path", url_path(value))
        for value in self.values("set-cookie"):
            out.add("cookie-names", value.partition("=")[0])
        out.add("request-path", self.request_path)
        if self.body:
            out.extend(_body_fields(self.body, self.content_type))
        return out.done()


def parse(data: bytes, request: str | None = None) -> HttpResponse:
    """Read a response; `request` is `METHOD /path`. Raises DecodeError when it is not HTTP."""
    path = request_path(request)
    if data.lstrip()[:1] == b"<":  # HTTP/0.9: nothing but the body
        return HttpResponse("0.9", "", "", (), data[:MAX_INFLATED], "", path)
    message = split_message(data)
    if message.start[:3].isdigit() and message.start[3:4] in {" ", ""}:
        # Some servers leave the version out when they do not know the method.
        message = Message(f"HTTP/ {message.start}", message.headers, message.body)
    status = _STATUS.match(message.start[:640])
    version = status[1] if status else message.start.partition(" ")[0]
    if version[:5].upper() != "HTTP/" and not (status and status[2]):
        raise DecodeError(f"not an HTTP response: it begins {message.start[:40]!r}")
    body = message.body
    content_type: str | None = None
    packed: list[str] = []
    chunked = False
    for name, value in message.headers:
        if name[:1] not in _BEGINS:
            continue
        lower = name.lower()
        if lower == "content-type":
            content_type = value if content_type is None else content_type
        elif lower == "content-encoding":
            packed.append(value.lower())
        elif lower == "transfer-encoding":
            chunked |= "chunked" in value.lower()
    if chunked:
        body = unchunk(body)
    for value in packed:
        if value in {"gzip", "x-gzip", "deflate"}:
            body = inflate(body)
    return HttpResponse(
        version=version[5:] if version[:5].upper() == "HTTP/" else version,
        status=(status[2] or "") if status else "",
        reason=(status[3] or "").strip() if status else message.start.partition(" ")[2],
        headers=message.headers,
        body=body,
        content_type=content_type or "",
        request_path=path,
    )


def unchunk(body: bytes) -> bytes:
    """Join chunks (RFC 9112 section 7.1); from the first broken size on, the rest is kept raw."""
    parts: list[bytes] = []
    position = 0
    while position < len(body):
        end = body.find(b"\n", position, position + 256)
        size_text = body[position:end].split(b";")[0].strip() if end >= 0 else b""
        # int() accepts signs, underscores and "0x"; a chunk size is plain hexadecimal.
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size_text):
            parts.append(body[position:])
            break
        size = int(size_text, 16)
        if size == 0:
            break
        parts.append(body[end + 1 : end + 1 + size])
        position = end + 1 + size
        if body[position : position + 2] == b"\r\n":
            position += 2
        elif body[position : position + 1] == b"\n":
            position += 1
    return b"".join(parts)


def inflate(body: bytes) -> bytes:
    """Decompress gzip, zlib or raw deflate, at most 256 KB; the body itself when it is neither."""
    for window in (47, -15):  # 47: gzip or zlib by header; -15: raw deflate as old servers send it
        decompressor = zlib.decompressobj(window)
        try:
            inflated = decompressor.decompress(body, MAX_INFLATED)
        except zlib.error:
            continue
        if inflated:
            return inflated
    return body


def request_path(request: str | None) -> str:
    """`/index.asp` of `GET /index.asp HTTP/1.1`; empty when there is none."""
    if not request:
        return ""
    parts = request.split(None, 2)
    target = parts[1] if len(parts) > 1 else parts[0]
    return target if target.startswith("/") else url_path(target)


def url_path(url: str) -> str:
    """Path and query of an absolute or relative URL; empty when it cannot be read."""
    try:
        split = urlsplit(url.strip()[:2048])
    except ValueError:
        return ""
    return f"{split.path}?{split.query}" if split.query else split.path


def url_host(url: str) -> str:
    """Host of an absolute URL, lower case, without port; empty when it cannot be read."""
    try:
        return urlsplit(url.strip()[:2048]).hostname or ""
    except ValueError:
        return ""


def _body_text(body: bytes) -> str:
    sample = body[:1024]
    # A picture or an archive has zeros; UTF-16 has them too, but says so with its mark.
    if b"\x00" in sample and not sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ""
    return decode_text(body)


def _markup(out: Collector, text: str) -> None:
    text = text[:MAX_INFLATED]
    # Beyond ASCII other letters match without regard to case too, so only there all is searched.
    lower = text.lower() if text.isascii() else "<title<meta<script"
    if "<title" in lower:
        for _, title in zip(range(8), _TITLE.finditer(text), strict=False):
            out.add("title", html.unescape(title[1]))
    if "<meta" in lower:
        for _, meta in zip(range(256), _META.finditer(text), strict=False):
            if _NAME_GENERATOR.search(meta[0]):
                content = _CONTENT.search(meta[0])
                if content is not None:
                    found = content[1] or content[2] or content[3] or ""
                    out.add("generator", html.unescape(found))
    if "<script" in lower:
        for _, script in zip(range(256), _SCRIPT.finditer(text), strict=False):
            out.add("script-src", html.unescape(script[1]))


def _body_fields(body: bytes, content_type: str) -> Fields:
    """Remembered: pages come from the firmware, so a fleet has few."""
    key = (body, content_type)
    known = _BODIES.get(key)
    if known is not None:
        return known
    out = Collector()
    out.add("body-sha256", hashlib.sha256(body).hexdigest())
    text = _body_text(body)
    _markup(out, text)
    out.add_body("body", text)
    if _is_plain(content_type, text):
        for line in text[:MAX_INFLATED].splitlines()[:2048]:
            pair = _KV.match(line.strip())
            if pair is not None:
                out.add("kv", f"{pair[1]}={pair[2].strip()}")
    found = out.done()
    weight = 300 + len(body) + len(content_type)
    _BODIES.put(key, found, weight + sum(len(t) for texts in found.values() for t in texts))
    return found


def _is_plain(content_type: str, text: str) -> bool:
    if "text/plain" in content_type.lower():
        return True
    return not content_type and not text.lstrip().startswith(("<", "{", "["))
