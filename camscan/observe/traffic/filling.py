"""How do the bytes of one source reach its framer, a buffer or a window at a time, and what is behind damage?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from camscan.observe.traffic.batch import PAD, Batch, Bytes, Tally
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.framing import Framer
from camscan.observe.traffic.messages import Going, Problem, cut_short
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.source import Source

_FIRST = 4 << 20
_FEW, _MANY = 20_000, 60_000
"""Packets in one filling: with fewer the next is larger, with more it is smaller."""
_ENOUGH, _GATHER = 1 << 18, 0.01
"""Bytes of a live chunk below which the reader waits so many seconds before it reads again."""
_MOST_DAMAGES = 1000
_NO_INTERFACE = "damaged: packet of an interface that is not described"


class Taker(Protocol):
    """Takes the batches that are found: the engine."""

    buffer: Bytes
    packets: int
    lost: int | None
    tally: Tally
    problems: list[Problem]

    def take(self, batch: Batch, number: int) -> None: ...


class Others(Protocol):
    """Who reads parts of a plain file meanwhile."""

    def way(self, place: int) -> int:
        """A record begins at this offset: where to go on, behind what others read from here on."""

    def stop(self, place: int) -> int | None:
        """The next offset behind this one from which others read."""


class Filling:
    """One source through one buffer, or in windows where it is a plain file."""

    def __init__(
        self,
        engine: Taker,
        source: Source,
        number: int,
        *,
        live: bool = False,
        others: Others | None = None,
    ) -> None:
        buffer = engine.buffer
        self._engine = engine
        self._source = source
        self._number = number
        self._live = live
        self._others = others
        self._view = memoryview(buffer)  # type: ignore[arg-type]
        self._data = buffer
        self._nothing = self._data[:0], self._view[:0]
        self._most = len(buffer) - PAD
        self._room = min(self._most, _FIRST)
        self.done = 0
        """Bytes taken, decompressed."""
        self.left = 0
        """Bytes of a record that the input ends within."""
        self.damages = 0
        """Places where no record could begin."""
        self._skipped = 0
        self._lost = 0
        self._before = engine.packets
        self._framer: Framer | None = None
        self._next = 0
        """Offset of the next record."""
        self._searching = False

    def going(self) -> Going | None:
        """Where another reading could go on, asked between two buffers; None where this one is lost itself."""
        if self._framer is None or self._searching or self._live or self._source.problem:
            return None
        return Going(
            at=self._next,
            framer=self._framer.remember(),
            damages=self.damages,
            skipped=self._skipped,
        )

    def buffers(self) -> Iterator[None]:
        """Read to the end; yields after every buffer."""
        source = self._source
        have = source.readinto(self._view[:HEADER])
        framer = framer_of(bytes(self._view[:have]), source.name)
        begin = have if isinstance(framer, PcapFramer) else 0
        offset = source.base
        place = self._begin(framer, offset + begin)
        searching = False
        if source.windows and not self._live:
            buffer = self._data, self._view
            for place, searching in self._windows(framer, place):  # noqa: B020 - the last of them
                self._next, self._searching = place, searching
                yield
            self._data, self._view = buffer
            if source.problem:
                self._finish(0, searching=searching)
                return
        view = self._view
        if place > offset + begin:
            source.seek(place, view[: self._most])
            begin, have, offset = 0, 0, place
        while True:
            got = self._more(view[have : self._room])
            end = have + got
            self.done = offset + end - source.base
            begin, searching = self._frames(framer, begin, end, offset, searching=searching)
            left = end - begin
            self._next, self._searching = offset + begin, searching
            self._collect(framer)
            self._fit()
            yield
            if got == 0 or source.problem:
                self._finish(left, searching=searching)
                self._compare(offset + end)
                return
            view[:left] = view[begin:end]
            offset += begin
            begin, have = 0, left

    def _begin(self, framer: Framer, first: int) -> int:
        """Where to begin: at the first record, or where another reading left off."""
        start = self._source.start
        if start is not None:
            framer.take_up(start.framer)
            self.damages, self._skipped, self._lost = (
                start.damages,
                start.skipped,
                framer.lost or 0,
            )
            first = max(first, start.at)
        self._framer = framer
        return first

    def _windows(self, framer: Framer, place: int) -> Iterator[tuple[int, bool]]:
        """Most of a plain file, without a copy; after each window, where to go on and whether records are lost."""
        source, searching, others = self._source, False, self._others
        last = source.windows - PAD
        while True:
            stop = None
            if others is not None:
                before = place
                place = place if searching else others.way(place)
                if place != before:
                    self.done = place - source.base
                    self._before = self._engine.packets
                    yield place, False
                stop = others.stop(place)
            size = min(self._room, last - place if stop is None else stop - place)
            if size < _FIRST and place + size != stop:
                return
            # The one before is let go first.
            self._data, self._view = self._nothing
            shown = source.window(place, size + PAD)
            if shown is None:
                return
            self._data, self._view, offset = shown
            del shown
            begin = place - offset
            self.done = place + size - source.base
            used, searching = self._frames(framer, begin, begin + size, offset, searching=searching)
            self._collect(framer)
            self._fit()
            yield offset + used, searching
            if (used == begin and place + size != stop) or source.problem:
                return
            if used == begin and others is not None:
                others.stop(place + size)  # the record lies across it
            place = offset + used

    def _frames(
        self, framer: Framer, begin: int, end: int, offset: int, *, searching: bool
    ) -> tuple[int, bool]:
        while True:
            if searching:
                found = framer.resume(self._data, self._view, begin, end)
                if found is None:
                    # A record header may lie across the end; keep what could be its beginning.
                    keep = max(begin, end - self._room // 2)
                    self._skipped += keep - begin
                    return keep, True
                self._skipped += found - begin
                begin, searching = found, False
            framed = framer.cut(self._data, self._view, begin, end, offset)
            for batch in framed.batches:
                if len(batch.frame):
                    self._engine.take(batch, self._number)
            begin = framed.used
            if not framed.problem:
                return begin, False
            self.damages += 1
            if self.damages == 1:
                self._engine.problems.append(
                    Problem(
                        self._source.name, f"damaged at byte {offset + begin}: {framed.problem}"
                    )
                )
            if self.damages > _MOST_DAMAGES:
                self._source.problem = f"stopped: damaged in more than {_MOST_DAMAGES} places"
                return begin, False
            begin += 1
            self._skipped += 1
            searching = True

    def _more(self, space: memoryview) -> int:
        if not self._live:
            return self._source.readinto(space)
        got = self._source.read_some(space)
        if got < _ENOUGH:
            # Packets come one by one: let some gather, so that they are worth a pass.
            time.sleep(_GATHER)
        return got

    def _fit(self) -> None:
        """Choose how much is filled next, by how many packets the last filling had."""
        count = self._engine.packets - self._before
        self._before = self._engine.packets
        if count < _FEW:
            self._room = min(self._room * 2, self._most)
        elif count > _MANY and self._room > _FIRST:
            self._room //= 2

    def _collect(self, framer: Framer) -> None:
        if framer.lost is not None:
            # One source after another: what the others lost stays.
            self._engine.lost = (self._engine.lost or 0) + framer.lost - self._lost
            self._lost = framer.lost
        self._engine.tally.skip(_NO_INTERFACE, framer.no_interface)
        framer.no_interface = 0

    def _compare(self, reached: int) -> None:
        """A plain file that ends before it did when it was opened."""
        stated = self._source.stated
        if reached < stated and not self._source.problem:
            words = cut_short(reached, stated)
            self._engine.problems.append(Problem(self._source.name, words))

    def _finish(self, left: int, *, searching: bool) -> None:
        problems, name = self._engine.problems, self._source.name
        if searching:
            self._skipped += left
        elif left:
            self.left = left
            problems.append(
                Problem(name, f"ends within a record: its {left} bytes are not examined")
            )
        if self._skipped:
            problems.append(Problem(name, f"{self._skipped} bytes behind damage were not examined"))
