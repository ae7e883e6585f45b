"""How is one act of taking observations written so that a kill at any moment loses at most one exchange?

Blob first, then the line that refers to it. Lines go straight to the kernel (one `write` each), so a
killed process loses nothing that was written; `fsync` once a second bounds what a power cut can take.
Secrets and pictures are cut here, before a byte reaches the disk (DESIGN rule 11).
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct

from camscan.clock import Clock, iso
from camscan.decode.secrets import cut
from camscan.errors import RunError, SealedError
from camscan.journal import (
    ATTEMPTS,
    BLOB_LIMIT,
    IMAGE_LIMIT,
    OBSERVATIONS,
    AttemptLine,
    ObservationLine,
    blob_references,
    file_sha256,
    read_attempts,
    read_observations,
    torn_bytes,
    whole_lines,
)
from camscan.kept import files_of
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.run import RUN_SCHEMA, IntakeInfo, Seal

INTAKE = "intake.json"
SEAL = "seal.json"

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_REMEMBERED = 65_536
"""Names of blobs kept in memory, so that an answer many devices give alike is looked up once."""

_encode = msgspec.json.Encoder().encode


class _Journal:
    """An append-only file of lines; opened on what an earlier process left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = torn_bytes(path)
        if self.torn:
            os.truncate(path, path.stat().st_size - self.torn)
        self.count = sum(1 for _ in whole_lines(path))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, line: Struct) -> int:
        """Number of the line that was written."""
        os.write(self._file, _encode(line) + b"\n")
        self.count += 1
        return self.count

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1


