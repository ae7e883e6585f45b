"""What does the process do that reads packets for a command?

Runs in a child with limits (`camscan.limited`): whatever a capture makes of its parsers ends this process alone.
It writes no file but packets that were asked for; what it found goes to the parent, record by record.
"""

from __future__ import annotations

import io
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import numpy as np

from camscan.errors import InputError
from camscan.limited import Line
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.keep import Keeper
from camscan.observe.traffic.messages import Progress
from camscan.observe.traffic.places import INSIDE
from camscan.observe.traffic.rotating import first_time, in_time_order
from camscan.observe.traffic.source import Source, open_descriptor, open_source, widen
from camscan.observe.traffic.table import distinct
from camscan.observe.traffic.take import TakeOptions, Taking
from camscan.worker import available

_TICK = 1.0
"""Seconds between two messages about progress."""
_WITHIN, _SHARE = 20.0, 20
"""Seconds between two states inside one file, and at least so many times what the last state took."""
_CPU, _CPU_PER_MB = 600, 2
"""Processor seconds a file may cost: so many, and as many for each megabyte on the disk."""
_CPU_LIVE = 900
"""Between two buffers of a live capture, within which a minute's state is written too."""
_encode = msgspec.msgpack.Encoder().encode


def take(line: Line) -> None:
    """Hear one job, do it, tell what was found."""
    said = line.hear()
    if said is None:
        return
    job = msgspec.msgpack.decode(said[1], type=m.TakeJob)
    _Child(line, job).run()


