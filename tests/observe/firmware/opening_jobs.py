"""Functions that the children of test_child.py run. No test in here."""

from __future__ import annotations

import tempfile
from pathlib import Path

from msgspec import Struct

from camscan.observe.firmware.entry import Budget
from camscan.observe.firmware.opening import open_image


class Job(Struct, frozen=True):
    path: str
    budget: Budget


class Counted(Struct, frozen=True):
    files: int
    size: int
    reasons: tuple[str, ...] = ()


def count(job: Job) -> Counted:
    opening = open_image(Path(job.path), budget=job.budget)
    files = [len(e.data) for e in opening.entries() if e.kind == "file"]
    return Counted(len(files), sum(files), tuple(u.reason for u in opening.unopened))


def write(job: Job) -> Counted:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(1 << 20))
        file.flush()
    return Counted(0, 0)
