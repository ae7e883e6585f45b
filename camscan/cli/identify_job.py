"""What does one child do for `camscan identify`: name the devices of one part?

A part is a file that holds every record of the devices in it (identify_deal.py). The result is a
file too, renamed into place when it is whole: a child that dies leaves nothing half done.
"""

from __future__ import annotations

import functools
import gc
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan import knowledge
from camscan.cli.identify_deal import Part, read
from camscan.decode.text import clean
from camscan.identify.devices import Identifier
from camscan.identify.naming import Namer
from camscan.identify.stream import Batch, Left
from camscan.model.identity import Identity

SHOWN = 20
"""Lines that were not read, told one by one."""
_REASONS = 200


class PartJob(Struct, frozen=True, kw_only=True):
    folder: str
    part: Part
    result: str
    local: str | None
    as_json: bool


class PartDone(Struct, frozen=True, kw_only=True):
    """What was in one part."""

    devices: int
    observations: int
    unread: int
    """Lines that are no record."""
    shown: tuple[Left, ...]
    """The first of them."""
    unanswered: dict[str, int]
    """Reason -> tests of which the file itself says that there was no answer."""


def namer(local: Path | None) -> Namer:
    """With the shipped signatures and the user's own."""
    made = Namer(Identifier(knowledge.load(local=local)))
    # Records hold no cycles: looking for some at every 700 of them costs a tenth of the time.
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 20)
    return made


_kept = functools.lru_cache(maxsize=1)(namer)
"""For the life of a child: it gets faster from part to part."""


def name_part(job: PartJob) -> PartDone:
    """Name the devices of a part; lines of the result are `file number text`."""
    batch = Batch(_kept(Path(job.local) if job.local else None))
    for line in read(Path(job.folder), job.part):
        batch.add(line)
    devices = 0
    result = Path(job.result)
    unfinished = result.with_name(f"{result.name}.unfinished")
    with unfinished.open("wb") as out:
        for one in batch.named():
            devices += 1
            out.write(b"%d %d %b\n" % (one.file, one.number, shown(one.json, as_json=job.as_json)))
    unfinished.replace(result)
    return done(batch, devices)


def done(batch: Batch, devices: int) -> PartDone:
    """The counts of a batch."""
    unread = [x for x in batch.left if not x.expected]
    reasons = Counter(x.skipped.reason for x in batch.left if x.expected)
    return PartDone(
        devices=devices,
        observations=batch.observations,
        unread=len(unread),
        shown=tuple(unread[:SHOWN]),
        unanswered=dict(reasons.most_common(_REASONS)),
    )


def shown(line: bytes, *, as_json: bool) -> bytes:
    """A device as it is printed."""
    return line if as_json else text(msgspec.json.decode(line, type=Identity)).encode()


def total(parts: Iterable[PartDone]) -> PartDone:
    """All of them together."""
    parts = tuple(parts)
    reasons: Counter[str] = Counter()
    for one in parts:
        reasons.update(one.unanswered)
    first = sorted((x for p in parts for x in p.shown), key=lambda x: (x.file, x.skipped.line))
    return PartDone(
        devices=sum(p.devices for p in parts),
        observations=sum(p.observations for p in parts),
        unread=sum(p.unread for p in parts),
        shown=tuple(first[:SHOWN]),
        unanswered=dict(reasons),
    )


def text(device: Identity) -> str:
    """One line for a person."""
    camera = {True: "camera system", False: "other device", None: "unknown"}[device.is_camera]
    named = [
        f"{name} {value}"
        for name, value in (
            ("role", device.role),
            ("maker", device.maker),
            ("brand", device.brand),
            ("platform", device.platform),
            ("model", device.model),
            ("firmware", device.firmware),
        )
        if value is not None
    ]
    conflicts = [f"CONFLICT {c}" for c in device.conflicts]
    words = (device.device_id, camera, f"({device.confidence})", *named, *conflicts)
    return clean("  ".join(words))