class _Child:
    def __init__(self, line: Line, job: m.TakeJob) -> None:
        self._line = line
        self._job = job
        options = TakeOptions(vantage=job.vantage, local=job.local)
        self._taking = Taking(job.services, job.resolvers, options, processes=available())
        self._engine = self._taking.engine
        if job.state:
            self._taking.take_up(job.state)
        for source, what in job.problems:
            self._engine.fail(source, what)
        self._keeper: Keeper | None = None
        if job.keep is not None:
            keep = job.keep
            self._keeper = self._engine.keeper = Keeper(
                Path(keep.folder), keep.mode, limit=keep.limit, packets=keep.packets
            )
        self._file: _File | None = None
        self._took = 0.0
        self._shown = self._saved = time.monotonic()
        self._in_state = self._engine.packets

    def run(self) -> None:
        if self._job.stream:
            self._stream()
        else:
            self._files()
        if self._keeper is not None:
            self._keeper.close()
        self._result()

    def _tell(self, kind: int, message: object) -> None:
        self._line.tell(kind, _encode(message))

    def _stream(self) -> None:
        self._line.breathe(_CPU_LIVE)
        if self._job.live:
            widen(self._line.stream)
            raw = cast("BinaryIO", _Patient(self._line.stream, self._idle))
            source = Source(self._job.stream, raw)
        else:
            source = open_descriptor(self._line.stream, self._job.stream)
        self._engine.read(source, on_chunk=self._chunk, live=self._job.live)

    def _idle(self) -> None:
        """Nothing came for a while: what came before is saved in its time all the same."""
        now = time.monotonic()
        if self._engine.packets != self._in_state and now - self._saved >= self._job.every:
            self._save(now)

    def _chunk(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._job.live and now - self._saved >= self._job.every:
            self._save(now)
        elif self._file is not None and now - self._saved >= max(_WITHIN, _SHARE * self._took):
            self._save_within(now)
        if now - self._shown < _TICK:
            return
        self._shown = now
        if self._job.stream:
            self._line.breathe(_CPU_LIVE)
        self._tell(
            m.PROGRESS,
            m.Count(
                source=progress.source,
                done=progress.done,
                packets=progress.packets,
                clients=clients(self._engine),
                names=self._taking.names,
                at=_finite(progress.at),
            ),
        )

    def _save_within(self, now: float) -> None:
        """With the beginning of the file that is read."""
        file, engine = self._file, self._engine
        going = engine.filling.going() if engine.filling is not None else None
        if file is None or going is None:
            return
        halfway = file.halfway(engine, going)
        own = engine.first, engine.last
        engine.first, engine.last = file.span(engine)
        self._save(now, halfway)
        engine.first, engine.last = own

    def _save(self, now: float, halfway: m.Halfway | None = None) -> None:
        engine = self._engine
        saved = m.Saved(
            state=self._taking.remember(),
            packets=engine.packets,
            last=_finite(engine.last),
            kept=self._keeper.packets if self._keeper is not None else 0,
            records=self._taking.names + engine.tuples.table.count + engine.ledger.count,
            halfway=halfway,
        )
        self._tell(m.STATE, saved)
        self._in_state = engine.packets
        self._saved = max(now, time.monotonic())
        self._took = self._saved - now

    def _files(self) -> None:
        files = self._ordered(self._job.files) if self._job.in_order else self._job.files
        for place, wanted in enumerate(files):
            size = m.on_disk(wanted.path)
            self._tell(m.BEGUN, m.Begun(wanted.number, size))
            self._line.breathe(_CPU + _CPU_PER_MB * (size >> 20))
            self._read(wanted)
            now = time.monotonic()
            if place + 1 < len(files) and now - self._saved >= self._job.every:
                self._save(now)

    def _read(self, wanted: m.Wanted) -> None:
        """One file; when it begins and ends is told apart from the others."""
        engine = self._engine
        file = _File(wanted, engine)
        try:
            source = file.open()
            self._file = file
            self._taking.read(source, on_chunk=self._chunk)
        except InputError as error:
            engine.fail(wanted.path, str(error).removeprefix(f"{wanted.path}: ") + file.behind)
        self._file = None
        self._tell(m.READ, file.read(engine))
        engine.first, engine.last = file.span(engine)

    def _ordered(self, files: Sequence[m.Wanted]) -> list[m.Wanted]:
        begun = [wanted for wanted in files if wanted.halfway is not None]
        files = [wanted for wanted in files if wanted.halfway is None]
        first = []
        for wanted in files:
            self._tell(m.BEGUN, m.Begun(wanted.number, m.on_disk(wanted.path)))
            self._line.breathe(_CPU)
            first.append(first_time(Path(wanted.path)))
            self._tell(m.LOOKED, m.Looked(wanted.number, first[-1]))
        return begun + in_time_order(files, first)

    def _result(self) -> None:
        flows = self._taking.flows()
        self._parts(m.FLOWS, flows)
        found = self._taking.found()
        self._parts(m.NAMES, iter(found.names))
        self._parts(m.SERVICES, iter(found.services))
        self._parts(m.FACTS, iter(found.facts))
        keeper = self._keeper
        ended = m.Ended(
            summary=found.summary,
            problems=tuple((p.source, p.what) for p in self._engine.problems),
            kept=keeper.packets if keeper is not None else 0,
            kept_ended=keeper.ended_early if keeper is not None else "",
        )
        self._tell(m.DONE, ended)

    def _parts(self, kind: int, records: Iterator[object]) -> None:
        while part := list(islice(records, m.AT_ONCE)):
            self._tell(kind, part)


class _File:
    """One file under way: what it adds is told apart from the others."""

    def __init__(self, wanted: m.Wanted, engine: Engine) -> None:
        self._wanted = wanted
        self._begun = wanted.halfway
        self._before = engine.packets, engine.first, engine.last
        self._stamp = (0, 0)
        engine.first, engine.last = float("inf"), float("-inf")

    @property
    def behind(self) -> str:
        """In words, what is not examined of a file that cannot be gone on with."""
        return f"; its first {self._begun.going.at} bytes were examined" if self._begun else ""

    def open(self) -> Source:
        """InputError where it cannot be, or where it is not the file that was begun."""
        source = open_source(self._wanted.path, mapped=self._wanted.mapped)
        self._stamp = source.stamp()
        begun = self._begun
        if begun is not None:
            if begun.size >= 0 and self._stamp != (begun.size, begun.modified):
                source.close()
                raise InputError("changed since it was begun")
            source.start = begun.going
        return source

    def span(self, engine: Engine) -> tuple[float, float]:
        """Time of the first and the last packet, those of the files before it included."""
        return min(engine.first, self._before[1]), max(engine.last, self._before[2])

    def read(self, engine: Engine) -> m.FileRead:
        """So far."""
        packets, first, last = engine.packets - self._before[0], engine.first, engine.last
        if self._begun is not None:
            then = self._begun.read
            packets += then.packets
            first = first if then.first is None else min(first, then.first)
            last = last if then.last is None else max(last, then.last)
        return m.FileRead(
            number=self._wanted.number, packets=packets, first=_finite(first), last=_finite(last)
        )

    def halfway(self, engine: Engine, going: m.Going) -> m.Halfway:
        size, modified = self._stamp
        return m.Halfway(read=self.read(engine), going=going, size=size, modified=modified)


class _Patient(io.RawIOBase):
    """A pipe that says when nothing came for a second, and waits on."""

    def __init__(self, descriptor: int, idle: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._idle = idle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        while not select.select([self._descriptor], [], [], _TICK)[0]:
            self._idle()
        return os.readv(self._descriptor, [buffer])

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def clients(engine: Engine) -> int:
    """Distinct addresses inside the owner's network so far (IPv6 ones are counted once entered)."""
    table = engine.tuples.table
    part = slice(1, table.count + 1)
    four = table.b[part] >> np.uint64(40) == 0
    ends = table.a[part][four]
    both = distinct(np.concatenate((ends >> np.uint64(32), ends & np.uint64(0xFFFF_FFFF))))
    inside = int((engine.places.of4(both) == INSIDE).sum())
    return max(inside, engine.ledger.clients())


def _finite(at: float) -> float | None:
    return at if abs(at) != float("inf") else None
