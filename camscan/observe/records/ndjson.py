"""How are recorded answers read that other tools or other sites wrote, one JSON object per line?

The format of DESIGN section 4. Constant memory; a bad line is reported with its number, never skipped
silently. `device_id` is taken as given.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from camscan.model.observation import Kind, Observation

LINE_LIMIT = 1024 * 1024
"""Bytes of one line; longer lines are refused, not read."""

_FLAGS = ("fragment", "auth", "derived", "sanitised")


class Refused(Struct, frozen=True, kw_only=True):
    """A line that is not an observation, and why."""

    line: int
    device_id: str
    why: str


class _Record(Struct):
    device_id: str
    kind: str
    port: int | None = None
    request: str | None = None
    response: str | None = None
    response_b64: str | None = None
    id: str | None = None
    fragment: bool = False
    auth: bool = False
    derived: bool = False
    sanitised: bool = False
    label: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Record).decode


def read(lines: Iterable[bytes]) -> Iterator[Observation | Refused]:
    """Observations in order; `id` is the record's own, else the line number (from 1).

    Text responses become UTF-8 bytes; `response_b64` is decoded as it stands.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        yield _one(number, line)


def label_of(line: bytes) -> dict[str, Any] | None:
    """The `label` object of a line of a measuring corpus, None if it has none."""
    raw = _decode(line).label
    if not bytes(raw):
        return None
    label = json.loads(bytes(raw))
    return label if isinstance(label, dict) else None


def _one(number: int, line: bytes) -> Observation | Refused:
    if len(line) > LINE_LIMIT:
        return Refused(line=number, device_id="", why=f"longer than {LINE_LIMIT} bytes")
    try:
        record = _decode(line)
    except msgspec.MsgspecError as error:
        return Refused(line=number, device_id="", why=str(error))
    except UnicodeDecodeError as error:
        return Refused(line=number, device_id="", why=f"not UTF-8 ({error.reason})")
    try:
        kind = Kind(record.kind)
    except ValueError:
        return Refused(
            line=number, device_id=record.device_id, why=f"unknown kind {record.kind[:40]!r}"
        )
    if record.response_b64 is not None:
        try:
            response = base64.b64decode(record.response_b64, validate=True)
        except (binascii.Error, ValueError) as error:
            return Refused(line=number, device_id=record.device_id, why=f"response_b64: {error}")
    elif record.response is not None:
        response = record.response.encode("utf-8", "surrogatepass")
    else:
        return Refused(
            line=number, device_id=record.device_id, why="neither response nor response_b64"
        )
    return Observation(
        id=record.id or str(number),
        device_id=record.device_id,
        kind=kind,
        response=response,
        port=record.port,
        request=record.request,
        flags=tuple(name for name in _FLAGS if getattr(record, name)),
    )
