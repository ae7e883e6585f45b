"""How does what a capture showed become observations of an intake?

One observation per name, flow, service and fact; its bytes are the record as JSON, never a packet
(DESIGN rule 11). Clients are told apart by address and, where one address had two owners in the window,
by MAC (rule 4: an address joins within a lease or 15 minutes).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from camscan.clock import iso
from camscan.decode.own_networks import Own, is_group, is_link_local
from camscan.intake import IntakeWriter
from camscan.model.observation import Kind
from camscan.model.traffic import Captured, Flow, Minute, NameSeen, ServiceSeen

SUBJECT = "capture"
"""device_id of the record about the capture itself."""
MAX_RECORDS = 200_000
MAX_MINUTES = 1440
"""Intervals of a flow that are kept; a longer capture gets wider ones."""
_UNSET = ("0.0.0.0", "::")
"""The address of a client that has none yet."""

_NOBODY = "flows of which no end is known to be the owner's (--local names further ranges)"
_GLOBAL_6 = ipaddress.ip_network("2000::/3")

_encode = msgspec.json.Encoder().encode
_Test = Callable[[str], bool]


class Sighting(Struct, frozen=True):
    """When an address was used with a MAC."""

    first: float
    last: float


def store(writer: IntakeWriter, captured: Captured) -> int:
    """Write everything; the number of records that found no place (counted in the summary)."""
    captured = with_real_macs(captured)
    own = own_of(captured)
    owners = device_ids(captured, own)
    summary = captured.summary
    if nobody := _of_nobody(captured.flows, own):
        summary = replace(summary, not_examined=(*summary.not_examined, (_NOBODY, nobody)))
    dropped = 0
    written = 0
    for kind, record in _records(captured, own):
        if written >= MAX_RECORDS:
            dropped += 1
            continue
        written += 1
        writer.observe(
            device_id=_subject(record, owners, own),
            kind=kind,
            response=_encode(record),
            port=record.port,
            transport="" if isinstance(record, NameSeen) else record.transport,
            address=_address(_end(record, own)),
            mac=record.client_mac if _end(record, own) == record.client else None,
            at=_moment(record.first),
        )
    for fact in captured.facts:
        writer.observe(
            device_id=owners.get((fact.client, fact.client_mac), fact.client),
            kind=Kind(fact.kind),
            response=fact.payload,
            port=fact.port,
            transport=fact.transport,
            request=fact.request,
            flags=fact.flags,
            address=_address(fact.client),
            mac=fact.client_mac,
            at=_moment(fact.at),
        )
    if dropped:
        lost = (*summary.not_examined, ("records beyond the limit", dropped))
        summary = replace(summary, not_examined=lost)
    writer.observe(
        device_id=SUBJECT,
        kind=Kind.CAPTURE,
        response=_encode(summary),
        at=_moment(summary.first),
    )
    return dropped


def own_of(captured: Captured) -> Callable[[str], bool]:
    """Whether an address is the owner's: in the ranges, or of a host on the very link.

    A home's devices have global IPv6 addresses of the provider's. No router passes on what goes to a link-local
    address or a group of the link (RFC 4291 sections 2.5.6 and 2.7), so who exchanged such packets is on the link.
    """
    own = Own(captured.summary.local)
    linked: set[str] = set()
    for flow in captured.flows:
        if ":" not in flow.client:
            continue
        if is_link_local(flow.remote) or flow.remote.startswith("ff02:"):
            linked.add(flow.client)
        elif is_link_local(flow.client):
            linked.add(flow.remote)
    linked = {a for a in linked if ipaddress.ip_address(a) in _GLOBAL_6}
    return lambda address: address in linked or own(address)


def _of_nobody(flows: Iterable[Flow], own: _Test) -> int:
    """How many flows between two hosts are of no end that is known to be the owner's."""
    strange = (f for f in flows if not (own(f.client) or own(f.remote)))
    return sum(not (is_group(f.client) or is_group(f.remote)) for f in strange)


def with_real_macs(captured: Captured) -> Captured:
    """Without hardware addresses that belong to nobody: zeros (loopback), broadcast and group addresses."""

    def real(mac: str | None) -> str | None:
        if mac is None or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
            return None
        return mac

    return replace(
        captured,
        names=tuple(replace(n, client_mac=real(n.client_mac)) for n in captured.names),
        flows=tuple(replace(f, client_mac=real(f.client_mac)) for f in captured.flows),
        services=tuple(replace(s, client_mac=real(s.client_mac)) for s in captured.services),
        facts=tuple(replace(f, client_mac=real(f.client_mac)) for f in captured.facts),
    )


def _end(record: NameSeen | Flow | ServiceSeen, own: _Test) -> str:
    """The owner's side: the client, unless only the other side lies in the owner's networks."""
    inbound = isinstance(record, Flow) and not own(record.client) and own(record.remote)
    return record.remote or record.client if inbound else record.client


