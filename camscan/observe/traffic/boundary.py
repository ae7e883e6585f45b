"""Where does each record of a pcap chunk begin?

Records are a chain: each states its length, so a reader must go one by one, about 300 ns each in Python.
But the time of a record is nearly that of its neighbours: all places that hold such a time are found by
numpy in one sweep, at about 0.2 ns per byte, and the chain is then proved over the places found. A place
is taken only if the chain from the proved beginning leads there, so the result is the chain itself,
whatever the payloads contain. Where packets are large, only some places are looked for, and many chains
are followed from there at once.
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
_SWEEP_BELOW = 450
"""Mean record size up to which the sweep is cheaper than lanes; measured."""
_LANE = 1 << 15
_GUESS = 4096
"""Bytes at the beginning of a lane, at most, in which a record is looked for."""


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
            rest = self._lanes(data, view, first.end, end, mean)
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
        low_odd, spread, low_even, wide = self._window(seconds)
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

    def _lanes(
        self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int, mean: float
    ) -> Chain:
        """Many short chains in step, each from a guessed beginning that the one before it must reach."""
        starts = self._starts(data, view, begin, end, mean)
        if len(starts) < 8:
            return step(view, begin, end, "<", end)
        limits = np.append(starts[1:], end - 15)
        place = starts.copy()
        visited: list[Offsets] = []
        moved: list[NDArray[np.bool_]] = []
        active = place < limits
        while active.any():
            sizes = headers_at(data, np.minimum(place, end - 16)).astype(np.int64)
            following = place + sizes + 16
            active &= (following <= end) & (sizes <= LARGEST)
            visited.append(place)
            moved.append(active)
            place = np.where(active, following, place)
            active = active & (place < limits)
        reached = np.flatnonzero(place[:-1] != starts[1:])
        good = int(reached[0]) + 1 if len(reached) else len(starts)
        paths, steps = np.array(visited).T[:good], np.array(moved).T[:good]
        offsets, stop = paths[steps], int(place[good - 1])
        rest = step(view, stop, end, "<", end)
        return Chain(np.concatenate((offsets, rest.offsets)), rest.end, rest.damaged)

    def _starts(
        self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int, mean: float
    ) -> Offsets:
        """`begin`, and one probable record in every _LANE bytes behind it."""
        even = begin + 1 & ~1
        lanes = (end - even) // _LANE
        alone = np.array([begin], np.int64)
        if lanes < 8:
            return alone
        (seconds,) = struct.unpack_from("<I", view, begin)
        odd_low, odd_wide, even_low, even_wide = self._window(seconds)
        words = data[even : even + lanes * _LANE].view(np.uint16).reshape(lanes, -1)
        width = min(int(mean) + 256, _GUESS // 2)
        words = words[1:, :width]
        is_even = words - even_low < even_wide
        hits = np.flatnonzero(is_even | (words - odd_low <= odd_wide))
        lane, column = hits // width, hits % width
        places = even + (lane + 1) * _LANE + column * 2 - 1 - is_even.ravel()[hits]
        keep = places <= end - 16
        lane, places = lane[keep], places[keep]
        sizes = headers_at(data, places).astype(np.int64)
        following = places + 16 + sizes
        near = (sizes <= LARGEST) & (following <= end - 16)
        lane, places, following = lane[near], places[near], following[near]
        times = gather4(data, places).astype(np.int64)
        then = gather4(data, following).astype(np.int64)
        near = np.abs(then - times) <= self._spread << 8
        lane, places = lane[near], places[near]
        _, first = np.unique(lane, return_index=True)
        return np.concatenate((alone, places[first]))

    def _window(self, seconds: int) -> tuple[np.uint16, np.uint16, np.uint16, np.uint16]:
        """Lowest value and width of the words that show a time near `seconds`.

        Seen as 16-bit words at even addresses, a time t at an even place shows t >> 16 in its second
        word; at an odd place its middle bytes, t >> 8 & 0xffff, stand in one word.
        """
        return (
            np.uint16(((seconds >> 8) - self._spread // 2) & 0xFFFF),
            np.uint16(self._spread),
            np.uint16(((seconds >> 16) - (self._spread >> 9)) & 0xFFFF),
            np.uint16((self._spread >> 8) + 1),
        )


def headers_at(data: NDArray[np.uint8], places: Offsets) -> NDArray[np.uint32]:
    """Captured lengths of the records that would begin at `places`."""
    return gather4(data, places + 8)


def gather4(data: NDArray[np.uint8], places: Offsets) -> NDArray[np.uint32]:
    """Little-endian words at any places."""
    return np.ndarray((len(data) - 4,), "V4", data, strides=(1,))[places].view("<u4")


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
