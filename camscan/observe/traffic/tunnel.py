"""What is inside a packet that carries another one?

Mirrors: TZSP (UDP 37008, MikroTik), ERSPAN I-III over GRE (draft-foschiano-erspan). Overlays: GRE (RFC 2784,
2890), VXLAN (RFC 7348), GENEVE (RFC 8926), IP in IP (RFC 2003, 2473, 4213). What is encrypted or unknown is
counted as encapsulated and stays a flow of its outer addresses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import UDP, Bytes, Ints, Tally, be16, byte
from camscan.observe.traffic.internet import Packets, Rows
from camscan.observe.traffic.link import ETHER, IPV4, IPV6, MPLS, MPLS_MULTICAST, NONE

_IP_IN_IP, _IP6_IN_IP, _GRE, _ESP, _L2TP = 4, 41, 47, 50, 115
TZSP, VXLAN, VXLAN_OLD, GENEVE = 37008, 4789, 8472, 6081
PORTS = (TZSP, VXLAN, VXLAN_OLD, GENEVE)
PROTOCOLS = (_IP_IN_IP, _IP6_IN_IP, _GRE)
_ERSPAN_II, _ERSPAN_III = 0x88BE, 0x22EB
_OPAQUE = ((_ESP, "ESP"), (_L2TP, "L2TP"))


class Inner(NamedTuple):
    """Rows at an inner frame (kind ETHER) or packet, in the kinds of `link.shed`."""

    rows: Rows
    kind: Ints


def open_tunnels(data: Bytes, packets: Packets, tally: Tally) -> tuple[Packets, list[Inner]]:
    """Packets that carry no other, and what the others carried."""
    inner: list[Inner] = []
    whole = packets.fragment < 0
    proto = packets.proto
    for number, name in _OPAQUE:
        tally.skip(f"encapsulated: {name}", int((proto == number).sum()))
    taken = np.zeros(len(proto), np.bool_)
    candidates = np.isin(proto, PROTOCOLS)
    if candidates.any():
        tally.skip("encapsulated: fragmented tunnel", int((candidates & ~whole).sum()))
        for number, kind, name in (
            (_IP_IN_IP, IPV4, "ip-in-ip"),
            (_IP6_IN_IP, IPV6, "ip-in-ip"),
        ):
            which = np.flatnonzero(whole & (proto == number))
            if len(which):
                rows = packets.rows.select(which).inner()
                inner.append(Inner(rows, np.full(len(which), kind, np.int64)))
                tally.unwrap(name, len(which))
                taken[which] = True
        which = np.flatnonzero(whole & (proto == _GRE))
        if len(which):
            opened, good = _gre(data, packets.rows.select(which), tally)
            inner.append(opened)
            taken[which[good]] = True
    udp = np.flatnonzero(whole & (proto == UDP) & (packets.rows.end - packets.rows.place >= 16))
    if len(udp):
        port = be16(data, packets.rows.place[udp] + 2)
        for numbers, name, reader in (
            ((TZSP,), "tzsp", _tzsp),
            ((VXLAN, VXLAN_OLD), "vxlan", _vxlan),
            ((GENEVE,), "geneve", _geneve),
        ):
            which = udp[np.isin(port, numbers)]
            if not len(which):
                continue
            opened, good = reader(data, packets.rows.select(which).forward(8))
            tally.unwrap(name, int(good.sum()))
            # Anybody may use the port: what has not the form stays a flow.
            inner.append(Inner(opened.rows.select(good).inner(), opened.kind[good]))
            taken[which[good]] = True
    if not taken.any():
        return packets, inner
    return packets.select(~taken), [i for i in inner if len(i.rows.row)]


def _gre(data: Bytes, rows: Rows, tally: Tally) -> tuple[Inner, NDArray[np.bool_]]:
    held = rows.end - rows.place >= 4
    flags = np.where(held, be16(data, rows.place), 0x4000)
    kind = be16(data, rows.place + 2)
    size = np.full(len(kind), 4, np.int64)
    for bit in (0x8000, 0x2000, 0x1000):
        size += np.where(flags & bit, 4, 0)
    version = flags & 7
    size += np.where((version == 1) & (flags & 0x80 != 0), 4, 0)
    erspan = kind == _ERSPAN_II
    sequenced = flags & 0x1000 != 0
    third = kind == _ERSPAN_III
    enough = rows.end - rows.place >= size + 12
    # Type I has no header of its own: GRE without sequence number, then the frame.
    own = np.where(erspan & sequenced, 8, np.where(third, 12, 0))
    extended = third & enough & (byte(data, rows.place + np.where(enough, size + 11, 0)) & 1 == 1)
    own += np.where(extended, 8, 0)
    ppp = (kind == 0x880B) & (version == 1)
    if ppp.any():
        at = np.flatnonzero(ppp & enough)
        place = rows.place[at] + size[at]
        framed = be16(data, place) == 0xFF03
        number = be16(data, place + np.where(framed, 2, 0))
        own[at] = np.where(framed, 4, 2)
        kind[at] = np.where(number == 0x21, IPV4, np.where(number == 0x57, IPV6, NONE))
    mirrored = erspan | third
    kind = np.where(mirrored, ETHER, kind)
    known = np.isin(kind, (ETHER, IPV4, IPV6, MPLS, MPLS_MULTICAST))
    good = held & (flags & 0x4000 == 0) & (version <= 1) & known
    tally.skip("encapsulated: GRE of an unknown kind", int((~good).sum()))
    tally.unwrap("erspan1", int((good & erspan & ~sequenced).sum()))
    tally.unwrap("erspan2", int((good & erspan & sequenced).sum()))
    tally.unwrap("erspan3", int((good & third).sum()))
    tally.unwrap("gre", int((good & ~mirrored).sum()))
    return Inner(rows.forward(size + own).select(good).inner(), kind[good]), good


def _tzsp(data: Bytes, rows: Rows) -> tuple[Inner, NDArray[np.bool_]]:
    """Version 1, type 0 (received) or 1 (to transmit), protocol 1 (Ethernet), then tags until number 1."""
    good = (
        (byte(data, rows.place) == 1)
        & (byte(data, rows.place + 1) <= 1)
        & (be16(data, rows.place + 2) == 1)
    )
    rows = rows.forward(4)
    ended = np.zeros(len(good), np.bool_)
    for _ in range(32):
        open_ = np.flatnonzero(good & ~ended & (rows.end - rows.place >= 2))
        if not len(open_):
            break
        tag = byte(data, rows.place[open_])
        size = byte(data, rows.place[open_] + 1)
        step = np.zeros(len(good), np.int64)
        step[open_] = np.where(tag <= 1, 1, 2 + size)
        ended[open_[tag == 1]] = True
        rows = rows.forward(step)
    return Inner(rows, np.full(len(good), ETHER, np.int64)), good & ended


def _vxlan(data: Bytes, rows: Rows) -> tuple[Inner, NDArray[np.bool_]]:
    good = byte(data, rows.place) & 0x08 != 0
    return Inner(rows.forward(8), np.full(len(good), ETHER, np.int64)), good


def _geneve(data: Bytes, rows: Rows) -> tuple[Inner, NDArray[np.bool_]]:
    first = byte(data, rows.place)
    kind = be16(data, rows.place + 2)
    good = (first >> 6 == 0) & np.isin(kind, (ETHER, IPV4, IPV6))
    return Inner(rows.forward(8 + (first & 0x3F) * 4), kind), good
