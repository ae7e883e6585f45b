"""What is an address range for, by the IANA special-purpose registries?

Data of RFC 6890 and its updates as kept by IANA (registries iana-ipv4-special-registry and
iana-ipv6-special-registry); multicast from the multicast address space registries. Python's
`ipaddress` holds the same facts but not their names, and changes with the interpreter.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from camscan.decode import ipv4

SOURCE = "IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and updates)"
AS_OF = "2025-10-09"
_REMEMBERED = 65_536


class Permission(StrEnum):
    """What a scan needs before it may touch an address."""

    AUTHORITY = "authority"
    """Private, link-local or loopback: `--authority TEXT` is enough."""
    FILE = "file"
    """Everything else: a scope file that names owner, document and ranges."""
    NEVER = "never"
    """Not one device: multicast, broadcast, unspecified."""


class SpecialRange(Struct, frozen=True):
    cidr: str
    name: str
    permission: Permission
    reachable: bool = False
    """Whether packets for it go out into the internet: a party may stand behind such an address (column "globally
    reachable" of the registries; True also for the forms that carry the address of a real host)."""


_A, _F, _N = Permission.AUTHORITY, Permission.FILE, Permission.NEVER

SPECIAL_RANGES: tuple[SpecialRange, ...] = (
    SpecialRange("0.0.0.0/8", "this network (RFC 791)", _N),
    SpecialRange("10.0.0.0/8", "private use (RFC 1918)", _A),
    SpecialRange("100.64.0.0/10", "shared address space of providers (RFC 6598)", _F),
    SpecialRange("127.0.0.0/8", "loopback (RFC 1122)", _A),
    SpecialRange("169.254.0.0/16", "link-local (RFC 3927)", _A),
    SpecialRange("172.16.0.0/12", "private use (RFC 1918)", _A),
    SpecialRange("192.0.0.0/24", "IETF protocol assignments (RFC 6890)", _F),
    SpecialRange("192.0.0.9/32", "port control protocol anycast (RFC 7723)", _F, reachable=True),
    SpecialRange("192.0.0.10/32", "TURN anycast (RFC 8155)", _F, reachable=True),
    SpecialRange("192.0.2.0/24", "documentation, TEST-NET-1 (RFC 5737)", _F),
    SpecialRange("192.31.196.0/24", "AS112-v4 (RFC 7535)", _F, reachable=True),
    SpecialRange("192.52.193.0/24", "AMT (RFC 7450)", _F, reachable=True),
    SpecialRange("192.88.99.0/24", "deprecated 6to4 relay anycast (RFC 7526)", _F, reachable=True),
    SpecialRange("192.168.0.0/16", "private use (RFC 1918)", _A),
    SpecialRange("192.175.48.0/24", "direct delegation AS112 (RFC 7534)", _F, reachable=True),
    SpecialRange("198.18.0.0/15", "benchmarking (RFC 2544)", _F),
    SpecialRange("198.51.100.0/24", "documentation, TEST-NET-2 (RFC 5737)", _F),
    SpecialRange("203.0.113.0/24", "documentation, TEST-NET-3 (RFC 5737)", _F),
    SpecialRange("224.0.0.0/4", "multicast (RFC 5771)", _N),
    SpecialRange("240.0.0.0/4", "reserved (RFC 1112)", _F),
    SpecialRange("255.255.255.255/32", "limited broadcast (RFC 919)", _N),
    SpecialRange("::/128", "unspecified (RFC 4291)", _N),
    SpecialRange("::1/128", "loopback (RFC 4291)", _A),
    SpecialRange("::ffff:0:0/96", "IPv4-mapped (RFC 4291)", _F),
    SpecialRange("64:ff9b::/96", "IPv4-IPv6 translation (RFC 6052)", _F, reachable=True),
    SpecialRange("64:ff9b:1::/48", "IPv4-IPv6 translation, local use (RFC 8215)", _F),
    SpecialRange("100::/64", "discard-only (RFC 6666)", _F),
    SpecialRange("2001::/23", "IETF protocol assignments (RFC 2928)", _F),
    SpecialRange("2001::/32", "Teredo (RFC 4380)", _F, reachable=True),
    SpecialRange("2001:1::1/128", "port control protocol anycast (RFC 7723)", _F, reachable=True),
    SpecialRange("2001:1::2/128", "TURN anycast (RFC 8155)", _F, reachable=True),
    SpecialRange("2001:3::/32", "AMT (RFC 7450)", _F, reachable=True),
    SpecialRange("2001:4:112::/48", "AS112-v6 (RFC 7535)", _F, reachable=True),
    SpecialRange("2001:db8::/32", "documentation (RFC 3849)", _F),
    SpecialRange("2002::/16", "6to4 (RFC 3056)", _F, reachable=True),
    SpecialRange("2620:4f:8000::/48", "direct delegation AS112 (RFC 7534)", _F, reachable=True),
    SpecialRange("3fff::/20", "documentation (RFC 9637)", _F),
    SpecialRange("5f00::/16", "segment routing SIDs (RFC 9602)", _F),
    SpecialRange("fc00::/7", "unique local (RFC 4193)", _A),
    SpecialRange("fe80::/10", "link-local (RFC 4291)", _A),
    SpecialRange("ff00::/8", "multicast (RFC 4291)", _N),
)


class Block(Struct, frozen=True):
    """A row of the table as numbers: version, first, last."""

    version: int
    first: int
    last: int
    row: SpecialRange


def _block(row: SpecialRange) -> Block:
    network = ipaddress.ip_network(row.cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    return Block(network.version, first, last, row)


# Smallest first: 255.255.255.255 lies inside 240.0.0.0/4 and must be found before it.
BLOCKS: tuple[Block, ...] = tuple(
    sorted((_block(row) for row in SPECIAL_RANGES), key=lambda b: b.last - b.first)
)


_ROWS: dict[int, tuple[tuple[int, int, SpecialRange], ...]] = {
    version: tuple((b.first, b.last, b.row) for b in BLOCKS if b.version == version)
    for version in (4, 6)
}


@lru_cache(_REMEMBERED)
def special(address: str) -> SpecialRange | None:
    """The narrowest row that holds an address; None for ordinary ones and for what is no address."""
    number, version = ipv4.number(address), 4
    if number < 0:
        try:
            place = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        number, version = int(place), place.version
    for first, last, row in _ROWS[version]:
        if first <= number <= last:
            return row
    return None


class Nobody:
    """Which addresses are no party on the internet? A table of networks that the owner supplies outranks IANA's."""

    def __init__(self, supplied: Iterable[str] = ()) -> None:
        """`supplied`: prefixes of the owner's table."""
        self._supplied = tuple(ipaddress.ip_network(text, strict=False) for text in supplied)

    def __call__(self, address: str) -> str:
        """Name of the range that holds the address; empty where a party may stand behind it."""
        row = special(address)
        if row is None or row.reachable:
            return ""
        place = ipaddress.ip_address(address.partition("%")[0])
        return "" if any(place in network for network in self._supplied) else row.name


def forbidden(version: int, first: int, last: int) -> SpecialRange | None:
    """The first row of kind `never` that shares an address with first..last."""
    for block in BLOCKS:
        if (
            block.version == version
            and block.row.permission is Permission.NEVER
            and block.first <= last
            and first <= block.last
        ):
            return block.row
    return None


def needs_file(version: int, first: int, last: int) -> str | None:
    """Why first..last is not wholly private or loopback; None where `--authority` is enough."""
    for block in BLOCKS:
        if block.version == version and block.first <= first and last <= block.last:
            return None if block.row.permission is Permission.AUTHORITY else block.row.name
    for block in BLOCKS:
        if block.version == version and block.first <= last and first <= block.last:
            return f"partly {block.row.name}, partly not"
    return "public address space"
