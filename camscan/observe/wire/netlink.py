"""What does the Linux kernel say of links, addresses, routes and neighbours? (rtnetlink, RFC 3549)

Reads need no privilege. Constants: linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from msgspec import Struct

NETLINK_ROUTE = 0
RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x400
NLM_F_DUMP = 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NUD_PERMANENT, NUD_VALID = 0x80, 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80
TABLE_MAIN, TABLE_LOCAL = 254, 255
RTN_UNICAST, RTN_LOCAL = 1, 2
RTN_NO_WAY = frozenset({6, 7, 8, 9})  # blackhole, unreachable, prohibit, throw
_HEADER = struct.Struct("=IHHII")


class Link(Struct, frozen=True):
    index: int
    name: str
    flags: int
    mac: str
    mtu: int


class Address(Struct, frozen=True):
    index: int
    address: str
    prefix: int


class Route(Struct, frozen=True):
    """One route of the local or main table; `type` RTN_UNICAST, RTN_LOCAL or a refusal."""

    version: int
    destination: str
    prefix: int
    table: int
    type: int
    index: int | None
    gateway: str | None
    source: str | None
    metric: int


class Neighbour(Struct, frozen=True):
    index: int
    address: str
    mac: str
    state: int


def available() -> bool:
    return hasattr(socket, "AF_NETLINK")


def _messages(request: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as sock:
        sock.settimeout(5.0)
        sock.sendto(
            _HEADER.pack(_HEADER.size + len(payload), request, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
            + payload,
            (0, 0),
        )
        while True:
            data = sock.recv(1 << 18)
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, _, _, _ = _HEADER.unpack_from(data, at)
                if length < _HEADER.size or kind == NLMSG_DONE:
                    return
                body = data[at + _HEADER.size : at + length]
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    raise OSError(code, os.strerror(code))
                yield kind, body
                at += (length + 3) & ~3


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    out: dict[int, bytes] = {}
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if length < 4:
            break
        out[kind & 0x3FFF] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return out


def _text(family: int, raw: bytes | None) -> str | None:
    if raw is None or family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    return socket.inet_ntop(family, raw)


def _number(raw: bytes | None) -> int | None:
    return None if raw is None or len(raw) < 4 else int(struct.unpack_from("=I", raw)[0])


def links() -> tuple[Link, ...]:
    found: list[Link] = []
    for kind, body in _messages(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0)):
        if kind != RTM_NEWLINK:
            continue
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
        attributes = _attributes(body, 16)
        hardware = attributes.get(1, b"")  # IFLA_ADDRESS
        name = attributes.get(3, b"").rstrip(b"\0").decode("utf-8", "replace")  # IFLA_IFNAME
        mac = hardware.hex(":") if len(hardware) == 6 else ""
        found.append(Link(index, name, flags, mac, _number(attributes.get(4)) or 0))
    return tuple(found)


def addresses() -> tuple[Address, ...]:
    found: list[Address] = []
    for kind, body in _messages(RTM_GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, 0)):
        if kind != RTM_NEWADDR:
            continue
        family, prefix, _, _, index = struct.unpack_from("=BBBBI", body)
        attributes = _attributes(body, 8)
        # IFA_LOCAL is the own end of a point-to-point link; IPv6 has only IFA_ADDRESS.
        text = _text(family, attributes.get(2, attributes.get(1)))
        if text:
            found.append(Address(index, text, prefix))
    return tuple(found)


def routes() -> tuple[Route, ...]:
    """Routes of the local and main tables. Policy rules and other tables are not read."""
    found: list[Route] = []
    for family, version, zero in ((socket.AF_INET, 4, "0.0.0.0"), (socket.AF_INET6, 6, "::")):
        request = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)
        for kind, body in _messages(RTM_GETROUTE, request):
            if kind != RTM_NEWROUTE:
                continue
            got, prefix, _, _, small, _, _, type_, flags = struct.unpack_from("=BBBBBBBBI", body)
            attributes = _attributes(body, 12)
            table = _number(attributes.get(15)) or small  # RTA_TABLE
            cached = flags & 0x200  # RTM_F_CLONED
            if got != family or cached or table not in {TABLE_MAIN, TABLE_LOCAL}:
                continue
            if type_ not in {RTN_UNICAST, RTN_LOCAL} and type_ not in RTN_NO_WAY:
                continue
            hop = attributes.get(5)  # RTA_GATEWAY
            index = _number(attributes.get(4))  # RTA_OIF
            if index is None and (multi := attributes.get(9)):  # RTA_MULTIPATH: the first hop
                index = struct.unpack_from("=HBBi", multi)[3]
                hop = _attributes(multi[: struct.unpack_from("=H", multi)[0]], 8).get(5)
            found.append(
                Route(
                    version=version,
                    destination=_text(family, attributes.get(1)) or zero,
                    prefix=prefix,
                    table=table,
                    type=type_,
                    index=index,
                    gateway=_text(family, hop),
                    source=_text(family, attributes.get(7)),  # RTA_PREFSRC
                    metric=_number(attributes.get(6)) or 0,  # RTA_PRIORITY
                )
            )
    return tuple(found)


def neighbours() -> tuple[Neighbour, ...]:
    """The kernel's neighbour tables, entries with a link-layer address only."""
    found: list[Neighbour] = []
    for kind, body in _messages(RTM_GETNEIGH, struct.pack("=BxHiHBB", 0, 0, 0, 0, 0, 0)):
        if kind != RTM_NEWNEIGH:
            continue
        family, _, index, state, _, _ = struct.unpack_from("=BxHiHBB", body)
        attributes = _attributes(body, 12)
        text, mac = _text(family, attributes.get(1)), attributes.get(2, b"")
        if text and len(mac) == 6 and state & NUD_VALID:
            found.append(Neighbour(index, text, mac.hex(":"), state))
    return tuple(found)
