"""Which packets say what one before them said?

A camera asks for the same name every minute. Such packets are told by two 64-bit sums over their payload, mixed
with secret numbers that are drawn anew for every reading, so that nobody can craft two payloads that pass for one.
Only the first is handed over; the others are counted, and told as one packet that stands for them all.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Bytes, Columns, Ints, Keys, gather
from camscan.observe.traffic.gating import Looked
from camscan.observe.traffic.packet import ALIKE, Packet
from camscan.observe.traffic.table import Numbers, PairTable, grown

LONGEST = 128
"""Payload bytes that are compared; longer packets are always handed over."""
MOST = 1 << 16
"""Forms remembered. When they are full, all is told and the memory begins anew."""
_QUESTION, _ENDS = ALIKE.index("question"), ALIKE.index("ends")
_LOW16, _HIGH = np.uint64(0xFFFF), ~np.uint64(0xFFFF_FFFF)
_16 = np.uint64(16)


def _odd(count: int) -> Keys:
    return np.array([secrets.randbits(64) | 1 for _ in range(count)], np.uint64)


class Asked(NamedTuple):
    """Packets that passed gates; `looked`, `ranks` and `sides` are of `rows` of `columns`."""

    columns: Columns
    rows: Ints
    ranks: Bytes
    looked: Looked
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Whether source and destination port are ones a gate names."""


class Alike:
    def __init__(self) -> None:
        self._table = PairTable(MOST)
        self._times: Ints = np.zeros(1024, np.int64)
        self._last = np.zeros(1024, np.float64)
        self._packets: dict[int, Packet] = {}
        self._sums = (_odd(LONGEST // 8 + 2), _odd(LONGEST // 8 + 2))
        self._veil, self._spread = _odd(LONGEST // 8), _odd(LONGEST // 8)
        # Row n keeps the first n bytes of LONGEST.
        mask = np.tri(LONGEST + 1, LONGEST, -1, np.uint8) * np.uint8(255)
        self._mask: Keys = mask.view(np.uint64)

    @property
    def full(self) -> bool:
        return self._table.count >= MOST * 7 // 8

    def numbers(self, data: Bytes, asked: Asked) -> tuple[Numbers, int]:
        """The form of each packet (0: of none), and how many forms there were before."""
        columns, rows, ranks, looked, sides = asked
        held = columns.held[rows]
        skip = np.where(ranks == _QUESTION, 2, 0)
        size = np.where(ranks == _ENDS, 0, held - skip)
        fits = (size <= LONGEST) & (size >= 0) & (held == columns.length[rows])
        which = np.flatnonzero(fits)
        result = np.zeros(len(rows), np.int32)
        before = self._table.count
        if not len(which):
            return result, before
        words: Keys = gather(data, columns.payload[rows[which]] + skip[which], LONGEST).view(
            np.uint64
        )
        words = words.reshape(-1, LONGEST // 8) & self._mask[size[which]]
        words ^= self._veil
        words *= self._spread
        words ^= words >> np.uint64(32)
        # A client's own port changes from question to question where the server's is known.
        known = sides[0] | sides[1]
        ports = (looked.source << 16) | looked.target
        ports &= np.where(
            known, np.where(sides[0], 0xFFFF0000, 0) | np.where(sides[1], 0xFFFF, 0), -1
        )
        b = (columns.b[rows[which]] & _HIGH) | ports[which].astype(np.uint64)
        b ^= ranks[which].astype(np.uint64) << np.uint64(48)
        b ^= size[which].astype(np.uint64) << np.uint64(56)
        a = columns.a[rows[which]]
        sums = []
        for odd in self._sums:
            total = (words * odd[:-2]).sum(axis=1, dtype=np.uint64)
            total += a * odd[-2] + b * odd[-1]
            sums.append(total ^ total >> np.uint64(31))
        result[which] = self._table.numbers(sums[0], sums[1])
        size_now = self._table.count + 1
        self._times, self._last = grown(self._times, size_now), grown(self._last, size_now)
        self._times[before + 1 : size_now] = 0
        self._last[before + 1 : size_now] = -np.inf
        return result, before

    def count(self, numbers: Numbers, at: NDArray[np.float64]) -> None:
        """These packets repeat forms that were handed over."""
        np.add.at(self._times, numbers, 1)
        np.maximum.at(self._last, numbers, at)

    def remember(self, number: int, packet: Packet) -> None:
        self._packets[number] = packet

    def told(self) -> list[Packet]:
        """One packet for every form that was repeated since the last call."""
        repeated = np.flatnonzero(self._times[: self._table.count + 1])
        found = [
            self._packets[number]._replace(times=times, at=last)
            for number, times, last in zip(
                repeated.tolist(),
                self._times[repeated].tolist(),
                self._last[repeated].tolist(),
                strict=True,
            )
            if number in self._packets
        ]
        self._times[repeated] = 0
        found.sort(key=lambda packet: packet.at)
        return found

    def clear(self) -> None:
        self._table.clear()
        self._packets.clear()
