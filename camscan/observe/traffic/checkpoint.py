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
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.state import State, absorb, state_of

NAME = "capture.state"


class Checkpoint(Struct, frozen=True, kw_only=True):
    at: float
    state: State
    names: bytes = b""
    """What the namer wants to remember, in its own form."""


def save(folder: Path, engine: Engine, *, at: float, names: bytes = b"") -> int:
    """Bytes written; RunError where the disk refuses (the checkpoint before it stays)."""
    data = msgspec.msgpack.encode(Checkpoint(at=at, state=state_of(engine), names=names))
    part = folder / f"{NAME}.part"
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(folder / NAME)
    except OSError as error:
        raise RunError(f"{folder / NAME}: cannot be written ({error.strerror})") from error
    return len(data)


def restore(folder: Path, engine: Engine) -> Checkpoint | None:
    """Count on from the last checkpoint; None where there is none. RunError where it cannot be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        checkpoint = msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    absorb(engine, checkpoint.state)
    return checkpoint


def finish(folder: Path) -> None:
    """The intake is complete: its checkpoint is no longer needed."""
    for name in (NAME, f"{NAME}.part"):
        (folder / name).unlink(missing_ok=True)


def room_left(folder: Path, limit: int) -> bool:
    """Whether what lies under `folder` is still below `limit` bytes, and the disk not nearly full."""
    used = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    free = os.statvfs(folder)
    return used < limit and free.f_bavail * free.f_frsize > _SPARE


_SPARE = 256 * 1024 * 1024
"""Bytes of the disk that are left to others."""
