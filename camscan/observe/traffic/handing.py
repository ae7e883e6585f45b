"""How does a row of columns become a Packet, quickly?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

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
from camscan.observe.traffic.packet import Ends, Packet
from camscan.observe.traffic.places import Places

_TRANSPORT = {TCP: "tcp", 17: "udp"}
_MOST_TEXTS = 1 << 16
_MAC = 6


class Maker:
    """Makes packets; remembers the text forms of addresses."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._texts: dict[int, str] = {}
        """IPv6 addresses by the complement of their number."""
        self._macs: dict[bytes | None, tuple[str | None, str | None]] = {None: (None, None)}
        """Text forms of source and destination by the bytes that stand in the frame."""

    def ends(self, batch: Batch, columns: Columns, rows: Ints) -> list[Ends]:
        """Who sent the packet of each row to whom, and when."""
        b = columns.b[rows]
        sources, targets = self._ends_of(columns.a[rows], b)
        source_macs, target_macs = self._macs_of(batch, columns, rows)
        fields = zip(
            columns.at[rows].tolist(),
            sources,
            targets,
            (b >> np.uint64(16) & np.uint64(0xFFFF)).tolist(),
            (b & np.uint64(0xFFFF)).tolist(),
            source_macs,
            target_macs,
            strict=True,
        )
        return [tuple.__new__(Ends, values) for values in fields]

    def packets(self, batch: Batch, columns: Columns, rows: Ints, source: int) -> list[Packet]:
        """One packet per row, in the same order."""
        if not len(rows):
            return []
        if len(self._texts) > _MOST_TEXTS:
            self._texts.clear()
        b = columns.b[rows]
        proto = (b >> np.uint64(32) & np.uint64(0xFF)).astype(np.int64)
        flags = columns.flags[rows]
        view = memoryview(batch.data.data)
        begin = columns.payload[rows]
        seq = gather(batch.data, columns.transport[rows] + 4, 4).view(">u4").astype(np.int64)
        seq[proto != TCP] = 0
        frame = batch.frame[columns.row[rows]] + (batch.offset - batch.head)
        sources, targets = self._ends_of(columns.a[rows], b)
        source_macs, target_macs = self._macs_of(batch, columns, rows)
        ends = (begin + columns.held[rows]).tolist()
        fields = zip(
            columns.at[rows].tolist(),
            sources,
            targets,
            (b >> np.uint64(16) & np.uint64(0xFFFF)).tolist(),
            (b & np.uint64(0xFFFF)).tolist(),
            [_TRANSPORT.get(p, "") for p in proto.tolist()],
            [bytes(view[start:stop]) for start, stop in zip(begin.tolist(), ends, strict=True)],
            seq.tolist(),
            (flags & SYN != 0).tolist(),
            source_macs,
            target_macs,
            frame.tolist(),
            columns.length[rows].tolist(),
            (flags & (FIN | RST) != 0).tolist(),
            repeat(source, len(rows)),
            repeat(1, len(rows)),
            strict=True,
        )
        # The constructor of a named tuple would cost as much as all of the above.
        return [tuple.__new__(Packet, values) for values in fields]

    def one(self, batch: Batch, columns: Columns, row: int, source: int) -> Packet:
        """The packet of one row; for few rows far cheaper than `packets`."""
        a, b = int(columns.a[row]), int(columns.b[row])
        proto, six = b >> 32 & 0xFF, b & FAMILY6 != 0
        view = memoryview(batch.data.data)
        begin, flags = int(columns.payload[row]), int(columns.flags[row])
        at = int(columns.transport[row]) + 4
        source_mac, target_mac = self._macs_of(batch, columns, np.array([row]))
        return Packet(
            float(columns.at[row]),
            self._text(a >> 32, six=six),
            self._text(a & 0xFFFF_FFFF, six=six),
            b >> 16 & 0xFFFF,
            b & 0xFFFF,
            _TRANSPORT.get(proto, ""),
            bytes(view[begin : begin + int(columns.held[row])]),
            int.from_bytes(view[at : at + 4], "big") if proto == TCP else 0,
            flags & SYN != 0,
            source_mac[0],
            target_mac[0],
            int(batch.frame[columns.row[row]]) + batch.offset - batch.head,
            int(columns.length[row]),
            flags & (FIN | RST) != 0,
            source,
        )

    def whole(self, batch: Batch, one: Columns, source: int, datagram: Whole) -> Packet:
        """A datagram put together, or a piece of a segment; `one` are the columns of the fragment that gave it."""
        packet = self.one(batch, one, 0, source)
        return packet._replace(
            sport=datagram.ports >> 16,
            dport=datagram.ports & 0xFFFF,
            payload=datagram.payload,
            length=len(datagram.payload) + datagram.missing,
            seq=max(datagram.seq, 0),
            fin=datagram.fin,
        )

    def _ends_of(self, a: Keys, b: Keys) -> tuple[list[str], list[str]]:
        ends = (a >> np.uint64(32)).tolist(), (a & np.uint64(0xFFFF_FFFF)).tolist()
        six = b & np.uint64(FAMILY6) != 0
        if not six.any():
            return self._texts4(ends[0]), self._texts4(ends[1])
        sources, targets = (
            [self._text(end, six=is6) for end, is6 in zip(side, six.tolist(), strict=True)]
            for side in ends
        )
        return sources, targets

    def _texts4(self, numbers: list[int]) -> list[str]:
        known = self._texts
        for number in set(numbers).difference(known):
            self._text(number, six=False)
        return [known[number] for number in numbers]

    def _text(self, number: int, *, six: bool) -> str:
        place = ~number if six else number
        text = self._texts.get(place)
        if text is None:
            text = self._texts[place] = self._places.text(number, six=six)
        return text

    def _macs_of(
        self, batch: Batch, columns: Columns, rows: Ints
    ) -> tuple[Sequence[str | None], Sequence[str | None]]:
        """Source and destination."""
        if len(self._macs) > _MOST_TEXTS:
            self._macs = {None: (None, None)}
        place = columns.mac[rows]
        both: list[bytes | None] = gather(batch.data, np.maximum(place, 0), 2 * _MAC).tolist()
        if (place < 0).any():
            there = (place >= 0).tolist()
            both = [macs if is_there else None for macs, is_there in zip(both, there, strict=True)]
        known = self._macs
        for macs in set(both).difference(known):
            if macs is not None:
                target, source = (int.from_bytes(m, "big") for m in (macs[:_MAC], macs[_MAC:]))
                known[macs] = mac_text(source), mac_text(target)
        sources, targets = zip(*[known[macs] for macs in both], strict=True)
        return sources, targets if batch.link == ETHERNET else [None] * len(rows)
