"""Which packets say what one before them said?

A camera asks for the same name every minute. Such packets are told by two 64-bit sums over what matters of their
payload, mixed with secret numbers that are drawn anew for every reading, so that nobody can craft two payloads that
pass for one. Only the first is handed over; the others are counted, and told at the end.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import hellos
from camscan.observe.traffic.batch import TCP, UDP, Bytes, Columns, Ints, Keys, gather
from camscan.observe.traffic.gating import Looked
from camscan.observe.traffic.packet import ALIKE, HEAD, Again
from camscan.observe.traffic.table import Numbers, PairTable, grown

LONGEST = 128
"""Payload bytes that are compared; longer packets are always handed over."""
MOST = 1 << 16
"""Forms remembered. When they are full, all is told and the memory begins anew."""
_PAYLOAD, _QUESTION, _HELLO, _SEALED, _ENDS = range(1, len(ALIKE))
_PROTO = np.array([0, UDP, UDP, TCP, TCP, UDP], np.int64)
_LOW16, _HIGH = np.uint64(0xFFFF), ~np.uint64(0xFFFF_FFFF)
_MAC = 12
_OWN_WORDS = 4
"""Ends, ports with kind and size, and the two MAC addresses."""
_MOST_WORDS = max(LONGEST // 8, hellos.WORDS) + _OWN_WORDS


def _odd(count: int) -> Keys:
    return np.array([secrets.randbits(64) | 1 for _ in range(count)], np.uint64)


class Asked(NamedTuple):
    """Packets that passed gates; all but `columns` is of `rows` of it."""

    columns: Columns
    rows: Ints
    ranks: Bytes
    passed: Keys
    """A number for the gates that each passed."""
    looked: Looked
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Whether source and destination port are ones a gate names."""


