"""How are the lines and bytes of an intake read back?

A torn last line, which a kill may leave, is left out; what else cannot be read is an error that names
file and line. Written by `camscan.intake`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

from camscan.errors import RunError
from camscan.model.observation import Attempt, Kind, Observation, Reason

BLOB_LIMIT = 64 * 1024
"""Bytes of one answer that are kept (DESIGN section 4)."""

IMAGE_LIMIT = 32 * 1024 * 1024
"""Bytes of what was read from one firmware image: a record of ours, not an answer."""

OBSERVATIONS = "observations.ndjson"
ATTEMPTS = "attempts.ndjson"


class ObservationLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of observations.ndjson: an Observation whose bytes are a reference."""

    kind: Kind
    device_id: str
    sha256: str
    port: int | None = None
    transport: str = ""
    tls: bool = False
    request: str | None = None
    job: str | None = None
    address: str | None = None
    mac: str | None = None
    interface: str | None = None
    at: str | None = None
    truncated: bool = False
    canary: bool = False
    flags: tuple[str, ...] = ()
    id: str | UnsetType = UNSET
    """Only where an import brought its own id."""


class AttemptLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    device_id: str
    test: str
    reason: Reason
    detail: str = ""
    port: int | None = None
    at: str | None = None
    kind: Kind | None = None


_decode_line = msgspec.json.Decoder(ObservationLine).decode
_decode_attempt = msgspec.json.Decoder(AttemptLine).decode


def blob_path(run: Path, sha256: str) -> Path:
    """`raw/ab/<sha256>`"""
    return run / "raw" / sha256[:2] / sha256


def read_blob(run: Path, sha256: str) -> bytes:
    """The bytes behind a reference; RunError if they are missing (a changed byte is found by `verify`)."""
    try:
        return blob_path(run, sha256).read_bytes()
    except OSError as error:
        raise RunError(
            f"{blob_path(run, sha256)}: the bytes of an observation cannot be read ({error.strerror}); "
            "restore the run from its copy, or run `camscan verify` to see what is missing",
        ) from error


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line) of every line that ends in a newline; a torn last line is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line


def torn_bytes(path: Path) -> int:
    """Bytes after the last newline: what a kill left half written."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return 0
        step = min(size, 4 * BLOB_LIMIT)
        file.seek(size - step)
        tail = file.read(step)
    return len(tail) - (tail.rfind(b"\n") + 1)


def read_observations(run: Path, intake: str) -> Iterator[Observation]:
    """Every observation of an intake, in the order it was written."""
    path = run / "intakes" / intake / OBSERVATIONS
    for number, raw in whole_lines(path):
        try:
            line = _decode_line(raw)
        except msgspec.MsgspecError as error:
            raise RunError(f"{path}:{number}: not a line of observations ({error})") from error
        yield Observation(
            id=f"{intake}:{number}" if line.id is UNSET else line.id,
            device_id=line.device_id,
            kind=line.kind,
            response=read_blob(run, line.sha256),
            port=line.port,
            transport=line.transport,
            tls=line.tls,
            request=line.request,
            job=line.job,
            address=line.address,
            mac=line.mac,
            interface=line.interface,
            at=line.at,
            truncated=line.truncated,
            canary=line.canary,
            flags=line.flags,
        )


def read_attempts(run: Path, intake: str) -> Iterator[Attempt]:
    """Every attempt of an intake, in the order it was written."""
    path = run / "intakes" / intake / ATTEMPTS
    for number, raw in whole_lines(path):
        try:
            line = _decode_attempt(raw)
        except msgspec.MsgspecError as error:
            raise RunError(f"{path}:{number}: not a line of attempts ({error})") from error
        yield Attempt(
            id=f"{intake}:a{number}",
            device_id=line.device_id,
            test=line.test,
            reason=line.reason,
            detail=line.detail,
            port=line.port,
            at=line.at,
            kind=line.kind,
        )


def blob_references(run: Path, intake: str) -> tuple[str, ...]:
    """Sorted SHA-256 names of the blobs an intake refers to."""
    path = run / "intakes" / intake / OBSERVATIONS
    return tuple(sorted({_decode_line(raw).sha256 for _, raw in whole_lines(path)}))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
