"""What kind of exchange with one endpoint was it, for the data-path factor and for the words of a finding?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.model.claim import Device, Endpoint, Mark

_LITTLE = frozenset({"time", "name", "ntp", "dns", "connectivity"})
"""Name, time and reachability traffic: no device identifier (facts: scoring 6, D2)."""
_TELLS = 4096
"""Bytes sent above which unclassified traffic is more than a test whether the internet is there."""
_SHOWN = 6


def kinds(endpoint: Endpoint) -> frozenset[str]:
    """Classes of the traffic, and purposes of the name."""
    purposes = {p.strip() for p in endpoint.purpose.split(",") if p.strip()}
    return frozenset({*endpoint.classes, *purposes})


def is_media(endpoint: Endpoint) -> bool:
    """Whether the traffic itself looks like media; a name that could serve media is not enough."""
    return "media" in endpoint.classes or "media" in endpoint.purpose


def path_step(endpoint: Endpoint) -> int:
    """The D level that contact with this endpoint supports at least."""
    if is_media(endpoint):
        return 4
    found = kinds(endpoint)
    if endpoint.port == 123 or (found and found <= _LITTLE):
        return 2
    if not found and endpoint.packets and endpoint.bytes_up < _TELLS:
        return 2
    return 3


def unnamed(device: Device) -> tuple[Endpoint, ...]:
    """Contacted endpoints of which neither the service nor the network has a known operator."""
    return tuple(
        e
        for e in device.endpoints
        if Mark.CONTACTED in e.marks and not e.service_operator and not e.network_operator
    )


def reached(device: Device) -> tuple[Endpoint, ...]:
    """Parties outside that opened a TCP conversation which the device answered."""
    return tuple(
        e
        for e in device.endpoints
        if e.inbound and e.transport == "tcp" and e.bytes_up and e.bytes_down
    )


def shown(names: Iterable[str]) -> str:
    """At most six names in a sentence."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def volume_words(endpoint: Endpoint) -> str:
    """`p2p.example.com (203.0.113.7, udp 8800): 12 kB sent, 4 kB received, 2026-..., signalling`."""
    where = endpoint.address or "no address"
    port = f", {endpoint.transport} {endpoint.port}" if endpoint.port is not None else ""
    kind = ", ".join(endpoint.classes) or endpoint.purpose or "unclassified"
    opened = ", opened from outside" if endpoint.inbound else ""
    named = (
        f"{endpoint.name} ({where}{port})" if endpoint.name else f"{where}{port}, without a name"
    )
    seen = f"; {', '.join(endpoint.observations[:3])}" if endpoint.observations else ""
    return (
        f"{named}: {endpoint.bytes_up} bytes sent, {endpoint.bytes_down} received, "
        f"{endpoint.first} to {endpoint.last}, {kind}{opened}{seen}"
    )
