"""What came in some directions in a piece of a file that was read already?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from camscan.observe.traffic.batch import FIN, RST, SYN, Batch, Bytes, Ints, Keys, Tally, gather
from camscan.observe.traffic.filling import Filling
from camscan.observe.traffic.gating import NO_RANK, Gating, Looked
from camscan.observe.traffic.handing import Maker
from camscan.observe.traffic.headers import Headers
from camscan.observe.traffic.messages import Problem
from camscan.observe.traffic.packet import HEAD, Gate, Packet
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.table import PairTable

MOST = 256
"""Packets of one direction: more than anybody wants of it."""


class Repeat:
    """Reads pieces again; nothing is counted, only packets of the directions asked for are made."""

    def __init__(self, gates: Sequence[Gate], places: Places, buffer: Bytes) -> None:
        self.buffer = buffer
        self.packets = 0
        self.lost: int | None = None
        self.tally = Tally()
        self.problems: list[Problem] = []
        self._gating = Gating(gates)
        self._places = places
        self._headers = Headers(places.addresses, self.tally)
        self._maker = Maker(places)
        self._wanted = PairTable(1)
        self._found: list[tuple[Packet, bool]] = []
        self._count: Counter[int] = Counter()
        self._broken = False
        """Segments came in fragments, of whatever direction."""

    def read(self, piece: Source, a: Keys, b: Keys) -> tuple[list[tuple[Packet, bool]], bool]:
        """(packet, whether a gate lets it pass) of these five-tuples, and whether there may be more of them.

        Those that say something or begin or end a stream.
        """
        self._wanted = PairTable(len(a) + 1)
        self._wanted.numbers(a, b)
        self._found, self._count, self._broken = [], Counter(), False
        try:
            for _ in Filling(self, piece, 0).buffers():
                pass
        finally:
            piece.close()
        return self._found, self._broken or any(n > MOST for n in self._count.values())

    def take(self, batch: Batch, number: int) -> None:
        self.packets += len(batch.frame)
        columns = self._headers.columns(batch)
        if columns is None:
            return
        self._broken = self._broken or any(whole.seq >= 0 for _, _, whole in self._headers.whole)
        numbers = self._wanted.numbers(columns.a, columns.b, insert=False)
        says = (columns.held > 0) | (columns.flags & (SYN | FIN | RST) != 0)
        rows: Ints = np.flatnonzero((numbers > 0) & says)
        if not len(rows):
            return
        head = gather(batch.data, columns.payload[rows], HEAD).view(np.uint8).reshape(-1, HEAD)
        ports = self._gating.by_port(columns.b[rows])
        ranks, _ = self._gating.ranks(ports, Looked.at(columns, rows, head))
        passed = (ranks != NO_RANK).tolist()
        made = self._maker.packets(batch, columns, rows, number)
        for packet, gated, owner in zip(made, passed, numbers[rows].tolist(), strict=True):
            self._count[owner] += 1
            if self._count[owner] <= MOST:
                self._found.append((packet, gated))
