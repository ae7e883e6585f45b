"""By which interface is each part of the scope reached: on the link, through a router, or not?

Linux: rtnetlink. Elsewhere the portable part only: interface names, and the source address the
system would use (a UDP connect sends nothing). Reading sends nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from camscan.observe.wire import netlink
from camscan.scope import Scope
from camscan.scope_target import Span, Spans

_IFF_UP, _IFF_LOOPBACK, _IFF_NOARP = 0x1, 0x8, 0x80


class Interface(Struct, frozen=True, kw_only=True):
    """`addresses` are `address/prefix`; `mac` is empty where the link has none."""

    name: str
    index: int
    mac: str = ""
    addresses: tuple[str, ...] = ()
    up: bool = True
    loopback: bool = False
    arp: bool = True
    """Whether the link resolves neighbours (a tunnel does not)."""


class Segment(Struct, frozen=True, kw_only=True):
    """The part of the scope that is reached in one way.

    `cidr` is the smallest network around it, `ranges` exactly its addresses, `prefix` the
    connected network or route it was found by. Not on_link, not local and without interface:
    there is no route.
    """

    cidr: str
    on_link: bool
    interface: str | None = None
    source: str | None = None
    gateway: str | None = None
    local: bool = False
    """Addresses of this machine itself (loopback, own addresses)."""
    prefix: str = ""
    ranges: tuple[str, ...] = ()
    hosts: int = 0

    @property
    def reach(self) -> str:
        """on-link | routed | local | none"""
        if self.on_link:
            return "on-link"
        if self.local:
            return "local"
        return "routed" if self.interface is not None else "none"

    @property
    def text(self) -> str:
        """`10.20.0.0/24 on-link vs0`, as intake.json has it."""
        if self.reach == "none":
            return f"{self.cidr} no route from here: not examined"
        via = f" via {self.gateway}" if self.gateway else ""
        return f"{self.cidr} {self.reach} {self.interface or ''}".rstrip() + via


def interfaces() -> tuple[Interface, ...]:
    """All interfaces, by index."""
    if not netlink.available():
        return _portable_interfaces()
    by_index: dict[int, list[str]] = {}
    for address in netlink.addresses():
        by_index.setdefault(address.index, []).append(f"{address.address}/{address.prefix}")
    return tuple(
        Interface(
            name=link.name,
            index=link.index,
            mac="" if link.flags & _IFF_LOOPBACK else link.mac,
            addresses=tuple(by_index.get(link.index, ())),
            up=bool(link.flags & _IFF_UP),
            loopback=bool(link.flags & _IFF_LOOPBACK),
            arp=not link.flags & (_IFF_NOARP | _IFF_LOOPBACK),
        )
        for link in sorted(netlink.links(), key=lambda link: link.index)
    )


def segments(scope: Scope) -> tuple[Segment, ...]:
    """The scope cut by how it is reached, in order of address; every address in exactly one."""
    known = interfaces()
    if not netlink.available():
        return _portable_segments(scope)
    names = {entry.index: entry for entry in known}
    groups: dict[tuple[int, netlink.Route | None], list[Span]] = {}
    for version in (4, 6):
        routes = [r for r in netlink.routes() if r.version == version]
        finder = _Finder(version, [r for r in routes if _usable(r, names)])
        for span in scope.spans.of(version):
            for piece, route in finder.cut(span):
                groups.setdefault((version, route), []).append(piece)
    found = [
        _segment(version, route, _joined(pieces), names)
        for (version, route), pieces in groups.items()
    ]
    return tuple(sorted(found, key=_order))


def _order(segment: Segment) -> tuple[int, int]:
    first = ipaddress.ip_network(segment.ranges[0])
    return first.version, int(first.network_address)


def _usable(route: netlink.Route, names: dict[int, Interface]) -> bool:
    if route.type in netlink.RTN_NO_WAY:
        return True
    return route.index in names and names[route.index].up


class _Finder:
    """Longest prefix match over intervals: the local table first, then main."""

    def __init__(self, version: int, routes: Sequence[netlink.Route]) -> None:
        bits = 32 if version == 4 else 128
        self._routes: list[tuple[int, int, netlink.Route]] = []
        edges: set[int] = set()
        for route in routes:
            first = int(ipaddress.ip_address(route.destination))
            last = first + (1 << (bits - route.prefix)) - 1
            self._routes.append((first, last, route))
            edges |= {first, last + 1}
        self._routes.sort(
            key=lambda r: (r[2].table != netlink.TABLE_LOCAL, -r[2].prefix, r[2].metric)
        )
        self._edges = sorted(edges)

    def cut(self, span: Span) -> list[tuple[Span, netlink.Route | None]]:
        inner = self._edges[
            bisect_right(self._edges, span.first) : bisect_left(self._edges, span.last + 1)
        ]
        borders = [span.first, *inner, span.last + 1]
        return [(Span(first, after - 1), self._best(first)) for first, after in pairwise(borders)]

    def _best(self, number: int) -> netlink.Route | None:
        for first, last, route in self._routes:
            if first <= number <= last:
                return None if route.type in netlink.RTN_NO_WAY else route
        return None


def _joined(pieces: list[Span]) -> tuple[Span, ...]:
    out: list[Span] = []
    for piece in sorted(pieces):
        if out and piece.first == out[-1].last + 1:
            out[-1] = Span(out[-1].first, piece.last)
        else:
            out.append(piece)
    return tuple(out)


def _segment(
    version: int,
    route: netlink.Route | None,
    pieces: tuple[Span, ...],
    names: dict[int, Interface],
) -> Segment:
    spans = Spans(four=pieces) if version == 4 else Spans(six=pieces)
    cidr = _cover(version, pieces[0].first, pieces[-1].last)
    if route is None:
        return Segment(cidr=cidr, on_link=False, ranges=spans.cidrs(), hosts=spans.size)
    interface = names[route.index or 0]
    local = route.type == netlink.RTN_LOCAL or interface.loopback
    return Segment(
        cidr=cidr,
        on_link=not local and route.gateway is None and interface.arp,
        interface=interface.name,
        source=route.source or _source(interface, version, route.gateway or spans.first_text()),
        gateway=route.gateway,
        local=local,
        prefix=f"{route.destination}/{route.prefix}",
        ranges=spans.cidrs(),
        hosts=spans.size,
    )


def _source(interface: Interface, version: int, near: str) -> str | None:
    """The interface's address in the network of `near`, else its first one of that version."""
    first = None
    place = ipaddress.ip_address(near.partition("-")[0])
    for text in interface.addresses:
        own = ipaddress.ip_interface(text)
        if own.version != version:
            continue
        if place in own.network:
            return str(own.ip)
        first = first or str(own.ip)
    return first


