"""Which observations are in a file of the exchange format (DESIGN section 4)?

One JSON object per line; unknown keys are ignored, a line that is no observation is a `Skipped`, never
an exception and never silently lost.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from camscan.identify.devices import Identifier
from camscan.model.claim import Attribute, Confidence, Device, Level, State
from camscan.model.observation import Kind, Observation

_FLAGS = ("fragment", "auth", "derived", "sanitised")
_MAX_LINE = 16 << 20
_KINDS = {k.value: k for k in Kind}


class Skipped(Struct, frozen=True):
    """A line that could not be used, and why."""

    line: int
    reason: str


class _Record(Struct):
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
        return Skipped(number, f"unknown kind {record.kind[:40]!r}")
    try:
        response = _bytes(record)
    except (binascii.Error, ValueError):
        return Skipped(number, "response_b64 is not base64")
    flags = {*record.flags, *(f for f in _FLAGS if getattr(record, f))}
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
        flags=tuple(sorted(flags)),
    )


def _bytes(record: _Record) -> bytes:
    if record.response_b64 is not None:
        return base64.b64decode(record.response_b64, validate=True)
    return (record.response or "").encode("utf-8", "surrogatepass")


def devices(observations: Iterable[Observation], identifier: Identifier) -> Iterator[Device]:
    """One Device per device_id, in the order in which the ids first appear; ids are taken as given."""
    groups: dict[str, list[Observation]] = {}
    for observation in observations:
        groups.setdefault(observation.device_id, []).append(observation)
    for name, group in groups.items():
        yield identifier.device(name, group)


class EvidenceLine(Struct, frozen=True):
    signature: str
    family: str
    level: str
    observation: str


class DeviceLine(Struct, frozen=True, kw_only=True):
    """What `camscan identify --json` prints of one device (DESIGN section 5)."""

    device_id: str
    is_camera: bool | None
    role: str | None
    maker: str | None
    brand: str | None
    platform: str | None
    model: str | None
    firmware: str | None
    confidence: str
    conflicts: tuple[str, ...]
    evidence: tuple[EvidenceLine, ...]


_IDENTITY = (
    Attribute.MAKER,
    Attribute.PLATFORM,
    Attribute.BRAND,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)


def line(device: Device) -> DeviceLine:
    """The printed form of a device. `confidence` is that of the maker, else of the role."""
    claims = [c for c in device.claims if c.attribute in _IDENTITY]
    leading = next(
        (
            c
            for a in (Attribute.MAKER, Attribute.ROLE)
            for c in claims
            if c.attribute is a and c.value
        ),
        None,
    )
    conflicts = tuple(
        f"{c.attribute}: {' | '.join(c.values)}" for c in claims if c.state is State.CONFLICTING
    )
    seen = {
        EvidenceLine(e.signature, e.family, e.level, e.observation)
        for c in claims
        for e in c.evidence
        if e.level > Level.E0
    }
    return DeviceLine(
        device_id=device.device_id,
        is_camera=device.is_camera,
        role=device.role.value if device.role is not None else None,
        maker=device.value(Attribute.MAKER),
        brand=device.value(Attribute.BRAND),
        platform=device.value(Attribute.PLATFORM),
        model=device.value(Attribute.MODEL),
        firmware=device.value(Attribute.FIRMWARE),
        confidence=(leading.confidence if leading is not None else Confidence.LOW).value,
        conflicts=conflicts,
        evidence=tuple(sorted(seen, key=lambda e: (e.signature, e.observation, e.level, e.family))),
    )
