"""What was done to the devices while a capture ran, and from when to when?

`phases.ndjson` in the intake: one line per mark, appended by the capture itself (a line on its standard input) or
by another command while it runs. A mark begins a phase and ends the one before it. It stays with the intake.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.decode.text import clean
from camscan.errors import RunError, UsageError

NAME = "phases.ndjson"
END = "end"
"""The mark that ends a phase and begins none."""
_LONGEST = 64
_MOST = 10_000


class Mark(Struct, frozen=True):
    at: float
    """UTC seconds since the epoch."""
    name: str


Phase = tuple[str, float, float]


def name_of(text: str) -> str:
    """A phase's name as it is written down; UsageError where it is none."""
    name = clean(text).strip()
    if not name or len(name) > _LONGEST:
        raise UsageError(f"phase {name[:80]!r}: a name of at most {_LONGEST} characters")
    return name


def mark(folder: Path, name: str, at: float) -> None:
    """Begin a phase, or with `end` end the one that runs. One write, so that two marks never mix."""
    line = msgspec.json.encode(Mark(at, name_of(name))) + b"\n"
    path = folder / NAME
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from error


def marks(folder: Path) -> tuple[Mark, ...]:
    """All marks in order of time; a torn last line is none."""
    try:
        lines = (folder / NAME).read_bytes().split(b"\n")[:_MOST]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RunError(f"{folder / NAME}: cannot be read ({error.strerror})") from error
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Mark))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return tuple(sorted(found, key=lambda one: one.at))


def phases(found: Iterable[Mark], end: float) -> tuple[Phase, ...]:
    """(name, begin, end) of each; the last one ends with the capture."""
    result: list[Phase] = []
    running: Mark | None = None
    for one in found:
        if running is not None and one.at > running.at:
            result.append((running.name, running.at, min(one.at, max(end, running.at))))
        running = None if one.name == END else one
    if running is not None and end > running.at:
        result.append((running.name, running.at, end))
    return tuple(result)
