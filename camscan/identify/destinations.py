"""With which parties outside the owner's networks was a device connected in captures?

One endpoint per remote address and port, and one per name that led to no flow. Marks never turn into each
other: a question is `named`, packets are `contacted`. Pure; who stands behind them is attributed later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from camscan.clock import iso
from camscan.decode import capture_record
from camscan.decode.host_name import is_address
from camscan.decode.own_networks import Own, is_group, share_link
from camscan.errors import DecodeError
from camscan.identify.name_flows import Named, NameIndex, unmet
from camscan.model.claim import Device, Endpoint, Level, Mark
from camscan.model.knowledge import Network
from camscan.model.observation import Kind, Observation
from camscan.model.service import ServiceSignature
from camscan.model.traffic import CaptureSummary, Flow, NameSeen, ServiceSeen
from camscan.special_ranges import Nobody

_PORTS = {123: "time", 53: "name", 853: "name"}
_KINDS = frozenset({Kind.NAME, Kind.FLOW, Kind.SERVICE})
_LOG_MEDIA = 3_000_000
"""Bytes sent above which a flow without minutes (a log of another tool) may be pictures."""
_LOG_RATE = 100_000
_LOG_RATIO = 5


class Seen(Struct, frozen=True):
    """All records of one device, each with the id of its observation."""

    names: tuple[tuple[str, NameSeen], ...] = ()
    flows: tuple[tuple[str, Flow], ...] = ()
    services: tuple[tuple[str, ServiceSeen], ...] = ()


class Traffic:
    """The capture records of a run, read once."""

    def __init__(
        self, observations: Iterable[Observation], supplied: Iterable[Network] = ()
    ) -> None:
        """`supplied`: the owner's table of networks; it outranks the special-purpose ranges (DESIGN rule 6)."""
        self.records: dict[str, NameSeen | Flow | ServiceSeen] = {}
        self.summaries: dict[str, CaptureSummary] = {}
        """Intake -> what is said of its capture."""
        for observation in observations:
            try:
                if observation.kind is Kind.CAPTURE:
                    intake = observation.id.partition(":")[0]
                    self.summaries[intake] = capture_record.summary(observation.response)
                elif observation.kind in _KINDS:
                    self.records[observation.id] = _record(observation)
            except DecodeError:
                continue  # coverage says that an observation cannot be read
        local = {r for s in self.summaries.values() for r in s.local}
        self.own = Own(sorted(local))
        self.nobody = Nobody(prefix for network in supplied for prefix in network.prefixes)

    def party(self, remote: str) -> bool:
        """Whether a party outside the owner's networks may stand behind an address."""
        return not self.own(remote) and not is_group(remote) and not self.nobody(remote)

    def phases_of(self, ident: str, record: Flow | NameSeen) -> tuple[str, ...]:
        """Phases of its capture in which a record was seen; of a flow the minutes with packets count."""
        summary = self.summaries.get(ident.partition(":")[0])
        if summary is None:
            return ()
        ends = [(record.first, record.first), (record.last, record.last)]
        if isinstance(record, Flow):
            ends += [
                (max(m.start, record.first), min(m.start + 60, record.last)) for m in record.minutes
            ]
        return tuple(
            dict.fromkeys(
                name
                for name, begin, end in summary.phases
                if any(first <= end and last >= begin for first, last in ends)
            )
        )

    def of(self, device: Device) -> Seen:
        names, flows, services = [], [], []
        for name in device.observations:
            record = self.records.get(name)
            if isinstance(record, NameSeen):
                names.append((name, record))
            elif isinstance(record, Flow):
                flows.append((name, record))
            elif isinstance(record, ServiceSeen):
                services.append((name, record))
        return Seen(tuple(names), tuple(flows), tuple(services))


def with_destinations(
    devices: Iterable[Device], traffic: Traffic, services: Iterable[ServiceSignature]
) -> tuple[Device, ...]:
    """Every device with the endpoints its captures show, beside those it has."""
    purposes = {s.id: s.purpose for s in services}
    return tuple(
        replace(device, endpoints=(*device.endpoints, *found))
        if (found := _endpoints(device, traffic, purposes))
        else device
        for device in devices
    )


def _record(observation: Observation) -> NameSeen | Flow | ServiceSeen:
    if observation.kind is Kind.NAME:
        return capture_record.name(observation.response)
    if observation.kind is Kind.FLOW:
        return capture_record.flow(observation.response)
    return capture_record.service(observation.response)


