"""Where does each record of a pcap chunk begin?

Records are a chain: each states its length, so a reader must go one by one, about 300 ns each in Python.
Here many chains are followed at once by numpy, each from a place where a record probably begins: one that
shows nearly the same time as the records before it. What a lane found counts only if the lane before it,
and so the chain from the proved beginning, leads exactly to its first record: the result is the chain
itself, whatever the payloads contain.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]

LARGEST = 1 << 20
"""Bytes of the largest record taken for real (libpcap writes at most 262,144)."""
_FEW = 64
"""Records followed one by one, to learn how large they are."""
_LEAST = 8
"""Lanes worth their start."""
_LANE = (1 << 12, 1 << 17)
"""Bytes of a lane, at least and at most."""
_STEP_COST = 2.5
"""What a step of all lanes costs, apart from their number, over what finding one lane costs; measured."""
_SMALL = 256
"""Mean bytes of records of which every cache line is needed."""
_TURNS = 16
"""How often lanes begin anew in one chunk after one did not lead to the next."""
_GUESSES = 4
"""Places looked at per lane."""


class Chain(NamedTuple):
    offsets: Offsets
    """Of record headers, all of them complete."""
    end: int
    """Where the next record begins: incomplete, or the first damaged one."""
    damaged: bool
    """The record at `end` states a length that cannot be."""


def step(
    data: memoryview, begin: int, end: int, order: str, most: int, *, until: int | None = None
) -> Chain:
    """One by one, at most `most` records, those that begin before `until`."""
    length = struct.Struct(f"{order}I").unpack_from
    found: list[int] = []
    append = found.append
    place, last = begin, end - 16 if until is None else min(end - 16, until - 1)
    while place <= last and len(found) < most:
        (size,) = length(data, place + 8)
        if size > LARGEST:
            return Chain(np.array(found, np.int64), place, damaged=True)
        following = place + 16 + size
        if following > end:
            break
        append(place)
        place = following
    return Chain(np.array(found, np.int64), place, damaged=False)


class Walker:
    """Finds chains in chunks of one byte order."""

    def __init__(self, order: str) -> None:
        self._order = order
        self._length = struct.Struct(f"{order}I").unpack_from
        # The two upper bytes of a time in seconds change every 18 hours.
        self._upper = 2 if order == "<" else 0
        self._after = struct.Struct(f"{order}H")
        self._steps = 0
        """In which most lanes end."""

    def chain(self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int) -> Chain:
        """The records from `begin` on that end before `end`."""
        parts: list[Offsets] = []
        place = begin
        for _ in range(_TURNS):
            first = step(view, place, end, self._order, _FEW)
            parts.append(first.offsets)
            mean, place = (first.end - place) / _FEW, first.end
            if first.damaged or len(first.offsets) < _FEW:
                return Chain(np.concatenate(parts), place, first.damaged)
            if mean < _SMALL:
                # Lanes jump; one pass in order brings what they need into the processor's cache.
                data[place:end:64].max()
            starts = self._starts(view, place, end, mean)
            if len(starts) < _LEAST:
                break
            self._steps = int(1.25 * (end - place) / len(starts) / mean) + 8
            offsets, place, proved = self._walk(data, view, starts, end)
            parts.append(offsets)
            if proved:
                break
        rest = step(view, place, end, self._order, end)
        return Chain(np.concatenate((*parts, rest.offsets)), rest.end, rest.damaged)

    def _starts(self, view: memoryview, begin: int, end: int, mean: float) -> Offsets:
        """`begin`, and probable records behind it, at most one in every lane."""
        least, most = _LANE
        lane = int(min(max(math.sqrt((end - begin) * mean / _STEP_COST), least), most))
        width = min(int(2 * mean) + 256, lane)
        upper = bytes(view[begin + self._upper : begin + self._upper + 2])
        later = self._next(upper)
        starts = [begin]
        for at in range(begin + lane, end - width, lane):
            piece = bytes(view[at : at + width])
            place = self._guess(view, piece, at, end, upper)
            if place < 0 and later in piece:
                place = self._guess(view, piece, at, end, later)
                if place >= 0:
                    upper, later = later, self._next(later)
            if place >= 0:
                starts.append(place)
        return np.array(starts, np.int64)

    def _next(self, upper: bytes) -> bytes:
        return self._after.pack(self._after.unpack(upper)[0] + 1 & 0xFFFF)

    def _guess(self, view: memoryview, piece: bytes, at: int, end: int, upper: bytes) -> int:
        """A place in `piece` that shows a time like `upper`, and so does what follows; -1 = none found."""
        spot = piece.find(upper)
        for _ in range(_GUESSES):
            if spot < 0:
                return -1
            place = at + spot - self._upper
            if place + 16 <= end:
                (size,) = self._length(view, place + 8)
                time = place + 16 + size + self._upper
                if size <= LARGEST and time + 2 <= end and view[time : time + 2] == upper:
                    return place
            spot = piece.find(upper, spot + 1)
        return -1

    def _walk(
        self, data: NDArray[np.uint8], view: memoryview, starts: Offsets, end: int
    ) -> tuple[Offsets, int, bool]:
        """All lanes in step: what they found up to the first that does not lead to the next, and where it ends."""
        sizes = np.ndarray((len(data) - 12,), f"{self._order}u4", data, offset=8, strides=(1,))
        limits = np.append(starts[1:], end - 15)
        last = end - 16
        ends = np.empty(len(starts), np.int64)
        lanes, place, steps = np.arange(len(starts)), starts, self._steps
        found: list[Offsets] = []
        owners: list[Offsets] = []
        while len(lanes) >= _LEAST:
            grid = np.empty((steps + 1, len(lanes)), np.int64)
            grid[0] = place
            here = grid[0]
            index = np.empty_like(here)
            for k in range(1, steps + 1):
                np.minimum(here, last, out=index)
                following = grid[k]
                np.add(here, sizes[index], out=following)
                following += 16
                here = following
            here, following = grid[:-1], grid[1:]
            good = here < limits
            good &= following <= end
            good &= following - here <= LARGEST + 16
            # A lane goes on until something is wrong; what it finds behind that is nothing.
            stops = np.where(good.all(axis=0), steps, good.argmin(axis=0))
            good &= np.arange(steps)[:, None] < stops
            found.append(here.T[good.T])
            owners.append(np.repeat(lanes, stops))
            place = grid[stops, np.arange(len(lanes))]
            ends[lanes] = place
            unfinished = stops == steps
            lanes, limits, place = lanes[unfinished], limits[unfinished], place[unfinished]
            steps = steps // 4 + 8
        # The few that are far from the mean.
        for lane, at, limit in zip(lanes.tolist(), place.tolist(), limits.tolist(), strict=True):
            one = step(view, at, end, self._order, end, until=limit)
            found.append(one.offsets)
            owners.append(np.full(len(one.offsets), lane))
            ends[lane] = one.end
        offsets = np.concatenate(found)
        missed = np.flatnonzero(ends[:-1] != starts[1:])
        proved = not len(missed)
        stop = len(starts) - 1 if proved else int(missed[0])
        if not proved:
            offsets = offsets[np.concatenate(owners) <= stop]
        return np.sort(offsets, kind="stable"), int(ends[stop]), proved


def headers_at(data: NDArray[np.uint8], places: Offsets) -> NDArray[np.uint32]:
    """Captured lengths of the records that would begin at `places`."""
    return gather4(data, places + 8)


def gather4(data: NDArray[np.uint8], places: Offsets) -> NDArray[np.uint32]:
    """Little-endian words at any places."""
    return np.ndarray((len(data) - 4,), "V4", data, strides=(1,))[places].view("<u4")
