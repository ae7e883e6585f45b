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
from camscan.observe.traffic.source import Source, open_descriptor, widen
from camscan.observe.traffic.table import distinct
from camscan.observe.traffic.take import TakeOptions, Taking
from camscan.worker import available

_TICK = 1.0
"""Seconds between two messages about progress."""
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
        self._keeper: Keeper | None = None
        if job.keep is not None:
            keep = job.keep
            self._keeper = self._engine.keeper = Keeper(
                Path(keep.folder), keep.mode, limit=keep.limit, packets=keep.packets
            )
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

    def _save(self, now: float) -> None:
        engine = self._engine
        saved = m.Saved(
            state=self._taking.remember(),
            packets=engine.packets,
            last=_finite(engine.last),
            kept=self._keeper.packets if self._keeper is not None else 0,
            records=self._taking.names + engine.tuples.table.count + engine.ledger.count,
        )
        self._tell(m.STATE, saved)
        self._in_state = engine.packets
        self._saved = max(now, time.monotonic())

    def _files(self) -> None:
        files = self._ordered(self._job.files) if self._job.in_order else self._job.files
        for place, wanted in enumerate(files):
            self._tell(m.BEGUN, m.Begun(wanted.number))
            self._line.breathe(_seconds(wanted.path))
            self._read(wanted)
            now = time.monotonic()
            if place + 1 < len(files) and now - self._saved >= self._job.every:
                self._save(now)

    def _read(self, wanted: m.Wanted) -> None:
        """One file; when it begins and ends is told apart from the others."""
        engine = self._engine
        before = engine.packets, engine.first, engine.last
        engine.first, engine.last = float("inf"), float("-inf")
        try:
            self._taking.read(Path(wanted.path), on_chunk=self._chunk)
        except InputError as error:
            engine.fail(wanted.path, str(error).removeprefix(f"{wanted.path}: "))
        self._tell(
            m.READ,
            m.FileRead(
                number=wanted.number,
                packets=engine.packets - before[0],
                first=_finite(engine.first),
                last=_finite(engine.last),
            ),
        )
        engine.first, engine.last = min(engine.first, before[1]), max(engine.last, before[2])

    def _ordered(self, files: Sequence[m.Wanted]) -> list[m.Wanted]:
        first = []
        for wanted in files:
            self._tell(m.BEGUN, m.Begun(wanted.number))
            self._line.breathe(_CPU)
            first.append(first_time(Path(wanted.path)))
            self._tell(m.LOOKED, m.Looked(wanted.number, first[-1]))
        return in_time_order(files, first)

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


def _seconds(path: str) -> int:
    try:
        return _CPU + _CPU_PER_MB * (Path(path).stat().st_size >> 20)
    except OSError:
        return _CPU
