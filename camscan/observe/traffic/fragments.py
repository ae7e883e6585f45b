"""Which flow does a later fragment belong to, and what does a fragmented datagram or segment say?

Only the first fragment has ports. The few fragments of a capture are followed one by one, in bounded
memory: 65,536 datagrams, 4 MB of payload. Overlapping fragments (RFC 5722 forbids them, attackers send
them) are not put together.
The fragments of a TCP segment are pieces of a stream, each with its own sequence number: they are handed on as
they come, of directions that began with something, and whoever puts streams together puts them together as well.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from camscan.observe.traffic.batch import FAMILY6, Keys

MOST = 65_536
MOST_MISSED = 1024
LARGEST = 65_535
BUDGET = 4 * 1024 * 1024
WAYS = 4096
"""Directions of TCP flows of which fragments are handed on."""
AHEAD = 64 * 1024
"""Bytes of fragmented segments from a beginning on: more than anybody reads of a stream."""
ORPHAN = "fragment whose first part was not seen: port unknown"
OVERLAP = "overlapping fragments: payload not examined"
SCATTERED = "fragments with too many gaps between them: payload not examined"
_MOST_EDGES = 32


class Key(NamedTuple):
    ends: int
    ident: int
    proto: int
    six: bool


class Whole(NamedTuple):
    """A UDP datagram put together, or what a later fragment holds of a TCP segment."""

    ports: int
    payload: bytes
    seq: int = -1
    """Sequence number of the first byte; -1 for a datagram."""
    missing: int = 0
    """Bytes behind `payload` that the capture cut off."""
    fin: bool = False
    """The segment ends here, and with it the stream."""


class Way(NamedTuple):
    """One direction of a flow."""

    ends: int
    ports: int
    six: bool


class _Segment:
    """Which bytes of a TCP segment came, by their places in the IP payload: begin and end of each run, in order."""

    __slots__ = ("edges", "fin", "newest", "seq")

    def __init__(self, seq: int, size: int, *, fin: bool) -> None:
        """`seq`: of place 0, had the header sequence numbers as well."""
        self.seq = seq
        self.fin = fin
        self.edges = [0, size]
        self.newest: tuple[int, int] | None = None
        """Of the fragment that came last: where it begins, and a keyed hash of it."""

    def add(self, begin: int, end: int) -> bool:
        """False where something of it came before."""
        edges = self.edges
        at = bisect_left(edges, end)
        if at % 2 or at != bisect_left(edges, begin + 1):
            return False
        joins = (edges[at - 1] == begin, at < len(edges) and edges[at] == end)
        edges[at - joins[0] : at + joins[1]] = [begin] * (not joins[0]) + [end] * (not joins[1])
        return True


class _Pending:
    __slots__ = ("held", "parts", "ports", "segment", "total")

    def __init__(self, ports: int) -> None:
        self.ports = ports
        self.segment: _Segment | None = None
        self.parts: dict[int, bytes] | None = None
        self.held = 0
        self.total = -1


class Fragments:
    def __init__(self) -> None:
        self._known: OrderedDict[Key, _Pending] = OrderedDict()
        self._ways: OrderedDict[Way, int] = OrderedDict()
        self._held = 0
        self.overlaps = 0
        self.scattered = 0
        self.orphans = 0
        self._missed: dict[Key, None] = {}

    @property
    def follows_any(self) -> bool:
        """Whether fragments of TCP segments may be handed on that begin nothing themselves."""
        return bool(self._ways)

    def begun(self) -> tuple[Keys, Keys, Keys]:
        """All that is known of datagrams seen to begin: ends; identification, protocol and family; ports."""
        ports = np.array([pending.ports for pending in self._known.values()], np.uint64)
        return *_columns(self._known), ports

    def alone(self) -> tuple[Keys, Keys]:
        """The first datagrams that were not seen to begin, at most MOST_MISSED: ends and kinds, as of `begun`."""
        return _columns(self._missed)

    def take_up(self, ends: Keys, kinds: Keys, ports: Keys) -> None:
        """Go on from what `begun` gave, with datagrams that begin behind those known here."""
        for a, b, both in zip(ends.tolist(), kinds.tolist(), ports.tolist(), strict=True):
            key = Key(a, b & 0xFFFF_FFFF, b >> 32 & 0xFF, b & FAMILY6 != 0)
            self.first(key, both & 0xFFFF_FFFF, None)

    def ports(self, key: Key) -> int:
        """Source port << 16 | destination of the first fragment; 0 where it was not seen."""
        pending = self._known.get(key)
        if pending is None:
            self.orphans += 1
            if len(self._missed) < MOST_MISSED:
                self._missed[key] = None
            return 0
        return pending.ports

    def first(self, key: Key, ports: int, payload: bytes | None) -> None:
        """A first fragment; with its part of the IP payload where the datagram is worth reading."""
        self._forget(key)
        while len(self._known) >= MOST:
            self._forget(next(iter(self._known)))
        pending = _Pending(ports)
        if payload is not None and self._held + len(payload) <= BUDGET:
            pending.parts = {0: payload}
            pending.held = len(payload)
            self._held += pending.held
        self._known[key] = pending

    def follows(self, way: Way, size: int, *, begins: bool) -> bool:
        """Whether the fragments of a segment of `size` bytes so far are handed on; `begins`: it begins something."""
        if begins:
            self._ways[way] = AHEAD
            self._ways.move_to_end(way)
            if len(self._ways) > WAYS:
                self._ways.popitem(last=False)
        left = self._ways.get(way, 0)
        if left:
            self._ways[way] = max(0, left - size)
        return left > 0

    def segment(self, key: Key, seq: int, size: int, *, fin: bool) -> None:
        """The first fragment, just told with `first`, begins a segment that is handed on."""
        self._known[key].segment = _Segment(seq, size, fin=fin)

    def in_segment(self, key: Key) -> bool:
        pending = self._known.get(key)
        return pending is not None and pending.segment is not None

    def piece(
        self, key: Key, offset: int, payload: bytes, *, missing: int, last: bool
    ) -> Whole | None:
        """What a later fragment adds to a segment; None where it is not handed on."""
        pending = self._known[key]
        segment, end = pending.segment, offset + len(payload) + missing
        newest = offset, hash(payload)
        if segment is None or not payload or segment.newest == newest:
            return None  # mirrored twice: the same once more contradicts nothing
        segment.newest = newest
        if end > LARGEST or not segment.add(offset, end):
            self.overlaps += 1
            pending.segment = None
            return None
        if len(segment.edges) > _MOST_EDGES:
            self.scattered += 1
            pending.segment = None
            return None
        self._ways_less(key, pending.ports, end - offset)
        seq = (segment.seq + offset) & 0xFFFF_FFFF
        return Whole(pending.ports, payload, seq, missing, segment.fin and last)

    def _ways_less(self, key: Key, ports: int, size: int) -> None:
        way = Way(key.ends, ports, key.six)
        if way in self._ways:
            self._ways[way] = max(0, self._ways[way] - size)

    def wanted(self, key: Key) -> bool:
        pending = self._known.get(key)
        return pending is not None and pending.parts is not None

    def later(self, key: Key, offset: int, payload: bytes, *, last: bool) -> Whole | None:
        """A later fragment of a datagram that is wanted; the datagram once it is whole."""
        pending = self._known[key]
        parts = pending.parts
        if parts is None:
            return None
        if parts.get(offset) == payload:
            return None  # mirrored twice: the same once more contradicts nothing
        end = offset + len(payload)
        if (
            end > LARGEST
            or self._held + len(payload) > BUDGET
            or any(o < end and offset < o + len(p) for o, p in parts.items())
        ):
            self.overlaps += 1
            self._drop(pending)
            return None
        parts[offset] = payload
        pending.held += len(payload)
        self._held += len(payload)
        if last:
            pending.total = end
        if pending.total < 0 or pending.held < pending.total:
            return None
        whole = b"".join(parts[o] for o in sorted(parts))
        self._drop(pending)
        return Whole(pending.ports, whole[8:]) if len(whole) == pending.total else None

    def _drop(self, pending: _Pending) -> None:
        self._held -= pending.held
        pending.held = 0
        pending.parts = None

    def _forget(self, key: Key) -> None:
        pending = self._known.pop(key, None)
        if pending is not None:
            self._drop(pending)


def _columns(keys: Iterable[Key]) -> tuple[Keys, Keys]:
    rows = [(k.ends, k.ident | k.proto << 32 | (FAMILY6 if k.six else 0)) for k in keys]
    columns = np.array(rows, np.uint64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]