class Alike:
    def __init__(self) -> None:
        self._table = PairTable(MOST)
        self._times: Ints = np.zeros(1024, np.int64)
        self._last = np.zeros(1024, np.float64)
        self._known: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        """Which forms were handed over."""
        self._again: dict[int, tuple[Again, ...]] = {}
        self._odd = (_odd(_MOST_WORDS), _odd(_MOST_WORDS))
        self._veil, self._spread = _odd(_MOST_WORDS), _odd(_MOST_WORDS)
        # Row n keeps the first n bytes of LONGEST.
        mask = np.tri(LONGEST + 1, LONGEST, -1, np.uint8) * np.uint8(255)
        self._mask: Keys = mask.view(np.uint64)

    @property
    def full(self) -> bool:
        return self._table.count >= MOST * 7 // 8

    def numbers(self, data: Bytes, asked: Asked) -> Numbers:
        """The form of each packet; 0: of none."""
        result = np.zeros(len(asked.rows), np.int32)
        before = self._table.count
        fits = _PROTO[asked.ranks] == asked.looked.proto
        for which, words in self._contents(data, asked, fits):
            if len(which):
                result[which] = self._table.numbers(*self._sums(data, asked, which, words))
        size_now = self._table.count + 1
        fresh = slice(before + 1, size_now)
        self._times, self._last = grown(self._times, size_now), grown(self._last, size_now)
        self._known = grown(self._known, size_now)
        self._times[fresh], self._last[fresh], self._known[fresh] = 0, -np.inf, False
        return result

    def repeats(self, numbers: Numbers) -> Ints:
        """Which of these packets repeat one that was handed over, or one before them."""
        new = np.flatnonzero((numbers > 0) & ~self._known[numbers])
        is_first = np.zeros(len(numbers), np.bool_)
        if len(new):
            # Written last to first, so that the first packet of each form stays.
            first = np.empty(self._table.count + 1, np.int64)
            first[numbers[new[::-1]]] = new[::-1]
            is_first[first[numbers[new]]] = True
        return np.flatnonzero((numbers > 0) & ~is_first)

    def _contents(
        self, data: Bytes, asked: Asked, fits: NDArray[np.bool_]
    ) -> list[tuple[Ints, Keys]]:
        """Rows that have a form, with what matters of their payload: all of one width together."""
        columns, rows, ranks, passed, looked, _ = asked
        skip = np.where(ranks == _QUESTION, 2, 0)
        size = looked.held - skip
        texts = fits & (ranks <= _QUESTION) & (size >= 0) & (looked.held == looked.length)
        found = []
        short = np.flatnonzero(texts & (looked.held <= HEAD) & (skip == 0))
        found.append((short, looked.head[short].view(np.uint64) & self._mask[size[short], :2]))
        texts[short] = False
        for least, most in ((0, 64), (64, LONGEST)):
            which = np.flatnonzero(texts & (size <= most) & ((size > least) | (least == 0)))
            places = columns.payload[rows[which]] + skip[which]
            words = gather(data, places, most).view(np.uint64).reshape(-1, most // 8)
            found.append((which, words & self._mask[size[which], : most // 8]))
        for rank, told in ((_HELLO, self._hellos), (_SEALED, self._sealed)):
            which = np.flatnonzero(fits & (ranks == rank))
            if len(which):
                found.append(told(data, asked, which))
        which = np.flatnonzero(fits & (ranks == _ENDS))
        found.append((which, passed[which, None]))
        return found

    @staticmethod
    def _hellos(data: Bytes, asked: Asked, which: Ints) -> tuple[Ints, Keys]:
        payload = asked.columns.payload[asked.rows[which]]
        said = hellos.client_hellos(data, payload, asked.looked.held[which])
        return which[said.rows], said.words

    @staticmethod
    def _sealed(data: Bytes, asked: Asked, which: Ints) -> tuple[Ints, Keys]:
        payload = asked.columns.payload[asked.rows[which]]
        which = which[hellos.sealed(data, payload, asked.looked.held[which])]
        return which, np.zeros((len(which), 0), np.uint64)

    def _sums(self, data: Bytes, asked: Asked, which: Ints, content: Keys) -> tuple[Keys, Keys]:
        columns, rows, ranks, _, looked, sides = asked
        rows, ranks = rows[which], ranks[which]
        # A client's own port changes from question to question where the server's is known.
        server = (sides[0][which] | (ranks == _SEALED), sides[1][which] | (ranks == _HELLO))
        ports = (looked.source[which] << 16) | looked.target[which]
        ports &= np.where(
            server[0] | server[1],
            np.where(server[0], 0xFFFF0000, 0) | np.where(server[1], 0xFFFF, 0),
            -1,
        )
        b = (columns.b[rows] & _HIGH) | ports.astype(np.uint64)
        b ^= ranks.astype(np.uint64) << np.uint64(44)
        sized = np.where(ranks <= _QUESTION, looked.held[which], 0)
        b ^= sized.astype(np.uint64) << np.uint64(48)
        words = np.zeros((len(which), content.shape[1] + _OWN_WORDS), np.uint64)
        words[:, 0], words[:, 1], words[:, _OWN_WORDS:] = columns.a[rows], b, content
        mac = columns.mac[rows]
        macs = gather(data, np.maximum(mac, 0), _MAC)
        words[:, 2] = np.ndarray((len(which),), "<u8", macs, strides=(_MAC,))
        words[:, 3] = np.ndarray((len(which),), "<u4", macs, offset=8, strides=(_MAC,))
        words[mac < 0, 2:4] = 0
        count = words.shape[1]
        words ^= self._veil[:count]
        words *= self._spread[:count]
        words ^= words >> np.uint64(32)
        first, second = ((words * odd[:count]).sum(axis=1, dtype=np.uint64) for odd in self._odd)
        return first ^ first >> np.uint64(31), second ^ second >> np.uint64(31)

    def count(self, numbers: Numbers, at: NDArray[np.float64]) -> None:
        """These packets repeat forms that were handed over."""
        np.add.at(self._times, numbers, 1)
        np.maximum.at(self._last, numbers, at)

    def remember(self, number: int, again: tuple[Again, ...]) -> None:
        """The first packet of a form was handed over; what to call for those that repeat it."""
        self._known[number] = True
        self._again[number] = again

    def tell(self) -> None:
        """Count all that was repeated since the last call, in order of the last time."""
        repeated = np.flatnonzero(self._times[: self._table.count + 1])
        repeated = repeated[np.argsort(self._last[repeated], kind="stable")]
        again = self._again
        for number, times, last in zip(
            repeated.tolist(),
            self._times[repeated].tolist(),
            self._last[repeated].tolist(),
            strict=True,
        ):
            for count in again[number]:
                count(times, last)
        self._times[repeated] = 0

    def clear(self) -> None:
        self._table.clear()
        self._again.clear()
