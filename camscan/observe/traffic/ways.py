"""Which direction of which conversation is meant, in words that another process understands?

The numbers of five-tuples and of IPv6 addresses are each process's own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from camscan.observe.traffic.batch import FAMILY6, TCP, UDP, Ints, Keys
from camscan.observe.traffic.packet import Packet
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.table import PairTable

_HALF = 0xFFFF_FFFF_FFFF_FFFF
_NUMBERS = {"tcp": TCP, "udp": UDP}


class Way(NamedTuple):
    """One direction of a conversation."""

    src: str
    sport: int
    dst: str
    dport: int
    proto: int


def of_packet(packet: Packet) -> Way:
    number = _NUMBERS[packet.transport]
    return Way(packet.src, packet.sport, packet.dst, packet.dport, number)


def of_tuples(places: Places, table: PairTable, numbers: Ints) -> tuple[Way, ...]:
    """Those with these numbers."""
    found = []
    for a, b in zip(table.a[numbers].tolist(), table.b[numbers].tolist(), strict=True):
        six = b & FAMILY6 != 0
        src, dst = (places.text(end, six=six) for end in (a >> 32, a & 0xFFFF_FFFF))
        found.append(Way(src, b >> 16 & 0xFFFF, dst, b & 0xFFFF, b >> 32 & 0xFF))
    return tuple(found)


def keys(ways: Iterable[Way], addresses: PairTable) -> tuple[Keys, Keys]:
    """The five-tuples of those ways whose addresses are known."""
    found = []
    for way in ways:
        src, dst = ipaddress.ip_address(way.src), ipaddress.ip_address(way.dst)
        b = way.proto << 32 | way.sport << 16 | way.dport
        if src.version == 4:
            found.append((int(src) << 32 | int(dst), b))
            continue
        ends = [_number(addresses, int(end)) for end in (src, dst)]
        if all(ends):
            found.append((ends[0] << 32 | ends[1], b | FAMILY6))
    columns = np.array(found, np.uint64).reshape(-1, 2)
    return columns[:, 0].copy(), columns[:, 1].copy()


def _number(addresses: PairTable, address: int) -> int:
    """Of an IPv6 address; 0 where it has none."""
    halves = np.array([[address >> 64], [address & _HALF]], np.uint64)
    return int(addresses.numbers(halves[0], halves[1], insert=False)[0])


def datagrams(found: tuple[Keys, Keys], addresses: tuple[Keys, Keys]) -> set[tuple[int, ...]]:
    """Fragmented datagrams (ends and kinds, `Fragments.begun`), the same for every process.

    `addresses`: halves of its IPv6 addresses 1, 2, 3 ...
    """
    same: set[tuple[int, ...]] = set()
    high, low = addresses
    for ends, kind in zip(found[0].tolist(), found[1].tolist(), strict=True):
        if not kind & FAMILY6:
            same.add((kind, ends))
            continue
        numbers = [(ends >> 32) - 1, (ends & 0xFFFF_FFFF) - 1]
        same.add((kind, *high[numbers].tolist(), *low[numbers].tolist()))
    return same
