"""What do the process that reads packets and its parent say to each other?

Each message is a kind and msgpack of one type of this module, checked when it is read: a child has read foreign
bytes, so the parent believes nothing but the shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from camscan.model.service import ServiceSignature
from camscan.model.traffic import CaptureSummary

TAKE, CHECK = "camscan.observe.traffic.child:take", "camscan.observe.traffic.check_child:check"
"""What a child may be asked to do."""

JOB, SEEN = 16, 17
"""To the child: what to do; how the capture went (for a check)."""
LOOKED, BEGUN, PROGRESS, READ, STATE = 32, 33, 34, 35, 36
NAMES, FLOWS, SERVICES, FACTS, DONE, ANSWERS = 40, 41, 42, 43, 44, 45
"""From the child."""
AT_ONCE = 4096
"""Records of one message of a result."""


class Going(Struct, frozen=True, kw_only=True):
    """Where in an input, between two of its records, another reading could go on."""

    at: int
    """Offset of the next record, decompressed."""
    framer: bytes = b""
    """What the framer remembers of what came before."""
    damages: int = 0
    skipped: int = 0
    """Bytes behind damage so far."""


class FileRead(Struct, frozen=True, kw_only=True):
    """One file was read, to its end or to where it could be."""

    number: int
    packets: int
    first: float | None
    last: float | None


class Halfway(Struct, frozen=True, kw_only=True):
    """A file of which the beginning is in a state."""

    read: FileRead
    """Of that beginning."""
    going: Going
    size: int
    modified: int
    """When the file was opened: bytes, and nanoseconds; it may not have changed. Size -1: let it have changed."""


class Wanted(Struct, frozen=True):
    """A file, by its place in the order in which it was given."""

    number: int
    path: str
    halfway: Halfway | None = None
    """Go on there."""
    mapped: bool = True
    """Let it be looked at in place."""


class KeepJob(Struct, frozen=True, kw_only=True):
    """Packets to keep; see `keep`."""

    folder: str
    mode: str
    limit: int
    packets: int = 0
    """Kept before, by a reading that this one goes on from."""


class TakeJob(Struct, frozen=True, kw_only=True):
    """One reading: files, or the stream of the line."""

    services: tuple[ServiceSignature, ...]
    resolvers: dict[str, str]
    local: tuple[str, ...] = ()
    vantage: str = "file"
    files: tuple[Wanted, ...] = ()
    in_order: bool = False
    """Read them by the time of their first packets."""
    stream: str = ""
    """Name of the stream; with it there are no files."""
    live: bool = False
    """What arrives is counted at once, and the state is saved by the clock."""
    every: float = 60.0
    """Seconds between two states: of a live capture about that, of files at least that, between two of them."""
    state: bytes = b""
    """What an earlier reading remembered."""
    keep: KeepJob | None = None
    problems: tuple[tuple[str, str], ...] = ()
    """(source, what) that is known beforehand of files of which something is in the state."""


class CheckJob(Struct, frozen=True, kw_only=True):
    """Look whether a port is worth capturing at."""

    interface: str
    own: tuple[str, ...]
    """MAC addresses of this machine."""
    local: tuple[str, ...] = ()


class Looked(Struct, frozen=True):
    """When a file begins, before it is read."""

    number: int
    first: float | None
    """None where that cannot be told."""


class Begun(Struct, frozen=True):
    """A file is opened: if the child dies now, it is by this one."""

    number: int
    size: int
    """Bytes on the disk before it is opened; 0 where that cannot be told."""


class Count(Struct, frozen=True, kw_only=True):
    """How far it is, about once a second."""

    source: str
    done: int
    """Bytes of this input, decompressed."""
    packets: int
    """Of all inputs."""
    clients: int
    names: int
    at: float | None
    """Time of the newest packet."""


class Saved(Struct, frozen=True, kw_only=True):
    """Everything found so far."""

    state: bytes
    packets: int
    last: float | None
    """Time of the newest packet."""
    kept: int = 0
    records: int = 0
    """Names, flows and facts: what the run will hold of it, about."""
    halfway: Halfway | None = None
    """The file whose beginning is in the state; the others are in it whole."""


class Ended(Struct, frozen=True, kw_only=True):
    """The last of a result; names, flows, services and facts came before."""

    summary: CaptureSummary
    problems: tuple[tuple[str, str], ...]
    """(source, what)"""
    kept: int = 0
    kept_ended: str = ""
    """Why keeping stopped before the reading did."""


class Gap(Struct, frozen=True):
    """Time that was not examined."""

    begin: float
    end: float
    why: str


class Progress(NamedTuple):
    """After each buffer."""

    source: str
    done: int
    """Bytes taken, decompressed."""
    size: int
    """Bytes of the input on disk, 0 = not known."""
    packets: int
    """In all inputs so far."""
    at: float
    """Time of the newest packet."""


def cut_short(now: int, then: int) -> str:
    """What is said of a file that lost its end while it was read."""
    return f"was cut to {now} bytes while it was read, it had {then}"


def on_disk(path: str) -> int:
    """Bytes of a file; 0 where that cannot be told."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


class Problem(NamedTuple):
    """Why an input was not read to its end, or not wholly."""

    source: str
    what: str
