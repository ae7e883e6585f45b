"""Which packets say what one before them said?

A camera asks for the same name every minute. Such packets are told by two 64-bit sums over what matters of their
payload, mixed with secret numbers that are drawn anew for every reading, so that nobody can craft two payloads that
pass for one. Only the first is handed over; the others are counted, and told at the end.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import hellos, steps
from camscan.observe.traffic.batch import PAD, TCP, UDP, Bytes, Columns, Ints, Keys, gather
from camscan.observe.traffic.gating import Looked
from camscan.observe.traffic.packet import ALIKE, HEAD, Again
from camscan.observe.traffic.table import Numbers, PairTable, grown

LONGEST = PAD
"""Payload bytes that are compared; longer packets are always handed over."""
_WIDTHS = (0, 64, 128, LONGEST)
MOST = 1 << 16
"""Forms remembered. When they are full, all is told and the memory begins anew."""
_PAYLOAD, _QUESTION, _HELLO, _SEALED, _ENDS = range(1, len(ALIKE))
_PROTO = np.array([0, UDP, UDP, TCP, TCP, UDP], np.int64)
_HIGH, _BOTH = ~np.uint64(0xFFFF_FFFF), 0xFFFF_FFFF
_MAC = 12
_OWN_WORDS = 4
"""Ends, ports with kind and size, and the two MAC addresses."""
_KIND_SILENT, _KIND_SUMMED = 1, 2
"""What the compiled step says of a packet: it has this form, or sums that tell its form."""
_SILENT = 1
"""The form of packets that say nothing: none of them is handed over."""
LONGEST_CONTENT = max(LONGEST // 8, hellos.WORDS)
_Content = tuple[Ints, Keys, Keys]


class _Secret(ctypes.Structure):
    """The secret numbers, as the compiled step is given them."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("veil", "spread", "one", "two")),
        ("own", ctypes.c_int64),
    )


def _odd(count: int) -> Keys:
    return np.frombuffer(os.urandom(8 * count), np.uint64) | np.uint64(1)


class Asked(NamedTuple):
    """Packets that passed gates; all but `columns` is of `rows` of it."""

    columns: Columns
    rows: Ints
    ranks: Bytes
    passed: Keys
    """A number for the gates that each passed."""
    looked: Looked
    servers: NDArray[np.bool_]
    """By port, whether a gate names it: all 65,536."""


