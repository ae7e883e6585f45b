"""Which data paths does a report show (table A3), per device and for the site?

Contacted, named without a flow, and contacted without a name are three lists; none is turned into another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.text import clean
from camscan.model.claim import Endpoint, Mark
from camscan.model.finding import Assessment
from camscan.model.knowledge import Knowledge
from camscan.model.party import Party
from camscan.model.traffic import DeviceTraffic, Watch, phase_words
from camscan.report.order import device_key
from camscan.report.text import en

_MOST_PARTIES = 20
_LISTED = 12


class PathRow(Struct, frozen=True, kw_only=True):
    """One line of table A3."""

    device_id: str
    """`n devices` where a table counts devices that share a destination."""
    destination: str
    """Name; empty where none led there."""
    address: str
    port: str
    """`tcp 443`"""
    named_by: str
    service_operator: str
    service_parent_country: str
    network_operator: str
    network_parent_country: str
    registry_country: str
    located_country: str
    first: str
    last: str
    bytes_up: int
    bytes_down: int
    kind: str
    """Classes of the traffic (media, signalling ...), else the purpose of the name, else `unclassified`."""
    services: str
    marks: str
    sources: tuple[str, ...]
    """`column: source (date)`, and in which columns differ."""
    why: tuple[str, ...]
    phases: str
    """Phases of the capture in which it was seen, to the minute."""


class PartyRow(Struct, frozen=True, kw_only=True):
    """A party behind several paths."""

    party: str
    country: str
    role: str
    """service operator | network operator"""
    devices: int
    endpoints: int
    bytes_up: int
    bytes_down: int


class DevicePaths(Struct, frozen=True, kw_only=True):
    """All of one device."""

    device_id: str
    window: str
    notes: tuple[str, ...]
    phases: tuple[tuple[str, str], ...]
    """Each phase of the capture, and the destinations contacted in it."""
    traffic: DeviceTraffic | None
    contacted: tuple[PathRow, ...]
    named_only: tuple[PathRow, ...]


class Paths(Struct, frozen=True, kw_only=True):
    """The data paths of a report; empty without a capture."""

    devices: tuple[DevicePaths, ...]
    parties: tuple[PartyRow, ...]
    """By bytes sent, then received; the first of `party_count`."""
    party_count: int
    unseen: tuple[str, ...]
    """Cameras and recorders of which no capture holds a packet."""
    unknown: tuple[PathRow, ...]
    """Contacted, and nobody could be named for it."""
    nameless: tuple[PathRow, ...]
    """Contacted without a name."""


def build_paths(assessment: Assessment, knowledge: Knowledge) -> Paths:
    """Pure; in order of devices and endpoints, parties by volume."""
    parties = knowledge.parties
    watched = {t.device_id: t for t in assessment.traffic}
    by_device: dict[str, list[Endpoint]] = {}
    for endpoint in assessment.endpoints:
        if endpoint.first or endpoint.packets:
            by_device.setdefault(endpoint.device_id, []).append(endpoint)
    devices = []
    for name in sorted({*watched, *by_device}, key=device_key):
        ends = by_device.get(name, [])
        traffic = watched.get(name)
        devices.append(
            DevicePaths(
                device_id=clean(name),
                window=_window(traffic.watch) if traffic is not None else "window not stated",
                notes=_notes(traffic) if traffic is not None else (),
                phases=_phases(traffic.watch, ends) if traffic is not None else (),
                traffic=traffic,
                contacted=tuple(_row(e, parties) for e in ends if Mark.CONTACTED in e.marks),
                named_only=tuple(_row(e, parties) for e in ends if Mark.CONTACTED not in e.marks),
            )
        )
    met = [e for many in by_device.values() for e in many if Mark.CONTACTED in e.marks]
    parties_met = _parties(met, knowledge)
    video = (d.device_id for d in assessment.devices if d.is_camera)
    return Paths(
        devices=tuple(devices),
        parties=parties_met[:_MOST_PARTIES],
        party_count=len(parties_met),
        unseen=tuple(
            clean(n)
            for n in sorted(video, key=device_key)
            if n not in watched and n not in by_device
        ),
        unknown=_grouped(
            (e for e in met if not e.service_operator and not e.network_operator), parties
        ),
        nameless=_grouped((e for e in met if Mark.NAMED not in e.marks), parties),
    )


def unseen_words(paths: Paths) -> str:
    """Of which cameras the data path was not examined although there is a capture; empty if of none."""
    unseen = paths.unseen
    if not unseen:
        return ""
    more = f" and {len(unseen) - _LISTED} more" if len(unseen) > _LISTED else ""
    return en.NOT_IN_CAPTURE.format(len(unseen), ", ".join(unseen[:_LISTED]) + more)


def size(count: int) -> str:
    """`1.2 MB`; decimal units."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def moment(seconds: float) -> str:
    """`2026-11-01 10:20 UTC`; empty for a time no calendar has."""
    from camscan.clock import iso

    try:
        return iso(seconds)[:16].replace("T", " ") + " UTC"
    except (ValueError, OverflowError, OSError):
        return ""


def _second(at: str) -> str:
    """`2026-11-01 10:20:33 UTC` of a time of ISO 8601; empty stays empty."""
    return f"{at[:19].replace('T', ' ')} UTC" if at else ""


