"""How are the bytes of one HTTP/1.x answer put together from segments, with what never came said as holes?

Segments may come twice, late or overlapping, and some not at all. Framing is that of RFC 9112 section 6:
Content-Length, chunks, or the end of the connection; a hole in the framing of chunks ends the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

WINDOW = 1 << 20
"""Bytes held back for what is late; then what is missing counts as lost."""
_LATE = 2048
"""Segments held back."""
MOST_HEAD = 16_384
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?=[ \r\n])")
_FIELD = re.compile(rb"^([A-Za-z-]{2,40})[ \t]{0,8}:[ \t]{0,8}([^\r\n]{0,512})", re.MULTILINE)
_RANGE = re.compile(rb"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_CHUNK = re.compile(rb"[ \t]{0,8}([0-9A-Fa-f]{1,8})(?=[;\s])")
_LONGEST_LINE = 1024


class Segments:
    """One direction of a connection in order, from the first segment that was handed over."""

    def __init__(self, seq: int) -> None:
        self.next = seq
        """Sequence number of the byte that is wanted next."""
        self._late: dict[int, bytes] = {}
        self._held = 0

    def add(self, seq: int, payload: bytes) -> Iterator[bytes | int]:
        """What is in order now: bytes, and numbers of bytes that are given up."""
        ahead = (seq - self.next) & 0xFFFFFFFF
        if ahead >= 0x80000000:  # begins before what is wanted
            payload, seq = payload[0x100000000 - ahead :], self.next
        if not payload:
            return
        if seq != self.next:
            self._hold(seq, payload)
            while self._held > WINDOW or len(self._late) > _LATE:
                yield from self._skip()
            return
        yield self._taken(payload)
        yield from self._ready()

    def end(self) -> Iterator[bytes | int]:
        """All that was held back, with the holes before it."""
        while self._late:
            yield from self._skip()

    def _hold(self, seq: int, payload: bytes) -> None:
        before = self._late.get(seq, b"")
        if len(payload) > len(before):
            self._late[seq] = payload
            self._held += len(payload) - len(before)

    def _taken(self, payload: bytes) -> bytes:
        self.next = (self.next + len(payload)) & 0xFFFFFFFF
        return payload

    def _ahead(self, seq: int) -> int:
        return (seq - self.next + 0x80000000) & 0xFFFFFFFF

    def _ready(self) -> Iterator[bytes]:
        for seq in sorted(self._late, key=self._ahead):
            behind = (self.next - seq) & 0xFFFFFFFF
            if behind >= 0x80000000:
                return
            payload = self._late.pop(seq)
            self._held -= len(payload)
            if len(payload) > behind:
                yield self._taken(payload[behind:])

    def _skip(self) -> Iterator[bytes | int]:
        missing = (min(self._late, key=self._ahead) - self.next) & 0xFFFFFFFF
        self.next = (self.next + missing) & 0xFFFFFFFF
        yield missing
        yield from self._ready()


class Head(Struct, frozen=True):
    """What the first lines of an answer say of its body."""

    status: int
    kind: str
    """Content-Type without parameters, lower case."""
    coding: str
    """Content-Encoding, lower case; empty for none."""
    length: int | None
    """Content-Length; None where chunks or the end of the connection tell."""
    chunked: bool
    begin: int
    """Where the body lies in the whole: above 0 for a part that was asked for (206)."""
    total: int | None
    """Bytes of the whole, where a part says so."""


def head_of(data: bytes) -> Head | None:
    """The head before an empty line; None where these are no such lines."""
    status = _STATUS.match(data)
    if status is None:
        return None
    fields = {m[1].lower(): m[2].strip() for m in _FIELD.finditer(data)}
    chunked = b"chunked" in fields.get(b"transfer-encoding", b"").lower()
    length = fields.get(b"content-length", b"")
    known = not chunked and length.isdigit() and len(length) < 16
    part = _RANGE.fullmatch(fields.get(b"content-range", b"")) if status[1] == b"206" else None
    return Head(
        status=int(status[1]),
        kind=fields.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1"),
        coding=fields.get(b"content-encoding", b"").lower().decode("latin-1"),
        length=int(length) if known else None,
        chunked=chunked,
        begin=int(part[1]) if part is not None else 0,
        total=int(part[3]) if part is not None else None,
    )


class Answer:
    """Takes what Segments gives; `pieces` of the body are places in it and bytes."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.done = False
        """The body has ended, wholly or not."""
        self.whole = False
        """It ended where its framing says."""
        self.size = 0
        """Bytes of the body so far, holes included."""
        self.rest = b""
        """What follows the body in the bytes taken last."""
        self._waiting = b""
        self._left = 0
        self._state = self._in_head

    def take(self, piece: bytes | int) -> Iterator[tuple[int, bytes]]:
        """(place in the body, bytes); of a hole nothing comes, its place is passed over."""
        if isinstance(piece, int):
            self._hole(piece)
            return
        data = self._waiting + piece
        self._waiting = b""
        while data:
            body, data, more = self._state(data)
            if body:
                yield self.size, body
                self.size += len(body)
                self._counted()
            if self.done:
                break
            if more:
                self._waiting, data = data, b""
        self.rest = data

    def close(self, *, ended: bool) -> None:
        """The connection is over; `ended`: by a FIN right behind the last byte that came."""
        if not self.done:
            self.whole = ended and self._state == self._until_end
            self.done = True

    def _finish(self) -> None:
        self.done = self.whole = True

    def _counted(self) -> None:
        if self._state == self._counting and self._left == 0:
            self._finish()

    def _in_head(self, data: bytes) -> tuple[bytes, bytes, bool]:
        end = data.find(b"\r\n\r\n", 0, MOST_HEAD)
        if end < 0:
            self.done = len(data) >= MOST_HEAD or not b"HTTP/1.".startswith(data[:7])
            return b"", data, True
        self.head = head_of(data[: end + 2])
        rest = data[end + 4 :]
        if self.head is None or self.head.status < 200 or self.head.status in {204, 304}:
            self.done = True
        elif self.head.chunked:
            self._state = self._chunk_line
        elif self.head.length is None:
            self._state = self._until_end
        else:
            self._left = self.head.length
            self._state = self._counting
            self._counted()
        return b"", rest, False

    def _counting(self, data: bytes) -> tuple[bytes, bytes, bool]:
        body, rest = data[: self._left], data[self._left :]
        self._left -= len(body)
        return body, rest, False

    def _until_end(self, data: bytes) -> tuple[bytes, bytes, bool]:
        return data, b"", False

    def _chunk_line(self, data: bytes) -> tuple[bytes, bytes, bool]:
        end = data.find(b"\n", 0, _LONGEST_LINE)
        if end < 0:
            self.done = len(data) >= _LONGEST_LINE
            return b"", data, True
        size = _CHUNK.match(data[: end + 1])
        if size is None:
            self.done = True
            return b"", data, False
        self._left = int(size[1], 16)
        if self._left == 0:
            self._finish()  # trailers say nothing of the body
        else:
            self._state = self._chunk
        return b"", data[end + 1 :], False

    def _chunk(self, data: bytes) -> tuple[bytes, bytes, bool]:
        body, rest = data[: self._left], data[self._left :]
        self._left -= len(body)
        if self._left == 0:
            self._state = self._chunk_end
        return body, rest, False

    def _chunk_end(self, data: bytes) -> tuple[bytes, bytes, bool]:
        if data == b"\r":
            return b"", data, True
        if not data.startswith((b"\r\n", b"\n")):
            self.done = True
            return b"", data, False
        self._state = self._chunk_line
        return b"", data[1 + (data[:1] == b"\r") :], False

    def _hole(self, size: int) -> None:
        if self._state in (self._counting, self._chunk) and size < self._left:
            self._left -= size
            self.size += size
        elif self._state == self._until_end:
            self.size += size
        elif self._state == self._counting and size == self._left:
            self.size += size
            self._left = 0
            self._finish()
        else:
            self.done = True
