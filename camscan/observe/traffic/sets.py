"""Which files make up a set of captures, and which time does none of them, or more than one of them, cover?"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
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
    """Files, and what is to be said of those that were left out."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def gathered(given: Sequence[Path]) -> Set:
    """Files, those in folders, and those of patterns; each once. InputError where a name leads to nothing."""
    found: list[Path] = []
    notes: list[str] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file())
            captures = [p for p in inside if _is_capture(p)]
            if not captures:
                raise InputError(f"{path}: no capture in this folder")
            if len(captures) < len(inside):
                notes.append(
                    f"{path}: {len(inside) - len(captures)} files that are no captures were left"
                )
            found += captures
        elif not path.exists() and glob.has_magic(str(path)):
            matching = sorted(Path(p) for p in glob.glob(str(path)))  # noqa: PTH207 - absolute patterns too
            if not matching:
                raise InputError(f"{path}: no file of that pattern")
            found += matching
        else:
            found.append(path)
    return _once(found, notes)


def _is_capture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_BEGINS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _once(paths: Sequence[Path], notes: list[str]) -> Set:
    """Without files that are there twice, by name or by their bytes."""
    kept: list[Path] = []
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        size = _size(path)
        alike = by_size.setdefault(size, [])
        same = next((p for p in alike if size and _same(p, path)), None)
        if same is not None:
            notes.append(f"{path}: the same bytes as {same}, read once")
            continue
        alike.append(path)
        kept.append(path)
    return Set(tuple(kept), tuple(notes))


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or file_sha256(one) == file_sha256(other)


def _size(path: Path) -> int:
    try:
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


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
