"""Which flow does a later fragment belong to, and what does a fragmented datagram say?

Only the first fragment has ports. The few fragments of a capture are followed one by one, in bounded
memory: 65,536 datagrams, 4 MB of payload. Overlapping fragments (RFC 5722 forbids them, attackers send
them) are not put together.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

MOST = 65_536
MOST_MISSED = 1024
LARGEST = 65_535
BUDGET = 4 * 1024 * 1024
ORPHAN = "fragment whose first part was not seen: port unknown"
OVERLAP = "overlapping fragments: payload not examined"


class Key(NamedTuple):
    ends: int
    ident: int
    proto: int
    six: bool


class Whole(NamedTuple):
    """A UDP datagram put together."""

    ports: int
    payload: bytes


class _Pending:
    __slots__ = ("held", "parts", "ports", "total")

    def __init__(self, ports: int) -> None:
        self.ports = ports
        self.parts: dict[int, bytes] | None = None
        self.held = 0
        self.total = -1


class Fragments:
    def __init__(self) -> None:
        self._known: OrderedDict[Key, _Pending] = OrderedDict()
        self._held = 0
        self.overlaps = 0
        self.orphans = 0
        self.missed: dict[Key, None] = {}
        """The first datagrams of which a later part was seen alone."""

    @property
    def begun(self) -> tuple[Key, ...]:
        """Datagrams that were seen to begin, of those remembered."""
        return tuple(self._known)

    def ports(self, key: Key) -> int:
        """Source port << 16 | destination of the first fragment; 0 where it was not seen."""
        pending = self._known.get(key)
        if pending is None:
            self.orphans += 1
            if len(self.missed) < MOST_MISSED:
                self.missed[key] = None
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

    def wanted(self, key: Key) -> bool:
        pending = self._known.get(key)
        return pending is not None and pending.parts is not None

    def later(self, key: Key, offset: int, payload: bytes, *, last: bool) -> Whole | None:
        """A later fragment of a datagram that is wanted; the datagram once it is whole."""
        pending = self._known[key]
        parts = pending.parts
        if parts is None:
            return None
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
