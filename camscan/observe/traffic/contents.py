"""What does a short payload mean that somebody else sent before?

Thousands of cameras send the same keep-alive. What it says is read once, and only who sent it to whom is told for the
others (`camscan.observe.traffic.packet.Meaning`). Payloads are told apart by sums with secret numbers, as in `alike`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Bytes, Ints, Keys, gather
from camscan.observe.traffic.packet import Meaning
from camscan.observe.traffic.table import Numbers, PairTable, grown

LONGEST = 64
"""Payload bytes."""
MOST = 1 << 16
"""Payloads remembered. When they are full, the memory begins anew."""
_BY_GATES = LONGEST + 1
"""Stands for the size of a payload of which the gates say all."""
_NEW, _READ, _TOLD = range(3)
"""What is known of a payload: nothing; that it must be read every time; its meaning."""


class Contents:
    def __init__(self, sums: Callable[[Keys], tuple[Keys, Keys]]) -> None:
        """`sums`: two secret sums of each row of eight numbers."""
        self._sums = sums
        self._table = PairTable(MOST)
        self._known: NDArray[np.uint8] = np.zeros(1024, np.uint8)
        self._meanings: dict[int, Meaning] = {}
        self._begin()
        # Row n keeps the first n bytes of LONGEST.
        mask = np.tri(LONGEST + 1, LONGEST, -1, np.uint8) * np.uint8(255)
        self._mask: Keys = mask.view(np.uint64)

    def numbers(self, data: Bytes, places: Ints, sizes: Ints, gates: Keys) -> tuple[Numbers, Ints]:
        """The number of each payload; where those are of which the meaning is worth learning: they came twice.

        `gates`: 0, or the number of the gates that a packet passed which say all that it says.
        """
        if self._table.count >= MOST * 7 // 8:
            self._begin()
        before = self._table.count
        words: Keys = gather(data, places, LONGEST).view(np.uint64).reshape(-1, LONGEST // 8)
        by_gates = gates > 0
        sizes = np.where(by_gates, 0, sizes)
        words &= self._mask[sizes]
        words[:, 0] += gates
        sizes[by_gates] = _BY_GATES
        one, two = self._sums(words)
        one += sizes.astype(np.uint64)
        numbers = self._table.numbers(one, two)
        self._known = grown(self._known, self._table.count + 1)
        new = np.flatnonzero(self._known[numbers] == _NEW)
        if not len(new):
            return numbers, new
        found, first, times = np.unique(numbers[new], return_index=True, return_counts=True)
        return numbers, new[first[(found <= before) | (times > 1)]]

    def _begin(self) -> None:
        self._table.clear()
        self._meanings.clear()
        self._known[:] = _NEW
        # Payloads that found no room share this number, and nothing else.
        self._known[0] = _READ

    def told(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Which of them have a meaning."""
        result: NDArray[np.bool_] = self._known[numbers] == _TOLD
        return result

    def learn(self, number: int, meaning: Meaning | None) -> None:
        """None: it must be read every time."""
        self._known[number] = _READ if meaning is None else _TOLD
        if meaning is not None:
            self._meanings[number] = meaning

    def meaning(self, number: int) -> Meaning:
        """Of a number that has one."""
        return self._meanings[number]
