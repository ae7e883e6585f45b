"""What does a run directory hold, and is it still what was written?

Layout and promises: DESIGN section 4. Sealed intakes never change; everything under assessments/ is
derived from them and can be made again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.clock import Clock, compact, iso
from camscan.errors import RunError, SchemaError, UsageError
from camscan.intake import INTAKE, SEAL, IntakeWriter
from camscan.journal import (
    blob_path,
    blob_references,
    file_sha256,
    read_attempts,
    read_observations,
    torn_bytes,
)
from camscan.kept import KEPT, files_of, purged_of
from camscan.model.observation import Attempt, Observation
from camscan.model.run import RUN_SCHEMA, IntakeInfo, RunInfo, Seal

__all__ = ["IntakeWriter", "Problem", "Run"]

RUN = "run.json"


class Problem(Struct, frozen=True, kw_only=True):
    """One thing `verify` found wrong."""

    where: str
    """Path below the run."""
    what: str


class Run:
    """A run directory. Opening reads run.json only; nothing is written before `new_intake`."""

    def __init__(self, path: Path, info: RunInfo, clock: Clock) -> None:
        self.path = path
        self.info = info
        self._clock = clock

    @classmethod
    def create(cls, path: Path, *, owner: str, authority: str | None, clock: Clock) -> Run:
        """A new run; UsageError if the folder holds anything already."""
        if path.exists() and any(path.iterdir()):
            raise UsageError(
                f"{path}: exists and is not empty; name a new folder or an existing run"
            )
        now = clock.now()
        try:
            (path / "intakes").mkdir(parents=True, exist_ok=True)
            (path / "raw").mkdir(exist_ok=True)
            info = RunInfo(
                schema=RUN_SCHEMA,
                run_id=f"{compact(now)}-{secrets.token_hex(4)}",
                owner=owner,
                authority=authority,
                created=iso(now),
            )
            (path / RUN).write_bytes(
                msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"
            )
        except OSError as error:
            raise RunError(f"{path}: cannot create a run here ({error.strerror})") from error
        return cls(path, info, clock)

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Run:
        """An existing run; RunError if it is none, SchemaError if it is newer than this program."""
        try:
            raw = (path / RUN).read_bytes()
        except OSError as error:
            raise RunError(f"{path}: not a run ({RUN} cannot be read: {error.strerror})") from error
        try:
            schema = msgspec.json.decode(raw, type=_Schema).schema
            if schema.rpartition("/")[0] != RUN_SCHEMA.rpartition("/")[0] or not schema.endswith(
                "/1"
            ):
                raise SchemaError(
                    f"{path}/{RUN}: written as {schema}, this program reads {RUN_SCHEMA}; "
                    "use the camscan version that wrote it, or a newer one",
                )
            info = msgspec.json.decode(raw, type=RunInfo)
        except msgspec.MsgspecError as error:
            raise RunError(f"{path}/{RUN}: not what a run starts with ({error})") from error
        return cls(path, info, clock)

    @classmethod
    def is_run(cls, path: Path) -> bool:
        return (path / RUN).is_file()

    def intakes(self) -> tuple[IntakeInfo, ...]:
        """All intakes in order, sealed or not."""
        found = []
        for folder in self._folders():
            try:
                found.append(msgspec.json.decode((folder / INTAKE).read_bytes(), type=IntakeInfo))
            except (OSError, msgspec.MsgspecError) as error:
                raise RunError(f"{folder}/{INTAKE}: cannot be read ({error})") from error
        return tuple(found)

    def seal_of(self, intake: str) -> Seal | None:
        path = self.path / "intakes" / intake / SEAL
        if not path.exists():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=Seal)
        except msgspec.MsgspecError as error:
            raise RunError(f"{path}: cannot be read ({error})") from error

    def seals(self) -> tuple[tuple[str, str], ...]:
        """(intake, SHA-256 of its seal.json) of every sealed intake."""
        return tuple(
            (folder.name, file_sha256(folder / SEAL))
            for folder in self._folders()
            if (folder / SEAL).exists()
        )

    def new_intake(self, info: IntakeInfo) -> IntakeWriter:
        """Start an intake; its id is made from the next number and `info.kind`."""
        if (open_one := self.unsealed()) is not None:
            raise UsageError(
                f"{self.path}: intake {open_one} was not finished; finish it with --resume first",
            )
        number = len(self._folders()) + 1
        info = msgspec.structs.replace(info, id=f"{number:04d}-{info.kind}")
        return IntakeWriter(self.path, info, self._clock)

    def unsealed(self) -> str | None:
        """Id of the intake that was not finished, None if all are sealed."""
        return next((f.name for f in self._folders() if not (f / SEAL).exists()), None)

    def resume(self) -> IntakeWriter:
        """Continue the unsealed intake; UsageError if there is none."""
        intake = self.unsealed()
        if intake is None:
            raise UsageError(f"{self.path}: nothing to resume, every intake is sealed")
        info = msgspec.json.decode(
            (self.path / "intakes" / intake / INTAKE).read_bytes(),
            type=IntakeInfo,
        )
        return IntakeWriter(self.path, info, self._clock)

    def observations(self) -> Iterator[Observation]:
        """All observations of all intakes, in order."""
        for folder in self._folders():
            yield from read_observations(self.path, folder.name)

    def attempts(self) -> Iterator[Attempt]:
        """All attempts of all intakes, in order."""
        for folder in self._folders():
            yield from read_attempts(self.path, folder.name)

    def verify(self) -> tuple[Problem, ...]:
        """Everything that is no longer as sealed; empty = intact.

        Changed files, missing or changed blobs, a broken chain of seals, torn lines. An unsealed
        intake is reported, not hidden.
        """
        problems: list[Problem] = []
        previous: str | None = None
        for folder in self._folders():
            where = f"intakes/{folder.name}"
            problems.extend(
                Problem(where=f"{where}/{journal}", what=f"torn last line ({torn} bytes)")
                for journal in ("observations.ndjson", "attempts.ndjson")
                if (torn := torn_bytes(folder / journal))
            )
            if not (folder / SEAL).exists():
                problems.append(Problem(where=where, what="not sealed: the intake did not finish"))
                continue
            try:
                seal = self.seal_of(folder.name)
            except RunError as error:
                problems.append(Problem(where=f"{where}/{SEAL}", what=str(error)))
                continue
            assert seal is not None  # the file exists, checked above
            if seal.previous != previous:
                problems.append(
                    Problem(where=f"{where}/{SEAL}", what="does not follow the seal before it"),
                )
            previous = file_sha256(folder / SEAL)
            problems.extend(self._check_files(folder, seal))
            problems.extend(self._check_blobs(folder.name, seal))
        return tuple(problems)

    def _check_files(self, folder: Path, seal: Seal) -> Iterator[Problem]:
        listed = dict(seal.files)
        try:
            purged = purged_of(self.path, folder.name)
        except RunError as error:
            yield Problem(where=f"{KEPT}/{folder.name}", what=str(error))
            purged = {}
        for name, sha256 in seal.files:
            path = self.path / name
            if not path.exists():
                if purged.get(name) == sha256:
                    continue  # deleted by `purge`, which left its hash
                yield Problem(where=name, what="missing")
            elif file_sha256(path) != sha256:
                yield Problem(where=name, what="changed after it was sealed")
        for path in sorted(folder.iterdir()):
            name = f"intakes/{folder.name}/{path.name}"
            if path.name != SEAL and name not in listed:
                yield Problem(where=name, what="added after the intake was sealed")
        for name in files_of(self.path, folder.name):
            if name not in listed:
                yield Problem(where=name, what="added after the intake was sealed")

    def _check_blobs(self, intake: str, seal: Seal) -> Iterator[Problem]:
        try:
            names = blob_references(self.path, intake)
        except msgspec.MsgspecError as error:
            yield Problem(where=f"intakes/{intake}", what=f"a line cannot be read ({error})")
            return
        if hashlib.sha256("\n".join(names).encode()).hexdigest() != seal.blobs_sha256:
            yield Problem(where=f"intakes/{intake}", what="refers to other bytes than were sealed")
        for name in names:
            path = blob_path(self.path, name)
            where = str(path.relative_to(self.path))
            if not path.exists():
                yield Problem(where=where, what="missing")
            elif file_sha256(path) != name:
                yield Problem(where=where, what="changed: its bytes no longer match its name")

    def _folders(self) -> list[Path]:
        root = self.path / "intakes"
        return sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


class _Schema(Struct):
    schema: str