def _window(watch: Watch) -> str:
    hours = watch.seconds / 3600
    span = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
    if hours < 2:
        span = f"{hours * 60:.1f} minutes"
    missing = sum(end - begin for begin, end, _ in watch.gaps)
    if missing:
        span += f" examined, {missing / 60:.1f} minutes between not examined"
    return f"{moment(watch.first)} to {moment(watch.last)} ({span})"


def _notes(traffic: DeviceTraffic) -> tuple[str, ...]:
    watch = traffic.watch
    volume = (
        f"{watch.packets} packets of the device; {size(watch.bytes_up)} sent, {size(watch.bytes_down)} received, "
        f"of that {size(traffic.local_up)} and {size(traffic.local_down)} inside the owner's networks"
    )
    how = (
        f"taken from: {', '.join(watch.vantages) or 'not stated'}; "
        f"lost by the capture: {'not stated' if watch.lost is None else f'{watch.lost} packets'}; "
        f"DNS {'visible' if watch.dns_visible else 'not visible'}; "
        f"stimuli: {clean(phase_words(watch.phases))}"
    )
    lines = [volume, how]
    for name, flows, up, down in watch.special:
        lines.append(
            f"no party: {en.count(flows, 'flow')} with {name}, a special-purpose range; {size(up)} sent, {size(down)} received"
        )
    if watch.encrypted_resolvers:
        hidden = ", ".join(map(clean, watch.encrypted_resolvers))
        lines.append(f"names hidden: questions went to {hidden} under encryption")
    if watch.not_examined:
        told = "; ".join(f"{clean(reason)}: {count}" for reason, count in watch.not_examined)
        lines.append(f"not examined: {told}")
    return tuple(lines)


def _phases(watch: Watch, ends: Iterable[Endpoint]) -> tuple[tuple[str, str], ...]:
    """Contacts per phase (table L3 of a laboratory's report)."""
    met = [e for e in ends if Mark.CONTACTED in e.marks]
    rows = []
    for phase in watch.phases:
        names = sorted({e.name or e.address or "" for e in met if phase in e.phases})
        rows.append((clean(phase), clean(", ".join(names)) or "none seen"))
    return tuple(rows)


def _grouped(endpoints: Iterable[Endpoint], parties: Mapping[str, Party]) -> tuple[PathRow, ...]:
    """One row per destination; several devices that share one are counted in it."""
    groups: dict[tuple[str | None, str | None, int | None, str], list[Endpoint]] = {}
    for e in endpoints:
        groups.setdefault((e.name, e.address, e.port, e.transport), []).append(e)
    rows = []
    for ends in groups.values():
        row = _row(ends[0], parties)
        if len(ends) > 1:
            row = replace(
                row,
                device_id=f"{len({e.device_id for e in ends})} devices",
                first=_second(min((e.first for e in ends if e.first), default="")),
                last=_second(max(e.last for e in ends)),
                bytes_up=sum(e.bytes_up for e in ends),
                bytes_down=sum(e.bytes_down for e in ends),
            )
        rows.append(row)
    return tuple(sorted(rows, key=lambda r: (-r.bytes_up, r.destination, r.address, r.port)))


def _row(e: Endpoint, parties: Mapping[str, Party]) -> PathRow:
    operator = parties.get(e.service_operator or "")
    port = f"{e.transport} {e.port}".strip() if e.port is not None else ""
    return PathRow(
        device_id=clean(e.device_id),
        destination=clean(e.name or ""),
        address=clean(e.address or ""),
        port=f"{port} (opened from outside)" if e.inbound else port,
        named_by=", ".join(e.named_by),
        service_operator=operator.short
        if operator is not None
        else e.service_operator or en.UNKNOWN,
        service_parent_country=e.service_parent_country or en.UNKNOWN,
        network_operator=e.network_operator or en.UNKNOWN,
        network_parent_country=e.network_parent_country or en.UNKNOWN,
        registry_country=e.registry_country or en.UNKNOWN,
        located_country=e.located_country or "not examined",
        first=_second(e.first),
        last=_second(e.last),
        bytes_up=e.bytes_up,
        bytes_down=e.bytes_down,
        kind=", ".join(e.classes) or (f"{e.purpose} (by name)" if e.purpose else "unclassified"),
        services=", ".join(e.services),
        marks=", ".join(m.value for m in e.marks),
        sources=tuple(map(clean, e.sources)),
        why=tuple(clean(w) for w in e.why),
        phases=clean(", ".join(e.phases)),
    )


def _parties(met: Iterable[Endpoint], knowledge: Knowledge) -> tuple[PartyRow, ...]:
    groups: dict[tuple[str, str, str], list[Endpoint]] = {}
    for e in met:
        if e.service_operator:
            party = knowledge.parties.get(e.service_operator)
            name = party.name if party is not None else e.service_operator
            key = (name, e.service_parent_country or en.UNKNOWN, "service operator")
            groups.setdefault(key, []).append(e)
        if e.network_operator:
            country = e.network_parent_country or en.UNKNOWN
            groups.setdefault((e.network_operator, country, "network operator"), []).append(e)
    rows = [
        PartyRow(
            party=clean(name),
            country=country,
            role=role,
            devices=len({e.device_id for e in ends}),
            endpoints=len(ends),
            bytes_up=sum(e.bytes_up for e in ends),
            bytes_down=sum(e.bytes_down for e in ends),
        )
        for (name, country, role), ends in groups.items()
    ]
    rows.sort(key=lambda r: (-r.bytes_up, -r.bytes_down, r.party, r.role))
    return tuple(rows)
