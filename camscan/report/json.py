"""The report as one JSON document: everything, for other programs (schema camscan-report/1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from camscan.decode.text import clean_lines
from camscan.model.claim import Attribute, Claim, Device, Endpoint
from camscan.model.finding import (
    Assessment,
    ConcernLink,
    ConcernResult,
    Coverage,
    Decision,
    Finding,
    Interval,
    NextTest,
)
from camscan.model.identity import Identity, identity
from camscan.model.run import REPORT_SCHEMA
from camscan.model.traffic import DeviceTraffic
from camscan.report.image_line import ImageLine, image_line
from camscan.report.model import ReportModel, cloud_text


class ActionEntry(Struct, frozen=True, kw_only=True):
    lower: str
    upper: str
    row: int
    upper_row: int
    provisional: bool
    settles: str


class DeviceEntry(Identity, frozen=True, kw_only=True):
    """The keys of identify, and what the report adds."""

    addresses: tuple[str, ...]
    macs: tuple[str, ...]
    behind: str | None
    visibility: str
    cloud: str
    place: str | None
    listed_as: str | None
    build_date: str | None
    action: ActionEntry | None
    factors: tuple[Interval, ...]
    joins: tuple[str, ...]
    notes: tuple[str, ...]
    claims: tuple[Claim, ...]


class FindingEntry(Struct, frozen=True, kw_only=True):
    id: str
    condition: str
    subject: str
    state: str
    level: str
    confidence: str
    statement: str
    reason: str | None
    action: ActionEntry | None
    factor: str
    concerns: tuple[ConcernLink, ...]
    rules: tuple[str, ...]
    laws: tuple[str, ...]
    does_not_show: str
    would_change: str
    details: tuple[str, ...]
    claims: tuple[tuple[str, str | None], ...]
    """(attribute, value) of the claims it rests on; the claims stand with the device."""


class RunEntry(Struct, frozen=True, kw_only=True):
    run_id: str
    owner: str
    authority: str | None
    scope: tuple[str, ...]
    as_of: str
    jurisdiction: str
    knowledge: str
    tool_version: str
    decision_table: str
    inputs: tuple[tuple[str, str], ...]
    seals: tuple[tuple[str, str], ...]
    declarations: tuple[str, ...]
    networks_supplied: tuple[str, ...]
    options: tuple[str, ...]


class Document(Struct, frozen=True, kw_only=True):
    """The whole document; `camscan schema report` prints its JSON Schema."""

    schema: str
    run: RunEntry
    coverage: Coverage
    devices: tuple[DeviceEntry, ...]
    endpoints: tuple[Endpoint, ...]
    findings: tuple[FindingEntry, ...]
    concerns: tuple[ConcernResult, ...]
    next_tests: tuple[NextTest, ...]
    traffic: tuple[DeviceTraffic, ...]
    images: tuple[ImageLine, ...] = ()


def write(model: ReportModel) -> str:
    """UTF-8 JSON, one device or finding per line; the same bytes for the same model."""
    return "".join(parts(model))


def parts(model: ReportModel) -> Iterator[str]:
    """The document in pieces, so that a report of thousands of devices is never whole in memory."""
    a = model.assessment
    decisions = dict(a.decisions)
    factors = dict(a.factors)
    yield "{\n"
    for name, value in (("schema", REPORT_SCHEMA), ("run", _run(a)), ("coverage", a.coverage)):
        yield f' "{name}": {_text(value)},\n'
    lists: tuple[tuple[str, Iterable[Struct]], ...] = (
        (
            "devices",
            (
                _device(d, decisions.get(d.device_id), factors.get(d.device_id, ()))
                for d in a.devices
            ),
        ),
        ("endpoints", a.endpoints),
        ("findings", (_finding(f) for f in a.findings)),
        ("concerns", a.concerns),
        ("next_tests", a.next_tests),
        ("traffic", a.traffic),
        ("images", (image_line(i) for i in a.images)),
    )
    for name, entries in lists:
        yield f' "{name}": ['
        separator = "\n"
        for entry in entries:
            yield f"{separator}  {_text(entry)}"
            separator = ",\n"
        yield "\n ]" + ("\n" if name == lists[-1][0] else ",\n")
    yield "}\n"


def _text(value: object) -> str:
    # Decoders clean what they read; this catches bidi characters from files the owner wrote.
    return clean_lines(msgspec.json.encode(value).decode())


def _run(a: Assessment) -> RunEntry:
    return RunEntry(
        run_id=a.run_id,
        owner=a.owner,
        authority=a.authority,
        scope=a.scope,
        as_of=a.as_of,
        jurisdiction=a.jurisdiction,
        knowledge=a.knowledge_hash,
        tool_version=a.tool_version,
        decision_table=next((d.table for _, d in a.decisions), ""),
        inputs=a.inputs,
        seals=a.seals,
        declarations=a.declarations,
        networks_supplied=a.networks_supplied,
        options=a.options,
    )


def _device(
    device: Device, decision: Decision | None, factors: tuple[Interval, ...]
) -> DeviceEntry:
    keys = identity(device)
    values = {name: getattr(keys, name) for name in Identity.__struct_fields__}
    return DeviceEntry(
        **values,
        addresses=device.addresses,
        macs=device.macs,
        behind=device.behind,
        visibility=device.visibility.value,
        cloud=cloud_text(device),
        place=device.place,
        listed_as=device.listed_as,
        build_date=device.value(Attribute.BUILD_DATE),
        action=_action(decision),
        factors=factors,
        joins=device.joins,
        notes=device.notes,
        claims=device.claims,
    )


def _finding(f: Finding) -> FindingEntry:
    return FindingEntry(
        id=f.id,
        condition=f.condition,
        subject=f.subject,
        state=f.state.value,
        level=f.level.value,
        confidence=f.confidence.value,
        statement=f.statement,
        reason=f.reason.value if f.reason is not None else None,
        action=_action(f.action),
        factor=f.factor,
        concerns=f.concerns,
        rules=f.rules,
        laws=f.laws,
        does_not_show=f.does_not_show,
        would_change=f.would_change,
        details=f.details,
        claims=tuple((c.attribute.value, c.value) for c in f.claims),
    )


def _action(decision: Decision | None) -> ActionEntry | None:
    if decision is None:
        return None
    return ActionEntry(
        lower=decision.lower.value,
        upper=decision.upper.value,
        row=decision.row,
        upper_row=decision.upper_row,
        provisional=decision.provisional,
        settles=decision.settles,
    )
