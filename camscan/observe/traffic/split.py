"""How do several processes read one large capture, with the result of one?

The file is cut where a record is found to begin. Every process reads from its cut to the next one: if its last
record ends exactly there and nothing was damaged, the cut was a true one, for each of them. If not, the file is
read again by one process. Only plain pcap files are cut; what is compressed or pcapng is read by one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from msgspec import Struct

from camscan.errors import InputError
from camscan.observe.traffic.batch import PAD
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.state import State, absorb, state_of
from camscan.worker import Limits
from camscan.workers import Workers

WORTH = 200_000_000
"""Bytes from which a second process pays for its start."""
_WINDOW = 4 << 20
"""Bytes behind a cut in which a record is looked for."""
_MEMORY = 1 << 30


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


def count_part(job: CountJob) -> Counted:
    """In a child: flows of one part, without names."""
    engine = Engine(scope=job.scope)
    engine.read(open_part(job.part))
    return Counted(state_of(engine), proved=not engine.problems)


def count(
    paths: Sequence[Path],
    *,
    processes: int | None = None,
    scope: Sequence[str] = (),
    worth: int = WORTH,
) -> Engine:
    """Flows of captures by several processes, exactly as one would count them."""
    wanted = processes or os.cpu_count() or 1
    engine = Engine(scope=scope)
    function = f"{__name__}:{count_part.__name__}"
    limits = Limits(memory=_MEMORY, job_seconds=None)
    with Workers(function, Counted, count=wanted, limits=limits) as pool:
        for number, path in enumerate(paths):
            parts = parts_of(path, wanted, number=number, worth=worth)
            outcomes = list(pool.run([CountJob(part, tuple(scope)) for part in parts]))
            found = [o.value for o in outcomes if o.value is not None]
            if len(parts) > 1 and not (len(found) == len(parts) and all(f.proved for f in found)):
                parts = parts_of(path, 1, number=number)
                outcomes = list(pool.run([CountJob(parts[0], tuple(scope))]))
                found = [o.value for o in outcomes if o.value is not None]
            for one in found:
                absorb(engine, one.state)
            for outcome in outcomes:
                if outcome.failure is not None:
                    engine.fail(
                        str(path),
                        f"not examined: {outcome.failure.reason} {outcome.failure.detail}".strip(),
                    )
    return engine
