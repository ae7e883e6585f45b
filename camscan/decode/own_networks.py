"""Which addresses of a capture are the owner's own?

Without a statement of the owner: private, unique-local and link-local addresses (RFC 1918, 4193, 3927).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from camscan.decode import ipv4

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
        number, version = ipv4.number(address), 4
        if number < 0:
            try:
                parsed = ipaddress.ip_address(address)
            except ValueError:
                return False
            number, version = int(parsed), parsed.version
        return any(first <= number <= last for first, last in self._ranges[version])


def may_ask(local: Callable[[str], bool], client: str, server: str) -> bool:
    """Whether who asks may be one of the owner's: not where a stranger asks a server of the owner's.

    Where neither end is known to be the owner's (global addresses of IPv6 inside a home), nobody else can be told
    to have asked. No stranger reaches a link-local or unique local address.
    """
    return local(client) or not local(server) or server.startswith(("fe80:", "fc", "fd"))


def is_link_local(address: str) -> bool:
    """Whether an IPv6 address holds on one link alone (RFC 4291 section 2.5.6)."""
    return ":" in address and address[:3] in {"fe8", "fe9", "fea", "feb"}


def share_link(one: str, other: str) -> bool:
    """Whether two IPv6 addresses stand for hosts on one link: one holds there alone, or their 64-bit prefix is the same."""
    if ":" not in one or ":" not in other:
        return False
    if is_link_local(one) or is_link_local(other):
        return True
    try:
        numbers = [int(ipaddress.IPv6Address(address)) for address in (one, other)]
    except ValueError:
        return False
    return numbers[0] >> 64 == numbers[1] >> 64


@lru_cache(_MAX_REMEMBERED)
def is_group(address: str, *, sends: bool = False) -> bool:
    """Multicast, broadcast or unspecified: no single host.

    The last address of a private /24 counts as its broadcast, unless something `sends` from it: then it is a host
    of a larger net, as the last address of a public /24 may be.
    """
    four = ipv4.number(address)
    if four >= 0:
        if four in {0, 0xFFFF_FFFF} or four >> 28 == 14:
            return True
        return not sends and four & 0xFF == 0xFF and _usual()(address)
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if number.is_multicast or number.is_unspecified:
        return True
    return not sends and address.endswith(".255") and _usual()(address)


@cache
def _usual() -> Own:
    return Own()
