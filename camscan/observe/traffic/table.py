"""Which number has this pair of 64-bit keys? A hash table whose every step is one numpy operation.

Numbers are dense and start at 1; 0 means that the table is full and the pair is new.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int32]

_A, _B, _C = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0xD6E8FEB86659FD93),
)
_NEVER = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


class PairTable:
    """(a, b) -> number. `a` and `b` of every number stay readable. A pair of all ones is not allowed."""

    def __init__(self, most: int, *, start: int = 1 << 12) -> None:
        self.most = most
        self.count = 0
        self.a: Keys = np.full(start, _NEVER, np.uint64)
        self.b: Keys = np.full(start, _NEVER, np.uint64)
        self._bits = (2 * start - 1).bit_length()
        self._slots: Numbers = np.zeros(1 << self._bits, np.int32)

    def clear(self) -> None:
        self._slots.fill(0)
        self.count = 0

    def numbers(self, a: Keys, b: Keys, *, insert: bool = True) -> Numbers:
        """The number of every pair; new pairs get the next ones in order of appearance of their slot."""
        if insert:
            self._room(min(len(a), self.most - self.count))
        if steps.compiled is not None:
            return self._stepped(a, b, insert=insert)
        slot = self._slot(a, b)
        result = self._slots[slot]
        wrong = (self.a[result] != a) | (self.b[result] != b)
        open_rows = np.flatnonzero(wrong)
        if len(open_rows):
            self._resolve(a, b, slot, result, open_rows, insert=insert)
        return result

    def _stepped(self, a: Keys, b: Keys, *, insert: bool) -> Numbers:
        """The same, by the compiled step; new pairs are numbered in their own order."""
        result = np.empty(len(a), np.int32)
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        self.count = steps.compiled.camscan_numbers(
            steps.at(a), steps.at(b), len(a), steps.at(self.a), steps.at(self.b),
            steps.at(self._slots), self._bits, self.count, self.most if insert else 0,
            steps.at(result),
        )  # fmt: skip
        return result

    def _slot(self, a: Keys, b: Keys) -> NDArray[np.int64]:
        mixed = a * _A
        mixed ^= b * _B
        mixed ^= mixed >> np.uint64(29)
        mixed *= _C
        mixed >>= np.uint64(64 - self._bits)
        return mixed.view(np.int64)

    def _resolve(
        self,
        a: Keys,
        b: Keys,
        slot: NDArray[np.int64],
        result: Numbers,
        rows: NDArray[np.int64],
        *,
        insert: bool,
    ) -> None:
        mask = len(self._slots) - 1
        slot, found = slot[rows], result[rows]
        a, b = a[rows], b[rows]
        while len(rows):
            # Each of these stands at a slot that is free or another pair's.
            free = found == 0
            if free.any():
                if insert and self.count < self.most:
                    self._insert(a, b, slot, free)
                    # Winners and their twins are found in this turn, at the same slot.
                else:
                    result[rows[free]] = 0
                    kept = np.flatnonzero(~free)
                    rows, slot, a, b = rows[kept], slot[kept], a[kept], b[kept]
                    free = np.zeros(len(rows), np.bool_)
            slot += ~free
            slot &= mask
            found = self._slots[slot]
            right = (self.a[found] == a) & (self.b[found] == b)
            result[rows[right]] = found[right]
            left = np.flatnonzero(~right)
            rows, slot, found, a, b = rows[left], slot[left], found[left], a[left], b[left]

    def _insert(self, a: Keys, b: Keys, slot: NDArray[np.int64], free: NDArray[np.bool_]) -> None:
        places = slot[free]
        claims = np.arange(1, len(places) + 1, dtype=np.int32)
        self._slots[places] = -claims  # of several claims to one slot the last one stays
        won = self._slots[places] == -claims
        fits = self.most - self.count
        winners = np.flatnonzero(won)
        kept, refused = winners[:fits], winners[fits:]
        numbers = np.arange(self.count + 1, self.count + 1 + len(kept), dtype=np.int32)
        self.a[numbers] = a[free][kept]
        self.b[numbers] = b[free][kept]
        self._slots[places[kept]] = numbers
        self._slots[places[refused]] = 0
        self.count += len(kept)

    def _room(self, more: int) -> None:
        need = self.count + more + 1
        if need <= len(self.a) and 2 * need <= len(self._slots):
            return
        size = max(len(self.a), 1)
        while size < need:
            size *= 2
        for name in ("a", "b"):
            old = getattr(self, name)
            fresh = np.full(size, _NEVER, np.uint64)
            fresh[: self.count + 1] = old[: self.count + 1]
            setattr(self, name, fresh)
        self._bits = (2 * size - 1).bit_length()
        self._slots = np.zeros(1 << self._bits, np.int32)
        numbers = np.arange(1, self.count + 1, dtype=np.int32)
        slot = self._slot(self.a[1 : self.count + 1], self.b[1 : self.count + 1])
        mask = len(self._slots) - 1
        while len(numbers):
            free = self._slots[slot] == 0
            self._slots[slot[free]] = numbers[free]
            placed = self._slots[slot] == numbers
            numbers, slot = numbers[~placed], (slot[~placed] + 1) & mask


_S = TypeVar("_S", bound=np.generic)


def grown(column: NDArray[_S], size: int) -> NDArray[_S]:
    """The same column with room for `size` numbers, zeros behind."""
    if size <= len(column):
        return column
    fresh = np.zeros(max(size, 2 * len(column)), column.dtype)
    fresh[: len(column)] = column
    return fresh


def distinct(numbers: NDArray[_S]) -> NDArray[_S]:
    """Each number once, in order: `np.unique`, which would load the masked arrays first."""
    ordered = np.sort(numbers)
    new = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]
