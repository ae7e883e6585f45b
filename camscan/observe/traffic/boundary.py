"""Where does each record of a pcap chunk begin?

Records are a chain: each states its length, so a reader must go one by one, about 300 ns each in Python.
But the time of a record is nearly that of its neighbours: all places that hold such a time are found by
numpy in one sweep, at about 0.2 ns per byte, and the chain is then proved over the places found. A place
is taken only if the chain from the proved beginning leads there, so the result is the chain itself,
whatever the payloads contain. Where packets are large the sweep costs more than the chain.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]

LARGEST = 1 << 20
"""Bytes of the largest record taken for real (libpcap writes at most 262,144)."""
_BLOCK = 1 << 17
_SWEEP_BELOW = 1100
"""Mean record size up to which the sweep is cheaper than the chain; measured."""


class Chain(NamedTuple):
    offsets: Offsets
    """Of record headers, all of them complete."""
    end: int
    """Where the next record begins: incomplete, or the first damaged one."""
    damaged: bool
    """The record at `end` states a length that cannot be."""


def step(data: memoryview, begin: int, end: int, order: str, limit: int) -> Chain:
    """One by one, at most `limit` records."""
    length = struct.Struct(f"{order}I").unpack_from
    found: list[int] = []
    append = found.append
    place, last = begin, end - 16
    while place <= last and len(found) < limit:
        (size,) = length(data, place + 8)
        if size > LARGEST:
            return Chain(np.array(found, np.int64), place, damaged=True)
        following = place + 16 + size
        if following > end:
            break
        append(place)
        place = following
    return Chain(np.array(found, np.int64), place, damaged=False)


class Sweeper:
    """Finds chains in little-endian chunks; remembers how far times spread in one chunk."""

    def __init__(self) -> None:
        self._spread = 2
        self._words = np.empty(_BLOCK // 2, np.uint16)
        self._even = np.empty(_BLOCK // 2, np.bool_)
        self._odd = np.empty(_BLOCK // 2, np.bool_)

    def chain(self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int) -> Chain:
        first = step(view, begin, end, "<", 64)
        if first.damaged or len(first.offsets) < 64:
            return first
        mean = (first.end - begin) / 64
        if mean > _SWEEP_BELOW:
            rest = step(view, first.end, end, "<", end)
            return Chain(np.concatenate((first.offsets, rest.offsets)), rest.end, rest.damaged)
        return self._swept(data, view, begin, end)

    def _swept(self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int) -> Chain:
        parts: list[Offsets] = []
        place = begin
        for _ in range(3):
            places, headers = self._candidates(data, view, place, end)
            chain, lost = _prove(view, places, headers, place, end)
            parts += chain.offsets
            place = chain.end
            if not lost:
                break
            # Times left the window that was looked for: look again from here with a wider one.
            self._spread = min(self._spread * 4, 0x3FFF)
        else:
            rest = step(view, place, end, "<", end)
            parts.append(rest.offsets)
            chain = _Parts([], rest.end, rest.damaged)
        offsets = np.concatenate(parts) if parts else np.empty(0, np.int64)
        if len(offsets) > 1:
            (early,) = struct.unpack_from("<I", view, int(offsets[0]))
            (late,) = struct.unpack_from("<I", view, int(offsets[-1]))
            self._spread = max(2, min((abs(late - early) >> 8) * 2 + 2, 0x3FFF))
        return Chain(offsets, chain.end, chain.damaged)

    def _candidates(
        self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int
    ) -> tuple[Offsets, NDArray[np.uint32]]:
        (seconds,) = struct.unpack_from("<I", view, begin)
        # Seen as 16-bit words at even addresses, a time t at an even place shows t >> 16 in its second
        # word; at an odd place its middle bytes, t >> 8 & 0xffff, stand in one word.
        spread = np.uint16(self._spread)
        low_odd = np.uint16(((seconds >> 8) - self._spread // 2) & 0xFFFF)
        wide = np.uint16((self._spread >> 8) + 1)
        low_even = np.uint16(((seconds >> 16) - (self._spread >> 9)) & 0xFFFF)
        found: list[Offsets] = []
        words = data[: len(data) & ~1].view(np.uint16)
        for start in range(begin // 2, (end - 3) // 2, _BLOCK // 2):
            block = words[start : min(start + _BLOCK // 2, (end - 3) // 2 + 1)]
            count = len(block)
            shifted, even, odd = self._words[:count], self._even[:count], self._odd[:count]
            np.subtract(block, low_even, out=shifted)
            np.less(shifted, wide, out=even)
            np.subtract(block, low_odd, out=shifted)
            np.less_equal(shifted, spread, out=odd)
            np.logical_or(even, odd, out=odd)
            hits = np.flatnonzero(odd)
            # Even: the word is bytes 2-3 of the time; odd: bytes 1-2.
            found.append((hits + start) * 2 - 1 - even[hits])
        places = np.concatenate(found) if found else np.empty(0, np.int64)
        places = places[(places >= begin) & (places <= end - 16)]
        return places, headers_at(data, places)


def headers_at(data: NDArray[np.uint8], places: Offsets) -> NDArray[np.uint32]:
    """Captured lengths of the records that would begin at `places`."""
    rows = np.ndarray((len(data) - 4,), "V4", data, strides=(1,))
    return rows[places + 8].view(np.uint32)


def _prove(
    view: memoryview, places: Offsets, sizes: NDArray[np.uint32], begin: int, end: int
) -> tuple[_Parts, bool]:
    """The chain from `begin` over the places found; True where the places ran out too often."""
    parts: list[Offsets] = []
    following = places + sizes + 16
    breaks = np.flatnonzero((following[:-1] != places[1:]) | (sizes[:-1] > LARGEST))
    place = begin
    at = int(np.searchsorted(places, begin))
    missed = 0
    length = struct.Struct("<I").unpack_from
    turn = 0
    total = len(places)
    while place <= end - 16:
        if at < total and places[at] == place:
            while turn < len(breaks) and breaks[turn] < at:
                turn += 1
            last = int(breaks[turn]) if turn < len(breaks) else total - 1
            # places[at..last] follow each other; the last one's end is not the next place.
            stop = last + 1
            if sizes[last] > LARGEST or following[last] > end:
                stop = last
            parts.append(places[at:stop])
            place = int(following[stop - 1]) if stop > at else place
            if stop == last:
                return _Parts(parts, int(places[last]), bool(sizes[last] > LARGEST)), False
        else:
            (size,) = length(view, place + 8)
            if size > LARGEST:
                return _Parts(parts, place, damaged=True), False
            if place + 16 + size > end:
                break
            parts.append(np.array([place], np.int64))
            place += 16 + size
            missed += 1
            if missed > 256 and missed * 8 > len(parts):
                return _Parts(parts, place, damaged=False), True
        at = max(at, 0)
        at = at + int(np.searchsorted(places[at : at + 64], place))
        if at < total and places[at] < place:
            at = int(np.searchsorted(places, place))
    return _Parts(parts, place, damaged=False), False


class _Parts(NamedTuple):
    offsets: list[Offsets]
    end: int
    damaged: bool
