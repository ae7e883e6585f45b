"""How are millions of records named in constant memory, and how is that taken up again?

Records of one device may stand anywhere. What does not fit into memory is dealt into parts by a hash of
the device id, so that each part holds every record of its devices; parts are named one by one, by local
processes where there are several, and the results are merged in the order in which devices first
appeared. A folder beside the output keeps finished parts, so that an interrupted call can go on.
"""

from __future__ import annotations

import contextlib
import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from camscan.cli.identify_job import PartDone, PartJob, name_part, pack, unpack
from camscan.decode import zgrab
from camscan.errors import UsageError
from camscan.identify.stream import ZGRAB, Line
from camscan.worker import Limits
from camscan.workers import Workers

PART_BYTES = 24 << 20
"""Wanted size of a part; about four times as much memory is used to name it."""
MIN_PARTS, MAX_PARTS = 16, 256
_SPLITS = 3
"""Times a part that came out too large is dealt again; then one device is what is large."""
_OPEN = 200
"""Files merged at once."""

Progress = Callable[[str, int, int], None]


class State(Struct, frozen=True, kw_only=True):
    """What an unfinished output was made from, written when all records are dealt."""

    inputs: tuple[tuple[str, int, int], ...]
    """Name, bytes and time of change in ns."""
    knowledge: str
    as_json: bool
    parts: tuple[str, ...]


class _Target(Struct):
    """Who a line is about, without the rest."""

    device_id: str = ""


_exchange = msgspec.json.Decoder(_Target)
_zgrab = msgspec.json.Decoder(zgrab.Target)


def device_of(line: Line) -> str:
    """The device id of a line, empty where it cannot be read."""
    try:
        if line.form == ZGRAB:
            return _zgrab.decode(line.data).device_id
        return _exchange.decode(line.data).device_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def deal(
    lines: Iterable[Line], folder: Path, *, expected: int | None, progress: Progress
) -> tuple[str, ...]:
    """Write every line into the part of its device; names of the parts."""
    count = MIN_PARTS * 4 if expected is None else expected // PART_BYTES + 1
    count = min(max(count, MIN_PARTS), MAX_PARTS)
    names = _deal(lines, [folder / f"part-{n:03d}" for n in range(count)], 0, progress)
    for level in range(1, _SPLITS + 1):
        large = [n for n in names if (folder / n).stat().st_size > 4 * PART_BYTES]
        for name in large:
            path = folder / name
            again = min(path.stat().st_size // PART_BYTES + 1, MAX_PARTS)
            paths = [folder / f"{name}-{n:03d}" for n in range(again)]
            smaller = _deal(_read(path), paths, level, progress)
            path.unlink()
            names = [n for n in names if n != name] + smaller
    return tuple(names)


def _deal(lines: Iterable[Line], paths: list[Path], salt: int, progress: Progress) -> list[str]:
    """Names of the files that were written to; empty ones are removed."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(p.open("wb", buffering=1 << 16)) for p in paths]
        for done, line in enumerate(lines, 1):
            files[zlib.crc32(device_of(line).encode(), salt) % len(files)].write(pack(line))
            if not done % 4096:
                progress("records", done, 0)
    filled = [p for p in paths if p.stat().st_size]
    for path in paths:
        if path not in filled:
            path.unlink()
    return [p.name for p in filled]


def _read(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for text in file:
            yield unpack(text)


def name_parts(
    folder: Path,
    parts: tuple[str, ...],
    *,
    local: Path | None,
    as_json: bool,
    count: int,
    progress: Progress,
) -> tuple[list[PartDone], list[str]]:
    """Name what is not named yet; what was done, and why parts have no result."""
    done: list[PartDone] = []
    failed: list[str] = []
    todo: list[str] = []
    for part in parts:
        known = _known(folder, part)
        if known is None:
            todo.append(part)
        else:
            done.append(known)
    jobs = [
        PartJob(
            part=str(folder / part),
            result=str(_result(folder, part)),
            local=str(local) if local else None,
            as_json=as_json,
        )
        for part in todo
    ]
    for number, found in _run(jobs, count):
        if isinstance(found, PartDone):
            _note(folder, todo[number]).write_bytes(msgspec.json.encode(found))
            done.append(found)
        else:
            failed.append(f"part {todo[number]}: its devices are not named: {found}")
        progress("parts", len(done) + len(failed), len(parts))
    return done, failed


def _run(jobs: list[PartJob], count: int) -> Iterator[tuple[int, PartDone | str]]:
    if count == 1:
        for number, job in enumerate(jobs):
            yield number, name_part(job)
        return
    limits = Limits(memory=4 << 30, job_seconds=None)
    with Workers(
        "camscan.cli.identify_job:name_part", PartDone, count=min(count, len(jobs)), limits=limits
    ) as pool:
        for outcome in pool.run(jobs, ordered=False):
            failure = outcome.failure
            if outcome.value is not None:
                yield outcome.number, outcome.value
            elif failure is not None:
                yield outcome.number, f"{failure.reason}: {failure.detail} ({failure.tries} tries)"


def merge(folder: Path, parts: Iterable[str], out: BinaryIO) -> None:
    """The results of all parts that have one, in the order of first appearance."""
    paths = [p for part in parts if (p := _result(folder, part)).exists()]
    batch = 0
    while len(paths) > _OPEN:
        some, paths = paths[:_OPEN], paths[_OPEN:]
        together = folder / f"merged-{batch}"
        batch += 1
        with together.open("wb") as file:
            file.writelines(text for _, text in _merged(some))
        paths.append(together)
    out.writelines(text.split(b" ", 2)[2] for _, text in _merged(paths))


def _merged(paths: list[Path]) -> Iterator[tuple[tuple[int, int], bytes]]:
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(p.open("rb", buffering=1 << 16)) for p in paths]
        yield from heapq.merge(*map(_keyed, files))


def _keyed(file: BinaryIO) -> Iterator[tuple[tuple[int, int], bytes]]:
    for text in file:
        place, number, _ = text.split(b" ", 2)
        yield (int(place), int(number)), text


def _result(folder: Path, part: str) -> Path:
    return folder / f"{part}.named"


def _note(folder: Path, part: str) -> Path:
    return folder / f"{part}.done"


def _known(folder: Path, part: str) -> PartDone | None:
    try:
        known = msgspec.json.decode(_note(folder, part).read_bytes(), type=PartDone)
    except (OSError, msgspec.MsgspecError):
        return None
    return known if _result(folder, part).exists() else None


def resumed(folder: Path, wanted: State) -> State | None:
    """The state to go on from, None where the records were not dealt yet.

    UsageError where the folder belongs to another call.
    """
    try:
        found = msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{folder}: cannot be resumed: {error}; delete it and start anew"
        ) from error
    for name in ("inputs", "knowledge", "as_json"):
        if getattr(found, name) != getattr(wanted, name):
            raise UsageError(f"{folder}: was begun with other {name}; delete it and start anew")
    return found


def write_state(folder: Path, state: State) -> None:
    """From here on the folder can be resumed."""
    new = folder / "state.new"
    new.write_bytes(msgspec.json.encode(state))
    new.replace(folder / "state.json")
