"""How is a capture of any size read once, in bounded memory?

A source fills one reused buffer; a framer finds the records in it; headers become columns; columns become
flows; the few packets that pass a gate go to the feed. Nothing else is kept of a packet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from camscan.errors import InputError
from camscan.model.traffic import CaptureSummary, Flow
from camscan.observe.traffic.batch import PAD, Batch, Bytes, Columns, Ints, Tally
from camscan.observe.traffic.candidates import Candidates
from camscan.observe.traffic.flows import AT_ONCE, MOST_FLOWS, MOST_TUPLES, FiveTuples, Tuples
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.fragments import ORPHAN, OVERLAP, Fragments, Whole
from camscan.observe.traffic.framing import Framer
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.headers import Headers
from camscan.observe.traffic.keep import Keeper
from camscan.observe.traffic.ledger import Ledger
from camscan.observe.traffic.messages import Problem
from camscan.observe.traffic.minutes import Lot
from camscan.observe.traffic.packet import Feed, Gate, Reader, nothing
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.source import Place, Source, open_source
from camscan.observe.traffic.table import Numbers, PairTable

BUFFER = 32 << 20
"""Bytes. Of small packets a part of it is filled at a time, so that columns stay small as well."""
_FIRST = 4 << 20
_FEW, _MANY = 20_000, 60_000
"""Packets in one filling: with fewer the next is larger, with more it is smaller."""
_ENOUGH, _GATHER = 1 << 18, 0.01
"""Bytes of a live chunk below which the reader waits so many seconds before it reads again."""
_MOST_ADDRESSES = 1 << 20
_MOST_DAMAGES = 1000
_NO_ROWS: Ints = np.empty(0, np.int64)
_LEFT_OUT_MINUTES = "minutes of flows beyond those kept (totals are exact)"
_NO_INTERFACE = "damaged: packet of an interface that is not described"


class Progress(NamedTuple):
    """After each buffer."""

    source: str
    done: int
    """Bytes taken, decompressed."""
    size: int
    """Bytes of the input on disk, 0 = not known."""
    packets: int
    """In all inputs so far."""
    at: float
    """Time of the newest packet."""


class Chooser(Protocol):
    """Chooses which packets are fed: `Candidates`, or somebody who has it done elsewhere."""

    read: Ints
    """Rows of the last batch that were chosen."""

    def welcome(self, table: PairTable, before: int) -> None: ...

    def offer(
        self,
        batch: Batch,
        columns: Columns,
        numbers: Numbers,
        whole: list[tuple[int, Columns, Whole]],
        source: int,
    ) -> None: ...

    def wanted(self) -> Ints: ...

    def renumber(self, table: PairTable, numbers: Numbers) -> None: ...

    def tell(self) -> None: ...


class Engine:
    """Counts and feeds; give it inputs with `read`, then take what it found."""

    def __init__(
        self,
        *,
        gates: Sequence[Gate] = GATES,
        feed: Feed | Reader = nothing,
        scope: Sequence[str] = (),
        most_tuples: int = MOST_TUPLES,
        most_flows: int = MOST_FLOWS,
        buffer: int = BUFFER,
    ) -> None:
        self.tally = Tally()
        self.problems: list[Problem] = []
        self.packets = 0
        self.bytes = 0
        self.first = float("inf")
        self.last = float("-inf")
        self.lost: int | None = None
        self.on_batch: Callable[[Batch], None] | None = None
        """Called with every batch before it is counted (to keep packets)."""
        self.keeper: Keeper | None = None
        """Set to keep packets; see `keep`."""
        self.addresses = PairTable(_MOST_ADDRESSES)
        self.places = Places(self.addresses, scope)
        self.tuples = FiveTuples(self.places, self.tally, most=most_tuples)
        self.ledger = Ledger(self.places, self.tally, most=most_flows)
        self._headers = Headers(self.addresses, self.tally)
        self.candidates: Chooser = Candidates(gates, feed, self.places)
        # Not zeroed: what is never filled costs no memory.
        self.buffer: Bytes = np.empty(buffer + PAD, np.uint8)
        """What is read and not looked at in place comes in here."""
        self.before_refill: Callable[[], None] | None = None
        """Called before the buffer is filled again."""
        self.place: Place | None = None
        """Where the bytes of the batches under way are in their file; None = in the buffer."""
        self._sources = 0

    def read(
        self,
        source: Source,
        *,
        on_chunk: Callable[[Progress], None] | None = None,
        live: bool = False,
    ) -> None:
        """One input to its end. What cannot be read is in `problems`, what was read stays.

        `live`: whatever has arrived is counted at once, instead of when a buffer is full.
        """
        number = self._sources if source.number is None else source.number
        reader = _Reader(self, source, number, live=live)
        self._sources += 1
        try:
            for _ in reader.buffers():
                if on_chunk is not None:
                    on_chunk(
                        Progress(source.name, reader.done, source.size, self.packets, self.last)
                    )
        except InputError as error:
            if not source.problem:  # else it is no capture because it could not be unpacked
                self.problems.append(Problem(source.name, str(error)))
        finally:
            source.close()
        if source.problem:
            self.problems.append(Problem(source.name, source.problem))

    def take(self, batch: Batch, number: int) -> None:
        """Count one batch of records and feed its candidates."""
        if self.on_batch is not None:
            self.on_batch(batch)
        count = len(batch.frame)
        self.packets += count
        self.bytes += int(batch.wire.sum())
        self.first = min(self.first, float(batch.at.min()))
        self.last = max(self.last, float(batch.at.max()))
        for begin in range(0, count, AT_ONCE):
            part = batch if count <= AT_ONCE else batch.part(begin, min(begin + AT_ONCE, count))
            if self.tuples.nearly_full:
                self.settle()
            columns = self._headers.columns(part)
            if columns is None:
                if self.keeper is not None:
                    self.keeper.add(part, None, _NO_ROWS)
                continue
            numbers, before = self.tuples.add(columns, batch.data)
            self.candidates.welcome(self.tuples.table, before)
            self.candidates.offer(part, columns, numbers, self._headers.whole, number)
            if self.keeper is not None:
                self.keeper.add(part, columns, self.candidates.read)

    def settle(self) -> None:
        """Enter all five-tuples into the ledger and begin anew; totals stay exact."""
        table = self.tuples.table
        self._enter()
        wanted = self.candidates.wanted()
        a, b = table.a[wanted], table.b[wanted]
        self.tuples.clear()
        self.candidates.renumber(table, self.tuples.reserve(a, b))

    def _enter(self) -> None:
        self.ledger.take(self.tuples.tuples(), self.tuples.minutes_taken())

    def fail(self, source: str, what: str) -> None:
        """Note why an input, or a part of it, was not read."""
        self.problems.append(Problem(source, what))

    def absorb_tuples(self, tuples: Tuples, lot: Lot) -> None:
        """Add five-tuples that another engine counted; see `state`."""
        if self.tuples.table.count + len(tuples.a) >= self.tuples.table.most:
            self.settle()
        if len(tuples.a) > self.tuples.table.most:
            self.ledger.take(tuples, [lot])
            return
        before = self.tuples.table.count
        self.tuples.absorb(tuples, lot)
        self.candidates.welcome(self.tuples.table, before)

    @property
    def fragments(self) -> Fragments:
        """Datagrams that came in pieces."""
        return self._headers.fragments

    def apart(self) -> dict[str, int]:
        """What was not examined and is counted outside the tally."""
        fragments = self.fragments
        counts = (
            (ORPHAN, fragments.orphans),
            (OVERLAP, fragments.overlaps),
            (_LEFT_OUT_MINUTES, self.tuples.minutes.left_out),
        )
        return {reason: count for reason, count in counts if count}

    def tell(self) -> None:
        """Tell the feed now of the repeats that were only counted so far (before its memory is saved)."""
        self.candidates.tell()

    def flows(self) -> Iterator[Flow]:
        """Every flow, sorted by address, port and transport. Ends the counting; tells the feed of repeats."""
        self.candidates.tell()
        self._enter()
        self.tuples.clear()
        return self.ledger.flows()

    def summary(self, *, vantage: str = "file") -> CaptureSummary:
        """What was seen and what was not examined; after `flows`."""
        missed = self.tally.not_examined.copy()
        missed.update(self.apart())
        return CaptureSummary(
            vantage=vantage,
            first=self.first if self.packets else None,
            last=self.last if self.packets else None,
            packets=self.packets,
            bytes=self.bytes,
            lost=self.lost,
            clients=self.ledger.clients(),
            link_types=tuple(sorted(self.tally.links)),
            encapsulations=tuple(sorted(self.tally.unwrapped.items())),
            not_examined=tuple(sorted(missed.items())),
        )


class _Reader:
    """One source through one buffer."""

    def __init__(self, engine: Engine, source: Source, number: int, *, live: bool) -> None:
        buffer = engine.buffer
        self._engine = engine
        self._source = source
        self._number = number
        self._live = live
        self._view = memoryview(buffer)  # type: ignore[arg-type]
        self._data = buffer
        self._nothing = self._data[:0], self._view[:0]
        self._most = len(buffer) - PAD
        self._room = min(self._most, _FIRST)
        self.done = 0
        self._damages = 0
        self._skipped = 0
        self._lost = 0
        self._before = engine.packets

    def buffers(self) -> Iterator[None]:
        """Read to the end; yields after every buffer."""
        source = self._source
        self._refilled()
        have = source.readinto(self._view[:HEADER])
        framer = framer_of(bytes(self._view[:have]), source.name)
        begin = have if isinstance(framer, PcapFramer) else 0
        offset = source.base
        searching = False
        if source.windows and not self._live:
            buffer = self._data, self._view
            place = offset + begin
            for place, searching in self._windows(framer, place):  # noqa: B007, B020 - the last of them
                yield
            self._data, self._view = buffer
            self._engine.place = None
            if source.problem:
                self._finish(0, searching=searching)
                return
            if place > offset + begin:
                source.seek(place)
                begin, have, offset = 0, 0, place
        view = self._view
        while True:
            got = self._more(view[have : self._room])
            end = have + got
            self.done = offset + end - source.base
            begin, searching = self._frames(framer, begin, end, offset, searching=searching)
            left = end - begin
            self._collect(framer)
            self._fit()
            yield
            if got == 0 or source.problem:
                self._finish(left, searching=searching)
                return
            self._refilled()
            view[:left] = view[begin:end]
            offset += begin
            begin, have = 0, left

    def _windows(self, framer: Framer, place: int) -> Iterator[tuple[int, bool]]:
        """Most of a plain file, without a copy; after each window, where to go on and whether records are lost."""
        source, searching = self._source, False
        while (size := min(self._room, source.windows - PAD - place)) >= _FIRST:
            # The one before is let go first.
            self._data, self._view = self._nothing
            shown = source.window(place, size + PAD)
            if shown is None:
                return
            self._data, self._view, offset = shown
            self._engine.place = source.place_of(offset)
            del shown
            begin = place - offset
            self.done = place + size - source.base
            used, searching = self._frames(framer, begin, begin + size, offset, searching=searching)
            self._collect(framer)
            self._fit()
            yield offset + used, searching
            if used == begin or source.problem:
                return
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
            self._damages += 1
            if self._damages == 1:
                self._engine.problems.append(
                    Problem(
                        self._source.name, f"damaged at byte {offset + begin}: {framed.problem}"
                    )
                )
            if self._damages > _MOST_DAMAGES:
                self._source.problem = f"stopped: damaged in more than {_MOST_DAMAGES} places"
                return begin, False
            begin += 1
            self._skipped += 1
            searching = True

    def _refilled(self) -> None:
        if self._engine.before_refill is not None:
            self._engine.before_refill()

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

    def _finish(self, left: int, *, searching: bool) -> None:
        problems, name = self._engine.problems, self._source.name
        if searching:
            self._skipped += left
        elif left:
            problems.append(
                Problem(name, f"ends within a record: its {left} bytes are not examined")
            )
        if self._skipped:
            problems.append(Problem(name, f"{self._skipped} bytes behind damage were not examined"))


def read(
    paths: Sequence[str | Path],
    *,
    gates: Sequence[Gate] = GATES,
    feed: Feed = nothing,
    scope: Sequence[str] = (),
    on_chunk: Callable[[Progress], None] | None = None,
) -> Engine:
    """Captures, in the order given, as one; InputError where none of them can be opened."""
    engine = Engine(gates=gates, feed=feed, scope=scope)
    for path in paths:
        engine.read(open_source(path), on_chunk=on_chunk)
    return engine
