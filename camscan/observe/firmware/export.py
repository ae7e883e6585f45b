"""How do all strings of an image come out of its child, a few megabytes at a time?

The child keeps the image open between jobs and gives one part for each; a child that had to be replaced
begins anew and skips what was given before, so that nothing is lost and nothing comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from camscan.decode.text import clean
from camscan.observe.firmware import suffixes
from camscan.observe.firmware.anchors import Finder
from camscan.observe.firmware.entry import Budget
from camscan.observe.firmware.examine import unpacked
from camscan.observe.firmware.opening import open_image
from camscan.observe.firmware.strings import String, find
from camscan.observe.firmware.watch import BudgetError

PART = 4 << 20
"""Bytes of one part, and at most one string more."""

Form = Literal["ndjson", "text"]


class StringsJob(Struct, frozen=True, kw_only=True):
    """One part of the strings of one image."""

    path: str
    name: str
    number: int
    """0 for the first part."""
    form: Form = "ndjson"
    budget: Budget = Budget()


class StringsPart(Struct, frozen=True, kw_only=True):
    """Lines, and how far the image was read."""

    lines: bytes = b""
    strings: int = 0
    """In these lines."""
    read: int = 0
    """Bytes of files looked through so far."""
    not_examined: int = 0
    """Parts of the image that stayed closed; complete with the last part."""
    last: bool = False


class _Export:
    """One image that is under way in this child."""

    def __init__(self, job: StringsJob) -> None:
        self.key = (job.path, job.form)
        self.following = 0
        self._parts = _parts(job)

    def part(self) -> StringsPart:
        self.following += 1
        return next(self._parts, StringsPart(last=True))


_running: list[_Export] = []


def run(job: StringsJob) -> StringsPart:
    """The job of a child: the next part. Raises OSError where the image cannot be read."""
    if not (
        _running and _running[0].key == (job.path, job.form) and _running[0].following <= job.number
    ):
        _running[:] = [_Export(job)]
    export = _running[0]
    while export.following < job.number:
        export.part()
    return export.part()


def _parts(job: StringsJob) -> Iterator[StringsPart]:
    opening = open_image(Path(job.path), budget=job.budget)
    finder = Finder(suffixes.load().endings)
    lines: list[bytes] = []
    size = read = 0
    late = 0
    try:
        for entry in opening.entries():
            if entry.kind not in {"file", "gap"} or unpacked(entry.data):
                continue
            data = bytes(entry.data)
            read += len(data)
            for found in find(entry.path, data, finder.find(data)):
                line = _line(job, entry.path, found)
                lines.append(line)
                size += len(line)
                if size >= PART:
                    yield StringsPart(lines=b"".join(lines), strings=len(lines), read=read)
                    lines.clear()
                    size = 0
                    opening.watch.tick()
    except BudgetError:
        late = 1
    yield StringsPart(
        lines=b"".join(lines),
        strings=len(lines),
        read=read,
        not_examined=len(opening.unopened) + late,
        last=True,
    )


def _line(job: StringsJob, path: str, found: String) -> bytes:
    where = clean(path)
    if job.form == "text":
        place = f"{clean(job.name)}\t{where}\t{found.offset}\t{found.encoding}\t{found.text}\n"
        return place.encode("utf-8", "replace")
    return (
        msgspec.json.encode(
            {
                "image": clean(job.name),
                "path": where,
                "offset": found.offset,
                "length": found.length,
                "encoding": found.encoding,
                "text": found.text,
            }
        )
        + b"\n"
    )
