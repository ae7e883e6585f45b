"""How are records dealt into parts, so that each part holds every record of its devices?

By a hash of the device id. Where there are several processes and the input is plain files, each process
deals ranges of bytes of its own; a part is then a file per range. Line numbers count from the beginning
of a range, and what was counted in the ranges before is added when the part is read.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.cli.identify_input import plain_form
from camscan.decode import exchange, zgrab
from camscan.identify.stream import ZGRAB, Line
from camscan.worker import Limits
from camscan.workers import Workers

PART_BYTES = 24 << 20
"""Wanted size of a part; about four times as much memory is used to name it."""
MIN_PARTS, MAX_PARTS = 16, 256
RANGE_BYTES = 4 << 20
"""Smallest range that is worth a process of its own."""
_SPLITS = 3
"""Times a part that came out too large is dealt again; then one device is what is large."""
_TOLD = 4096

Progress = Callable[[str, int, int], None]


class Piece(Struct, frozen=True):
    """A file of a part, and what is added to its line numbers."""

    name: str
    base: int


class Part(Struct, frozen=True):
    name: str
    pieces: tuple[Piece, ...]


class RangeJob(Struct, frozen=True, kw_only=True):
    """Lines of one file that begin in [start, end)."""

    file: str
    place: int
    form: str
    start: int
    end: int
    folder: str
    mark: str
    """Behind the names of the files that are written."""
    parts: int


class RangeDone(Struct, frozen=True):
    lines: int
    """Empty ones included."""


class _Target(Struct):
    """Who a line is about, without the rest."""

    device_id: str = ""


_exchange = msgspec.json.Decoder(_Target)
_zgrab = msgspec.json.Decoder(zgrab.Target)


def read(folder: Path, part: Part) -> Iterator[Line]:
    """The lines of a part, in the order of the input."""
    for piece in part.pieces:
        base = piece.base
        with (folder / piece.name).open("rb", buffering=1 << 18) as file:
            for text in file:
                place, number, form, data = text.split(b" ", 3)
                yield Line(int(place), int(number) + base, form.decode(), data)


def parts_for(expected: int | None) -> int:
    """How many parts for an input of so many bytes; None = not known."""
    count = MIN_PARTS * 4 if expected is None else expected // PART_BYTES + 1
    return min(max(count, MIN_PARTS), MAX_PARTS)


def deal(
    lines: Iterable[Line], folder: Path, *, expected: int | None, progress: Progress
) -> tuple[Part, ...]:
    """Write every line into the part of its device."""
    names = [f"part-{n:03d}" for n in range(parts_for(expected))]
    _spread(lines, [folder / name for name in names], 0, progress)
    found = [Part(n, (Piece(n, 0),)) for n in names if (folder / n).exists()]
    return _smaller(found, folder, progress)


def deal_ranges(
    files: Sequence[str], folder: Path, *, count: int, progress: Progress
) -> tuple[Part, ...] | None:
    """The same by `count` processes; None where that is not possible or not worth it."""
    jobs = _jobs(files, folder, count)
    if len(jobs) < 2:
        return None
    lines: dict[int, int] = {}
    limits = Limits(memory=4 << 30, job_seconds=None)
    with Workers(
        "camscan.cli.identify_deal:deal_range",
        RangeDone,
        count=min(count, len(jobs)),
        limits=limits,
    ) as pool:
        for outcome in pool.run(jobs, ordered=False):
            # What a child cannot do is done here, where the reason is raised.
            done = outcome.value or deal_range(jobs[outcome.number])
            lines[outcome.number] = done.lines
            progress("records", sum(lines.values()), 0)
    bases: list[int] = []
    for number, job in enumerate(jobs):
        follows = number and jobs[number - 1].place == job.place
        bases.append(bases[-1] + lines[number - 1] if follows else 0)
    found = []
    for name in (f"part-{n:03d}" for n in range(jobs[0].parts)):
        pieces = [Piece(f"{name}{j.mark}", b) for j, b in zip(jobs, bases, strict=True)]
        there = tuple(p for p in pieces if (folder / p.name).exists())
        if there:
            found.append(Part(name, there))
    return _smaller(found, folder, progress)


def _jobs(files: Sequence[str], folder: Path, count: int) -> list[RangeJob]:
    """Ranges in the order of the input; none where a file has to be unpacked or translated."""
    forms = [plain_form(name) for name in files]
    if count < 2 or None in forms:
        return []
    sizes = [Path(name).stat().st_size for name in files]
    wanted = max(RANGE_BYTES, sum(sizes) // (2 * count) + 1)
    return [
        RangeJob(
            file=name,
            place=place,
            form=form or "",
            start=start,
            end=min(start + wanted, size),
            folder=str(folder),
            mark=f".{place}-{start:015d}",
            parts=parts_for(sum(sizes)),
        )
        for place, (name, form, size) in enumerate(zip(files, forms, sizes, strict=True))
        for start in range(0, size, wanted)
    ]


def deal_range(job: RangeJob) -> RangeDone:
    """What one child does; done again from the beginning when it dies."""
    count = 0

    def lines() -> Iterator[Line]:
        nonlocal count
        with Path(job.file).open("rb", buffering=1 << 18) as file:
            for data in exchange.within(file, job.start, job.end):
                count += 1
                if not data.isspace():
                    yield Line(job.place, count, job.form, data)

    folder = Path(job.folder)
    paths = [folder / f"part-{n:03d}{job.mark}" for n in range(job.parts)]
    _spread(lines(), paths, 0, lambda *_: None)
    return RangeDone(count)


def _smaller(parts: list[Part], folder: Path, progress: Progress) -> tuple[Part, ...]:
    """Parts that came out too large are dealt again."""
    for level in range(1, _SPLITS + 1):
        sizes = [sum((folder / p.name).stat().st_size for p in part.pieces) for part in parts]
        kept = [p for p, size in zip(parts, sizes, strict=True) if size <= 4 * PART_BYTES]
        for part, size in zip(parts, sizes, strict=True):
            if size <= 4 * PART_BYTES:
                continue
            again = min(size // PART_BYTES + 1, MAX_PARTS)
            names = [f"{part.name}-{n:03d}" for n in range(again)]
            _spread(read(folder, part), [folder / n for n in names], level, progress)
            for piece in part.pieces:
                (folder / piece.name).unlink()
            kept += [Part(n, (Piece(n, 0),)) for n in names if (folder / n).exists()]
        parts = kept
    return tuple(parts)


def _spread(lines: Iterable[Line], paths: Sequence[Path], salt: int, progress: Progress) -> None:
    """Files that nothing was written to are removed."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(p.open("wb", buffering=1 << 16)) for p in paths]
        writes = [file.write for file in files]
        count = len(writes)
        for done, line in enumerate(lines, 1):
            try:
                decoder = _zgrab if line.form == ZGRAB else _exchange
                device = decoder.decode(line.data).device_id
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                device = ""
            data = line.data if line.data.endswith(b"\n") else line.data + b"\n"
            writes[zlib.crc32(device.encode(), salt) % count](
                b"%d %d %b %b" % (line.file, line.number, line.form.encode(), data)
            )
            if not done % _TOLD:
                progress("records", done, 0)
    for path in paths:
        if not path.stat().st_size:
            path.unlink()
