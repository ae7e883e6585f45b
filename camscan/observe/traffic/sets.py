"""Which files make up a set of captures, and which time does none of them, or more than one of them, cover?"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from camscan.clock import iso
from camscan.errors import InputError
from camscan.journal import file_sha256
from camscan.observe.traffic.messages import FileRead, Gap

STDIN = "-"
_BEGINS = (
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a", b"\x1f\x8b", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
"""First bytes of pcap, pcapng, gzip and zstd: what is taken of a folder."""
APART = 60.0
"""Seconds between two files from which that time counts as not covered; below it is the pause between two packets."""
_TOGETHER = 1.0
"""Seconds of overlap that the turn from one file to the next may have."""
_UNCOVERED = "no file covers it"


class Set(NamedTuple):
    """Files, and what is to be said of those that were left out or cannot be opened."""

    files: tuple[Path, ...]
    """Also those that cannot be opened: whoever reads them says why, beside what the others show."""
    notes: tuple[str, ...]


def gathered(given: Sequence[Path]) -> Set:
    """Files, those in folders, and those of patterns; each once.

    InputError where a name leads to nothing, so that a slip of the pen is told before hours are spent, and where
    nothing at all can be opened. What was found in a folder and is gone meanwhile, or may not be read, stays in.
    """
    found: dict[Path, bool] = {}
    notes: list[str] = []
    for path in given:
        if (inside := _inside(path)) is not None:
            captures = [p for p in inside if _is_capture(p)]
            if not captures:
                raise InputError(f"{path}: no capture in this folder")
            if len(captures) < len(inside):
                notes.append(
                    f"{path}: left out, no captures: {len(inside) - len(captures)} of {len(inside)} files"
                )
            for capture in captures:
                found.setdefault(capture, False)
        elif glob.has_magic(str(path)) and not os.path.lexists(path):
            names = sorted(glob.glob(str(path)))  # noqa: PTH207 - absolute patterns too
            matching = [Path(name) for name in names if _is_file(Path(name))]
            if not matching:
                raise InputError(f"{path}: no file of that pattern")
            for match in matching:
                found.setdefault(match, False)
        else:
            found[path] = True
    return _once(found, notes)


def _inside(folder: Path) -> list[Path] | None:
    """The files of a folder; None where it is none, or cannot be looked into."""
    try:
        return sorted(p for p in folder.iterdir() if _is_file(p))
    except OSError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # to be said with its reason


def _is_capture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_BEGINS)
    except OSError:
        return True


def _once(paths: Mapping[Path, bool], notes: list[str]) -> Set:
    """Without files that are there twice, by name or by their bytes. True: it was named by itself."""
    kept: list[Path] = []
    missing: list[str] = []
    unread: list[str] = []
    by_size: dict[int, list[Path]] = {}
    for path, named in paths.items():
        try:
            size = _size(path)
        except InputError as error:
            missing.append(str(error))
            continue
        except OSError as error:
            why = f"{path}: cannot be read ({error.strerror})"
            gone = isinstance(error, (FileNotFoundError, NotADirectoryError))
            (missing if named and gone else unread).append(why)
            kept.append(path)
            continue
        alike = by_size.setdefault(size, [])
        same = next((p for p in alike if size and _same(p, path)), None)
        if same is not None:
            notes.append(f"{path}: the same bytes as {same}, read once")
            continue
        alike.append(path)
        kept.append(path)
    if missing or not by_size:
        raise InputError("; ".join(missing or unread))
    return Set(tuple(kept), (*notes, *(f"{why}; the others are read" for why in unread)))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or file_sha256(one) == file_sha256(other)
    except OSError:
        return False  # gone meanwhile: its reader says so


def _size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: no regular file; what comes through a pipe is read as - alone")
    with path.open("rb"):
        return status.st_size


class Cover(NamedTuple):
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]


def cover(read: Iterable[FileRead], names: Sequence[str]) -> Cover:
    """Time that lies between files, and time that several of them cover."""
    spans = sorted(
        (r.first, r.last, r.number) for r in read if r.first is not None and r.last is not None
    )
    gaps: list[Gap] = []
    notes: list[str] = []
    reaches, before = float("-inf"), 0
    for first, last, number in spans:
        if first - reaches > APART and reaches > float("-inf"):
            gaps.append(Gap(reaches, first, _UNCOVERED))
        elif reaches - first > _TOGETHER:
            notes.append(
                f"{names[before]} and {names[number]} both cover {_time(first)} to "
                f"{_time(min(reaches, last))}: packets that are in both are counted twice"
            )
        if last > reaches:
            reaches, before = last, number
    return Cover(tuple(gaps), tuple(notes))


def _time(seconds: float) -> str:
    try:
        return iso(seconds)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s"
