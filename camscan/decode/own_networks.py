"""Which addresses of a capture are the owner's own?

Without a statement of the owner: private, unique-local and link-local addresses (RFC 1918, 4193, 3927).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_OWN = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_MAX_REMEMBERED = 65_536


class Own:
    """A test that is asked for every packet; answers are remembered."""

    def __init__(self, ranges: Iterable[str] = ()) -> None:
        texts = tuple(ranges) or _OWN
        networks = [ipaddress.ip_network(text, strict=False) for text in texts]
        if not any(n.version == 6 for n in networks):
            # Ranges of IPv4 say nothing of IPv6: there the usual rule holds.
            networks += [n for n in map(ipaddress.ip_network, _OWN) if n.version == 6]
        self._ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        """Version -> first and last address of each network."""
        for network in networks:
            first, last = network.network_address, network.broadcast_address
            self._ranges[network.version].append((int(first), int(last)))
        self._known: dict[str, bool] = {}

    def __call__(self, address: str) -> bool:
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            found = self._known[address] = self._look(address)
        return found

    def _look(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        number = int(parsed)
        for first, last in self._ranges[parsed.version]:
            if first <= number <= last:
                return True
        return False


@lru_cache(_MAX_REMEMBERED)
def is_group(address: str) -> bool:
    """Multicast, broadcast or unspecified: no single host.

    The last address of a private /24 counts as its broadcast; of public ones it may be a host.
    """
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if number.is_multicast or number.is_unspecified or address == "255.255.255.255":
        return True
    return address.endswith(".255") and Own()(address)
