"""Which firmware came over plain HTTP, from whom to whom, and did all of it come?

Only bodies that look like firmware are written: by their first bytes, by the name they were asked for under, or
as a large octet-stream. Pictures, sound, films and pages never are. Files get names of their own; nothing from
the wire becomes part of a path.
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, deque
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from camscan.decode import request_head
from camscan.decode.text import clean
from camscan.errors import DecodeError
from camscan.observe.traffic.answer import Answer, Head, Segments
from camscan.observe.traffic.firmware_like import SMALLEST, looks, may_be
from camscan.observe.traffic.packet import Gate, Packet

MOST_STREAMS = 64
_MOST_ASKED = 8192
_MOST_ENDED = 8192
_PIPELINE = 16
"""Requests of one connection that may wait for their answers."""

_WORDS = (b"GET ", b"POST", b"HEAD")
GATES = (
    *(Gate(id="carve:request", transport="tcp", pattern=word, shortest=16) for word in _WORDS),
    Gate(id="carve:answer", transport="tcp", pattern=b"HTTP/1.", shortest=12),
)


class Body(Struct, kw_only=True):
    """One file that was written, and where it came from."""

    file: str
    """In the folder, until it gets its name."""
    server: str
    port: int
    client: str
    host: str
    """As the request names it; empty where the request was not seen."""
    path: str
    """Without query."""
    kind: str
    """Content-Type."""
    coding: str
    begun: float
    """UTC seconds."""
    ended: float
    expected: int | None
    """Bytes the answer or the range states."""
    source: int = 0
    """Number of the capture."""
    offset: int = 0
    """Of the first packet in it."""
    framing: str = ""
    """What told its end: `length`, `chunks`, `connection`."""
    held: list[tuple[int, int]] = []
    """(begin, end) of what came, in order."""
    why: str = ""
    """Why it is not whole; empty where it is."""

    @property
    def size(self) -> int:
        return self.held[-1][1] if self.held else 0


class Limits(Struct, frozen=True, kw_only=True):
    one: int = 512 << 20
    """Bytes of one body."""
    all: int = 4 << 30
    bodies: int = 1000


class _Asked(Struct, frozen=True):
    method: str
    host: str
    path: str


class _Stream:
    """One direction of a connection that speaks."""

    def __init__(self, packet: Packet) -> None:
        self.segments = Segments(packet.seq)
        self.packet = packet
        """The newest."""
        self.body: Body | None = None
        self.out: BinaryIO | None = None
        self.begin()

    def begin(self) -> None:
        """An answer begins in the newest packet."""
        self.answer = Answer()
        self.first = self.packet
        self.asked: _Asked | None = None
        self.judged = False
        self.pending: list[tuple[int, bytes]] = []
        self.body = None


_Key = tuple[str, int, str, int]


class Carver:
    """Feed packets of TCP in capture order, then `finish`."""

    def __init__(self, folder: Path, limits: Limits, *, number: int = 0, size: int = 0) -> None:
        """`number`, `size`: files and bytes that lie in the folder already."""
        self.bodies: list[Body] = []
        self.left_out: Counter[str] = Counter()
        self._folder = folder
        self._limits = limits
        self._number = number
        self._size = size
        self._streams: OrderedDict[_Key, _Stream] = OrderedDict()
        self._asked: OrderedDict[_Key, deque[_Asked]] = OrderedDict()
        self._ended: OrderedDict[_Key, int] = OrderedDict()
        self._parts: dict[tuple[str, str, str, str, int], Body] = {}

    def feed(self, packet: Packet) -> bool:
        """Whether the next packets of this direction are wanted."""
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        stream = self._streams.get(key)
        if stream is not None and packet.syn:
            self._drop(key, "the connection began anew")
            stream = None
        if stream is None:
            if packet.syn:
                self._ended.pop(key, None)
                return False
            if packet.payload.startswith(_WORDS):
                self._ask(packet)
                return False
            if not packet.payload.startswith(b"HTTP/1.") or self._again(key, packet.seq):
                return False
            stream = self._streams[key] = _Stream(packet)
            if len(self._streams) > MOST_STREAMS:
                self._drop(next(iter(self._streams)), f"more than {MOST_STREAMS} answers at once")
        stream.packet = packet
        self._streams.move_to_end(key)
        for piece in stream.segments.add(packet.seq, packet.payload):
            if not self._take(key, stream, piece):
                return self._forget(key, stream)
        if packet.fin:
            self._end(key, stream, seen=(packet.seq + packet.length) & 0xFFFFFFFF)
            return self._forget(key, stream)
        return True

    def finish(self) -> None:
        """The captures are over."""
        for key in list(self._streams):
            self._drop(key, "the capture ends before it")
        for body in self.bodies:
            if not body.why:
                body.why = missing(body)

    # -- requests --

    def _ask(self, packet: Packet) -> None:
        try:
            head = request_head.parse(packet.payload)
        except DecodeError:
            return
        key = (packet.dst, packet.dport, packet.src, packet.sport)
        waiting = self._asked.setdefault(key, deque(maxlen=_PIPELINE))
        waiting.append(_Asked(head.method, head.host, head.path))
        self._asked.move_to_end(key)
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)

    def _request(self, key: _Key) -> _Asked | None:
        waiting = self._asked.get(key)
        return waiting.popleft() if waiting else None

    def _again(self, key: _Key, seq: int) -> bool:
        """Whether this segment was answered for already: it was sent twice."""
        ended = self._ended.get(key)
        return ended is not None and (seq - ended) & 0xFFFFFFFF >= 0x80000000

    # -- answers --

    def _take(self, key: _Key, stream: _Stream, piece: bytes | int) -> bool:
        """Whether the stream goes on."""
        while True:
            answer = stream.answer
            for place, data in answer.take(piece):
                if not self._begun(key, stream) or not self._write(key, stream, place, data):
                    return False
            if not self._begun(key, stream):
                return False
            if not answer.done:
                return True
            self._close(stream)
            if not answer.rest.startswith(b"HTTP/1."):
                return False
            piece = answer.rest
            stream.begin()

    def _end(self, key: _Key, stream: _Stream, *, seen: int | None) -> None:
        """Nothing more comes; `seen`: where the server ended the connection."""
        for piece in stream.segments.end():
            if not self._take(key, stream, piece):
                return
        stream.answer.close(ended=stream.segments.next == seen)
        self._close(stream)

    def _begun(self, key: _Key, stream: _Stream) -> bool:
        """Whether the body of this answer may be firmware, as far as its head tells; asked once of each."""
        head = stream.answer.head
        if head is None or stream.judged:
            return True
        stream.judged = True
        if head.status < 200:
            return True
        stream.asked = self._request(key)
        if stream.asked is not None and stream.asked.method == "HEAD":
            return False
        if head.status not in {200, 206} or not may_be(head):
            return False
        size = head.total if head.total is not None else head.length
        if size is not None and size < SMALLEST:
            return False
        if size is not None and size > self._limits.one:
            self.left_out[f"longer than {self._limits.one} bytes"] += 1
            return False
        return True

    def _write(self, key: _Key, stream: _Stream, place: int, data: bytes) -> bool:
        head = stream.answer.head
        assert head is not None
        if stream.body is None:
            stream.pending.append((place, data))
            wanted = (head.begin > 0 and _part(key, stream, head) in self._parts) or looks(
                head, stream.asked.path if stream.asked is not None else "", stream.pending
            )
            if not wanted:
                return wanted is None
            if not self._open(key, stream, head):
                return False
            pending, stream.pending = stream.pending, []
        else:
            pending = [(place, data)]
        return all(self._put(stream, head.begin + at, piece) for at, piece in pending)

    def _open(self, key: _Key, stream: _Stream, head: Head) -> bool:
        part = _part(key, stream, head)
        body = self._parts.get(part) if part is not None else None
        if body is None:
            if len(self.bodies) >= self._limits.bodies or self._size >= self._limits.all:
                self.left_out["the limits of files and bytes were reached"] += 1
                return False
            self._number += 1
            asked = stream.asked
            body = Body(
                file=f"body-{self._number:04d}.part", server=key[0], port=key[1], client=key[2], host=clean(asked.host) if asked else "",
                path=clean(asked.path)[:200] if asked else "", kind=clean(head.kind)[:80], coding=clean(head.coding)[:40],
                begun=stream.first.at, ended=stream.first.at, expected=head.total if head.total is not None else head.length,
                framing="chunks" if head.chunked else "connection" if head.length is None else "length",
                source=stream.first.source, offset=stream.first.input_offset,
            )  # fmt: skip
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            self.bodies.append(body)
            if part is not None:
                self._parts[part] = body
        else:
            flags = os.O_RDWR
        stream.body = body
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        stream.out = os.fdopen(os.open(self._folder / body.file, flags, 0o600), "r+b")
        return True

    def _put(self, stream: _Stream, place: int, data: bytes) -> bool:
        body, out = stream.body, stream.out
        assert body is not None
        assert out is not None
        if place + len(data) > self._limits.one or self._size + len(data) > self._limits.all:
            body.why = "cut at the limit of bytes"
            self._shut(stream)
            return False
        out.seek(place)
        out.write(data)
        self._size += len(data)
        body.held = _joined(body.held, (place, place + len(data)))
        return True

    def _close(self, stream: _Stream) -> None:
        """The answer has ended, or will not go on."""
        body = stream.body
        if body is not None:
            body.ended = max(body.ended, stream.packet.at)
            if body.expected is None and stream.answer.whole:
                body.expected = stream.answer.size
            elif body.expected is None:
                body.why = body.why or "its end was not seen"
        self._shut(stream)

    @staticmethod
    def _shut(stream: _Stream) -> None:
        if stream.out is not None:
            stream.out.close()
            stream.out = None

    def _drop(self, key: _Key, why: str) -> None:
        stream = self._streams[key]
        self._end(key, stream, seen=None)
        body = stream.body
        if body is not None and (what := missing(body)):
            body.why = body.why or f"{why}: {what}"
        self._forget(key, stream)

    def _forget(self, key: _Key, stream: _Stream) -> bool:
        self._shut(stream)
        self._streams.pop(key, None)
        packet = stream.packet
        self._ended[key] = (packet.seq + max(1, len(packet.payload))) & 0xFFFFFFFF
        self._ended.move_to_end(key)
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        return False


def _part(key: _Key, stream: _Stream, head: Head) -> tuple[str, str, str, str, int] | None:
    """Which whole a part belongs to: the same client asks the same server for the same thing."""
    if head.total is None or stream.asked is None:
        return None
    return key[0], key[2], stream.asked.host, stream.asked.path, head.total


def _joined(held: list[tuple[int, int]], new: tuple[int, int]) -> list[tuple[int, int]]:
    """Spans in order, those that touch as one."""
    if held and new[0] == held[-1][1]:
        held[-1] = held[-1][0], new[1]
        return held
    joined: list[tuple[int, int]] = []
    for low, high in sorted((*held, new)):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return joined


def missing(body: Body) -> str:
    """What never came, in words."""
    if body.expected is None:
        return "its end was not seen"
    came = sum(high - low for low, high in body.held)
    if came == body.expected and len(body.held) == 1:
        return ""
    return f"{body.expected - came} of {body.expected} bytes were not captured"