def _endpoints(
    device: Device, traffic: Traffic, purposes: Mapping[str, str]
) -> tuple[Endpoint, ...]:
    seen = traffic.of(device)
    own = frozenset(device.addresses)
    index = NameIndex((n for _, n in seen.names), of_one=True)
    spoken: dict[tuple[str, int, str], list[tuple[str, ServiceSeen]]] = {}
    for ident, service in seen.services:
        spoken.setdefault((service.remote, service.port, service.transport), []).append(
            (ident, service)
        )
    ids = {(n.proto, n.name): ident for ident, n in seen.names}
    met: dict[str, None] = {}
    led: dict[str, str] = {}
    """Name -> an address it led to behind which no party stands."""
    found = []
    for ident, flow in seen.flows:
        inbound = flow.client not in own and flow.remote in own
        remote = flow.client if inbound else flow.remote
        if not flow.packets_up + flow.packets_down:
            continue
        named = Named() if inbound else index.of(flow)
        if not traffic.party(remote) or share_link(flow.client, flow.remote):
            led |= dict.fromkeys(named.names, remote)
            continue
        here = spoken.pop((flow.remote, flow.port, flow.transport), [])
        met |= dict.fromkeys((*named.names, remote))
        endpoint = _contacted(device, flow, named, here, purposes, inbound=inbound)
        beside = [ids[p, n] for p in named.by for n in named.names if (p, n) in ids]
        found.append(
            replace(
                endpoint,
                observations=(ident, *(i for i, _ in here), *dict.fromkeys(beside)),
                phases=traffic.phases_of(ident, flow),
            )
        )
    for (remote, _, _), here in spoken.items():
        # A service without its flow: an imported log, or records beyond the limit.
        if traffic.party(remote):
            found.append(_spoken(device, here, purposes))
            met[remote] = None
    for seen_name in _first_of_each(unmet((n for _, n in seen.names), met)):
        if seen_name.proto != "dns" and seen_name.remote and traffic.own(seen_name.remote):
            continue  # a name for one of the owner's own devices
        nowhere = led.get(seen_name.name, "")
        if nowhere and traffic.own(nowhere):
            continue
        ident = ids.get((seen_name.proto, seen_name.name), "")
        endpoint = replace(
            _named(device, seen_name, ident), phases=traffic.phases_of(ident, seen_name)
        )
        if nowhere and (range_ := traffic.nobody(nowhere)):
            endpoint = replace(endpoint, why=(f"led to {nowhere}, no party: {range_}",))
        found.append(endpoint)
    return tuple(found)


def _contacted(
    device: Device,
    flow: Flow,
    named: Named,
    spoken: Sequence[tuple[str, ServiceSeen]],
    purposes: Mapping[str, str],
    *,
    inbound: bool,
) -> Endpoint:
    up, down = (flow.bytes_down, flow.bytes_up) if inbound else (flow.bytes_up, flow.bytes_down)
    classes, why = _classes(flow, [s for _, s in spoken], purposes, up=up, down=down)
    both = flow.packets_up > 0 and flow.packets_down > 0
    marks = (Mark.NAMED, Mark.CONTACTED) if named.by_device else (Mark.CONTACTED,)
    sources = (
        ("name: certificate of the server, not the device",) if "certificate" in named.by else ()
    )
    return Endpoint(
        device_id=device.device_id,
        name=named.names[0] if named.names else None,
        address=flow.client if inbound else flow.remote,
        port=flow.port,
        marks=marks,
        sources=sources,
        transport=flow.transport,
        bytes_up=up,
        bytes_down=down,
        packets=flow.packets_up + flow.packets_down,
        first=_time(flow.first),
        last=_time(flow.last),
        named_by=named.by,
        also_named=named.names[1:9],
        services=tuple(sorted({s.service for _, s in spoken} | ({flow.service} - {""}))),
        classes=classes,
        why=why,
        inbound=inbound,
        level=Level.E3 if both and (named.by_device or spoken) else Level.E2,
    )


def _classes(
    flow: Flow,
    spoken: Sequence[ServiceSeen],
    purposes: Mapping[str, str],
    *,
    up: int,
    down: int,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[str, str] = {}
    for service in spoken:
        purpose = purposes.get(service.service, "")
        if purpose and purpose != "local":
            count = "1 message" if service.packets == 1 else f"{service.packets} messages"
            found[purpose] = f"{service.service}: {count} ({service.detail})"
    if flow.port in _PORTS:
        found.setdefault(_PORTS[flow.port], "")
    if flow.media:
        found["media"] = flow.media_why or "volume and shape of the upload"
    elif flow.media is None and not flow.minutes and up >= max(_LOG_MEDIA, _LOG_RATIO * down):
        seconds = max(flow.last - flow.first, 1.0)
        if up * 8 / seconds >= _LOG_RATE:
            rate = up * 8 / seconds / 1000
            found["media"] = f"{up} bytes sent, {down} received, {rate:.0f} kbit/s on average"
    return tuple(sorted(found)), tuple(
        f"{name}: {text}" for name, text in sorted(found.items()) if text
    )


def _spoken(
    device: Device, here: Sequence[tuple[str, ServiceSeen]], purposes: Mapping[str, str]
) -> Endpoint:
    service = here[0][1]
    classes = sorted({purposes.get(s.service, "") for _, s in here} - {"", "local"})
    return Endpoint(
        device_id=device.device_id,
        name=None,
        address=service.remote,
        port=service.port,
        marks=(Mark.CONTACTED,),
        transport=service.transport,
        packets=sum(s.packets for _, s in here),
        first=_time(min(s.first for _, s in here)),
        last=_time(max(s.last for _, s in here)),
        services=tuple(sorted({s.service for _, s in here})),
        classes=tuple(classes),
        level=Level.E2,
        observations=tuple(i for i, _ in here),
    )


def _named(device: Device, seen: NameSeen, ident: str) -> Endpoint:
    """A name that led to no flow. No address: what it resolves to was not contacted."""
    return Endpoint(
        device_id=device.device_id,
        name=seen.name,
        address=None,
        port=seen.port,
        marks=(Mark.NAMED,),
        first=_time(seen.first),
        last=_time(seen.last),
        named_by=(seen.proto,),
        level=Level.E2,
        observations=(ident,) if ident else (),
    )


def _first_of_each(names: Iterable[NameSeen]) -> list[NameSeen]:
    found: dict[str, NameSeen] = {}
    for seen in names:
        old = found.get(seen.name)
        if not is_address(seen.name):
            found[seen.name] = (
                seen
                if old is None
                else replace(old, first=min(old.first, seen.first), last=max(old.last, seen.last))
            )
    return list(found.values())


def _time(seconds: float) -> str:
    try:
        return iso(seconds)
    except (ValueError, OverflowError, OSError):
        return ""