class IntakeWriter:
    """Writes one intake. Not shared between processes; one event loop or thread at a time."""

    def __init__(self, run: Path, info: IntakeInfo, clock: Clock) -> None:
        self.run = run
        self.info = info
        self._clock = clock
        self.folder = run / "intakes" / info.id
        if (self.folder / SEAL).exists():
            raise SealedError(f"{self.folder}: this intake is sealed; a new scan adds a new intake")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / INTAKE).write_bytes(msgspec.json.format(_encode(info), indent=2) + b"\n")
        self._observations = _Journal(self.folder / OBSERVATIONS)
        self._attempts = _Journal(self.folder / ATTEMPTS)
        self._raw = str(run / "raw")
        self._stored: set[str] = set()
        self._synced = clock.now()

    @property
    def torn(self) -> int:
        """Bytes of half-written lines that were dropped when this intake was opened again."""
        return self._observations.torn + self._attempts.torn

    def observe(
        self,
        *,
        device_id: str,
        kind: Kind,
        response: bytes,
        port: int | None = None,
        transport: str = "",
        tls: bool = False,
        request: str | None = None,
        job: str | None = None,
        address: str | None = None,
        mac: str | None = None,
        interface: str | None = None,
        at: str | None = None,
        truncated: bool = False,
        canary: bool = False,
        flags: tuple[str, ...] = (),
        record_id: str | None = None,
    ) -> Observation:
        """Cut secrets, cap the bytes, store them, append the line; the observation with its id.

        `record_id` keeps the id an imported record brought. Raises RunError when the disk refuses.
        """
        kept, was_cut = cut(kind, response)
        if was_cut:
            flags = (*flags, "cut")
        limit = IMAGE_LIMIT if kind is Kind.IMAGE else BLOB_LIMIT
        if len(kept) > limit:
            kept, truncated = kept[:limit], True
        now = iso(self._clock.now()) if at is None else at
        try:
            sha256 = self._store(kept)
            number = self._observations.append(
                ObservationLine(
                    kind=kind,
                    device_id=device_id,
                    sha256=sha256,
                    port=port,
                    transport=transport,
                    tls=tls,
                    request=request,
                    job=job,
                    address=address,
                    mac=mac,
                    interface=interface,
                    at=now,
                    truncated=truncated,
                    canary=canary,
                    flags=flags,
                    id=UNSET if record_id is None else record_id,
                ),
            )
            self._sync_if_due()
        except OSError as error:
            raise RunError(
                f"{self.folder}: cannot write ({error.strerror}); free space and resume"
            ) from error
        return Observation(
            id=record_id or f"{self.info.id}:{number}",
            device_id=device_id,
            kind=kind,
            response=kept,
            port=port,
            transport=transport,
            tls=tls,
            request=request,
            job=job,
            address=address,
            mac=mac,
            interface=interface,
            at=now,
            truncated=truncated,
            canary=canary,
            flags=flags,
        )

    def attempt(
        self,
        *,
        device_id: str,
        test: str,
        reason: Reason,
        detail: str = "",
        port: int | None = None,
        kind: Kind | None = None,
    ) -> Attempt:
        """Append a test that gave no result; raises RunError when the disk refuses."""
        now = iso(self._clock.now())
        line = AttemptLine(
            device_id=device_id,
            test=test,
            reason=reason,
            detail=detail[:400],
            port=port,
            at=now,
            kind=kind,
        )
        try:
            number = self._attempts.append(line)
            self._sync_if_due()
        except OSError as error:
            raise RunError(
                f"{self.folder}: cannot write ({error.strerror}); free space and resume"
            ) from error
        return Attempt(
            id=f"{self.info.id}:a{number}",
            device_id=device_id,
            test=test,
            reason=reason,
            detail=line.detail,
            port=port,
            at=now,
            kind=kind,
        )

    def observations(self) -> Iterator[Observation]:
        """What is already there, for resuming."""
        return read_observations(self.run, self.info.id)

    def attempts(self) -> Iterator[Attempt]:
        """What was already tried without result, for resuming."""
        return read_attempts(self.run, self.info.id)

    def amend(self, info: IntakeInfo) -> None:
        """Replace intake.json while the intake is open: segments found, inputs hashed."""
        if info.id != self.info.id:
            raise RunError(f"{self.folder}: intake {info.id} cannot be written here")
        self.info = info
        (self.folder / INTAKE).write_bytes(msgspec.json.format(_encode(info), indent=2) + b"\n")

    def seal(self, *, complete: bool) -> Seal:
        """Close the intake for ever. `complete` is False where a test asked for did not finish."""
        self.close()
        names = sorted(p.name for p in self.folder.iterdir() if p.name != SEAL)
        blobs = blob_references(self.run, self.info.id)
        previous = _previous_seal(self.run, self.info.id)
        seal = Seal(
            schema=RUN_SCHEMA,
            intake=self.info.id,
            ended=iso(self._clock.now()),
            files=tuple(
                (name, file_sha256(self.run / name))
                for name in (
                    *(f"intakes/{self.info.id}/{name}" for name in names),
                    *files_of(self.run, self.info.id),
                )
            ),
            blobs=len(blobs),
            blobs_sha256=hashlib.sha256("\n".join(blobs).encode()).hexdigest(),
            previous=previous,
            complete=complete,
        )
        temporary = self.folder / f"{SEAL}.part"
        temporary.write_bytes(msgspec.json.format(_encode(seal), indent=2) + b"\n")
        temporary.replace(self.folder / SEAL)
        return seal

    def close(self) -> None:
        """Flush and close without sealing: the intake stays resumable."""
        self._observations.close()
        self._attempts.close()

    def _store(self, data: bytes) -> str:
        """Write the blob unless it is there; a blob of another size is what a kill left, and is replaced."""
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._stored:
            return sha256
        path = f"{self._raw}/{sha256[:2]}/{sha256}"
        try:
            file = os.open(path, _NEW_FILE, 0o644)
        except FileNotFoundError:
            Path(self._raw, sha256[:2]).mkdir(parents=True, exist_ok=True)
            file = os.open(path, _NEW_FILE, 0o644)
        except FileExistsError:
            if os.stat(path).st_size != len(data):  # noqa: PTH116 - the hot path of a scan
                part = Path(f"{path}.part")
                part.write_bytes(data)
                part.replace(path)
            return sha256
        try:
            written = os.write(file, data)
        finally:
            os.close(file)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if len(self._stored) < _REMEMBERED:
            self._stored.add(sha256)
        return sha256

    def _sync_if_due(self) -> None:
        now = self._clock.now()
        if not 0 <= now - self._synced < 1.0:
            self._synced = now
            self._observations.sync()
            self._attempts.sync()


def _previous_seal(run: Path, intake: str) -> str | None:
    earlier = [p for p in (run / "intakes").iterdir() if p.name < intake and (p / SEAL).exists()]
    return file_sha256(max(earlier) / SEAL) if earlier else None
