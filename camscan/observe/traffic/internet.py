"""What do IP and transport headers say, where they are not in the plain place?

IPv4 with options (RFC 791), IPv6 with extension headers (RFC 8200, 4302), fragments, and packets whose
total length is 0 (segmentation offload). Everything here works on any offsets; the plain case of
Ethernet, IPv4, no options has a shorter way in `headers`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Bytes, Ints, Keys, Tally, be16, byte, gather
from camscan.observe.traffic.table import PairTable

SHORT = "cut short: header not captured whole"
DAMAGED = "damaged: IP header contradicts itself"
TOO_MANY_ADDRESSES = "more IPv6 addresses than are kept"

_IP4 = np.dtype(
    {
        "names": ["start", "total", "id", "frag", "proto", "ends"],
        "formats": ["u1", ">u2", ">u2", ">u2", "u1", ">u8"],
        "offsets": [0, 2, 4, 6, 9, 12],
        "itemsize": 20,
    }
)
_IP6 = np.dtype(
    {
        "names": ["start", "length", "next", "ends"],
        "formats": ["u1", ">u2", "u1", "V32"],
        "offsets": [0, 4, 6, 8],
        "itemsize": 40,
    }
)
_SKIPPED = (0, 43, 60, 135, 139, 140)
"""Hop-by-hop, routing, destination, mobility, HIP, Shim6: length in units of 8 bytes, without the first."""


class Rows(NamedTuple):
    """Packets on their way through the layers."""

    row: Ints
    place: Ints
    """Offset of the header that is read next."""
    end: Ints
    """Where the captured bytes of this packet end."""
    size: Ints
    """Wire bytes of the innermost frame: what a flow counts."""
    rest: Ints
    """Wire bytes from `place` on."""
    mac: Ints

    def select(self, which: NDArray[np.bool_] | Ints) -> Rows:
        return Rows(*(column[which] for column in self))

    def forward(self, bytes_: Ints | int) -> Rows:
        """Past a header. Never past what was captured, so that fixed-size reads stay in the buffer."""
        return self._replace(
            place=np.minimum(self.place + bytes_, self.end),
            rest=np.maximum(self.rest - bytes_, 0),
        )

    def inner(self) -> Rows:
        """From here on a frame or packet of its own: its bytes are counted from here."""
        return self._replace(size=self.rest.copy())


class Packets(NamedTuple):
    """IP packets after their headers: `rows.place` is the transport header."""

    rows: Rows
    a: Keys
    six: bool
    proto: Ints
    fragment: Ints
    """Offset in bytes of a fragment, 0 for the first; -1 = not fragmented."""
    more: NDArray[np.bool_]
    ident: Ints
    """Identification of a fragmented packet."""

    def select(self, which: NDArray[np.bool_] | Ints) -> Packets:
        return Packets(
            self.rows.select(which),
            self.a[which],
            self.six,
            self.proto[which],
            self.fragment[which],
            self.more[which],
            self.ident[which],
        )


def four(data: Bytes, rows: Rows, tally: Tally) -> Packets:
    """IPv4 headers at `rows.place`."""
    rows = _whole(rows, 20, tally)
    head = gather(data, rows.place, 20).view(_IP4)
    start = head["start"].astype(np.int64)
    length = (start & 15) * 4
    total = head["total"].astype(np.int64)
    # Total length 0: the capture was taken before the card cut the packet up (TSO).
    total = np.where(total == 0, rows.rest, total)
    good = (start >> 4 == 4) & (length >= 20) & (total >= length)
    tally.skip(DAMAGED, len(good) - int(good.sum()))
    if not good.all():
        rows, head, length, total = rows.select(good), head[good], length[good], total[good]
    rows = rows._replace(
        end=np.minimum(rows.end, rows.place + total), rest=np.minimum(rows.rest, total)
    ).forward(length)
    frag = head["frag"].astype(np.int64)
    offset = (frag & 0x1FFF) * 8
    more = frag & 0x2000 != 0
    return Packets(
        rows=rows,
        a=head["ends"].astype(np.uint64),
        six=False,
        proto=head["proto"].astype(np.int64),
        fragment=np.where(more | (offset > 0), offset, -1),
        more=more,
        ident=head["id"].astype(np.int64),
    )


def six(data: Bytes, rows: Rows, addresses: PairTable, tally: Tally) -> Packets:
    """IPv6 headers at `rows.place`, extension headers walked; ESP and no-next-header end the walk."""
    rows = _whole(rows, 40, tally)
    head = gather(data, rows.place, 40).view(_IP6)
    good = head["start"] >> 4 == 6
    tally.skip(DAMAGED, len(good) - int(good.sum()))
    if not good.all():
        rows, head = rows.select(good), head[good]
    length = head["length"].astype(np.int64)
    length = np.where(length == 0, rows.rest - 40, length)  # jumbogram, or TSO
    rows = rows._replace(
        end=np.minimum(rows.end, rows.place + 40 + length),
        rest=np.minimum(rows.rest, 40 + length),
    ).forward(40)
    proto = head["next"].astype(np.int64)
    fragment = np.full(len(proto), -1, np.int64)
    more = np.zeros(len(proto), np.bool_)
    ident = np.zeros(len(proto), np.int64)
    for _ in range(8):
        extended = np.isin(proto, (*_SKIPPED, 44, 51))
        extended &= (fragment <= 0) & (rows.place + 8 <= rows.end)
        if not extended.any():
            break
        at = np.flatnonzero(extended)
        place = rows.place[at]
        kind = proto[at]
        size = (byte(data, place + 1) + 1) * 8
        size = np.where(kind == 51, (byte(data, place + 1) + 2) * 4, size)
        is_fragment = kind == 44
        if is_fragment.any():
            size[is_fragment] = 8
            which, where = at[is_fragment], place[is_fragment]
            field = be16(data, where + 2)
            fragment[which] = field & 0xFFF8
            more[which] = field & 1 != 0
            ident[which] = be16(data, where + 4) << 16 | be16(data, where + 6)
        proto[at] = byte(data, place)
        step = np.zeros(len(proto), np.int64)
        step[at] = size
        rows = rows.forward(step)
    # An atomic fragment (RFC 6946) is a whole packet.
    atomic = (fragment == 0) & ~more
    fragment[atomic] = -1
    a, known = _numbered(head["ends"], addresses)
    tally.skip(TOO_MANY_ADDRESSES, len(known) - int(known.sum()))
    packets = Packets(rows, a, True, proto, fragment, more, ident)
    return packets if known.all() else packets.select(known)


def _numbered(ends: NDArray[np.void], addresses: PairTable) -> tuple[Keys, NDArray[np.bool_]]:
    words = np.ascontiguousarray(ends).view(">u8").astype(np.uint64).reshape(-1, 4)
    high = np.concatenate((words[:, 0], words[:, 2]))
    low = np.concatenate((words[:, 1], words[:, 3]))
    # The table forbids one value, and ff..ff is a multicast address nobody sends from.
    numbers = addresses.numbers(high, low).astype(np.uint64)
    source, destination = numbers[: len(words)], numbers[len(words) :]
    return source << np.uint64(32) | destination, (source > 0) & (destination > 0)


def _whole(rows: Rows, size: int, tally: Tally) -> Rows:
    whole = rows.end - rows.place >= size
    if whole.all():
        return rows
    tally.skip(SHORT, len(whole) - int(whole.sum()))
    return rows.select(whole)
