"""Which network does an address lie in, and who operates it?

Order (DESIGN rule 6): the owner's table, then the special-purpose exclusion, then the shipped table;
in each table the longest prefix wins (facts: networks, rules of use). Only where no prefix of the shipped
table holds the address is the AS asked for, and only from a database the user gave.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

from camscan.decode import ipv4
from camscan.model.knowledge import Network
from camscan.special_ranges import BLOCKS, SpecialRange

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
T = TypeVar("T")
_FREE = {str(length): 32 - length for length in range(33)}
"""Length of an IPv4 prefix -> bits that are free."""


class RangeTable(Generic[T]):
    """The innermost range that holds an address.

    Ranges nest or are disjoint, as prefixes are; they are cut into disjoint pieces once and found by
    bisection (100,000 addresses in well under a second).
    """

    def __init__(self, ranges: Iterable[tuple[int, int, int, T]]) -> None:
        """`ranges`: (IP version, first, last, value); the first of two equal ranges counts."""
        given: dict[int, dict[tuple[int, int], T]] = {4: {}, 6: {}}
        for version, first, last, value in ranges:
            given[version].setdefault((first, last), value)
        self._pieces = {version: _Pieces(rows) for version, rows in given.items()}

    def find(self, address: Address) -> T | None:
        pieces = self._pieces[address.version]
        place = bisect_right(pieces.starts, int(address)) - 1
        return pieces.values[place] if place >= 0 else None


class _Pieces(Generic[T]):
    """Disjoint pieces in order: where each starts, and its value (None: a gap)."""

    def __init__(self, rows: dict[tuple[int, int], T]) -> None:
        self.starts: list[int] = []
        self.values: list[T | None] = []
        open_: list[tuple[int, T]] = []  # (last, value), outermost first
        for (first, last), value in sorted(rows.items(), key=lambda r: (r[0][0], -r[0][1])):
            self._close(open_, first)
            self._begin(first, value)
            open_.append((last, value))
        self._close(open_, None)

    def _close(self, open_: list[tuple[int, T]], until: int | None) -> None:
        """End the ranges that lie wholly before `until`; what encloses them goes on."""
        while open_ and (until is None or open_[-1][0] < until):
            last, _ = open_.pop()
            self._begin(last + 1, open_[-1][1] if open_ else None)

    def _begin(self, at: int, value: T | None) -> None:
        if self.starts and self.starts[-1] == at:
            self.values[-1] = value
        else:
            self.starts.append(at)
            self.values.append(value)


class NetworkTable:
    """Longest-prefix look-up over a fixed set of networks, and their AS numbers."""

    def __init__(self, networks: Iterable[Network]) -> None:
        rows: list[tuple[int, int, int, Network]] = []
        self._by_as: dict[int, Network] = {}
        # A user's own record adds and never replaces a shipped one (DESIGN rule 14).
        for network in sorted(networks, key=lambda n: n.id.startswith("local.")):
            rows += [(*_range(prefix), network) for prefix in network.prefixes]
            for number in network.asn:
                self._by_as.setdefault(number, network)
        self._table = RangeTable(rows)

    def find(self, address: Address) -> Network | None:
        return self._table.find(address)

    def of_as(self, number: int) -> Network | None:
        """The record that names this AS."""
        return self._by_as.get(number)


def _range(prefix: str) -> tuple[int, int, int]:
    """IP version, first and last address. ValueError where it is no prefix."""
    address, _, length = prefix.partition("/")
    first, free = ipv4.number(address), _FREE.get(length, -1)
    # Most prefixes are of this form, and `ipaddress` takes ten times as long.
    if first >= 0 and free >= 0 and not first & (1 << free) - 1:
        return 4, first, first | (1 << free) - 1
    block = ipaddress.ip_network(prefix)
    return block.version, int(block.network_address), int(block.broadcast_address)


_SPECIAL = RangeTable((b.version, b.first, b.last, b.row) for b in BLOCKS)


def special(address: Address) -> SpecialRange | None:
    """The special-purpose range of IANA's tables that holds the address: no register places it anywhere."""
    return _SPECIAL.find(address)
