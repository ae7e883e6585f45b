"""Where does the IP packet begin in a frame of this link type?

Link types: https://www.tcpdump.org/linktypes.html. Ethernet with VLAN tags in any number (802.1Q, 802.1ad),
PPPoE (RFC 2516), MPLS (RFC 3032, pseudowire RFC 4448), 802.3 with LLC/SNAP; Linux cooked 1 and 2; raw IP;
loopback; PPP; NFLOG.
"""

from __future__ import annotations

import numpy as np

from camscan.observe.traffic.batch import Bytes, Ints, Tally, be16, byte, gather
from camscan.observe.traffic.internet import SHORT, Rows

IPV4, IPV6, MPLS, MPLS_MULTICAST, ETHER, NONE = 0x0800, 0x86DD, 0x8847, 0x8848, 0x6558, -1
_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
_PPPOE = 0x8864
_PPP = {0x0021: IPV4, 0x0057: IPV6, 0x0281: MPLS, 0x0283: MPLS_MULTICAST}
_DEPTH = 8

ETHERNET = 1
NAMES = {
    0: "null",
    1: "ethernet",
    9: "ppp",
    12: "raw",
    14: "raw",
    101: "raw",
    108: "loop",
    113: "linux-cooked",
    228: "ipv4",
    229: "ipv6",
    239: "nflog",
    276: "linux-cooked-2",
}
"""Link types that are read."""
_AIR = "Wi-Fi as it is on the air; capture behind the access point"
_UNREAD = {
    104: "Cisco HDLC",
    105: _AIR,
    119: _AIR,
    127: _AIR,
    163: _AIR,
    187: "Bluetooth",
    189: "USB",
    192: _AIR,
    195: "IEEE 802.15.4",
    201: "Bluetooth",
    220: "USB",
    249: "USB",
    258: "Apple's packet tap; capture on one interface",
}
"""Link types that are met and not read, in words."""
NOT_IP = "not IP (ARP, LLDP, spanning tree, ...)"
DEEP = "encapsulated: deeper than is unwrapped"


def begin(data: Bytes, rows: Rows, link: int, tally: Tally) -> tuple[Rows, Ints]:
    """Rows at their network header (or inner frame) and the ethertype that says which."""
    if link == ETHERNET:
        return ethernet(data, rows, tally)
    if link in {12, 14, 101, 228, 229}:
        return rows, _by_version(data, rows)
    if link in {0, 108}:
        rows = _held(rows, 4, tally)
        # The family number differs between systems and byte orders; the version digit does not.
        rows = rows.forward(4)
        return rows, _by_version(data, rows)
    if link == 113:
        rows = _held(rows, 16, tally)
        kind = be16(data, rows.place + 14)
        # The sender's address stands where a frame has it; there is no destination.
        rows = rows._replace(mac=np.where(be16(data, rows.place + 4) == 6, rows.place, -1))
        return rows.forward(16), kind
    if link == 276:
        rows = _held(rows, 20, tally)
        kind = be16(data, rows.place)
        rows = rows._replace(mac=np.where(byte(data, rows.place + 11) == 6, rows.place + 6, -1))
        return rows.forward(20), kind
    if link == 9:
        rows = _held(rows, 4, tally)
        framed = be16(data, rows.place) == 0xFF03
        rows = rows.forward(np.where(framed, 2, 0))
        return rows.forward(2), _ppp(be16(data, rows.place))
    if link == 239:
        return _nflog(data, rows, tally)
    words = f" ({_UNREAD[link]})" if link in _UNREAD else ""
    tally.skip(f"link type {link} is not read{words}", len(rows.row))
    nobody = rows.select(np.empty(0, np.int64))
    return nobody, nobody.row


def ethernet(data: Bytes, rows: Rows, tally: Tally) -> tuple[Rows, Ints]:
    rows = _held(rows, 14, tally)
    kind = be16(data, rows.place + 12)
    rows = rows._replace(mac=rows.place)
    long = kind < 0x600  # IEEE 802.3: a length; LLC follows
    rows = rows.forward(14)
    if long.any():
        snap = long & (rows.end - rows.place >= 8)
        at = np.flatnonzero(snap)
        llc = gather(data, rows.place[at], 6).view(np.uint8).reshape(-1, 6)
        tagged = (llc == np.array([0xAA, 0xAA, 3, 0, 0, 0], np.uint8)).all(axis=1)
        kind[long] = NONE
        at = at[tagged]
        kind[at] = be16(data, rows.place[at] + 6)
        step = np.zeros(len(kind), np.int64)
        step[at] = 8
        rows = rows.forward(step)
    return rows, kind


