"""Which conversation does each packet belong to, and where is its payload?

Plain packets (Ethernet, IPv4 without options, whole, TCP or UDP, no tunnel port) are read from the first bytes
of their frame; all others go through `link`, `internet` and `tunnel`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import internet, link, steps, tunnel
from camscan.observe.traffic.batch import (
    FAMILY6,
    FIN,
    SYN,
    TCP,
    UDP,
    Batch,
    Bytes,
    Columns,
    Ints,
    Tally,
    be16,
    byte,
    gather,
    joined,
)
from camscan.observe.traffic.fragments import Fragments, Key, Way, Whole
from camscan.observe.traffic.framing import frame_rows
from camscan.observe.traffic.internet import Packets, Rows
from camscan.observe.traffic.table import PairTable

_DEPTH = 4
"""Packets within packets that are opened."""
_LEAD, _LEAD_BITS = np.uint32(0x45_0008), np.uint32(0xFF_FFFF)
"""Ethertype 0x0800, version 4, five words: as the little-endian number they are read as, without the TOS."""
_WHOLE_BITS = np.uint32(0xFF00_FF3F)
"""Of flags, offset, time to live and protocol, likewise: what makes a fragment, and the protocol."""
_WHOLE_TCP, _WHOLE_UDP = np.uint32(TCP << 24), np.uint32(UDP << 24)
_32 = np.uint64(32)
_TUNNEL_PORTS = frozenset(tunnel.PORTS)


class Headers:
    """Headers of one input after another; remembers IPv6 addresses and fragments."""

    def __init__(self, addresses: PairTable, tally: Tally) -> None:
        self.addresses = addresses
        self.tally = tally
        self.fragments = Fragments()
        self.whole: list[tuple[int, Columns, Whole]] = []
        """Datagrams that a fragment of the last batch completed, and pieces of TCP segments that later ones hold: row,
        its columns, what is to be read there."""
        self.read_fragment = _worth_joining
        tunnel_port = np.zeros(65_536, np.bool_)
        tunnel_port[list(_TUNNEL_PORTS)] = True
        self._tunnel_port = tunnel_port

    def columns(self, batch: Batch) -> Columns | None:
        """All IP packets of a batch; None where there is none."""
        self.whole.clear()
        count = len(batch.frame)
        self.tally.links[link.NAMES.get(batch.link, str(batch.link))] += count
        parts: list[Columns] = []
        others: Ints = np.arange(count)
        if batch.link == link.ETHERNET:
            plain, others = (self._stepped if steps.compiled is not None else self._plain)(batch)
            if not len(others):
                return plain
            parts.append(plain)
        parts += self._unwrap(batch, _rows(batch, others))
        parts = [p for p in parts if len(p.row)]
        return joined(parts) if parts else None

    def _stepped(self, batch: Batch) -> tuple[Columns, Ints]:
        """The same as `_plain`, by the compiled step."""
        count = len(batch.frame)
        ints = [np.empty(count, np.int64) for _ in range(7)]
        size, payload, held, length, transport, mac, row = ints
        a, b = np.empty(count, np.uint64), np.empty(count, np.uint64)
        at, flags, others = np.empty(count), np.empty(count, np.uint8), np.empty(count, np.int64)
        out = (a, b, size, at, flags, payload, held, length, transport, mac, row)
        given = [np.ascontiguousarray(c) for c in (batch.frame, batch.captured, batch.wire)]
        when = np.ascontiguousarray(batch.at)
        number = steps.compiled.camscan_plain(
            steps.at(batch.data), count, *(steps.at(c) for c in given), steps.at(when),
            steps.at(self._tunnel_port), steps.pointers(*out), steps.at(others),
        )  # fmt: skip
        return Columns._make(c[:number] for c in out), others[: count - number]

    def _plain(self, batch: Batch) -> tuple[Columns, Ints]:
        """Columns of the rows that need nothing but the beginning of their frame, and all other rows."""
        rows = frame_rows(batch.data, batch.frame)
        plain = self._is_plain(batch, rows)
        which = np.flatnonzero(plain)
        if len(which) == len(rows):
            return _plain(batch, rows, which), which[:0]
        return _plain(batch.select(which), rows[which], which), np.flatnonzero(~plain)

    def _is_plain(self, batch: Batch, rows: NDArray[np.void]) -> NDArray[np.bool_]:
        whole = rows["frag_ttl_proto"] & _WHOLE_BITS
        tcp = whole == _WHOLE_TCP
        plain: NDArray[np.bool_] = whole == _WHOLE_UDP
        plain &= ~self._tunnel_port[rows["dport"]]
        plain |= tcp
        plain &= rows["lead"] & _LEAD_BITS == _LEAD
        total = rows["total"].astype(np.int64)
        total += 14
        plain &= total <= batch.wire
        # Whole headers: TCP 20 bytes, UDP 8, with the 34 that stand before.
        held = np.minimum(total, batch.captured)
        plain &= held >= 42
        tcp &= held < 54
        plain &= ~tcp
        return plain

    def _unwrap(self, batch: Batch, rows: Rows) -> list[Columns]:
        """Every layer of the rows that are not plain."""
        data, leaves = batch.data, []
        outer = link.begin(data, rows, batch.link, self.tally)
        work = [(*outer, 0)]
        while work:
            rows, kind, depth = work.pop()
            rows, kind = link.shed(data, rows, kind, self.tally)
            inner: list[tunnel.Inner] = []
            frames = kind == link.ETHER
            if frames.any():
                inner.append(tunnel.Inner(rows.select(frames), kind[frames]))
            for ethertype, reader in ((link.IPV4, self._four), (link.IPV6, self._six)):
                which = kind == ethertype
                if which.any():
                    packets = reader(data, rows.select(which))
                    packets, more = tunnel.open_tunnels(data, packets, self.tally)
                    inner += more
                    leaves.append(self._leaf(batch, packets))
            other = len(kind) - int(np.isin(kind, (link.IPV4, link.IPV6, link.ETHER)).sum())
            self.tally.skip(link.NOT_IP, other)
            for rows, kind in inner:
                if depth >= _DEPTH:
                    self.tally.skip(link.DEEP, len(rows.row))
                    continue
                frames = kind == link.ETHER
                if frames.any():
                    work.append(
                        (*link.ethernet(data, rows.select(frames).inner(), self.tally), depth + 1)
                    )
                if not frames.all():
                    work.append((rows.select(~frames), kind[~frames], depth + 1))
        return leaves

    def _four(self, data: Bytes, rows: Rows) -> Packets:
        return internet.four(data, rows, self.tally)

    def _six(self, data: Bytes, rows: Rows) -> Packets:
        return internet.six(data, rows, self.addresses, self.tally)

    def _leaf(self, batch: Batch, packets: Packets) -> Columns:
        data, rows = batch.data, packets.rows
        proto = packets.proto
        space = rows.end - rows.place
        tcp = (proto == TCP) & (packets.fragment <= 0)
        udp = (proto == UDP) & (packets.fragment <= 0)
        has_ports = (tcp | udp) & (space >= 4)
        self.tally.skip(internet.SHORT, int(((tcp | udp) & (space < 4)).sum()))
        ports = np.where(has_ports, gather(data, rows.place, 4).view(">u4").astype(np.int64), 0)
        tcp &= space >= 14
        flags = np.where(tcp, byte(data, rows.place + 13), 0).astype(np.uint8)
        head = np.where(tcp, (byte(data, rows.place + 12) >> 4) * 4, 8)
        tcp &= head >= 20
        size = np.where(tcp, rows.rest - head, 0)
        stated = be16(data, rows.place + 4)
        # UDP length 0 is a jumbogram or offload; else it bounds the payload, not the padding.
        size = np.where(
            udp, np.where(stated >= 8, np.minimum(stated, rows.rest), rows.rest) - 8, size
        )
        payload = rows.place + head
        held = np.where(tcp | udp, np.minimum(rows.end - payload, size), 0)
        held = np.maximum(held, 0)
        at_fragments = np.flatnonzero(packets.fragment >= 0)
        shown = held[at_fragments]
        held[at_fragments] = 0
        columns = Columns(
            a=packets.a,
            b=(ports | proto << 32 | (FAMILY6 if packets.six else 0)).astype(np.uint64),
            size=rows.size,
            at=batch.at[rows.row],
            flags=flags,
            payload=payload,
            held=held,
            length=np.maximum(size, 0),
            transport=rows.place,
            mac=rows.mac,
            row=rows.row,
        )
        if len(at_fragments):
            self._follow(data, packets, columns, zip(at_fragments.tolist(), shown, strict=True))
        return columns

    def _follow(
        self,
        data: Bytes,
        packets: Packets,
        columns: Columns,
        which: Iterable[tuple[int, np.int64]],
    ) -> None:
        """Give later fragments the ports of the first one, put wanted datagrams and segments together.

        `which`: rows, and how much of a payload each shows. A first fragment that is not put together is read as a
        packet that the capture cut; one of a segment that is, as a segment of its own.
        """
        for i, shown in which:
            proto = int(packets.proto[i])
            key = Key(int(packets.a[i]), int(packets.ident[i]), proto, packets.six)
            offset = int(packets.fragment[i])
            place, end = int(packets.rows.place[i]), int(packets.rows.end[i])
            if offset == 0:
                ports = int(columns.b[i]) & 0xFFFF_FFFF
                begin = int(columns.payload[i])
                wanted = proto == UDP and self.read_fragment(ports, data[begin:end][:8].tobytes())
                self.fragments.first(key, ports, data[place:end].tobytes() if wanted else None)
                if proto == TCP and shown and self._begin_segment(data, columns, i, key):
                    columns.held[i] = shown
                elif not wanted and proto in {TCP, UDP}:
                    columns.held[i] = shown
                    columns.length[i] = max(int(columns.length[i]), int(shown) + 1)
                continue
            if proto not in {TCP, UDP}:
                continue
            ports = self.fragments.ports(key)
            columns.b[i] |= np.uint64(ports)
            last, whole = not bool(packets.more[i]), None
            if self.fragments.wanted(key):
                whole = self.fragments.later(key, offset, data[place:end].tobytes(), last=last)
            elif proto == TCP and self.fragments.in_segment(key):
                missing = int(packets.rows.rest[i]) - (end - place)
                payload = data[place:end].tobytes()
                whole = self.fragments.piece(key, offset, payload, missing=missing, last=last)
            if whole is not None:
                one = Columns._make(c[i : i + 1] for c in columns)
                self.whole.append((int(columns.row[i]), one, whole))

    def _begin_segment(self, data: Bytes, columns: Columns, i: int, key: Key) -> bool:
        """Whether the TCP segment of a first fragment is followed: it begins something, or goes on with it."""
        ports = int(columns.b[i]) & 0xFFFF_FFFF
        begin, transport = int(columns.payload[i]), int(columns.transport[i])
        size = int(columns.length[i])
        begins = _begins_stream(ports, data[begin : begin + 8].tobytes())
        if not self.fragments.follows(Way(key.ends, ports, key.six), size, begins=begins):
            return False
        head, flags = begin - transport, int(columns.flags[i])
        seq = int.from_bytes(data[transport + 4 : transport + 8].tobytes(), "big")
        seq += (flags & SYN != 0) - head
        self.fragments.segment(key, seq, head + size, fin=flags & FIN != 0)
        # The last fragment ends the stream.
        columns.flags[i] = flags & ~FIN
        return True


_NO_LENGTH = 1 << 20
_TCP_HEAD: Ints = np.arange(256, dtype=np.int64) // 16 * 4
"""Bytes of a TCP header, by the byte that holds its data offset."""
_JOINED = frozenset({53, 5353, 5355, 1900, 3702, 5060, 37020, 37810})
"""Ports whose answers grow beyond a packet: DNS and its kin, the search protocols, SIP."""


def _worth_joining(ports: int, head: bytes) -> bool:
    """Whether a fragmented datagram is put together: by its ports, or because it begins like a text."""
    if ports >> 16 in _JOINED or ports & 0xFFFF in _JOINED:
        return True
    return head[:1] == b"<" or (head[:3].isalpha() and head[:3].isupper())


def _begins_stream(ports: int, head: bytes) -> bool:
    """Whether a payload is the beginning of DNS over TCP, of a TLS handshake, or of a text."""
    if 53 in {ports >> 16, ports & 0xFFFF} or head[:2] == b"\x16\x03":
        return True
    return head[:3].isalpha() and head[:3].isupper()


def _rows(batch: Batch, which: Ints) -> Rows:
    place = batch.frame[which]
    return Rows(
        row=which,
        place=place,
        end=place + batch.captured[which],
        size=batch.wire[which],
        rest=batch.wire[which],
        mac=np.full(len(which), -1, np.int64),
    )


def _plain(batch: Batch, rows: NDArray[np.void], which: Ints) -> Columns:
    proto = rows["proto"].astype(np.uint64)
    tcp = proto == TCP
    head = _TCP_HEAD[rows["doff"]]
    np.putmask(head, ~tcp, 8)
    # UDP states its own length: what lies behind it is not its payload.
    stated = rows["udp_length"].astype(np.int64)
    np.putmask(stated, tcp | (stated < 8), _NO_LENGTH)
    stated += 20
    length = rows["total"].astype(np.int64)
    np.minimum(length, stated, out=length)
    transport = batch.frame + 34
    payload = transport + head
    head += 20
    length -= head
    held = batch.captured - head
    held -= 14
    np.minimum(held, length, out=held)
    np.maximum(held, 0, out=held)
    np.maximum(length, 0, out=length)
    # A TCP header shorter than 20 bytes is no header.
    bad = head < 40
    bad &= tcp
    if bad.any():
        held[bad] = length[bad] = 0
    proto <<= _32
    proto |= rows["ports"]
    return Columns(
        a=rows["ends"].astype(np.uint64),
        b=proto,
        size=batch.wire,
        at=batch.at,
        flags=rows["flags"] * tcp,
        payload=payload,
        held=held,
        length=length,
        transport=transport,
        mac=batch.frame,
        row=which,
    )
