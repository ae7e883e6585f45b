"""Which packets does a run keep, until when, and what is left when they are deleted?

Only `traffic --keep` keeps packets (DESIGN rule 11). They lie in kept/<intake>/, are hashed in the seal of that
intake, and carry the day on which they expire. `purge` deletes them and leaves a note with their hashes, so that
`verify` can tell what was deleted on purpose from what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.clock import iso, parse_iso
from camscan.errors import RunError
from camscan.journal import file_sha256

KEPT = "kept"
NOTE, PURGED = "kept.json", "purged.json"
SCHEMA = "camscan-kept/1"
_DAY = 86_400.0


class KeptInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """kept.json: what was kept of one intake, and why it may be."""

    schema: str
    intake: str
    mode: str
    """headers | handshakes | all"""
    since: str
    until: str | None = None
    """When it expires; None = no retention was named (never for `all`)."""
    packets: int = 0
    ended_early: str = ""
    """Why keeping stopped before the capture did."""


class PurgedFile(Struct, frozen=True):
    name: str
    """Path below the run."""
    size: int
    sha256: str


class Purged(Struct, frozen=True, kw_only=True):
    """purged.json: what was deleted, when and why."""

    schema: str
    at: str
    why: str
    files: tuple[PurgedFile, ...]


def folder_of(run: Path, intake: str) -> Path:
    return run / KEPT / intake


def expiry(since: float, retention_days: float | None) -> str | None:
    return None if retention_days is None else iso(since + retention_days * _DAY)


def write_info(folder: Path, info: KeptInfo) -> None:
    _write(folder / NOTE, info)


def files_of(run: Path, intake: str) -> tuple[str, ...]:
    """Everything that is sealed of kept/<intake>/, as paths below the run."""
    folder = folder_of(run, intake)
    if not folder.is_dir():
        return ()
    return tuple(sorted(f"{KEPT}/{intake}/{p.name}" for p in folder.iterdir() if p.name != PURGED))


def purged_of(run: Path, intake: str) -> dict[str, str]:
    """Path below the run -> SHA-256 of what a purge deleted."""
    path = folder_of(run, intake) / PURGED
    if not path.is_file():
        return {}
    try:
        note = msgspec.json.decode(path.read_bytes(), type=Purged)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    return {file.name: file.sha256 for file in note.files}


class Due(Struct, frozen=True, kw_only=True):
    """Packets of one intake that may be deleted."""

    intake: str
    why: str
    files: tuple[Path, ...]


def due(run: Path, now: float, *, everything: bool = False) -> Iterator[Due]:
    """What has expired at `now`; with `everything` all that is kept."""
    root = run / KEPT
    if not root.is_dir():
        return
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        files = tuple(sorted(p for p in folder.iterdir() if p.suffix == ".pcapng"))
        if not files:
            continue
        info = _info(folder)
        expired = info.until is not None and parse_iso(info.until) <= now
        if expired or everything:
            why = f"expired {info.until}" if expired else "asked for by purge --all"
            yield Due(intake=folder.name, why=why, files=files)


def left(run: Path) -> Iterator[KeptInfo]:
    """What is kept now, of each intake, expired or not."""
    root = run / KEPT
    if root.is_dir():
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            if any(p.suffix == ".pcapng" for p in folder.iterdir()):
                yield _info(folder)


def purge(run: Path, what: Due, now: float) -> Purged:
    """Delete; the note is on the disk before the first file goes."""
    folder = folder_of(run, what.intake)
    earlier = folder / PURGED
    before: tuple[PurgedFile, ...] = ()
    try:
        if earlier.is_file():
            before = msgspec.json.decode(earlier.read_bytes(), type=Purged).files
        files = tuple(
            PurgedFile(f"{KEPT}/{what.intake}/{p.name}", p.stat().st_size, file_sha256(p))
            for p in what.files
        )
        known = {file.name for file in files}
        note = Purged(
            schema=SCHEMA,
            at=iso(now),
            why=what.why,
            files=(*(f for f in before if f.name not in known), *files),
        )
        _write(earlier, note)
        for path in what.files:
            path.unlink()
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"{folder}: cannot be purged ({error})") from error
    return note


def _info(folder: Path) -> KeptInfo:
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=KeptInfo)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"{folder / NOTE}: cannot be read ({error})") from error


def _write(path: Path, value: Struct) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)
