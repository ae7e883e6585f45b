"""Which typed records do the TOML files of signatures/ hold?

TOML is read here and nowhere else. Unknown keys are refused; an error names file, record and field.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from camscan.errors import KnowledgeError
from camscan.knowledge_records import (
    check_patterns,
    convert,
    versioned,
    versioned_line,
    with_line,
)
from camscan.model.imprint import Component, FirmwareKnowledge, Imprint
from camscan.model.knowledge import (
    Advisory,
    BrandRelation,
    Concern,
    ConditionText,
    DecisionTable,
    EndpointName,
    Knowledge,
    Law,
    LawPosition,
    MacBlock,
    Network,
    Platform,
    Rule,
    Signature,
)
from camscan.model.party import Party
from camscan.model.probe import Probe, ProbePlan
from camscan.model.product import ProductLine, Withdrawn
from camscan.model.service import ServiceSignature

LOCAL = "local."
"""Prefix of every id a user's own folder may bring (DESIGN rule 14)."""


class _Table(Struct, frozen=True):
    """One kind of record: the folder it lives in, its key in the file, its type and id field."""

    folder: str
    key: str
    record: type[Struct]
    local: bool
    """Whether a user's own folder may add records of this kind."""
    id_field: str = "id"


_TABLES: tuple[_Table, ...] = (
    _Table("devices", "platform", Platform, local=True),
    _Table("devices", "signature", Signature, local=True),
    _Table("devices", "line", ProductLine, local=True),
    _Table("devices", "withdrawn", Withdrawn, local=False),
    _Table("brands", "brand", BrandRelation, local=True),
    _Table("parties", "party", Party, local=True),
    _Table("oui", "block", MacBlock, local=True, id_field="prefix"),
    _Table("endpoints", "endpoint", EndpointName, local=True),
    _Table("networks", "network", Network, local=True),
    _Table("advisories", "advisory", Advisory, local=True),
    _Table("services", "service", ServiceSignature, local=True),
    _Table("components", "component", Component, local=True),
    _Table("imprints", "imprint", Imprint, local=True),
    _Table("laws", "law", Law, local=False),
    _Table("laws", "position", LawPosition, local=False),
    _Table("rules", "rule", Rule, local=False),
    _Table("concerns", "concern", Concern, local=False),
    _Table("conditions", "condition", ConditionText, local=False),
)
_FOLDERS = frozenset(t.folder for t in _TABLES)
_LOOSE: Mapping[str, frozenset[str]] = {
    "laws": frozenset({"nexus"}),
    "concerns": frozenset({"sources"}),
}
"""Keys beside the records of a folder, each with its own shape."""
_DEFAULTS = frozenset({"source", "as_of"})
"""May stand at the top of a file and hold for every record of it that has none of its own."""


class _Parts:
    """What was collected so far while files are read."""

    def __init__(self) -> None:
        self.records: dict[type[Struct], list[Any]] = {t.record: [] for t in _TABLES}
        self.seen: dict[tuple[str, str], str] = {}
        self.nexus: list[str] = []
        self.sources: dict[str, str] = {}
        self.vocabulary: dict[str, tuple[str, ...]] = {}
        self.decision: DecisionTable | None = None
        self.plan: ProbePlan | None = None
        self.dates: set[str] = set()


