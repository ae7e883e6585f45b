"""How is a child process made to carve captures, one after the other, with answers that go on in the next?

The child keeps its connections between jobs; after each capture it says what was written so far. A child that had
to be replaced begins anew: what was under way is then told as incomplete by whoever asked.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from camscan.errors import InputError
from camscan.observe.traffic.carve import GATES, Body, Carver, Limits
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.source import open_source


class CarveJob(Struct, frozen=True, kw_only=True):
    """One capture; none: the captures are over."""

    capture: str
    number: int
    """Of the capture, from 0."""
    folder: str
    """Exists, and holds nothing that is not of this carving."""
    limits: Limits = Limits()


class Carved(Struct, frozen=True, kw_only=True):
    """What lies in the folder, written by this child."""

    child: int
    """The same number as long as it is the same child."""
    bodies: tuple[Body, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """(capture, what of it was not read)."""


class _Carving:
    def __init__(self, job: CarveJob) -> None:
        folder = Path(job.folder)
        parts = sorted(folder.glob("body-*.part"))
        last = int(parts[-1].stem.rpartition("-")[2]) if parts else 0
        size = sum(part.stat().st_size for part in parts)
        self.carver = Carver(folder, job.limits, number=last, size=size)
        self.engine = Engine(gates=GATES, feed=self.carver.feed)
        self.first = job.number


_running: list[_Carving] = []


def run(job: CarveJob) -> Carved:
    """The job of a child."""
    if not _running:
        _running.append(_Carving(job))
    carving = _running[0]
    engine, carver = carving.engine, carving.carver
    if job.capture:
        try:
            source = open_source(job.capture)
            source.number = job.number
            engine.read(source)
        except InputError as error:
            engine.fail(job.capture, str(error).removeprefix(f"{job.capture}: "))
    else:
        carver.finish()
        _running.clear()
    return Carved(
        child=carving.first,
        bodies=tuple(carver.bodies),
        left_out=tuple(sorted(carver.left_out.items())),
        problems=tuple((p.source, p.what) for p in engine.problems),
    )
