"""What was worked out lately? A memory of bounded size for pure functions of hostile input.

Fleets repeat themselves: the same header line, page and banner come from thousands of devices. Unlike
functools.lru_cache this one counts bytes, so that large answers cannot fill the memory of the machine.
Two generations: what was used since the last change of generation survives the next one.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most about `room` bytes by the callers' own count, and `entries` entries."""

    def __init__(self, room: int, entries: int = 65_536) -> None:
        self._half = room // 2
        self._entries = entries // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._used = 0

    def get(self, key: K) -> V | None:
        """The value, None if it is not remembered."""
        found = self._young.get(key)
        if found is not None:
            return found
        found = self._old.get(key)
        if found is not None:
            self.put(key, found, 0)
        return found

    def put(self, key: K, value: V, weight: int) -> None:
        """Remember a value; `weight`: bytes it keeps alive, its key included."""
        self._used += weight
        if self._used > self._half or len(self._young) >= self._entries:
            self._old = self._young
            self._young = {}
            self._used = weight
        self._young[key] = value
