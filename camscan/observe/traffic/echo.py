"""Which packets say exactly what the last short packet of their flow said?

Keep-alives are a third of the packets of many cameras. Sixteen bytes that equal those remembered for the flow are
told without asking any gate; which form they repeat is known (`alike`).
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps
from camscan.observe.traffic.batch import Bytes, Ints, Keys
from camscan.observe.traffic.packet import HEAD
from camscan.observe.traffic.table import Numbers, grown


class Echoes:
    """Per directed five-tuple: form, length and bytes of a short payload."""

    def __init__(self) -> None:
        self._forms: Numbers = np.zeros(1024, np.int32)
        self._length: Bytes = np.zeros(1024, np.uint8)
        self._first: Keys = np.zeros(1024, np.uint64)
        self._second: Keys = np.zeros(1024, np.uint64)
        self._any = False
        # Row n keeps the first n bytes of HEAD.
        mask = np.tri(HEAD + 1, HEAD, -1, np.uint8) * np.uint8(255)
        self._mask: Keys = mask.view(np.uint64)

    def welcome(self, before: int, count: int) -> None:
        """Five-tuples with numbers above `before` are new."""
        for name in ("_forms", "_length", "_first", "_second"):
            setattr(self, name, grown(getattr(self, name), count + 1))
        self._forms[before + 1 : count + 1] = 0

    def clear(self) -> None:
        """Forms or five-tuples are numbered anew."""
        self._forms[:] = 0
        self._any = False

    def compiled(self) -> ctypes.Array[ctypes.c_void_p] | None:
        """What is remembered, for the compiled step."""
        if not self._any:
            return None
        return steps.pointers(self._forms, self._length, self._first, self._second)

    def learn(self, numbers: Numbers, forms: Numbers, held: Ints, head: Bytes) -> None:
        """Payloads of at most HEAD bytes, by the form they have."""
        short = np.flatnonzero((held <= HEAD) & (forms > 0))
        if not len(short):
            return
        words = head[short].view(np.uint64) & self._mask[held[short]]
        to = numbers[short]
        self._forms[to] = forms[short]
        self._length[to] = held[short]
        self._first[to], self._second[to] = words[:, 0], words[:, 1]
        self._any = True

    def heard(
        self,
        numbers: Numbers,
        held: Ints,
        length: Ints,
        heads: NDArray[np.void],
        free: NDArray[np.bool_],
    ) -> tuple[Ints, Numbers]:
        """Which rows, of those that are free, repeat what is remembered, and the form of each."""
        none = np.empty(0, np.int64)
        if not self._any:
            return none, none.astype(np.int32)
        forms = self._forms[numbers]
        rows = np.flatnonzero((forms > 0) & (held <= HEAD) & free)
        if not len(rows):
            return none, none.astype(np.int32)
        to, size = numbers[rows], held[rows]
        words = heads[rows].view(np.uint64).reshape(-1, 2) & self._mask[size]
        same = (size == self._length[to]) & (size == length[rows])
        same &= (words[:, 0] == self._first[to]) & (words[:, 1] == self._second[to])
        rows = rows[same]
        return rows, forms[rows]
