"""What did a named person of the owner declare for this device?

The most specific statement wins: a name of the device, then the narrowest range, then `*`. Two different
statements of equal rank give an interval, like any other conflict (facts: scoring 4).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from camscan.model.claim import Device
from camscan.model.site import Declaration, Site

_EXACT = 1000
"""Rank of a subject that names the device itself; a range ranks by its prefix length."""
_YES_NO = {"no": 0, "yes": 1}


class Declared(Struct, frozen=True, kw_only=True):
    """Levels of one factor that were declared, and by whom."""

    lower: int
    upper: int
    by: str
    text: str


def declared(device: Device, factor: str, site: Site) -> Declared | None:
    """The owner's statement on `factor` for this device, None if there is none."""
    ranked = [
        (rank, level, d)
        for d in (*site.declarations, *_places(site, factor))
        if d.factor == factor
        and (rank := _rank(device, d.subjects)) is not None
        and (level := _level(factor, d.value)) is not None
    ]
    if not ranked:
        return None
    top = max(rank for rank, _, _ in ranked)
    chosen = [(level, d) for rank, level, d in ranked if rank == top]
    return Declared(
        lower=min(level for level, _ in chosen),
        upper=max(level for level, _ in chosen),
        by=", ".join(dict.fromkeys(d.by for _, d in chosen)),
        text="; ".join(
            dict.fromkeys(
                f"declared {factor} = {d.value} by {d.by}, {d.date}"
                + (f" ({d.text})" if d.text else "")
                for _, d in chosen
            ),
        ),
    )


def _places(site: Site, factor: str) -> Iterable[Declaration]:
    if factor != "P":
        return
    for place in site.places:
        if place.sensitivity:
            yield Declaration(
                factor="P",
                value=place.sensitivity,
                by=site.declared_by or "the site file",
                date=site.date or "no date",
                subjects=place.targets,
                text=f"place {place.name}",
            )


def _level(factor: str, value: str) -> int | None:
    value = value.strip().lower()
    if factor in {"x", "m"}:
        return _YES_NO.get(value)
    if value.startswith(factor.lower()):
        value = value[len(factor) :]
    limit = {"P": 3, "C": 2, "D": 4}.get(factor, 0)
    return int(value) if value.isdigit() and int(value) <= limit else None


def _rank(device: Device, subjects: Iterable[str]) -> int | None:
    names = {device.device_id, *device.addresses, *device.macs}
    if device.listed_as:
        names.add(device.listed_as)
    ranks = []
    for subject in subjects:
        if subject in names:
            ranks.append(_EXACT)
        elif subject == "*":
            ranks.append(-1)
        elif (length := _contains(subject, device.addresses)) is not None:
            ranks.append(length)
    return max(ranks, default=None)


def _contains(subject: str, addresses: Iterable[str]) -> int | None:
    network = _network(subject)
    if network is None:
        return None
    for address in addresses:
        place = _address(address)
        if place is not None and place in network:
            return network.prefixlen
    return None


# A site names few networks and every device asks for each of them.
@lru_cache(maxsize=4096)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
