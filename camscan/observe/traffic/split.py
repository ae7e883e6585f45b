"""What does a process do that reads one part of a large capture, while others read the parts beside it?

Everything one process would do: records, flows, names, services, facts, from the cut on, with nothing known of what
stands before it. It is a fork that the reading process makes; what it found goes there, to be put together with the
rest of the file (`joining`). Where a record begins is guessed; it is proved when the reader before it comes to exactly
that place. A part that shows any damage is worth nothing: it is read again by the process that knows what is before it.
Only plain pcap files are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import numpy as np
from msgspec import Struct

from camscan.errors import InputError
from camscan.limited import Line
from camscan.observe.traffic import ways
from camscan.observe.traffic.asked import Asked
from camscan.observe.traffic.batch import PAD, Keys
from camscan.observe.traffic.engine import EVERY, Engine
from camscan.observe.traffic.flows import MOST_TUPLES, TOO_MANY
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.memory import written
from camscan.observe.traffic.messages import Progress
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.packet import Gate, Packet
from camscan.observe.traffic.pending import Waiting
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.remembered import Memory
from camscan.observe.traffic.repeat import Repeat
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.state import (
    Segment,
    State,
    entered,
    raw_keys,
    state_of,
)
from camscan.observe.traffic.table import PairTable

WINDOW = 1 << 20
"""Bytes behind a cut in which a record is looked for."""
_MOST_TUPLES = MOST_TUPLES - 4096
"""With more five-tuples it is not told here where one process would enter them into its ledger: it may want more
of some that are not counted here."""
FOUND, MORE, PACKETS, SEGMENT = range(64, 68)
"""What a part holds; directions of which more is wanted, and what came in them; a segment."""
_SECONDS = 600
"""Processor time between two buffers."""
_encode = msgspec.msgpack.Encoder().encode


class Part(Struct, frozen=True):
    """A piece of a file, from one record to another."""

    path: str
    begin: int
    end: int


class Findings(Struct, frozen=True, kw_only=True, array_like=True):
    """What a part holds."""

    stopped: int
    """Where the record begins that is not in it any more."""
    next: tuple[int, int]
    """Of the engine, there."""
    state: State
    """With the five-tuples that one process would not have entered into its ledger before the end."""
    segments: int
    """Of five-tuples that one process would have entered before and that are not in the ledger of `state`, told one by
    one."""
    minutes: int
    """Flow-minutes in them and in that ledger."""
    flows: int
    """In that ledger."""
    memory: Memory
    waiting: Waiting
    wanted: tuple[ways.Way, ...]
    """Of which more is wanted behind the end."""
    alone: tuple[bytes, bytes]
    """Fragmented datagrams of which a later part was seen and not the first: columns of `Fragments.alone`."""


class Came(Struct, frozen=True, array_like=True):
    """What came in some directions in one segment, in order."""

    packets: tuple[tuple[Packet, bool], ...] = ()
    """And whether each was read here anyhow, whoever wants it."""
    cut: bool = False
    """There were more of one direction than are told."""
    last: bool = False
    """There are no other segments."""


class Crowded(Exception):  # noqa: N818 - no error: the part is read by another process
    """More five-tuples than are counted here."""


class PartEngine(Engine):
    """Counts in segments that are handed over, instead of a ledger."""

    def __init__(
        self, part: Part, asked: Asked, feed: Namer, gates: Sequence[Gate], every: int
    ) -> None:
        super().__init__(
            gates=gates, feed=feed, scope=asked.local, most_tuples=_MOST_TUPLES, every=every
        )
        self.segments: list[Segment] = []
        self.begin = part.begin
        """Of the segment that is counted now."""
        self.pieces: list[tuple[int, Keys, Keys]] = []
        """Where each segment begins, and the five-tuples in it."""
        self.minutes = 0
        """Flow-minutes of the segments."""

    def enter(self, place: int) -> None:
        """As one process would do here, but for what depends on what is before the part: that is set aside."""
        if place > self.begin:
            self.pieces.append((self.begin, *self.counted()))
            self.segments.append(entered(self, self.begin))
            self.minutes = self.tuples.minutes.kept
            self.tuples.minutes.taken()
            self.begin_anew()
            self.begin = place

    def settle(self) -> None:
        raise Crowded

    def counted(self) -> tuple[Keys, Keys]:
        """Five-tuples of which packets were counted in this segment."""
        there = self.tuples.tuples()
        some = there.packets > 0
        return there.a[some], there.b[some]


class PartReading:
    """Read a part, then ask for what it holds."""

    def __init__(
        self, part: Part, asked: Asked, gates: Sequence[Gate], *, every: int = EVERY
    ) -> None:
        self._part = part
        self._gates = gates
        self._namer = asked.namer()
        self._engine = PartEngine(part, asked, self._namer, gates, every)
        self._stopped = 0

    def read(self, line: Line | None = None) -> Findings | None:
        """All of it; None where that is worth nothing."""

        def breathe(_: Progress) -> None:
            if line is not None:
                line.breathe(_SECONDS)

        engine, part = self._engine, self._part
        try:
            reader = engine.read(open_part(part), on_chunk=breathe)
        except Crowded:
            return None
        # That it ends within a record is told by who goes on there.
        if reader.damages or len(engine.problems) > bool(reader.left):
            return None
        if engine.tuples.minutes.left_out or TOO_MANY in engine.tally.not_examined:
            return None
        engine.problems.clear()
        engine.tell()
        self._stopped = part.end - reader.left
        return Findings(
            stopped=self._stopped,
            state=state_of(engine),
            next=engine.next,
            segments=len(engine.segments),
            minutes=engine.minutes,
            flows=engine.ledger.count,
            memory=written(self._namer.parts()),
            waiting=self._namer.waiting(),
            wanted=ways.of_tuples(engine.places, engine.tuples.table, engine.candidates.wanted()),
            alone=raw_keys(engine.fragments.alone()),
        )

    def segment(self, number: int) -> Segment:
        return self._engine.segments[number]

    def more(self, wanted: Sequence[ways.Way]) -> Iterator[Came]:
        """What came in these directions, segment by segment."""
        engine, part = self._engine, self._part
        repeat: Repeat | None = None
        pieces = [*engine.pieces, (engine.begin, *engine.counted())]
        ends = [*(piece[0] for piece in pieces[1:]), self._stopped]
        a, b = ways.keys(wanted, engine.addresses)
        for (begin, *tuples), end in zip(pieces, ends, strict=True):
            table = PairTable(len(tuples[0]) + 1)
            table.numbers(*tuples)
            there = table.numbers(a, b, insert=False) > 0
            if there.any():
                repeat = repeat or Repeat(self._gates, engine.places, engine.buffer)
                piece = open_part(Part(part.path, begin, end))
                packets, cut = repeat.read(piece, a[there], b[there])
                yield Came(tuple(packets), cut)
        yield Came(last=True)


handed: list[tuple[Part, Asked, Sequence[Gate], int]] = []
"""What a fork begins with; filled only while it is made."""


def serve(line: Line) -> None:
    """In the fork: read the part, then hear questions until the other side is gone."""
    part, asked, gates, every = handed[0]
    handed.clear()
    reading = PartReading(part, asked, gates, every=every)
    findings = reading.read(line)
    line.tell(FOUND, b"" if findings is None else _encode(findings))
    came: Iterator[Came] | None = None
    while (said := line.hear()) is not None:
        kind, data = said
        line.breathe(_SECONDS)
        if kind == SEGMENT:
            line.tell(kind, _encode(reading.segment(int.from_bytes(data, "big"))))
        elif kind == MORE:
            came = came or reading.more(msgspec.msgpack.decode(data, type=list[ways.Way]))
            line.tell(PACKETS, _encode(next(came)))


def cut_near(path: Path, place: int) -> int | None:
    """Where the next record seems to begin in a plain pcap file; None where none is found, or it is no such file."""
    try:
        with path.open("rb", buffering=0) as file:
            framer = framer_of(file.read(HEADER), str(path))
            if not isinstance(framer, PcapFramer):
                return None
            file.seek(place)
            data = bytearray(file.read(WINDOW))
    except (InputError, OSError):
        return None
    end = len(data)
    data += bytes(PAD)
    found = framer.resume(np.frombuffer(data, np.uint8), memoryview(data), 0, end)
    return None if found is None else place + found


class _Range:
    """The header of a file, then a piece of it."""

    def __init__(self, part: Part) -> None:
        self._file = Path(part.path).open("rb", buffering=0)  # noqa: SIM115 - closed by the source
        self._header = self._file.read(HEADER)
        self._file.seek(part.begin)
        self._end = part.end
        self._left = part.end - part.begin

    def readinto(self, buffer: memoryview) -> int:
        if self._header:
            got = min(len(buffer), len(self._header))
            buffer[:got] = self._header[:got]
            self._header = self._header[got:]
            return got
        got = self._file.readinto(buffer[: min(len(buffer), self._left)]) or 0
        self._left -= got
        return got

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def seek(self, at: int) -> None:
        """To an offset of the file, inside the piece."""
        self._file.seek(at)
        self._left = self._end - at

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def open_part(part: Part) -> Source:
    """A part as a source of its own; offsets are those of the file."""
    try:
        source = Source(
            part.path,
            cast("BinaryIO", _Range(part)),
            size=part.end - part.begin,
            base=part.begin - HEADER,
        )
    except OSError as error:
        raise InputError(f"{part.path}: cannot be read ({error.strerror})") from error
    source.windows = 0 if source.compression else part.end
    return source
