"""Which network does an address lie in, and who operates it?

Order (DESIGN rule 6): the owner's table, then the special-purpose exclusion, then the shipped table;
in each table the longest prefix wins (facts: networks, rules of use).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from camscan.model.knowledge import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
CountryOf = Callable[[str], str | None]


class NetworkTable:
    """Longest-prefix look-up over a fixed set of networks."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._blocks: dict[tuple[int, int], dict[int, Network]] = {}
        for network in networks:
            for prefix in network.prefixes:
                block = ipaddress.ip_network(prefix)
                level = self._blocks.setdefault((block.version, block.prefixlen), {})
                level.setdefault(int(block.network_address), network)
        self._lengths = sorted(self._blocks, reverse=True)

    def find(self, address: Address) -> Network | None:
        bits = 32 if address.version == 4 else 128
        number = int(address)
        for version, length in self._lengths:
            if version != address.version:
                continue
            shift = bits - length
            found = self._blocks[version, length].get((number >> shift) << shift)
            if found is not None:
                return found
        return None


def special(address: Address) -> bool:
    """Addresses no register places anywhere: private, documentation, multicast ... (IANA tables)."""
    return not address.is_global or address.is_multicast


def registry_country(address: str) -> str | None:
    """ISO 3166 country of the registration of an address (iptocc, data of its release).

    A registration detail: no statement about the place of the machine (DESIGN rule 6).
    """
    import iptocc

    country: str | None = iptocc.country_code(address)
    return country
