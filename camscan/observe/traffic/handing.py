"""How does a row of columns become a Packet, quickly?"""

from __future__ import annotations

import numpy as np

from camscan.observe.traffic.batch import (
    FAMILY6,
    FIN,
    RST,
    SYN,
    TCP,
    Batch,
    Columns,
    Ints,
    Keys,
    gather,
)
from camscan.observe.traffic.fragments import Whole
from camscan.observe.traffic.ledger import mac_text
from camscan.observe.traffic.link import ETHERNET
from camscan.observe.traffic.packet import Packet
from camscan.observe.traffic.places import Places

_TRANSPORT = {TCP: "tcp", 17: "udp"}
_MOST_TEXTS = 1 << 16


class Maker:
    """Makes packets; remembers the text forms of addresses."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._ends: dict[tuple[int, bool], tuple[str, str]] = {}
        self._macs: dict[bytes, tuple[str, str | None]] = {}

    def packets(self, batch: Batch, columns: Columns, rows: Ints, source: int) -> list[Packet]:
        """One packet per row, in the same order."""
        if not len(rows):
            return []
        b = columns.b[rows]
        proto = (b >> np.uint64(32) & np.uint64(0xFF)).astype(np.int64)
        flags = columns.flags[rows]
        view = memoryview(batch.data.data)
        begin = columns.payload[rows]
        seq = gather(batch.data, columns.transport[rows] + 4, 4).view(">u4").astype(np.int64)
        seq[proto != TCP] = 0
        frame = batch.frame[columns.row[rows]] + (batch.offset - batch.head)
        return [
            Packet(at, ends[0], ends[1], ports >> 16, ports & 0xFFFF, transport,
                   bytes(view[start:stop]), number, syn, macs[0], macs[1], offset, length, fin, source)
            for at, ends, ports, transport, start, stop, number, syn, macs, offset, length, fin in zip(
                columns.at[rows].tolist(),
                self._ends_of(columns.a[rows], b),
                (b & np.uint64(0xFFFF_FFFF)).tolist(),
                [_TRANSPORT.get(p, "") for p in proto.tolist()],
                begin.tolist(),
                (begin + columns.held[rows]).tolist(),
                seq.tolist(),
                (flags & SYN != 0).tolist(),
                self._macs_of(batch, columns, rows),
                frame.tolist(),
                columns.length[rows].tolist(),
                (flags & (FIN | RST) != 0).tolist(),
                strict=True,
            )
        ]  # fmt: skip

    def one(self, batch: Batch, columns: Columns, row: int, source: int) -> Packet:
        """The packet of one row; for few rows far cheaper than `packets`."""
        a, b = int(columns.a[row]), int(columns.b[row])
        proto, six = b >> 32 & 0xFF, b & FAMILY6 != 0
        view = memoryview(batch.data.data)
        begin, flags = int(columns.payload[row]), int(columns.flags[row])
        at = int(columns.transport[row]) + 4
        ends = self._ends.get((a, six))
        if ends is None:
            ends = (
                self._places.text(a >> 32, six=six),
                self._places.text(a & 0xFFFF_FFFF, six=six),
            )
            self._ends[a, six] = ends
        macs = self._macs_of(batch, columns, np.array([row]))[0]
        return Packet(
            float(columns.at[row]),
            ends[0],
            ends[1],
            b >> 16 & 0xFFFF,
            b & 0xFFFF,
            _TRANSPORT.get(proto, ""),
            bytes(view[begin : begin + int(columns.held[row])]),
            int.from_bytes(view[at : at + 4], "big") if proto == TCP else 0,
            flags & SYN != 0,
            macs[0],
            macs[1],
            int(batch.frame[columns.row[row]]) + batch.offset - batch.head,
            int(columns.length[row]),
            flags & (FIN | RST) != 0,
            source,
        )

    def whole(self, batch: Batch, one: Columns, source: int, datagram: Whole) -> Packet:
        """A datagram put together; `one` are the columns of the fragment that completed it."""
        packet = self.one(batch, one, 0, source)
        return packet._replace(
            sport=datagram.ports >> 16,
            dport=datagram.ports & 0xFFFF,
            payload=datagram.payload,
            length=len(datagram.payload),
        )

    def _ends_of(self, a: Keys, b: Keys) -> list[tuple[str, str]]:
        if len(self._ends) > _MOST_TEXTS:
            self._ends.clear()
        known = self._ends
        found = []
        for ends, six in zip(a.tolist(), (b & np.uint64(FAMILY6) != 0).tolist(), strict=True):
            texts = known.get((ends, six))
            if texts is None:
                text = self._places.text
                texts = (text(ends >> 32, six=six), text(ends & 0xFFFF_FFFF, six=six))
                known[ends, six] = texts
            found.append(texts)
        return found

    def _macs_of(
        self, batch: Batch, columns: Columns, rows: Ints
    ) -> list[tuple[str | None, str | None]]:
        if len(self._macs) > _MOST_TEXTS:
            self._macs.clear()
        place = columns.mac[rows]
        known, both = self._macs, batch.link == ETHERNET
        found: list[tuple[str | None, str | None]] = []
        pairs = gather(batch.data, np.maximum(place, 0), 12).tolist()
        for pair, there in zip(pairs, (place >= 0).tolist(), strict=True):
            if not there:
                found.append((None, None))
                continue
            texts = known.get(pair)
            if texts is None:
                target = mac_text(int.from_bytes(pair[:6], "big")) if both else None
                texts = known[pair] = (mac_text(int.from_bytes(pair[6:], "big")), target)
            found.append(texts)
        return found
