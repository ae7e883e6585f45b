"""How is firmware that was downloaded in captures written to a folder the user names (`camscan traffic --carve`)?

A second reading, in a child with limits: it may write into that folder and nowhere else needs it to. Names of
files are made here from a number and a hash; where each came from stands in carve.json.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import msgspec

from camscan.cli.progress import StatusLine
from camscan.clock import SystemClock, iso
from camscan.decode.text import clean
from camscan.errors import InputError, UsageError
from camscan.journal import file_sha256
from camscan.observe.traffic import sets
from camscan.observe.traffic.carve import Body, Limits, missing
from camscan.observe.traffic.carving import Carved, CarveJob
from camscan.run import Run
from camscan.worker import Limits as ChildLimits
from camscan.workers import Workers

SCHEMA = "camscan-carve/1"
INDEX = "carve.json"
_MEMORY = 2 << 30
_CPU, _CPU_PER_MB = 600, 2


def begin(captures: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Make the folder, which is new or empty and no part of a run; the files to carve in."""
    files = sets.gathered(captures).files
    whole = folder.resolve()
    if any(Run.is_run(place) for place in (whole, *whole.parents)):
        raise UsageError(f"{folder}: lies in a run; name a folder elsewhere")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"{folder}: is not empty, and nothing is overwritten; name another folder"
            )
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from error
    return files


def carve(files: Sequence[Path], folder: Path, *, limits: Limits, quiet: bool) -> bool:
    """Read the captures once more; whether all of them could be read."""
    status = StatusLine(SystemClock(), quiet=quiet)
    bodies: dict[str, Body] = {}
    left_out: dict[int, tuple[tuple[str, int], ...]] = {}
    problems: dict[int, tuple[tuple[str, str], ...]] = {}
    failed: list[str] = []
    jobs = [
        CarveJob(
            capture=os.path.realpath(path),
            number=number,
            folder=str(folder.resolve()),
            limits=limits,
        )
        for number, path in enumerate(files)
    ]
    jobs.append(
        CarveJob(capture="", number=len(files), folder=str(folder.resolve()), limits=limits)
    )
    with Workers(
        "camscan.observe.traffic.carving:run", Carved, count=1, limits=_limits(files, limits)
    ) as pool:
        for outcome in pool.run(jobs):
            status.stage("captures carved", min(outcome.number + 1, len(files)), len(files))
            if outcome.value is None:
                assert outcome.failure is not None
                failed.append(f"{jobs[outcome.number].capture}: {outcome.failure.detail}")
                continue
            found = outcome.value
            bodies |= {body.file: body for body in found.bodies}
            left_out[found.child] = found.left_out
            problems[found.child] = found.problems
    status.close()
    for body in bodies.values():
        body.why = body.why or missing(body)
    said = [
        *failed,
        *(f"{source}: {what}" for found in problems.values() for source, what in found),
    ]
    lines = _named(folder, sorted(bodies.values(), key=lambda b: (b.begun, b.file)), files)
    index = {
        "schema": SCHEMA,
        "captures": [{"name": clean(path.name), "sha256": _capture_sha256(path)} for path in files],
        "bodies": lines,
        "not_carved": _sum(left_out.values()),
        "not_read": [clean(text) for text in said],
    }
    (folder / INDEX).write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    whole = sum(line["complete"] is True for line in lines)
    for text in said:
        click.echo(f"camscan: carving: {clean(text)}", err=True)
    click.echo(
        f"camscan: {len(lines)} bodies that look like firmware, {whole} complete: {folder / INDEX}"
        + (f"; next: camscan firmware {folder}" if lines else ""),
        err=True,
    )
    return not said


def _sum(counts: Iterable[tuple[tuple[str, int], ...]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for found in counts:
        for reason, count in found:
            total[reason] = total.get(reason, 0) + count
    return total


def _limits(files: Sequence[Path], limits: Limits) -> ChildLimits:
    megabytes = 0
    for path in files:
        with contextlib.suppress(OSError):
            megabytes = max(megabytes, path.stat().st_size >> 20)
    seconds = _CPU + _CPU_PER_MB * megabytes
    return ChildLimits(
        memory=_MEMORY,
        cpu_seconds=seconds,
        job_seconds=2.0 * seconds,
        file_bytes=limits.one,
        tries=2,
    )


def _named(folder: Path, bodies: Sequence[Body], files: Sequence[Path]) -> list[dict[str, object]]:
    """Give each file its name, one for the same bytes; drop what nobody told of."""
    lines: list[dict[str, object]] = []
    known: dict[tuple[str, str], str] = {}
    for number, body in enumerate(bodies, 1):
        part = folder / body.file
        digest = _sha256(part)
        ending = "incomplete.bin" if body.why else "bin"
        name = known.setdefault((digest, ending), f"{number:04d}-{digest[:12]}.{ending}")
        part.replace(folder / name)
        lines.append(
            {
                "file": name,
                "sha256": digest,
                "size": (folder / name).stat().st_size,
                "complete": not body.why,
                "why": body.why,
                "expected": body.expected,
                "framing": body.framing,
                "holes": _holes(body),
                "client": body.client,
                "server": body.server,
                "port": body.port,
                "host": body.host,
                "path": body.path,
                "content_type": body.kind,
                "content_encoding": body.coding,
                "begun": iso(body.begun),
                "ended": iso(body.ended),
                "capture": clean(files[body.source].name),
                "offset": body.offset,
            }
        )
    for part in folder.glob("body-*.part"):
        part.unlink()
    return lines


def _holes(body: Body) -> list[list[int]]:
    """(begin, end) of what never came, up to the length that was stated; zeros stand in its place."""
    end = body.expected if body.expected is not None else body.size
    edges = [0, *(edge for span in body.held for edge in span), end]
    return [[low, high] for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]


def _capture_sha256(path: Path) -> str | None:
    """None where it cannot be read: that stands under `not_read`."""
    try:
        return file_sha256(path)
    except OSError:
        return None


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