def shed(data: Bytes, rows: Rows, kind: Ints, tally: Tally) -> tuple[Rows, Ints]:
    """Take off VLAN tags, PPPoE and MPLS; kind is IPV4, IPV6, ETHER (a pseudowire) or NONE after that."""
    kind = kind.copy()
    for _ in range(_DEPTH):
        covered = np.isin(kind, (*_VLAN, _PPPOE, MPLS, MPLS_MULTICAST))
        if not covered.any():
            break
        short = covered & (rows.end - rows.place < 8)
        if short.any():
            tally.skip(SHORT, int(short.sum()))
            kind, rows = kind[~short], rows.select(~short)
            covered = covered[~short]
        step = np.zeros(len(kind), np.int64)
        at = np.flatnonzero(covered)
        place, what = rows.place[at], kind[at]
        after = what.copy()
        vlan, pppoe = np.isin(what, _VLAN), what == _PPPOE
        label = ~vlan & ~pppoe
        step[at] = np.where(pppoe, 8, 4)
        after[vlan] = be16(data, place[vlan] + 2)
        after[pppoe] = _ppp(be16(data, place[pppoe] + 6))
        if label.any():
            spot = place[label]
            bottom = byte(data, spot + 2) & 1 == 1
            digit = byte(data, spot + 4) >> 4
            under = np.where(digit == 4, IPV4, np.where(digit == 6, IPV6, NONE))
            # First digit 0: a control word, then a frame.
            under = np.where(digit == 0, ETHER, under)
            after[label] = np.where(bottom, under, MPLS)
            step[at[label]] += np.where(bottom & (digit == 0), 4, 0)
        # An 802.3 length after a tag: only SNAP could hold IP there, which nobody sends.
        kind[at] = np.where(after < 0x600, NONE, after)
        rows = rows.forward(step)
    else:
        deep = np.isin(kind, (*_VLAN, _PPPOE, MPLS, MPLS_MULTICAST))
        tally.skip(DEEP, int(deep.sum()))
        rows, kind = rows.select(~deep), kind[~deep]
    return rows, kind


def _ppp(protocol: Ints) -> Ints:
    kind = np.full(len(protocol), NONE, np.int64)
    for number, ethertype in _PPP.items():
        kind[protocol == number] = ethertype
    return kind


def _by_version(data: Bytes, rows: Rows) -> Ints:
    digit = np.where(rows.end > rows.place, byte(data, rows.place) >> 4, 0)
    return np.where(digit == 4, IPV4, np.where(digit == 6, IPV6, NONE))


def _nflog(data: Bytes, rows: Rows, tally: Tally) -> tuple[Rows, Ints]:
    """Family, version, resource id; then TLVs in host order; type 9 is the packet."""
    rows = _held(rows, 8, tally)
    rows = rows.forward(4)
    found = np.zeros(len(rows.row), np.bool_)
    for _ in range(24):
        open_ = np.flatnonzero(~found & (rows.end - rows.place >= 4))
        if not len(open_):
            break
        head = gather(data, rows.place[open_], 4).view("<u2").astype(np.int64).reshape(-1, 2)
        size, kind = head[:, 0], head[:, 1] & 0x7FFF
        step = np.zeros(len(found), np.int64)
        payload = kind == 9
        step[open_] = np.where(payload, 4, np.maximum(size + 3 & ~3, 4))
        rows = rows.forward(step)
        found[open_[payload]] = True
    tally.skip(SHORT, int((~found).sum()))
    rows = rows.select(found)
    return rows, _by_version(data, rows)


def _held(rows: Rows, size: int, tally: Tally) -> Rows:
    held = rows.end - rows.place >= size
    if held.all():
        return rows
    tally.skip(SHORT, len(held) - int(held.sum()))
    return rows.select(held)