class Alike:
    def __init__(self) -> None:
        self._table = PairTable(MOST)
        self._times: Ints = np.zeros(1024, np.int64)
        self._last = np.zeros(1024, np.float64)
        self._known: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        """Which forms were handed over."""
        self._again: dict[int, Again] = {}
        self._begin()
        words = LONGEST_CONTENT + _OWN_WORDS
        self._odd = (_odd(words), _odd(words))
        self._veil, self._spread = _odd(words), _odd(words)
        columns = (self._veil, self._spread, *self._odd)
        self._secret = _Secret(*(steps.at(column) for column in columns), LONGEST_CONTENT)
        # Row n keeps the first n bytes of LONGEST.
        mask = np.tri(LONGEST + 1, LONGEST, -1, np.uint8) * np.uint8(255)
        self._mask: Keys = mask.view(np.uint64)
        # By whether source (1) and target (2) are servers' ports.
        kept = [_HIGH | np.uint64(ports) for ports in (_BOTH, 0xFFFF0000, 0xFFFF, _BOTH)]
        self._ports_kept = np.array(kept, np.uint64)

    @property
    def full(self) -> bool:
        return self._table.count >= MOST * 7 // 8

    def numbers(self, data: Bytes, asked: Asked) -> Numbers:
        """The form of each packet; 0: of none."""
        before = self._table.count
        result = (self._stepped if steps.compiled is not None else self._told)(data, asked)
        size_now = self._table.count + 1
        fresh = slice(before + 1, size_now)
        self._times, self._last = grown(self._times, size_now), grown(self._last, size_now)
        self._known = grown(self._known, size_now)
        self._times[fresh], self._last[fresh], self._known[fresh] = 0, -np.inf, False
        return result

    def _told(self, data: Bytes, asked: Asked) -> Numbers:
        result = np.zeros(len(asked.rows), np.int32)
        fits = _PROTO[asked.ranks] == asked.looked.proto
        sealed = np.flatnonzero(fits & (asked.ranks == _SEALED))
        if len(sealed):
            places = asked.columns.payload[asked.rows[sealed]]
            result[sealed[hellos.sealed(data, places, asked.looked.held[sealed])]] = _SILENT
        contents = self._contents(data, asked, fits)
        which = np.concatenate([rows for rows, _, _ in contents])
        if len(which):
            first, second = self._ends(data, asked, which)
            first += np.concatenate([one for _, one, _ in contents])
            second += np.concatenate([two for _, _, two in contents])
            first ^= first >> np.uint64(31)
            second ^= second >> np.uint64(31)
            result[which] = self._table.numbers(first, second)
        return result

    def _stepped(self, data: Bytes, asked: Asked) -> Numbers:
        """The same by the compiled step, whose sums are others and mean the same."""
        count, columns = len(asked.rows), asked.columns
        kinds, sums = np.empty(count, np.uint8), np.empty((2, count), np.uint64)
        fields = [
            np.ascontiguousarray(c)
            for c in (
                columns.a,
                columns.b,
                columns.payload,
                columns.held,
                columns.length,
                columns.mac,
            )
        ]
        given = [np.ascontiguousarray(c) for c in (asked.rows, asked.ranks, asked.passed)]
        steps.compiled.camscan_forms(
            steps.at(data), len(data), count, *(steps.at(c) for c in given), steps.pointers(*fields),
            steps.at(asked.servers), ctypes.byref(self._secret), steps.at(kinds), steps.at(sums[0]), steps.at(sums[1]),
        )  # fmt: skip
        result: Numbers = (kinds == _KIND_SILENT).astype(np.int32) * _SILENT
        which = np.flatnonzero(kinds == _KIND_SUMMED)
        if len(which):
            result[which] = self._table.numbers(sums[0][which], sums[1][which])
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

    def _contents(self, data: Bytes, asked: Asked, fits: NDArray[np.bool_]) -> list[_Content]:
        """Rows that have a form, and the sums of what matters of their payload."""
        columns, rows, ranks, passed, looked, _ = asked
        skip = np.where(ranks == _QUESTION, 2, 0)
        size = looked.held - skip
        texts = fits & (ranks <= _QUESTION) & (size > 0) & (looked.held == looked.length)
        short = texts & (looked.held <= HEAD) & (skip == 0)
        texts &= ~short
        found = []
        if short.any():
            which = np.flatnonzero(short)
            words = looked.head[which].view(np.uint64) & self._mask[size[which], :2]
            found.append((which, *self.sums(words)))
        for least, most in pairwise(_WIDTHS):
            which = np.flatnonzero(texts & (size <= most) & (size > least))
            if len(which):
                places = columns.payload[rows[which]] + skip[which]
                words = gather(data, places, most).view(np.uint64).reshape(-1, most // 8)
                words &= self._mask[size[which], : most // 8]
                found.append((which, *self.sums(words)))
        which = np.flatnonzero(fits & (ranks == _HELLO))
        if len(which):
            said = hellos.client_hellos(data, columns.payload[rows[which]], looked.held[which])
            found.append((which[said.rows], *self.sums(said.words)))
        which = np.flatnonzero(fits & (ranks == _ENDS))
        found.append((which, *self.sums(passed[which, None])))
        return found

    def _ends(self, data: Bytes, asked: Asked, which: Ints) -> tuple[Keys, Keys]:
        """Sums of addresses, ports, kind and size, and the MAC addresses of ClientHellos."""
        columns, rows, ranks, _, looked, servers = asked
        rows, ranks = rows[which], ranks[which]
        # A client's own port changes from question to question where the server's is known.
        source = servers[looked.source[which]]
        target = servers[looked.target[which]] | (ranks == _HELLO)
        kept = self._ports_kept[source.view(np.uint8) + 2 * target.view(np.uint8)]
        words = np.empty((len(which), _OWN_WORDS), np.uint64)
        words[:, 0] = columns.a[rows]
        words[:, 1] = columns.b[rows] & kept
        words[:, 1] ^= ranks.astype(np.uint64) << np.uint64(44)
        sized = np.where(ranks <= _QUESTION, looked.held[which], 0)
        words[:, 1] ^= sized.astype(np.uint64) << np.uint64(48)
        words[:, 2:] = 0
        mac = columns.mac[rows]
        named = np.flatnonzero((ranks == _HELLO) & (mac >= 0))
        if len(named):
            macs = gather(data, mac[named], _MAC)
            words[named, 2] = np.ndarray((len(named),), "<u8", macs, strides=(_MAC,))
            words[named, 3] = np.ndarray((len(named),), "<u4", macs, offset=8, strides=(_MAC,))
        return self.sums(words, LONGEST_CONTENT)

    def sums(self, words: Keys, begin: int = 0) -> tuple[Keys, Keys]:
        """Two sums of each row, with the secret numbers from `begin` on."""
        part = slice(begin, begin + words.shape[1])
        words = (words ^ self._veil[part]) * self._spread[part]
        words ^= words >> np.uint64(32)
        return words @ self._odd[0][part], words @ self._odd[1][part]

    def count(self, numbers: Numbers, at: NDArray[np.float64]) -> None:
        """These packets repeat forms that were handed over."""
        np.add.at(self._times, numbers, 1)
        np.maximum.at(self._last, numbers, at)

    def remember(self, number: int, again: tuple[Again, ...]) -> None:
        """The first packet of a form was handed over; what to call for those that repeat it."""
        self._known[number] = True
        self._again[number] = _joined(again)

    def remember_all(self, numbers: Numbers, again: Sequence[tuple[Again, ...]]) -> None:
        """The same for many."""
        self._known[numbers] = True
        for number, one in zip(numbers.tolist(), again, strict=True):
            self._again[number] = _joined(one)

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
            again[number](times, last)
        self._times[repeated] = 0

    def clear(self) -> None:
        self._table.clear()
        self._again.clear()
        self._begin()

    def _begin(self) -> None:
        nothing = np.zeros(1, np.uint64)
        self._table.numbers(nothing, nothing)
        self.remember(_SILENT, ())


def _joined(again: tuple[Again, ...]) -> Again:
    """Nearly always it is one or none: the tuple need not be kept."""
    if len(again) > 1:
        return partial(_each, again)
    return again[0] if again else _no_one


def _each(again: tuple[Again, ...], times: int, at: float) -> None:
    for count in again:
        count(times, at)


def _no_one(times: int, at: float) -> None:
    del times, at
