"""When did the bytes of a flow that leaves the network go?

Per minute, from the totals: whenever the minute changes, the flows that were touched are compared with what
they had at the last change. Bounded: 2 million flow-minutes; then the series ends and that is said.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Bytes, Columns, Ints
from camscan.observe.traffic.table import grown

MOST = 1 << 21
_OUTSIDE = 4


class Lot(NamedTuple):
    """Bytes that one directed five-tuple carried in one minute."""

    number: NDArray[np.int32]
    minute: Ints
    """Minutes since the epoch."""
    size: Ints


class MinuteSeries:
    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.lots: list[Lot] = []
        self.left_out = 0
        """Flow-minutes that were not kept."""
        self.kept = 0
        self._minute = -1
        self._touched: Bytes = np.zeros(1024, np.uint8)
        self._seen: Ints = np.zeros(1024, np.int64)

    def within(self, at: NDArray[np.float64]) -> bool:
        """Whether all these times lie in the current minute."""
        # The same division as in `add`: a float near the end of a minute is rounded alike.
        return bool(at.min() // 60.0 == self._minute == at.max() // 60.0)

    def touched(self, count: int) -> Bytes:
        """By number: whether the five-tuple got something in this minute; of `count` numbers, to be filled."""
        self._touched = grown(self._touched, count)
        self._seen = grown(self._seen, count)
        return self._touched

    def add(self, index: Ints, columns: Columns, totals: Ints, marks: Bytes) -> None:
        """Take note of packets that were just added to `totals`, and do not all lie in the current minute."""
        minute = np.floor_divide(columns.at, 60.0).astype(np.int64)
        # Only outward packets matter; they are few where minutes are many.
        out = np.flatnonzero(marks[index] & _OUTSIDE)
        index, minute, size = index[out], minute[out], columns.size[out]
        if not len(out):
            return
        # Totals hold this lot already: take it off, then add minute by minute.
        order = np.argsort(minute, kind="stable")
        index, minute, size = index[order], minute[order], size[order]
        np.subtract.at(totals, index, size)
        self._go_on(index, minute, size, totals, marks)

    def _go_on(self, index: Ints, minute: Ints, size: Ints, totals: Ints, marks: Bytes) -> None:
        """Add bytes to `totals`, minute by minute, in the order in which the minutes come."""
        cuts = np.flatnonzero(np.diff(minute)) + 1
        for part in np.split(np.arange(len(minute)), cuts):
            now = int(minute[part[0]])
            if now != self._minute:
                self.close(totals, marks)
                self._minute = now
            np.add.at(totals, index[part], size[part])
            self._touched[index[part]] = 1

    def close(self, totals: Ints, marks: Bytes) -> None:
        """Write down what the touched flows got since the last change."""
        numbers = np.flatnonzero(self._touched)
        self._touched[numbers] = 0
        grew = totals[numbers] - self._seen[numbers]
        self._seen[numbers] = totals[numbers]
        keep = (grew > 0) & (marks[numbers] & _OUTSIDE != 0)
        numbers, grew = numbers[keep], grew[keep]
        if self.kept + len(numbers) > self.most:
            self.left_out += len(numbers)
            return
        if len(numbers):
            self.kept += len(numbers)
            minute = np.full(len(numbers), self._minute, np.int64)
            self.lots.append(Lot(numbers.astype(np.int32), minute, grew))

    def so_far(self) -> Lot:
        """All lots as one, kept for later too."""
        if len(self.lots) != 1:
            none = np.empty(0, np.int64)
            parts = self.lots or [Lot(none.astype(np.int32), none, none)]
            self.lots = [Lot._make(np.concatenate(c) for c in zip(*parts, strict=True))]
        return self.lots[0]

    def skip(self, numbers: Ints, size: Ints, totals: Ints) -> None:
        """Bytes that were added to `totals` and belong to no minute."""
        self._seen = grown(self._seen, len(totals))
        self._seen[numbers] += size

    def join(self, lot: Lot, totals: Ints, marks: Bytes) -> None:
        """Go on with what was counted elsewhere; its bytes are added to `totals`."""
        self._touched = grown(self._touched, len(totals))
        if len(lot.number):
            self._go_on(lot.number.astype(np.int64), lot.minute, lot.size, totals, marks)

    def taken(self) -> list[Lot]:
        """All lots so far; the numbers of five-tuples lose their meaning with the next `restart`."""
        lots, self.lots = self.lots, []
        return lots

    def restart(self) -> None:
        """Five-tuples are numbered anew."""
        self._touched[:] = 0
        self._seen[:] = 0
        self._minute = -1
