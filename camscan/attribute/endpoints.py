"""Who runs an endpoint, who runs its network, where is it registered?

Six separate columns, each with source and date (DESIGN rule 6); one never fills another, and where two of
them name different countries that is said. Names match on label borders; the jurisdiction of the operator
comes from parties/, never from the address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from camscan.attribute.networks import Address, NetworkTable, special
from camscan.attribute.parties import ancestry
from camscan.model.claim import Device, Endpoint
from camscan.model.knowledge import Attributing, EndpointName, Network
from camscan.model.lookups import NO_LOOKUPS, Lookups

MOVABLE = frozenset({"cdn", "resolver"})
"""Kinds of network whose registration says nothing of a place: one address stands in many."""
KIND = "network_kind: "


class NameTable:
    """Cloud names by registrable suffix; the most specific pattern wins."""

    def __init__(self, names: Iterable[EndpointName]) -> None:
        self._exact: dict[str, EndpointName] = {}
        self._suffix: dict[str, EndpointName] = {}
        self._glob: dict[str, list[tuple[re.Pattern[str], EndpointName]]] = {}
        # A user's own pattern adds and never replaces a shipped one (DESIGN rule 14).
        for record in sorted(names, key=lambda r: r.id.startswith("local.")):
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
            if start and tail in self._exact and _registrable(labels[start:]):
                return self._exact[tail]
        return None


_SECOND_LEVEL = frozenset({"com", "net", "org", "co", "ac", "edu", "gov"})
"""Second labels under which country registries register: `com.cn`, `co.uk`, `net.cn`."""


def _registrable(labels: Sequence[str]) -> bool:
    """Whether the name is one that is registered: `example.com`, `example.com.cn`."""
    if len(labels) == 3:
        return len(labels[2]) == 2 and labels[1] in _SECOND_LEVEL
    return len(labels) == 2 and not (len(labels[1]) == 2 and labels[0] in _SECOND_LEVEL)


def attribute_endpoints(
    devices: Iterable[Device],
    knowledge: Attributing,
    *,
    owner: tuple[Network, ...] = (),
    lookups: Lookups = NO_LOOKUPS,
) -> tuple[tuple[Device, ...], tuple[Endpoint, ...]]:
    """Devices with every endpoint attributed, and all endpoints in order of device, name, address.

    `owner`: the network table of `--networks`. `lookups`: registration, place and AS of an address.
    """
    columns = Columns(knowledge, owner=owner, lookups=lookups)
    result: list[Device] = []
    every: list[Endpoint] = []
    for device in devices:
        endpoints = tuple(columns.fill(e) for e in sorted(device.endpoints, key=_order))
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


class _OfName(Struct, frozen=True):
    """What a name tells: who runs the service, and where the seat of that group is."""

    operator: str
    country: str | None
    purpose: str
    sources: tuple[str, ...]


class _OfAddress(Struct, frozen=True):
    """What an address tells."""

    operator: str | None = None
    parent_country: str | None = None
    registry_country: str | None = None
    located_country: str | None = None
    sources: tuple[str, ...] = ()


class Columns:
    """The attribution columns of names and addresses, each worked out once.

    Flows of a capture and strings of an image are attributed through this too: `fill` takes any endpoint,
    with a name, an address or both, whatever its marks.
    """

    def __init__(
        self,
        knowledge: Attributing,
        *,
        owner: tuple[Network, ...] = (),
        lookups: Lookups = NO_LOOKUPS,
    ) -> None:
        self._knowledge = knowledge
        self._lookups = lookups
        self._names = NameTable(knowledge.endpoints)
        self._supplied = NetworkTable(owner)
        self._shipped = NetworkTable(knowledge.networks)
        self._by_name: dict[str, _OfName | None] = {}
        self._by_address: dict[str, _OfAddress] = {}

    def fill(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint with every column that can be filled; what it already holds stays."""
        service = self._service(endpoint)
        place = self._place(endpoint.address) if endpoint.address else _OfAddress()
        return replace(
            endpoint,
            purpose=endpoint.purpose or (service.purpose if service else ""),
            service_operator=service.operator if service else endpoint.service_operator,
            service_parent_country=service.country if service else endpoint.service_parent_country,
            network_operator=place.operator or endpoint.network_operator,
            network_parent_country=place.parent_country or endpoint.network_parent_country,
            registry_country=place.registry_country or endpoint.registry_country,
            located_country=place.located_country or endpoint.located_country,
            sources=(
                *endpoint.sources,
                *(service.sources if service else ()),
                *place.sources,
                *_disagreement(place, service.country if service else None),
            ),
        )

    def _service(self, endpoint: Endpoint) -> _OfName | None:
        found = self._of_name(endpoint.name) if endpoint.name else None
        if found is None and endpoint.address:
            found = self._of_name(endpoint.address)
        return found

    def _of_name(self, name: str) -> _OfName | None:
        if name not in self._by_name:
            self._by_name[name] = self._name_columns(name)
        return self._by_name[name]

    def _name_columns(self, name: str) -> _OfName | None:
        record = self._names.find(name)
        if record is None:
            return None
        found = ancestry(record.operator, self._knowledge.parties)
        country = found.seat if found is not None else None
        mark = "" if record.verification == "sourced" else f", {record.verification}"
        sources = [f"service_operator: {record.source} ({record.as_of}{mark})"]
        if found is not None and country:
            top = found.parties[-1]
            sources.append(f"service_parent_country: {top.source} ({top.as_of})")
        return _OfName(record.operator, country, ", ".join(record.purpose), tuple(sources))

    def _place(self, text: str) -> _OfAddress:
        if text not in self._by_address:
            address = _address(text)
            self._by_address[text] = (
                self._address_columns(address) if address is not None else _OfAddress()
            )
        return self._by_address[text]

    def _address_columns(self, address: Address) -> _OfAddress:
        supplied = self._supplied.find(address)
        if supplied is not None:
            return self._of_network(supplied, "table supplied by the owner: ")
        row = special(address)
        if row is not None:
            words = f"network_operator: nobody's, {row.name}, by IANA's special-purpose table"
            return _OfAddress(sources=(words,))
        return self._registered(address, self._network(address))

    def _network(self, address: Address) -> _OfAddress:
        """By the longest prefix of the shipped table, else by the AS of the user's database."""
        network = self._shipped.find(address)
        base = self._lookups.asn
        announced = base.of(str(address)) if base is not None else None
        if base is None or announced is None:
            return self._of_network(network, "") if network is not None else _OfAddress()
        number, name = announced
        by_as = self._shipped.of_as(number)
        where = f"AS{number} {name}".strip() + f" by {base.source}"
        if network is None:
            if by_as is not None:
                return self._of_network(by_as, f"{where}; ")
            return _OfAddress(
                operator=f"AS{number} {name}".strip(), sources=(f"network_operator: {where}",)
            )
        found = self._of_network(network, "")
        if by_as is None or by_as.operator != network.operator:
            found = replace(
                found, sources=(*found.sources, f"network_operator by AS differs: {where}")
            )
        return found

    def _of_network(self, network: Network, prefix: str) -> _OfAddress:
        operator = self._knowledge.parties.get(network.operator)
        where = f"{prefix}{network.source} ({network.as_of})"
        sources = [f"network_operator: {where}"]
        if network.kind in MOVABLE:
            sources.append(f"{KIND}{network.kind}")
        for column, value in (
            ("network_parent_country", network.parent_country),
            ("registry_country", network.registry_country),
            ("located_country", network.located_country),
        ):
            if value:
                sources.append(f"{column}: {where}")
        if network.technology_supplier:
            sources.append(f"technology supplier, not a parent: {network.technology_supplier}")
        return _OfAddress(
            operator=operator.name if operator is not None else network.name,
            parent_country=network.parent_country,
            registry_country=network.registry_country,
            located_country=network.located_country,
            sources=tuple(sources),
        )

    def _registered(self, address: Address, found: _OfAddress) -> _OfAddress:
        """With the country of the registration and, where a database says one, that of the place."""
        sources = list(found.sources)
        registry, located = self._lookups.registry, self._lookups.located
        country = registry.of(str(address)) if registry is not None else None
        if registry is not None and country:
            sources.append(f"registry_country: {registry.source}")
            if found.registry_country and found.registry_country != country:
                sources.append(f"registry_country of the AS differs: {found.registry_country}")
        place = found.located_country
        if place is None and located is not None and (place := located.of(str(address))):
            sources.append(f"located_country: {located.source}")
        return replace(
            found,
            registry_country=country or found.registry_country,
            located_country=place,
            sources=tuple(sources),
        )


def _disagreement(place: _OfAddress, service_parent: str | None) -> tuple[str, ...]:
    """One line where the columns name different countries; none of them is corrected by another."""
    columns = (
        ("registered in", place.registry_country),
        ("located in", place.located_country),
        ("network's parent in", place.parent_country),
        ("service's parent in", service_parent),
    )
    named = [(words, country) for words, country in columns if country]
    if len({country for _, country in named}) < 2:
        return ()
    told = (f"{words} {country}".replace(" in disputed", " disputed") for words, country in named)
    return (f"columns differ: {', '.join(told)}",)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
