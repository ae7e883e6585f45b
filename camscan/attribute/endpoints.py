"""Who runs an endpoint, who runs its network, where is it registered?

Six separate columns, each with source and date (DESIGN rule 6); one never fills another. Names match on
label borders; the jurisdiction of the operator comes from parties/, never from the address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from msgspec.structs import replace

from camscan.attribute.networks import Address, CountryOf, NetworkTable, registry_country, special
from camscan.attribute.parties import ancestry
from camscan.model.claim import Device, Endpoint
from camscan.model.knowledge import EndpointName, Knowledge, Network


class NameTable:
    """Cloud names by registrable suffix; the most specific pattern wins."""

    def __init__(self, names: Iterable[EndpointName]) -> None:
        self._exact: dict[str, EndpointName] = {}
        self._suffix: dict[str, EndpointName] = {}
        self._glob: dict[str, list[tuple[re.Pattern[str], EndpointName]]] = {}
        for record in names:
            if not record.matchable:
                continue
            pattern = record.match.lower().rstrip(".")
            first, _, rest = pattern.partition(".")
            if first == "*" and "*" not in rest:
                self._suffix.setdefault(rest, record)
            elif "*" in first and "*" not in rest:
                label = "".join("[^.]*" if c == "*" else re.escape(c) for c in first)
                self._glob.setdefault(rest, []).append((re.compile(label), record))
            elif "*" not in pattern:
                self._exact.setdefault(pattern, record)

    def find(self, name: str) -> EndpointName | None:
        """Exact host, then a pattern in the first label, then the longest suffix on a label border."""
        name = name.lower().rstrip(".")
        if name in self._exact:
            return self._exact[name]
        first, _, rest = name.partition(".")
        for pattern, record in self._glob.get(rest, ()):
            if pattern.fullmatch(first):
                return record
        labels = name.split(".")
        for start in range(len(labels) - 1):
            tail = ".".join(labels[start:])
            if tail in self._suffix:
                return self._suffix[tail]
            # A bare registrable name stands for its hosts too (facts: cloud_endpoints, portals).
            if start and tail.count(".") == 1 and tail in self._exact:
                return self._exact[tail]
        return None


def attribute_endpoints(
    devices: Iterable[Device],
    knowledge: Knowledge,
    *,
    owner: tuple[Network, ...] = (),
    registry: CountryOf = registry_country,
    located: CountryOf | None = None,
) -> tuple[tuple[Device, ...], tuple[Endpoint, ...]]:
    """Devices with every endpoint attributed, and all endpoints in order of device, name, address.

    `owner`: the network table of `--networks`. `registry`: country of the registration of an address.
    `located`: place of an address from the user's own database, None without one.
    """
    names = NameTable(knowledge.endpoints)
    tables = _Tables(owner, knowledge, registry, located)
    result: list[Device] = []
    every: list[Endpoint] = []
    for device in devices:
        endpoints = tuple(
            _address_columns(_name_columns(e, names, knowledge), tables)
            for e in sorted(device.endpoints, key=_order)
        )
        result.append(replace(device, endpoints=endpoints))
        every += endpoints
    return tuple(result), tuple(sorted(every, key=_order))


def _order(endpoint: Endpoint) -> tuple[str, str, str, int]:
    return (
        endpoint.device_id,
        endpoint.name or "",
        endpoint.address or "",
        endpoint.port or 0,
    )


def _name_columns(endpoint: Endpoint, names: NameTable, knowledge: Knowledge) -> Endpoint:
    record = names.find(endpoint.name) if endpoint.name else None
    if record is None and endpoint.address:
        record = names.find(endpoint.address)
    if record is None:
        return endpoint
    found = ancestry(record.operator, knowledge.parties)
    country = found.seat if found is not None else None
    sources = [*endpoint.sources, f"service_operator: {record.source} ({record.as_of})"]
    if found is not None and country:
        top = found.parties[-1]
        sources.append(f"service_parent_country: {top.source} ({top.as_of})")
    return replace(
        endpoint,
        purpose=endpoint.purpose or ", ".join(record.purpose),
        service_operator=record.operator,
        service_parent_country=country,
        sources=tuple(sources),
    )


class _Tables:
    """Everything an address is looked up in, in order of rank."""

    def __init__(
        self,
        owner: tuple[Network, ...],
        knowledge: Knowledge,
        registry: CountryOf,
        located: CountryOf | None,
    ) -> None:
        self.supplied = NetworkTable(owner)
        self.shipped = NetworkTable(knowledge.networks)
        self.knowledge = knowledge
        self.registry = registry
        self.located = located


def _address_columns(endpoint: Endpoint, tables: _Tables) -> Endpoint:
    address = _address(endpoint.address)
    if address is None:
        return endpoint
    network = tables.supplied.find(address)
    if network is not None:
        return _with_network(endpoint, network, tables.knowledge, "table supplied by the owner: ")
    if special(address):
        return replace(
            endpoint,
            sources=(
                *endpoint.sources,
                "network_operator: special-purpose address (IANA), nobody's",
            ),
        )
    network = tables.shipped.find(address)
    if network is not None:
        endpoint = _with_network(endpoint, network, tables.knowledge, "")
    sources = list(endpoint.sources)
    country = tables.registry(str(address))
    if country:
        sources.append("registry_country: iptocc, data of the installed release")
        if endpoint.registry_country and endpoint.registry_country != country:
            sources.append(
                f"registry_country of the AS differs: {endpoint.registry_country}",
            )
    country = country or endpoint.registry_country
    place = endpoint.located_country
    if place is None and tables.located is not None and (place := tables.located(str(address))):
        sources.append("located_country: database of the user")
    return replace(
        endpoint, registry_country=country, located_country=place, sources=tuple(sources)
    )


def _with_network(
    endpoint: Endpoint, network: Network, knowledge: Knowledge, prefix: str
) -> Endpoint:
    operator = knowledge.parties.get(network.operator)
    name = operator.name if operator is not None else network.name
    where = f"{prefix}{network.source} ({network.as_of})"
    columns = [f"network_operator: {where}"]
    for column, value in (
        ("network_parent_country", network.parent_country),
        ("registry_country", network.registry_country),
        ("located_country", network.located_country),
    ):
        if value:
            columns.append(f"{column}: {where}")
    return replace(
        endpoint,
        network_operator=name,
        network_parent_country=network.parent_country,
        registry_country=network.registry_country,
        located_country=network.located_country,
        sources=(*endpoint.sources, *columns),
    )


def _address(text: str | None) -> Address | None:
    if not text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
