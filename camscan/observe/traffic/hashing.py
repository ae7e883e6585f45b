"""Which bytes were read? The SHA-256 of each input, by a process beside the one that reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.limited import Line

HASHED = 48
_STEP = 1 << 20


class Hashed(Struct, frozen=True, kw_only=True):
    number: int
    size: int
    sha256: str
    """Empty where the file could not be read."""


def hash_files(line: Line) -> None:
    """In a child: hears one list of `Wanted`, tells `Hashed` for each in their order."""
    from camscan.observe.traffic.messages import Wanted

    said = line.hear()
    if said is None:
        return
    for wanted in msgspec.msgpack.decode(said[1], type=list[Wanted]):
        line.tell(HASHED, msgspec.msgpack.encode(_hashed(wanted.number, Path(wanted.path))))


def _hashed(number: int, path: Path) -> Hashed:
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb", buffering=0) as file:
            while part := file.read(_STEP):
                digest.update(part)
                size += len(part)
    except OSError:
        return Hashed(number=number, size=0, sha256="")
    return Hashed(number=number, size=size, sha256=digest.hexdigest())
