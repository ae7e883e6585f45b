"""Which title does a page of one of the owner's servers have?

Signatures know many a device by it, and a scan would read it as well. Nothing else of a page is kept: behind the title
stand what was typed, addresses of pictures, lists of recordings. Chunks and compression are undone, within bounds.
"""

from __future__ import annotations

import re
import zlib

from camscan.observe.traffic.answer import Answer

MOST = 16_384
"""Bytes of a page, as they came, within which its title stands."""
_MOST_PLAIN = 32_768
"""Bytes of a page, decompressed."""
_LONGEST = 200
"""Bytes of a title; longer ones are no names of devices."""
_KINDS = frozenset({"text/html", "application/xhtml+xml"})
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_TITLE = re.compile(rb"<title(?:\s[^<>]{0,256})?>([^<]{0,1024})<", re.IGNORECASE)
_BEHIND = re.compile(rb"<(?:body|frameset)[\s>]", re.IGNORECASE)
_FIELD = re.compile(
    rb"^((?:server|content-type)[ \t]{0,8}:[ \t]{0,8}[^\r\n]{1,200})", re.IGNORECASE | re.MULTILINE
)
_ECHOED = re.compile(
    rb"[^\s=]{0,256}?(?:=|%3d|&#61;)[^\s]{1,1024}|[A-Za-z0-9+/_-]{32,1024}"
    rb"|[^\s]{0,256}\.(?:mp4|avi|mkv|dav|jpe?g|png|h26[45])",
    re.IGNORECASE,
)
"""What looks like the query of a request, the number of a session, the name of a recording: a title may repeat them."""


def title_of(data: bytes) -> tuple[bytes, bool]:
    """(an answer of the title alone, whether more bytes may tell); `data`: an HTTP answer from its first byte on.

    Empty where it is no page, or one without a title.
    """
    answer, body = Answer(), bytearray()
    for _, piece in answer.take(data):
        body += piece
        if len(body) >= MOST:
            break
    head = answer.head
    if head is None or head.kind not in _KINDS or head.coding not in _CODINGS:
        return b"", False
    page = _plain(bytes(body[:MOST]), packed=head.coding not in {"", "identity"})
    behind = _BEHIND.search(page)
    title = _TITLE.search(page, 0, behind.start() if behind is not None else len(page))
    if title is not None:
        return _answer(data, title[1]), False
    ended = behind is not None or answer.done or len(body) >= MOST or len(page) >= _MOST_PLAIN
    return b"", not ended


def _plain(body: bytes, *, packed: bool) -> bytes:
    if not packed or not body:
        return body
    for window in (47, -15):  # gzip or zlib by its header; raw deflate as old servers send it
        try:
            return zlib.decompressobj(window).decompress(body, _MOST_PLAIN)
        except zlib.error:
            continue
    return b""


def _answer(data: bytes, title: bytes) -> bytes:
    """What came before the page as far as signatures ask for it, and the title."""
    words = b" ".join(title.split())
    if not words or len(words) > _LONGEST:
        return b""
    head = data.partition(b"\r\n\r\n")[0]
    status, _, fields = head.partition(b"\r\n")
    lines = (status[:100], *_FIELD.findall(fields)[:4])
    words = _ECHOED.sub(lambda m: b"<cut:query:%d>" % len(m[0]), words)
    return b"\r\n".join(lines) + b"\r\n\r\n<title>" + words + b"</title>"