def _subject(
    record: NameSeen | Flow | ServiceSeen, owners: Mapping[tuple[str, str | None], str], own: _Test
) -> str:
    end = _end(record, own)
    if end != record.client:
        return next((name for (a, _), name in owners.items() if a == end), end)
    return owners.get((end, record.client_mac), end)


def _moment(seconds: float | None) -> str | None:
    """ISO 8601; None for a time that no calendar has (a capture may claim any)."""
    try:
        return iso(seconds) if seconds is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def device_ids(
    captured: Captured, own: _Test | None = None
) -> Mapping[tuple[str, str | None], str]:
    """(client address, MAC) -> the name of the device in this intake.

    The address, unless two MACs used it one after the other: then each is named `address@mac`. A MAC that
    had one address after the other (leases that do not overlap) is one device, under its last address.
    """
    seen = _sightings(captured, own or own_of(captured))
    by_address: dict[str, dict[str, Sighting]] = {}
    by_mac: dict[str, dict[str, Sighting]] = {}
    for (address, mac), sighting in seen.items():
        if mac:
            by_address.setdefault(address, {})[mac] = sighting
            by_mac.setdefault(mac, {})[address] = sighting
    routers = {
        mac
        for mac, moved in by_mac.items()
        if sum(":" not in a for a in moved) > 1 and not _in_turn(_four(moved))
    }
    names: dict[tuple[str, str | None], str] = {}
    for address, mac in seen:
        if not mac or mac in routers:
            names[address, mac] = address
            continue
        moved = _four(by_mac[mac])
        last = max(moved, key=lambda a: moved[a].last) if address in moved else address
        owners = {m: s for m, s in by_address[last].items() if m not in routers}
        # Two MACs at once at one address are two views of one packet (both sides of a router).
        names[address, mac] = f"{last}@{mac}" if len(owners) > 1 and _in_turn(owners) else last
    return names


def _four(moved: Mapping[str, Sighting]) -> dict[str, Sighting]:
    return {a: s for a, s in moved.items() if ":" not in a}


def _in_turn(moved: Mapping[str, Sighting]) -> bool:
    """Whether all sightings lie one after the other; a router uses several addresses at once."""
    spans = sorted((s.first, s.last) for s in moved.values())
    return all(before[1] <= after[0] for before, after in pairwise(spans))


def _sightings(captured: Captured, own: _Test) -> dict[tuple[str, str | None], Sighting]:
    found: dict[tuple[str, str | None], Sighting] = {}
    spans: Iterable[tuple[str, str | None, float, float]] = (
        *((r.client, r.client_mac, r.first, r.last) for r in captured.names),
        *((r.client, r.client_mac, r.first, r.last) for r in captured.flows),
        *((r.client, r.client_mac, r.first, r.last) for r in captured.services),
        *((f.client, f.client_mac, f.at, f.at) for f in captured.facts),
    )
    for client, mac, first, last in spans:
        if client in _UNSET or not own(client):
            continue
        old = found.get((client, mac))
        if old is not None:
            first, last = min(old.first, first), max(old.last, last)
        found[client, mac] = Sighting(first, last)
    return found


def _records(
    captured: Captured, own: _Test
) -> Iterable[tuple[Kind, NameSeen | Flow | ServiceSeen]]:
    # Services and names first: should a limit bite, the many small flows go.
    for service in captured.services:
        if own(service.client):
            yield Kind.SERVICE, service
    for name in captured.names:
        if own(name.client):
            yield Kind.NAME, name
    for flow in sorted(captured.flows, key=lambda f: (-(f.bytes_up + f.bytes_down), f.client, f.remote, f.port)):  # fmt: skip
        if own(flow.client) or own(flow.remote):
            yield Kind.FLOW, replace(flow, minutes=coarse(flow.minutes))


def coarse(minutes: tuple[Minute, ...], limit: int = MAX_MINUTES) -> tuple[Minute, ...]:
    """At most `limit` intervals: minutes, else two, five, ten minutes ... joined."""
    width = 60
    while len(minutes) > limit:
        width *= 2
        joined: dict[int, tuple[int, int]] = {}
        for m in minutes:
            start = m.start // width * width
            up, down = joined.get(start, (0, 0))
            joined[start] = (up + m.bytes_up, down + m.bytes_down)
        minutes = tuple(Minute(s, u, d) for s, (u, d) in sorted(joined.items()))
    return minutes


def _address(client: str) -> str | None:
    """The address of a client; None for one that is known by its MAC alone."""
    if client in _UNSET:
        return None
    try:
        return str(ipaddress.ip_address(client))
    except ValueError:
        return None
