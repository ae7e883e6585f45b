"""How does a capture of days survive a restart? What was counted is written down every minute.

One file, replaced whole, so that a power cut leaves the state of the minute before. It belongs to an unsealed
intake and goes when the intake is finished.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.errors import RunError
from camscan.observe.traffic.hashing import Hashed
from camscan.observe.traffic.messages import FileRead, Gap, Halfway

NAME = "capture.state"
SCHEMA = "camscan-checkpoint/2"
_READ = frozenset({"camscan-checkpoint/1", SCHEMA})
"""Version 1 has no files that were begun; a program that reads only that must not take version 2 for it."""
SPARE = 64 << 20
"""Bytes of the disk that are left to others, beside what the run itself will need."""
_RECORD = 6144
"""Bytes on the disk of one record of the finished run: a line, and a file of its own."""
_MOST_RECORDS = 250_000


class Checkpoint(Struct, frozen=True, kw_only=True):
    schema: str
    until: float
    """Time until which everything that passed is in `state`."""
    state: bytes
    """What the reading process remembers, in its own form; empty where nothing was seen yet."""
    packets: int = 0
    lost: int = 0
    kept: int = 0
    """Packets that were kept until then."""
    gaps: tuple[Gap, ...] = ()
    read: tuple[FileRead, ...] = ()
    """Files that are in `state`."""
    hashed: tuple[Hashed, ...] = ()
    halfway: Halfway | None = None
    """The file whose beginning is in `state`."""


def save(folder: Path, checkpoint: Checkpoint) -> int:
    """Bytes written; RunError where the disk refuses (the checkpoint before it stays)."""
    data = msgspec.msgpack.encode(checkpoint)
    part = folder / f"{NAME}.part"
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(folder / NAME)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"{folder / NAME}: cannot be written ({error.strerror})") from error
    return len(data)


def load(folder: Path) -> Checkpoint | None:
    """The last checkpoint; None where there is none. RunError where it cannot be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    if found.schema not in _READ:
        raise RunError(f"{path}: written as {found.schema}, this program reads {SCHEMA}")
    return found


def finish(folder: Path) -> None:
    """The intake is complete: its checkpoint is no longer needed."""
    for name in (NAME, f"{NAME}.part"):
        (folder / name).unlink(missing_ok=True)


def needed(size: int, records: int) -> int:
    """Bytes the disk must have left: for two checkpoints of `size`, and for the run with its records."""
    return SPARE + 2 * size + _RECORD * min(records, _MOST_RECORDS)


def room(folder: Path) -> int:
    """Bytes the disk under `folder` has left for us."""
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize
