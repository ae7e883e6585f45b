"""How is a capture of any size read once, in bounded memory?

A source fills one reused buffer; a framer finds the records in it; headers become columns; columns become
flows; the few packets that pass a gate go to the feed. Nothing else is kept of a packet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from camscan.errors import InputError
from camscan.model.traffic import CaptureSummary, Flow
from camscan.observe.traffic.batch import PAD, Batch, Bytes, Ints, Tally
from camscan.observe.traffic.candidates import Candidates
from camscan.observe.traffic.filling import Filling, Others
from camscan.observe.traffic.flows import AT_ONCE, MOST_FLOWS, MOST_TUPLES, FiveTuples, Tuples
from camscan.observe.traffic.fragments import ORPHAN, OVERLAP, SCATTERED, Fragments
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.headers import Headers
from camscan.observe.traffic.ledger import Ledger
from camscan.observe.traffic.messages import Problem, Progress
from camscan.observe.traffic.minutes import Lot
from camscan.observe.traffic.packet import Feed, Gate, Reader, nothing
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.table import PairTable

if TYPE_CHECKING:
    from camscan.observe.traffic.keep import Keeper

BUFFER = 32 << 20
"""Bytes. Of small packets a part of it is filled at a time, so that columns stay small as well."""
EVERY = 128 << 20
"""Bytes of an input between two places where five-tuples are entered into the ledger: there a file may be cut into
parts that several processes read."""
LOOKS = 4
"""Places from one of those to the next where they are entered if there are more than MANY_TUPLES. Who is the client of
a conversation is told when it is entered: the places depend on nothing but the input."""
MANY_TUPLES = MOST_TUPLES // 2
MOST_ADDRESSES = 1 << 20
_NO_ROWS: Ints = np.empty(0, np.int64)
_LEFT_OUT_MINUTES = "minutes of flows beyond those kept (totals are exact)"


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
        every: int = EVERY,
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
        self.addresses = PairTable(MOST_ADDRESSES)
        self.places = Places(self.addresses, scope)
        self.tuples = FiveTuples(self.places, self.tally, most=most_tuples)
        self.ledger = Ledger(self.places, self.tally, most=most_flows)
        self._headers = Headers(self.addresses, self.tally)
        self.candidates = Candidates(gates, feed, self.places)
        # Not zeroed: what is never filled costs no memory.
        self.buffer: Bytes = np.empty(buffer + PAD, np.uint8)
        """What is read and not looked at in place comes in here."""
        self._every = every
        self.next = (0, 0)
        """Offsets of the input under way behind which five-tuples may be entered, and are entered."""
        self.filling: Filling | None = None
        """The input that is read, or was read last."""
        self._sources = 0

    def read(
        self,
        source: Source,
        *,
        on_chunk: Callable[[Progress], None] | None = None,
        live: bool = False,
        others: Others | None = None,
    ) -> Filling:
        """One input to its end. What cannot be read is in `problems`, what was read stays.

        `live`: whatever has arrived is counted at once, instead of when a buffer is full. `others`: who reads parts
        of it. How it went is in what is returned.
        """
        number = self._sources if source.number is None else source.number
        reader = self.filling = Filling(self, source, number, live=live, others=others)
        self._sources += 1
        self._pass(0 if source.start is None else source.start.at - 1)
        try:
            for _ in reader.buffers():
                if on_chunk is not None:
                    on_chunk(
                        Progress(source.name, reader.done, source.size, self.packets, self.last)
                    )
        except InputError as error:
            if not source.problem:  # else it is no capture because it could not be unpacked
                self.problems.append(
                    Problem(source.name, str(error).removeprefix(f"{source.name}: "))
                )
        finally:
            source.close()
        if source.problem:
            self.problems.append(Problem(source.name, source.problem))
        return reader

    def take(self, batch: Batch, number: int) -> None:
        """Count one batch of records and feed its candidates."""
        if self.on_batch is not None:
            self.on_batch(batch)
        count = len(batch.frame)
        self.packets += count
        self.bytes += int(batch.wire.sum())
        self.first = min(self.first, float(batch.at.min()))
        self.last = max(self.last, float(batch.at.max()))
        for part in self._steps(batch):
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

    def _steps(self, batch: Batch) -> Iterator[Batch]:
        """The batch in parts that are counted in one step; between two of them the input may pause."""
        frame, before = batch.frame, batch.offset - batch.head
        begin, count = 0, len(frame)
        while begin < count:
            self.reach(int(frame[begin]) + before)
            step = frame[begin : begin + AT_ONCE]
            end = begin + int(np.searchsorted(step, self.next[0] - before))
            yield batch if end - begin == count else batch.part(begin, end)
            begin = end

    def reach(self, place: int) -> None:
        """The next record begins at this offset of the input."""
        if place < self.next[0]:
            return
        due = place >= self.next[1]
        self._pass(place)
        if due or self.tuples.used > MANY_TUPLES:
            self.enter(place)

    def _pass(self, place: int) -> None:
        look = max(self._every // LOOKS, 1)
        self.next = (place // look + 1) * look, (place // self._every + 1) * self._every

    def enter(self, place: int) -> None:
        """What is counted so far goes to the ledger; the next record begins at `place`."""
        del place
        self.settle()

    def settle(self) -> None:
        """Enter all five-tuples into the ledger and begin anew; totals stay exact."""
        self._enter()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Five-tuples are numbered from 1 again, those of which more is wanted first."""
        table = self.tuples.table
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
            (SCATTERED, fragments.scattered),
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
