"""What must a capture under way know to go on after a restart, and is it still under way?

`capture.plan` in the unsealed intake: what was asked for. Whoever takes the capture holds a lock on the folder, which
the kernel lifts when the process dies, however it dies. The plan goes when the intake is finished: paths are nobody's business.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan import limited
from camscan.errors import RunError, UsageError

NAME = "capture.plan"
SCHEMA = "camscan-capture-plan/1"
UNKNOWN = -1
"""Size of a file that was gone, or could not be looked at, when the capture was begun."""


class PlannedFile(Struct, frozen=True, kw_only=True):
    path: str
    size: int
    """When the capture was begun."""


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for. Either `files`, `interface` or `listen` is stated."""

    schema: str
    started: float
    files: tuple[PlannedFile, ...] = ()
    interface: str = ""
    filter: str = ""
    listen: str = ""
    until: float | None = None
    """When a live capture ends; None = when it is told to."""
    every: float = 60.0
    """Seconds between two checkpoints of a live capture."""
    vantage: str = "file"
    local: tuple[str, ...] = ()
    phases: tuple[tuple[str, float, float], ...] = ()
    keep: str = ""
    keep_days: int | None = None
    keep_limit: int = 0

    @property
    def live(self) -> bool:
        return bool(self.interface or self.listen)


def write(folder: Path, plan: Plan) -> None:
    path = folder / NAME
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error


def read(folder: Path) -> Plan:
    """RunError where there is none, or none of this version."""
    path = folder / NAME
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{path}: this capture cannot go on ({error})") from error
    if plan.schema != SCHEMA:
        raise RunError(f"{path}: written as {plan.schema}, this program reads {SCHEMA}")
    return plan


class Hold:
    """The right to write this intake; UsageError where another process has it."""

    def __init__(self, folder: Path) -> None:
        # The folder and not the plan: that file is replaced when the capture begins.
        self._file = os.open(folder, os.O_RDONLY)
        limited.keep_to_ourselves(self._file)
        if not _lock(self._file):
            self.release()
            raise UsageError(f"{folder}: another process is taking this capture")

    def release(self) -> None:
        if self._file >= 0:
            limited.let_go(self._file)
            os.close(self._file)
            self._file = -1


def under_way(folder: Path) -> bool:
    """Whether a process holds this capture now."""
    try:
        file = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(file)
    finally:
        os.close(file)


def finish(folder: Path) -> None:
    for name in (NAME, f"{Path(NAME).stem}.part"):
        (folder / name).unlink(missing_ok=True)


def _lock(file: int) -> bool:
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