def _cover(version: int, first: int, last: int) -> str:
    bits = 32 if version == 4 else 128
    common = bits - (first ^ last).bit_length()
    base = first >> (bits - common) << (bits - common)
    text = ipaddress.IPv4Address(base) if version == 4 else ipaddress.IPv6Address(base)
    return f"{text}/{common}"


def _portable_interfaces() -> tuple[Interface, ...]:
    return tuple(
        Interface(name=name, index=index, loopback=name.startswith("lo"))
        for index, name in socket.if_nameindex()
    )


def _portable_segments(scope: Scope) -> tuple[Segment, ...]:
    """Without netlink: one segment per range, its source address, nothing known of the link."""
    found: list[Segment] = []
    for version, span in scope.spans.each():
        spans = Spans(four=(span,)) if version == 4 else Spans(six=(span,))
        first = spans.first_text().partition("-")[0]
        source = _connected_source(first) if scope.allows(first) else None
        found.append(
            Segment(
                cidr=_cover(version, span.first, span.last),
                on_link=False,
                interface="" if source else None,
                source=source,
                local=ipaddress.ip_address(first).is_loopback,
                ranges=spans.cidrs(),
                hosts=spans.size,
            )
        )
    return tuple(found)


def _connected_source(address: str) -> str | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, 9))  # chooses a route; UDP connect puts nothing on the wire
        except OSError:
            return None
        return str(sock.getsockname()[0])