def build(files: Mapping[str, bytes], own: Mapping[str, bytes], digest: str) -> Knowledge:
    """All records of the files of signatures/ and of a user's own folder, by relative path.

    KnowledgeError naming file, record id and field.
    """
    parts = _Parts()
    for name in sorted(files):
        _take(parts, name, files[name], local=False)
    for name in sorted(own):
        _take(parts, name, own[name], local=True)
    if parts.decision is None:
        raise KnowledgeError("decision.toml: missing; the decision table is part of signatures/")
    if parts.plan is None:
        raise KnowledgeError("probes.toml: missing; the probe plan is part of signatures/")
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    hashes |= {LOCAL + name: hashlib.sha256(data).hexdigest() for name, data in own.items()}

    def of(record: type[Struct]) -> list[Any]:
        name = "prefix" if record is MacBlock else "id"
        return sorted(parts.records[record], key=lambda r: str(getattr(r, name)))

    def by_id(record: type[Struct]) -> dict[str, Any]:
        return {r.id: r for r in of(record)}

    return Knowledge(
        content_hash=digest,
        as_of=max(parts.dates, default=""),
        signatures=tuple(of(Signature)),
        platforms=by_id(Platform),
        brands=tuple(of(BrandRelation)),
        parties=by_id(Party),
        mac_blocks=tuple(of(MacBlock)),
        endpoints=tuple(of(EndpointName)),
        networks=tuple(of(Network)),
        conditions=by_id(ConditionText),
        concerns=by_id(Concern),
        laws=by_id(Law),
        rules=by_id(Rule),
        advisories=tuple(of(Advisory)),
        decision=parts.decision,
        probe_plan=parts.plan,
        law_nexus=tuple(dict.fromkeys(parts.nexus)),
        sources=dict(sorted(parts.sources.items())),
        files=dict(sorted(hashes.items())),
        vocabulary=dict(sorted(parts.vocabulary.items())),
        places={f"{table} {ident}": file for (table, ident), file in sorted(parts.seen.items())},
        law_positions=tuple(of(LawPosition)),
        lines=tuple(of(ProductLine)),
        withdrawn=by_id(Withdrawn),
        services=tuple(of(ServiceSignature)),
        firmware=FirmwareKnowledge(components=tuple(of(Component)), imprints=tuple(of(Imprint))),
    )


def _take(parts: _Parts, name: str, data: bytes, *, local: bool) -> None:
    try:
        _take_table(parts, name, _parse(name, data), local=local)
    except KnowledgeError as error:
        raise KnowledgeError(with_line(str(error), name, data)) from error


def _take_table(parts: _Parts, name: str, table: dict[str, Any], *, local: bool) -> None:
    folder = name.partition("/")[0] if "/" in name else ""
    if folder in _FOLDERS:
        _take_records(parts, name, folder, table, local=local)
    elif local:
        raise KnowledgeError(
            f"{name}: a user's own folder may not bring this; allowed: {_allowed()}"
        )
    elif name == "decision.toml":
        parts.decision = _decision(name, table)
    elif name == "probes.toml":
        parts.plan = _plan(name, table)
    elif folder == "vocab":
        _take_vocabulary(parts, name, table)
    else:
        raise KnowledgeError(
            f"{name}: not part of the layout; folders are {', '.join(sorted(_FOLDERS))}, vocab"
        )


def _allowed() -> str:
    return ", ".join(sorted({t.folder for t in _TABLES if t.local}))


