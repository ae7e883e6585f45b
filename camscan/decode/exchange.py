"""Which observations are in a file of the exchange format (DESIGN section 4)?

One JSON object per line; unknown keys are ignored, a line that is no observation is a `Skipped`, never
an exception and never silently lost.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec
from msgspec import Struct

from camscan.model.observation import Kind, Observation

_FLAGS = ("fragment", "auth", "derived", "sanitised")
_MAX_LINE = 16 << 20
_KINDS = {k.value: k for k in Kind}


class Skipped(Struct, frozen=True):
    """A line that could not be used, and why."""

    line: int
    reason: str
    device_id: str = ""
    """As far as the line could be read."""


class _Record(Struct, gc=False):
    device_id: str
    kind: str
    port: int | None = None
    request: str | None = None
    response: str | None = None
    response_b64: str | None = None
    id: str | int | None = None
    transport: str | None = None
    tls: bool | None = None
    job: str | None = None
    address: str | None = None
    mac: str | None = None
    at: str | None = None
    canary: bool = False
    truncated: bool = False
    flags: tuple[str, ...] = ()
    fragment: bool = False
    auth: bool = False
    derived: bool = False
    sanitised: bool = False


_DECODER = msgspec.json.Decoder(_Record)


def bounded(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of a line over the limit only so much that `parse` refuses it."""
    while line := file.readline(_MAX_LINE + 1):
        yield line
        while len(line) > _MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(_MAX_LINE + 1)


def within(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """As `bounded`, of the lines whose first byte is at [start, end)."""
    at = max(start - 1, 0)
    file.seek(at)
    begun = start > 0
    while begun:  # the line that begins before the range, or the line feed before it
        line = file.readline(_MAX_LINE + 1)
        at += len(line)
        begun = bool(line) and not line.endswith(b"\n")
    while at < end and (line := file.readline(_MAX_LINE + 1)):
        at += len(line)
        yield line
        while len(line) > _MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(_MAX_LINE + 1)
            at += len(line)


def read(lines: Iterable[bytes]) -> Iterator[Observation | Skipped]:
    """Observations in file order; ids are the records' own, else the line number."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        yield parse(line, number)


def parse(line: bytes, number: int) -> Observation | Skipped:
    """One line."""
    if len(line) > _MAX_LINE:
        return Skipped(number, f"{len(line)} bytes; {_MAX_LINE} is the limit")
    try:
        record = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Skipped(number, f"not an observation: {error}")
    kind = _KINDS.get(record.kind)
    if kind is None:
        return Skipped(number, f"unknown kind {record.kind[:40]!r}", record.device_id)
    if record.response_b64 is not None:
        try:
            response = base64.b64decode(record.response_b64, validate=True)
        except (binascii.Error, ValueError):
            return Skipped(number, "response_b64 is not base64", record.device_id)
    elif record.response is not None:
        response = record.response.encode("utf-8", "surrogatepass")
    else:
        return Skipped(number, "neither response nor response_b64", record.device_id)
    flags = record.flags
    if record.fragment or record.auth or record.derived or record.sanitised:
        flags = (*flags, *(f for f in _FLAGS if getattr(record, f)))
    if flags:
        flags = tuple(sorted(set(flags)))
    return Observation(
        id=str(record.id) if record.id is not None else str(number),
        device_id=record.device_id,
        kind=kind,
        response=response,
        port=record.port,
        transport=record.transport or "",
        tls=bool(record.tls),
        request=record.request,
        job=record.job,
        address=record.address,
        mac=record.mac,
        at=record.at,
        canary=record.canary,
        truncated=record.truncated,
        flags=flags,
    )
