"""Where does each record of a capture begin?

Records are a chain: each states its length, so a reader must go one by one, about 300 ns each in Python.
Here many chains are followed at once by numpy, each from a place where a record probably begins (in pcap one
that shows nearly the same time as the records before it). What a lane found counts only if the lane before it,
and so the chain from the proved beginning, leads exactly to its first record: the result is the chain
itself, whatever the payloads contain.
"""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps

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
_PROBE = 1 << 16
"""Bytes followed first by the compiled step, to learn how large records are."""
_COMPILED_LANES, _WORTH_LANES = 12, 1 << 20
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


class _Followed(NamedTuple):
    offsets: Offsets
    end: int
    damaged: bool
    proved: bool
    """Every lane led to the next."""


def words(data: NDArray[np.uint8], order: str, at: int = 0) -> NDArray[np.uint32]:
    """The 32-bit number that begins `at` bytes behind each place of `data`, as far as there is one."""
    return np.ndarray((len(data) - at - 3,), f"{order}u4", data, offset=at, strides=(1,))


class Walker(ABC):
    """Finds chains in chunks of one byte order; what a record looks like is told by those derived from it."""

    HEAD: ClassVar[int]
    """Bytes at the beginning of a record that must be there."""
    LENGTH_AT: ClassVar[int]
    EXTRA: ClassVar[int]
    """Bytes of a record that its length does not count."""
    MARK_AT: ClassVar[int] = 0
    """Where the mark is in a record of little-endian order, and in the other one."""
    MARK_AT_BIG: ClassVar[int] = 0
    LARGEST: ClassVar[int] = LARGEST
    """Bytes beyond which a length is not believed."""
    COMPILED: ClassVar[str]
    """The compiled step that follows such records."""

    def __init__(self, order: str) -> None:
        self._order = order
        self._length = struct.Struct(f"{order}I").unpack_from
        self._steps = 0
        """In which most lanes end."""

    @abstractmethod
    def step(
        self, view: memoryview, begin: int, end: int, most: int, *, until: int | None = None
    ) -> Chain:
        """One by one, at most `most` records, those that begin before `until`."""

    @abstractmethod
    def mark(self, view: memoryview, begin: int) -> bytes:
        """What shows that a record begins, by one that does."""

    @abstractmethod
    def next_mark(self, mark: bytes) -> bytes:
        """What shows it a little later."""

    @abstractmethod
    def is_likely(self, view: memoryview, place: int, end: int, mark: bytes) -> bool:
        """Whether a record seems to begin at `place`."""

    @abstractmethod
    def are_sound(
        self, data: NDArray[np.uint8], here: Offsets, following: Offsets, end: int
    ) -> NDArray[np.bool_]:
        """Whether records may begin `here` and end at `following`; both may lie anywhere behind `end`."""

    def chain(self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int) -> Chain:
        """The records from `begin` on that end before `end`."""
        if steps.compiled is not None:
            return self._stepped(data, view, begin, end)
        parts: list[Offsets] = []
        place = begin
        for _ in range(_TURNS):
            first = self.step(view, place, end, _FEW)
            parts.append(first.offsets)
            mean, place = (first.end - place) / _FEW, first.end
            if first.damaged or len(first.offsets) < _FEW or place > end - self.HEAD:
                return Chain(np.concatenate(parts), place, first.damaged)
            if mean < _SMALL:
                # Lanes jump; one pass in order brings what they need into the processor's cache.
                data[place:end:64].max()
            least, most = _LANE
            lane = int(min(max(math.sqrt((end - place) * mean / _STEP_COST), least), most))
            starts = self._starts(view, place, end, mean, lane)
            if len(starts) < _LEAST:
                break
            self._steps = int(1.25 * (end - place) / len(starts) / mean) + 8
            offsets, place, proved = self._walk(data, view, starts, end)
            parts.append(offsets)
            if proved:
                break
        rest = self.step(view, place, end, end)
        return Chain(np.concatenate((*parts, rest.offsets)), rest.end, rest.damaged)

    def _stepped(self, data: NDArray[np.uint8], view: memoryview, begin: int, end: int) -> Chain:
        """The same, by the compiled step; where records are large, in several lanes: there memory is waited for."""
        first = self._lanes(data, np.array([begin], np.int64), min(end, begin + _PROBE))
        place = first.end
        if first.damaged or begin + _PROBE >= end:
            return Chain(first.offsets, place, first.damaged)
        mean = (place - begin) / max(len(first.offsets), 1)
        starts = np.array([place], np.int64)
        if mean > _SMALL and end - place > _WORTH_LANES:
            starts = self._starts(view, place, end, mean, (end - place) // _COMPILED_LANES)
        rest = self._lanes(data, starts, end)
        parts = [first.offsets, rest.offsets]
        if not rest.proved:
            rest = self._lanes(data, np.array([rest.end], np.int64), end)
            parts.append(rest.offsets)
        return Chain(np.concatenate(parts), rest.end, rest.damaged)

    def _lanes(self, data: NDArray[np.uint8], starts: Offsets, end: int) -> _Followed:
        """Compiled: all lanes up to the first that does not lead to the next."""
        lanes, begin = len(starts), int(starts[0])
        # Room for as many records as could lie in each lane; memory that is not needed is never touched.
        into = (starts - begin) // self.HEAD + np.arange(lanes)
        places = np.empty(max(end - begin, 0) // self.HEAD + lanes + 1, np.int64)
        counts, ends, damaged = np.empty((3, lanes), np.int64)
        getattr(steps.compiled, self.COMPILED)(
            steps.at(data), end, self._order == ">", self.LARGEST, lanes, steps.at(starts),
            *(steps.at(column) for column in (into, places, counts, ends, damaged)),
        )  # fmt: skip
        missed = np.flatnonzero(ends[:-1] != starts[1:])
        stop = int(missed[0]) if len(missed) else lanes - 1
        slices = zip(into[: stop + 1].tolist(), counts[: stop + 1].tolist(), strict=True)
        offsets = np.concatenate([places[at : at + count] for at, count in slices])
        return _Followed(offsets, int(ends[stop]), bool(damaged[stop]), not len(missed))

    def _starts(self, view: memoryview, begin: int, end: int, mean: float, lane: int) -> Offsets:
        """`begin`, and probable records behind it, at most one in every `lane` bytes."""
        width = min(int(2 * mean) + 256, lane)
        mark = self.mark(view, begin)
        later = self.next_mark(mark)
        starts = [begin]
        for at in range(begin + lane, end - width, lane):
            piece = bytes(view[at : at + width])
            place = self._guess(view, piece, at, end, mark)
            if place < 0 and later != mark and later in piece:
                place = self._guess(view, piece, at, end, later)
                if place >= 0:
                    mark, later = later, self.next_mark(later)
            if place >= 0:
                starts.append(place)
        return np.array(starts, np.int64)

    def _guess(self, view: memoryview, piece: bytes, at: int, end: int, mark: bytes) -> int:
        """A place in `piece` where a record seems to begin; -1 = none found."""
        shift = self.MARK_AT if self._order == "<" else self.MARK_AT_BIG
        spot = piece.find(mark)
        for _ in range(_GUESSES):
            if spot < 0:
                return -1
            place = at + spot - shift
            if place + self.HEAD <= end and self.is_likely(view, place, end, mark):
                return place
            spot = piece.find(mark, spot + 1)
        return -1

    def _walk(
        self, data: NDArray[np.uint8], view: memoryview, starts: Offsets, end: int
    ) -> tuple[Offsets, int, bool]:
        """All lanes in step: what they found up to the first that does not lead to the next, and where it ends."""
        sizes = words(data, self._order, self.LENGTH_AT)
        last = end - self.HEAD
        limits = np.append(starts[1:], last + 1)
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
                following += self.EXTRA
                here = following
            here, following = grid[:-1], grid[1:]
            good = here < limits
            good &= following <= end
            good &= self.are_sound(data, here, following, end)
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
            one = self.step(view, at, end, end, until=limit)
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