def _parse(name: str, data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise KnowledgeError(f"{name}: line {line}: not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise KnowledgeError(f"{name}: not TOML: {error}") from error


def _take_records(
    parts: _Parts, name: str, folder: str, table: dict[str, Any], *, local: bool
) -> None:
    tables = {t.key: t for t in _TABLES if t.folder == folder}
    loose = _LOOSE.get(folder, frozenset())
    defaults = {key: table[key] for key in _DEFAULTS if key in table}
    for key, value in table.items():
        if key in tables:
            records = value if isinstance(value, list) else [value]
            for number, record in enumerate(records, 1):
                merged = {**defaults, **record} if isinstance(record, dict) else record
                where = f"{name}: {key} {_named(record, tables[key], number)}"
                _take_record(parts, tables[key], merged, where, local=local)
        elif key in loose:
            _take_loose(parts, name, key, value, local=local)
        elif key not in _DEFAULTS:
            known = ", ".join(sorted({*tables, *loose, *_DEFAULTS}))
            raise KnowledgeError(f"{name}: unknown key {key!r} at the top; known: {known}")


def _named(record: object, table: _Table, number: int) -> str:
    ident = record.get(table.id_field) if isinstance(record, dict) else None
    return ident if isinstance(ident, str) else f"number {number}"


def _take_record(parts: _Parts, table: _Table, record: object, where: str, *, local: bool) -> None:
    if not isinstance(record, dict):
        raise KnowledgeError(f"{where}: is not a table; write [[{table.key}]]")
    value = convert(table.record, record, where)
    ident = str(getattr(value, table.id_field))
    if local:
        if not table.local:
            raise KnowledgeError(
                f"{where}: a user's own folder may not bring this; allowed: {_allowed()}"
            )
        if table.id_field == "id" and not ident.startswith(LOCAL):
            raise KnowledgeError(
                f"{where}: field id: must start with {LOCAL!r} in a user's own folder"
            )
    elif ident.startswith(LOCAL):
        raise KnowledgeError(f"{where}: field id: {LOCAL!r} is kept for users' own folders")
    if (table.key, ident) in parts.seen:
        first = parts.seen[table.key, ident]
        raise KnowledgeError(f"{where}: field {table.id_field}: already used in {first}")
    parts.seen[table.key, ident] = where.partition(":")[0]
    if local and isinstance(value, (Signature, ProductLine)):
        check_patterns(value, where)
    if isinstance(value, Signature):
        value = versioned(value, local=local)
    elif isinstance(value, ProductLine):
        value = versioned_line(value, local=local)
    parts.dates.add(getattr(value, "as_of", ""))
    parts.records[table.record].append(value)


def _take_loose(parts: _Parts, name: str, key: str, value: object, *, local: bool) -> None:
    if local:
        raise KnowledgeError(f"{name}: a user's own folder may not bring {key!r}")
    if key == "nexus":
        parts.nexus += convert(tuple[str, ...], value, f"{name}: nexus")
        return
    for source, text in convert(dict[str, str], value, f"{name}: sources").items():
        if parts.sources.setdefault(source, text) != text:
            raise KnowledgeError(f"{name}: sources: {source!r} has two texts")


def _take_vocabulary(parts: _Parts, name: str, table: dict[str, Any]) -> None:
    for key, value in table.items():
        if key in _DEFAULTS:
            continue
        words = convert(tuple[str, ...], value, f"{name}: {key}")
        parts.vocabulary[key] = tuple(sorted({*parts.vocabulary.get(key, ()), *words}))


def _decision(name: str, table: dict[str, Any]) -> DecisionTable:
    return convert(DecisionTable, table, name)


class _PlanFile(Struct, frozen=True, kw_only=True):
    """probes.toml"""

    tcp_ports: tuple[int, ...]
    liveness_ports: tuple[int, ...]
    announcements: tuple[str, ...]
    probe: tuple[Probe, ...]
    source: str
    as_of: str
    denied_ports: tuple[int, ...] = ()
    """Beside the ones the gate always denies (DESIGN rule 10)."""


DENIED_PORTS = (102, 502, 515, 2404, *range(9100, 9108), 20000, 44818, 47808)
"""Printers that print what they get, and industrial controllers (DESIGN rule 10)."""


def _plan(name: str, table: dict[str, Any]) -> ProbePlan:
    given = convert(_PlanFile, table, name)
    names: set[str] = set()
    denied = tuple(sorted({*DENIED_PORTS, *given.denied_ports}))
    for probe in given.probe:
        if probe.id in names:
            raise KnowledgeError(f"{name}: probe {probe.id}: field id: used twice")
        names.add(probe.id)
        if bad := sorted(set(denied) & set(probe.ports)):
            raise KnowledgeError(
                f"{name}: probe {probe.id}: field ports: {bad[0]} is never touched"
            )
    if bad := sorted(set(denied) & {*given.tcp_ports, *given.liveness_ports}):
        raise KnowledgeError(f"{name}: field tcp_ports: {bad[0]} is never touched")
    return ProbePlan(
        tcp_ports=given.tcp_ports,
        liveness_ports=given.liveness_ports,
        probes=tuple(sorted(given.probe, key=lambda p: (p.priority, p.id))),
        denied_ports=denied,
        announcements=given.announcements,
    )
