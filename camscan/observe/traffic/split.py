"""How do several processes read one large capture, with the result of one?

The file is cut where a record is found to begin. Every process reads from its cut to the next one: if its last
record ends exactly there and nothing was damaged, the cut was a true one, for each of them. If not, the file is
read again by one process. Only plain pcap files are cut; what is compressed or pcapng is read by one.
The process that asks reads the first part itself: let it be one that a capture may end (`camscan.limited`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import numpy as np
from msgspec import Struct

from camscan.errors import InputError
from camscan.limited import Limited, Line
from camscan.observe.traffic.batch import PAD
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.flows import MOST_TUPLES
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.source import Source, open_source
from camscan.observe.traffic.state import State, absorb, state_of
from camscan.worker import Limits, available

WORTH = 200_000_000
"""Bytes from which a second process pays for its start."""
_WINDOW = 4 << 20
"""Bytes behind a cut in which a record is looked for."""
_LIMITS = Limits(memory=1 << 30, file_bytes=0)
_MOST_TUPLES = 1 << 19
"""In a part behind the first, so that who is the client is told by the process that knows the parts before it."""
_JOB, _COUNTED = 1, 2


class Part(Struct, frozen=True):
    """A piece of a file. `begin` is HEADER for the first one."""

    path: str
    begin: int
    end: int
    number: int = 0
    """Of the file, in the order in which they are read."""


class CountJob(Struct, frozen=True):
    part: Part
    scope: tuple[str, ...] = ()


class Counted(Struct, frozen=True):
    state: State
    proved: bool
    """The last record ended where the part ends, and nothing was damaged."""
    fragmented: bool
    """Datagrams in fragments were seen to begin."""
    orphans: int
    """Fragments that were not seen to begin."""


def parts_of(path: Path, count: int, *, number: int = 0, worth: int = WORTH) -> tuple[Part, ...]:
    """`count` parts of about the same size; one where the file is small or cannot be cut."""
    try:
        size = path.stat().st_size
        whole = (Part(str(path), HEADER, size, number),)
        if count < 2 or size < worth:
            return whole
        with path.open("rb", buffering=0) as file:
            framer = framer_of(file.read(HEADER), str(path))
            if not isinstance(framer, PcapFramer):
                return whole
            cuts = [HEADER]
            for k in range(1, count):
                cut = _cut(framer, file, HEADER + (size - HEADER) * k // count)
                if cut is None or cut <= cuts[-1]:
                    return whole
                cuts.append(cut)
    except InputError:
        return whole
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    ends = [*cuts[1:], size]
    return tuple(Part(str(path), begin, end, number) for begin, end in zip(cuts, ends, strict=True))


def _cut(framer: PcapFramer, file: BinaryIO | object, place: int) -> int | None:
    raw = cast("BinaryIO", file)
    raw.seek(place)
    data = bytearray(raw.read(_WINDOW))
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
    """A part as a source of its own; `Engine.read` takes it with `base=part.begin - HEADER`."""
    try:
        source = Source(
            part.path,
            cast("BinaryIO", _Range(part)),
            size=part.end - part.begin,
            base=part.begin - HEADER,
            number=part.number,
        )
    except OSError as error:
        raise InputError(f"{part.path}: cannot be read ({error.strerror})") from error
    source.windows = 0 if source.compression else part.end
    return source


def count_part(job: CountJob, *, most_tuples: int = _MOST_TUPLES) -> Counted:
    """Flows of one part, without names."""
    engine = Engine(scope=job.scope, most_tuples=most_tuples)
    engine.read(open_part(job.part))
    return Counted(
        state_of(engine),
        proved=not engine.problems,
        fragmented=engine.fragments.known > 0,
        orphans=engine.fragments.orphans,
    )


def in_child(line: Line) -> None:
    """In a fork: hear one job, tell what was counted."""
    said = line.hear()
    if said is not None:
        counted = count_part(msgspec.msgpack.decode(said[1], type=CountJob))
        line.tell(_COUNTED, msgspec.msgpack.encode(counted))


def count(
    paths: Sequence[Path],
    *,
    processes: int | None = None,
    scope: Sequence[str] = (),
    worth: int = WORTH,
) -> Engine:
    """Flows of captures by this process and others beside it, exactly as one would count them."""
    wanted = processes or available()
    engine = Engine(scope=scope)
    for number, path in enumerate(paths):
        parts = parts_of(path, wanted, number=number, worth=worth)
        if len(parts) < 2 or not _together(engine, parts, tuple(scope)):
            source = open_source(path)
            source.number = number
            engine.read(source)
    return engine


def _together(engine: Engine, parts: Sequence[Part], scope: tuple[str, ...]) -> bool:
    """All parts at once, the first one here; False, and nothing counted, where a cut is not proved."""
    with ExitStack() as stack:
        children = []
        for part in parts[1:]:
            child = stack.enter_context(Limited(f"{__name__}:{in_child.__name__}", _LIMITS))
            child.tell(_JOB, msgspec.msgpack.encode(CountJob(part, scope)))
            children.append(child)
        found = [count_part(CountJob(parts[0], scope), most_tuples=MOST_TUPLES)]
        for child in children:
            said = child.hear() if found[-1].proved else None
            if said is None or said[0] != _COUNTED:
                return False
            found.append(msgspec.msgpack.decode(said[1], type=Counted))
    # A fragment may belong to a datagram that begins before the cut.
    torn = any(a.fragmented for a in found[:-1]) and any(b.orphans for b in found[1:])
    if torn or not all(one.proved for one in found):
        return False
    for one in found:
        absorb(engine, one.state)
    return True
