"""What does a run directory say of itself?"""

from __future__ import annotations

from msgspec import Struct

RUN_SCHEMA = "camscan-run/1"
REPORT_SCHEMA = "camscan-report/1"


class RunInfo(Struct, frozen=True, kw_only=True):
    """run.json"""

    schema: str
    run_id: str
    owner: str
    authority: str | None
    """None where only files were read."""
    created: str


class Input(Struct, frozen=True, kw_only=True):
    """A file that was read: name, size in bytes, SHA-256."""

    name: str
    size: int
    sha256: str


class IntakeInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """intake.json: one act of taking observations into a run."""

    id: str
    """`0001-scan`"""
    kind: str
    """scan | ingest | traffic | firmware | settings"""
    started: str
    tool_version: str
    knowledge_hash: str
    vantage: str
    scope: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    scope_sha256: str = ""
    options: tuple[tuple[str, str], ...] = ()
    inputs: tuple[Input, ...] = ()
    segments: tuple[str, ...] = ()
    """Filled as found: `10.20.0.0/24 on-link vs0`."""


class Seal(Struct, frozen=True, kw_only=True):
    """seal.json: hashes of every file of the intake and of the previous seal."""

    schema: str
    intake: str
    ended: str
    files: tuple[tuple[str, str], ...]
    """(path below the run, sha256), sorted."""
    blobs: int
    blobs_sha256: str
    """SHA-256 over the sorted names of the blobs this intake refers to."""
    previous: str | None
    """SHA-256 of the previous intake's seal.json."""
    complete: bool
    """False where a test asked for did not finish (exit code 2)."""
