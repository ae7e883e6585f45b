"""Where does a judgement of a run lie on disk, and how is it read back?

`assessments/0001/` is derived and never overwritten: every assessment gets the next number. Claims are
written once and referred to by findings, so that a large run stays readable and small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from camscan.errors import RunError
from camscan.journal import whole_lines
from camscan.model.claim import Attribute, Claim, Device, Endpoint
from camscan.model.finding import (
    Assessment,
    ConcernResult,
    Coverage,
    Decision,
    Finding,
    Interval,
    NextTest,
)
from camscan.model.firmware import ExaminedImage

FOLDER = "assessments"
IMAGES = "images.ndjson"
"""Only where the run holds firmware images."""
_T = TypeVar("_T")


class _Reference(Struct, frozen=True):
    """Points to a line of claims.ndjson."""

    subject: str
    attribute: Attribute
    value: str | None


class _FindingLine(Struct, frozen=True):
    finding: Finding
    claims: tuple[_Reference, ...]


class _Judged(Struct, frozen=True):
    """coverage.json"""

    coverage: Coverage
    concerns: tuple[ConcernResult, ...]
    decisions: tuple[tuple[str, Decision], ...]
    factors: tuple[tuple[str, tuple[Interval, ...]], ...]
    next_tests: tuple[NextTest, ...]


class _Inputs(Struct, frozen=True):
    """inputs.json: everything the result is a function of, and the hashes of the files beside it."""

    assessment: Assessment
    files: tuple[tuple[str, str], ...]


def numbers(run: Path) -> tuple[int, ...]:
    """Numbers of the assessments of a run, oldest first."""
    root = run / FOLDER
    if not root.is_dir():
        return ()
    return tuple(
        sorted(
            int(p.name) for p in root.iterdir() if p.name.isdigit() and (p / "inputs.json").exists()
        ),
    )


def folder(run: Path, number: int) -> Path:
    return run / FOLDER / f"{number:04d}"


def write(run: Path, assessment: Assessment) -> Path:
    """Write the next assessment; its folder. inputs.json last: without it the folder does not count."""
    number = max(numbers(run), default=0) + 1
    target = folder(run, number)
    target.mkdir(parents=True, exist_ok=True)
    claims = [c for device in assessment.devices for c in device.claims]
    judged = _Judged(
        assessment.coverage,
        assessment.concerns,
        assessment.decisions,
        assessment.factors,
        assessment.next_tests,
    )
    files = (
        _write_lines(target / "claims.ndjson", claims),
        _write_lines(
            target / "devices.ndjson",
            (msgspec.structs.replace(d, claims=(), endpoints=()) for d in assessment.devices),
        ),
        _write_lines(target / "endpoints.ndjson", assessment.endpoints),
        _write_lines(target / "findings.ndjson", (_without_claims(f) for f in assessment.findings)),
        _write_document(target / "coverage.json", judged),
        *([_write_lines(target / IMAGES, assessment.images)] if assessment.images else []),
    )
    bare = msgspec.structs.replace(
        assessment,
        devices=(),
        endpoints=(),
        findings=(),
        decisions=(),
        factors=(),
        concerns=(),
        next_tests=(),
        images=(),
    )
    _write_document(target / "inputs.json", _Inputs(bare, files))
    return target


def read(run: Path, number: int | None = None) -> Assessment:
    """An assessment, the newest by default; RunError if there is none or it cannot be read."""
    known = numbers(run)
    if not known:
        raise RunError(f"{run}: not assessed yet; run `camscan assess {run}`")
    if number is None:
        number = known[-1]
    source = folder(run, number)
    try:
        bare = msgspec.json.decode((source / "inputs.json").read_bytes(), type=_Inputs).assessment
        judged = msgspec.json.decode((source / "coverage.json").read_bytes(), type=_Judged)
        claims: dict[str, list[Claim]] = {}
        for claim in _read_lines(source / "claims.ndjson", Claim):
            claims.setdefault(claim.subject, []).append(claim)
        endpoints = tuple(_read_lines(source / "endpoints.ndjson", Endpoint))
        by_device: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            by_device.setdefault(endpoint.device_id, []).append(endpoint)
        devices = tuple(
            msgspec.structs.replace(
                d,
                claims=tuple(claims.get(d.device_id, ())),
                endpoints=tuple(by_device.get(d.device_id, ())),
            )
            for d in _read_lines(source / "devices.ndjson", Device)
        )
        findings = tuple(_with_claims(source / "findings.ndjson", claims))
        images = (
            tuple(_read_lines(source / IMAGES, ExaminedImage)) if (source / IMAGES).exists() else ()
        )
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(
            f"{source}: cannot be read ({error}); assessments are derived, run `camscan assess {run}`",
        ) from error
    return msgspec.structs.replace(
        bare,
        devices=devices,
        endpoints=endpoints,
        findings=findings,
        coverage=judged.coverage,
        concerns=judged.concerns,
        decisions=judged.decisions,
        factors=judged.factors,
        next_tests=judged.next_tests,
        images=images,
    )


def changed(run: Path) -> Iterator[str]:
    """Files of assessments that are no longer as written (path below the run)."""
    for number in numbers(run):
        source = folder(run, number)
        try:
            listed = msgspec.json.decode((source / "inputs.json").read_bytes(), type=_Inputs).files
        except (OSError, msgspec.MsgspecError):
            yield f"{FOLDER}/{source.name}/inputs.json"
            continue
        for name, sha256 in listed:
            path = source / name
            if not path.exists() or _digest(path) != sha256:
                yield f"{FOLDER}/{source.name}/{name}"


def _without_claims(finding: Finding) -> _FindingLine:
    return _FindingLine(
        msgspec.structs.replace(finding, claims=()),
        tuple(_Reference(c.subject, c.attribute, c.value) for c in finding.claims),
    )


def _with_claims(path: Path, claims: dict[str, list[Claim]]) -> Iterator[Finding]:
    index: dict[tuple[str, Attribute, str | None], Claim] = {
        (c.subject, c.attribute, c.value): c for many in claims.values() for c in many
    }
    for line in _read_lines(path, _FindingLine):
        found = tuple(
            index[key] for r in line.claims if (key := (r.subject, r.attribute, r.value)) in index
        )
        yield msgspec.structs.replace(line.finding, claims=found)


def _write_lines(path: Path, records: Iterable[Struct]) -> tuple[str, str]:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for record in records:
            file.write(encoder.encode(record) + b"\n")
    return path.name, _digest(path)


def _write_document(path: Path, record: Struct) -> tuple[str, str]:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return path.name, _digest(path)


def _read_lines(path: Path, kind: type[_T]) -> Iterator[_T]:
    decode: Callable[[Any], _T] = msgspec.json.Decoder(kind).decode
    for _, line in whole_lines(path):
        yield decode(line)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
