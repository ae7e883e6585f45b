"""Does an address lie inside the network whose traffic this is?

Inside are the ranges of a given scope, else private, link-local and unique local addresses. Multicast and broadcast lie nowhere: nothing leaves through them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps
from camscan.observe.traffic.batch import FAMILY6, Keys
from camscan.observe.traffic.table import PairTable

_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_LOW32 = np.uint64(0xFFFF_FFFF)
INSIDE, OUTSIDE, GROUP = 0, 1, 2
"""Group: multicast, broadcast, unspecified."""


class Places:
    """Where addresses lie; vectorised, IPv6 by the numbers of `addresses`."""

    def __init__(self, addresses: PairTable, scope: Sequence[str] = ()) -> None:
        self.addresses = addresses
        networks = [ipaddress.ip_network(text, strict=False) for text in (scope or _PRIVATE)]
        four = [n for n in networks if n.version == 4]
        self._six = [n for n in networks if n.version == 6]
        # First, last and broadcast address of each; a point-to-point network has no broadcast.
        self._networks: Keys = np.array(
            [
                (
                    int(n.network_address),
                    int(n.broadcast_address),
                    int(n.broadcast_address) if n.prefixlen < 31 else 1 << 32,
                )
                for n in four
            ],
            np.uint64,
        ).reshape(-1, 3)
        if scope and not self._six:
            # A scope of IPv4 ranges says nothing of IPv6: there the usual rule holds.
            self._six = [n for n in map(ipaddress.ip_network, _PRIVATE) if n.version == 6]
        self._known: NDArray[np.uint8] = np.zeros(1, np.uint8)

    def of4(self, addresses: Keys) -> NDArray[np.uint8]:
        """INSIDE, OUTSIDE or GROUP per IPv4 address."""
        result = np.full(len(addresses), OUTSIDE, np.uint8)
        for first, last, broadcast in self._networks:
            result[(addresses >= first) & (addresses <= last)] = INSIDE
            result[addresses == broadcast] = GROUP
        group = (addresses >> np.uint64(28) == np.uint64(14)) | (addresses == _LOW32)
        result[group | (addresses >> np.uint64(24) == np.uint64(0))] = GROUP
        return result

    def of6(self, numbers: Keys) -> NDArray[np.uint8]:
        """The same per number of an IPv6 address."""
        count = self.addresses.count
        if count + 1 > len(self._known):
            known = np.zeros(count + 1, np.uint8)
            known[: len(self._known)] = self._known
            for number in range(len(self._known), count + 1):
                known[number] = self._place6(number)
            self._known = known
        return self._known[numbers.astype(np.int64)]

    def _place6(self, number: int) -> int:
        address = ipaddress.IPv6Address(address6(self.addresses, number))
        if address.is_multicast or address.is_unspecified:
            return GROUP
        return INSIDE if any(address in network for network in self._six) else OUTSIDE

    def ends(self, a: Keys, b: Keys) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Place of source and destination."""
        source, target = a >> np.uint64(32), a & _LOW32
        six = b & np.uint64(FAMILY6) != 0
        if not six.any():
            return self.of4(source), self.of4(target)
        places = []
        for addresses in (source, target):
            place = self.of4(addresses)
            place[six] = self.of6(addresses[six])
            places.append(place)
        return places[0], places[1]

    def leaves(self, a: Keys, b: Keys) -> NDArray[np.bool_]:
        """Whether one end lies outside and none is a group."""
        if steps.compiled is not None and not (b & np.uint64(FAMILY6)).any():
            found, a = np.empty(len(a), np.bool_), np.ascontiguousarray(a)
            networks = steps.at(self._networks), len(self._networks)
            steps.compiled.camscan_leaves(steps.at(a), len(a), *networks, steps.at(found))
            return found
        source, target = self.ends(a, b)
        outside = (source == OUTSIDE) | (target == OUTSIDE)
        result: NDArray[np.bool_] = outside & (source != GROUP) & (target != GROUP)
        return result

    def text(self, address: int, *, six: bool) -> str:
        if six:
            return str(ipaddress.IPv6Address(address6(self.addresses, address)))
        return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def address6(addresses: PairTable, number: int) -> int:
    return int(addresses.a[number]) << 64 | int(addresses.b[number])
