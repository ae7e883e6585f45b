"""How many packets and bytes went each way between each client and each remote port, exactly?

Two stages. Directed five-tuples are counted per packet (`FiveTuples`); when there are too many of them, and
at the end, both directions are joined, the client is told from the server, and the client's own port is
forgotten (`Ledger`). Both are columns of numbers with one upper bound each: what does not fit is counted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.errors import InputError
from camscan.observe.traffic import steps
from camscan.observe.traffic.batch import ACK, SYN, Bytes, Columns, Ints, Keys, Tally
from camscan.observe.traffic.minutes import Lot, MinuteSeries
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.table import Numbers, PairTable, grown

MOST_TUPLES = 1 << 17
AT_ONCE = 32_768
"""Packets added in one step: columns of this length stay in the processor's cache."""
MOST_FLOWS = 1 << 20
TOO_MANY = "more flows than are kept"

OPENED, ANSWERED, OUTSIDE = 1, 2, 4
"""Sent SYN; sent SYN-ACK; one end lies outside the scope."""

_LOW32 = np.uint64(0xFFFF_FFFF)
_32 = np.uint64(32)
_16 = np.uint64(16)
_PORTS = np.uint64(0xFFFF_FFFF)


class Tuples(NamedTuple):
    """Directed five-tuples, one row each."""

    a: Keys
    b: Keys
    packets: Ints
    size: Ints
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    marks: Bytes
    mac: Keys
    """Source MAC of the first packet + 1; 0 = none."""


