"""How are millions of records named in constant memory, and how is that taken up again?

Records of one device may stand anywhere. What does not fit into memory is dealt into parts
(identify_deal.py); parts are named one by one, by local processes where there are several, and the
results are merged in the order in which devices first appeared. A folder beside the output keeps
finished parts, so that an interrupted call can go on.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from camscan.cli.identify_deal import Part, Progress
from camscan.cli.identify_job import PartDone, PartJob, name_part
from camscan.errors import UsageError
from camscan.worker import Limits
from camscan.workers import Workers

_OPEN = 200
"""Files merged at once."""


class State(Struct, frozen=True, kw_only=True):
    """What an unfinished output was made from, written when all records are dealt."""

    inputs: tuple[tuple[str, int, int], ...]
    """Name, bytes and time of change in ns."""
    knowledge: str
    as_json: bool
    parts: tuple[Part, ...]


def name_parts(
    folder: Path,
    parts: tuple[Part, ...],
    *,
    local: Path | None,
    as_json: bool,
    count: int,
    progress: Progress,
) -> tuple[list[PartDone], list[str]]:
    """Name what is not named yet; what was done, and why parts have no result."""
    done: list[PartDone] = []
    failed: list[str] = []
    todo: list[Part] = []
    for part in parts:
        known = _known(folder, part.name)
        if known is None:
            todo.append(part)
        else:
            done.append(known)
    jobs = [
        PartJob(
            folder=str(folder),
            part=part,
            result=str(_result(folder, part.name)),
            local=str(local) if local else None,
            as_json=as_json,
        )
        for part in todo
    ]
    for number, found in _run(jobs, count):
        if isinstance(found, PartDone):
            _note(folder, todo[number].name).write_bytes(msgspec.json.encode(found))
            done.append(found)
        else:
            failed.append(f"part {todo[number].name}: its devices are not named: {found}")
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


def merge(folder: Path, parts: Iterable[Part], out: BinaryIO) -> None:
    """The results of all parts that have one, in the order of first appearance."""
    paths = [p for part in parts if (p := _result(folder, part.name)).exists()]
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