class FiveTuples:
    """Counts per directed five-tuple, until `take` empties it."""

    def __init__(self, places: Places, tally: Tally, *, most: int = MOST_TUPLES) -> None:
        self.table = PairTable(most)
        self._places = places
        self._tally = tally
        self._packets: Ints = np.zeros(1024, np.int64)
        self._size: Ints = np.zeros(1024, np.int64)
        self._first = np.zeros(1024, np.float64)
        self._last = np.zeros(1024, np.float64)
        self.marks: Bytes = np.zeros(1024, np.uint8)
        self._mac: Keys = np.zeros(1024, np.uint64)
        self.minutes = MinuteSeries()

    @property
    def nearly_full(self) -> bool:
        """Whether one more step could bring more new five-tuples than there is room for."""
        return self.table.count + AT_ONCE > self.table.most

    @property
    def used(self) -> int:
        """Five-tuples of which packets are counted."""
        return int(np.count_nonzero(self._packets[1 : self.table.count + 1]))

    def add(self, columns: Columns, data: Bytes) -> tuple[Numbers, int]:
        """Count packets; the number of each packet's five-tuple, and how many were there before."""
        before = self.table.count
        numbers = self.table.numbers(columns.a, columns.b)
        after = self.table.count
        if after > before:
            self._welcome(columns, data, numbers, before, after)
        touched = self.minutes.touched(len(self._size))
        within = self.minutes.within(columns.at)
        self._count(numbers, columns, touched if within else None)
        opening = columns.flags & SYN
        if opening.any():
            rows = np.flatnonzero(opening)
            answers = columns.flags[rows] & ACK != 0
            np.bitwise_or.at(
                self.marks, numbers[rows], np.where(answers, ANSWERED, OPENED).astype(np.uint8)
            )
        if not within:
            self.minutes.add(numbers.astype(np.int64), columns, self._size, self.marks)
        return numbers, before

    def _count(self, numbers: Numbers, columns: Columns, touched: Bytes | None) -> None:
        if steps.compiled is not None:
            size, when = np.ascontiguousarray(columns.size), np.ascontiguousarray(columns.at)
            steps.compiled.camscan_count(
                steps.at(numbers), steps.at(size), steps.at(when), len(numbers),
                steps.at(self._packets), steps.at(self._size), steps.at(self._first),
                steps.at(self._last), None if touched is None else steps.at(touched),
            )  # fmt: skip
            return
        index = numbers.astype(np.int64)
        np.add.at(self._packets, index, 1)
        np.add.at(self._size, index, columns.size)
        np.minimum.at(self._first, index, columns.at)
        np.maximum.at(self._last, index, columns.at)
        if touched is not None:
            touched[index] = 1

    def _welcome(
        self, columns: Columns, data: Bytes, numbers: Numbers, before: int, after: int
    ) -> None:
        self._reset(before, after)
        new = np.flatnonzero(numbers > before)
        # The first packet of each: written last to first, so that the first one stays.
        new = new[::-1]
        where = columns.mac[new]
        place = np.maximum(where, 0)
        mac = np.ndarray((len(data) - 16,), "V8", data, strides=(1,))[place + 4]
        # Six bytes of source MAC are the lower part of the eight that begin two before it.
        value = (mac.view(">u8").astype(np.uint64) & np.uint64(0xFFFF_FFFF_FFFF)) + np.uint64(1)
        self._mac[numbers[new]] = np.where(where >= 0, value, np.uint64(0))

    def reserve(self, a: Keys, b: Keys) -> Numbers:
        """Numbers for five-tuples of which no packet is counted yet."""
        before = self.table.count
        numbers = self.table.numbers(a, b)
        self._reset(before, self.table.count)
        return numbers

    def _reset(self, before: int, after: int) -> None:
        size = after + 1
        for name in ("_packets", "_size", "_first", "_last", "marks", "_mac"):
            setattr(self, name, grown(getattr(self, name), size))
        fresh = slice(before + 1, after + 1)
        for column in (self._packets, self._size, self.marks, self._mac):
            column[fresh] = 0
        self._first[fresh] = np.inf
        self._last[fresh] = -np.inf
        self.marks[fresh] = np.where(
            self._places.leaves(self.table.a[fresh], self.table.b[fresh]), OUTSIDE, 0
        )

    def tuples(self) -> Tuples:
        """What was counted so far."""
        part = slice(1, self.table.count + 1)
        return Tuples(
            self.table.a[part],
            self.table.b[part],
            self._packets[part],
            self._size[part],
            self._first[part],
            self._last[part],
            self.marks[part],
            self._mac[part],
        )

    def lots(self) -> Lot:
        """Minutes so far, the current one included; they stay."""
        self.minutes.close(self._size, self.marks)
        return self.minutes.so_far()

    def absorb(self, other: Tuples, lot: Lot) -> None:
        """Add five-tuples counted elsewhere, each once; `lot` counts them by their place in `other` + 1."""
        if len(lot.number) and not 0 < lot.number.min() <= lot.number.max() <= len(other.a):
            raise InputError("no state of a capture: minutes of unknown flows")
        before = self.table.count
        numbers = self.reserve(other.a, other.b)
        index = numbers.astype(np.int64)
        self._packets[index] += other.packets
        self._first[index] = np.minimum(self._first[index], other.first)
        self._last[index] = np.maximum(self._last[index], other.last)
        self.marks[index] |= other.marks
        fresh = index > before  # of the others the first packet was before
        self._mac[index[fresh]] = other.mac[fresh]
        # Bytes that are in no lot; the others are added minute by minute.
        rest = other.size.copy()
        np.subtract.at(rest, lot.number - 1, lot.size)
        self._size[index] += rest
        self.minutes.skip(index, rest, self._size)
        known = np.concatenate((np.zeros(1, np.int32), numbers))
        self.minutes.join(lot._replace(number=known[lot.number]), self._size, self.marks)

    def minutes_taken(self) -> list[Lot]:
        """Minutes so far, the current one included; numbers are those of `tuples`, from 1."""
        self.minutes.close(self._size, self.marks)
        return self.minutes.taken()

    def clear(self) -> None:
        self.table.clear()
        self.minutes.restart()


class Paired(NamedTuple):
    """Undirected conversations: row of either direction, -1 where nothing went that way."""

    forward: Ints
    backward: Ints


def paired(a: Keys, b: Keys) -> Paired:
    """Find for each directed five-tuple the one that goes the other way."""
    source, target = a >> _32, a & _LOW32
    ports = b & _PORTS
    swapped_ports = (ports & np.uint64(0xFFFF)) << _16 | ports >> _16
    swap = (source > target) | ((source == target) & (ports > swapped_ports))
    key_a = np.where(swap, target << _32 | source, a)
    key_b = np.where(swap, (b & ~_PORTS) | swapped_ports, b)
    table = PairTable(len(a), start=len(a) + 1)
    numbers = table.numbers(key_a, key_b)
    # The row of each conversation that goes one way, and of that which goes the other.
    ways = np.full((2, table.count + 1), -1, np.int64)
    ways[swap.view(np.uint8), numbers] = np.arange(len(a))
    one, other = ways[0, 1:], ways[1, 1:]
    return Paired(np.where(one >= 0, one, other), np.where(one >= 0, other, -1))
