"""Which few packets of a batch are handed to the feed, and in which order?

One table look-up per port pair (made once per five-tuple) and one per two payload bytes; only what passes
is compared with the gates themselves.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.errors import UsageError
from camscan.observe.traffic.batch import (
    FIN,
    RST,
    SYN,
    TCP,
    UDP,
    Batch,
    Bytes,
    Columns,
    Ints,
    gather,
)
from camscan.observe.traffic.fragments import Whole
from camscan.observe.traffic.ledger import mac_text
from camscan.observe.traffic.packet import HEAD, Feed, Gate, Packet
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.table import Numbers, PairTable

_PORT, _WANTED = 1, 2
_TRANSPORT = {TCP: "tcp", UDP: "udp"}
_NUMBER = {"tcp": TCP, "udp": UDP}
_MOST_TEXTS = 1 << 16
_LOW16 = np.uint64(0xFFFF)


def _word_at(offset: int) -> np.dtype[np.void]:
    return np.dtype({"names": ["word"], "formats": ["<u2"], "offsets": [offset], "itemsize": HEAD})


class _Looked(NamedTuple):
    """Packets that passed the look-up tables."""

    proto: Ints
    source: Ints
    target: Ints
    length: Ints
    held: Ints
    head: Bytes


class _Offered(NamedTuple):
    """One lot of packets on offer."""

    batch: Batch
    columns: Columns
    numbers: Numbers
    whole: list[tuple[int, Columns, Whole]]
    source: int


class _Compiled:
    """A gate as numbers."""

    def __init__(self, gate: Gate) -> None:
        size = len(gate.pattern)
        if gate.offset + max(size, 2) > HEAD or (gate.mask and len(gate.mask) != size):
            raise UsageError(f"gate {gate.id}: pattern or mask outside the first {HEAD} bytes")
        if not size and not gate.ports:
            raise UsageError(f"gate {gate.id}: neither ports nor pattern")
        self.proto = _NUMBER.get(gate.transport, 0)
        self.ports = np.array(gate.ports, np.int64)
        self.size = size
        self.offset = gate.offset
        mask = gate.mask or b"\xff" * size
        self.mask = np.frombuffer(mask, np.uint8)
        self.value = np.frombuffer(gate.pattern, np.uint8) & self.mask
        self.needs = max(gate.shortest, 1)
        self.longest = gate.longest

    def passes(self, rows: _Looked) -> NDArray[np.bool_]:
        result = (rows.length >= self.needs) & (rows.length <= self.longest)
        if self.proto:
            result &= rows.proto == self.proto
        if len(self.ports):
            result &= np.isin(rows.source, self.ports) | np.isin(rows.target, self.ports)
        if self.size:
            end = self.offset + self.size
            result &= rows.held >= end
            result &= ((rows.head[:, self.offset : end] & self.mask) == self.value).all(axis=1)
        return result


class Candidates:
    def __init__(self, gates: Sequence[Gate], feed: Feed, places: Places) -> None:
        self._feed = feed
        self._places = places
        self._by_port = [_Compiled(g) for g in gates if not g.pattern]
        self._by_bytes = [_Compiled(g) for g in gates if g.pattern]
        self._ports = {proto: self._port_table(proto) for proto in (TCP, UDP)}
        offsets = sorted({g.offset for g in self._by_bytes})
        self._words = [(o, self._word_table(o)) for o in offsets]
        self._look: Bytes = np.zeros(1024, np.uint8)
        self._wanted: set[int] = set()
        self._texts: dict[tuple[int, bool], str] = {}
        self._macs: dict[bytes, str] = {}
        self.fed = 0

    def _port_table(self, proto: int) -> NDArray[np.bool_]:
        table = np.zeros(65_536, np.bool_)
        for gate in self._by_port:
            if gate.proto in {0, proto}:
                table[gate.ports] = True
        return table

    def _word_table(self, offset: int) -> NDArray[np.bool_]:
        """Which little-endian 16-bit words at `offset` begin a pattern."""
        words = np.arange(65_536)
        table = np.zeros(65_536, np.bool_)
        for gate in self._by_bytes:
            if gate.offset != offset:
                continue
            possible = (words & 0xFF & int(gate.mask[0])) == int(gate.value[0])
            if gate.size > 1:
                possible &= (words >> 8 & int(gate.mask[1])) == int(gate.value[1])
            table |= possible
        return table

    def welcome(self, table: PairTable, before: int) -> None:
        """Five-tuples with numbers above `before` are new."""
        count = table.count
        if count + 1 > len(self._look):
            fresh = np.zeros(max(count + 1, 2 * len(self._look)), np.uint8)
            fresh[: len(self._look)] = self._look
            self._look = fresh
        b = table.b[before + 1 : count + 1]
        source, target = (b >> np.uint64(16) & _LOW16), b & _LOW16
        proto = b >> np.uint64(32) & np.uint64(0xFF)
        look = np.zeros(len(b), np.uint8)
        for number, ports in self._ports.items():
            hit = (proto == np.uint64(number)) & (ports[source] | ports[target])
            look[hit] = _PORT
        self._look[before + 1 : count + 1] = look

    def wanted(self) -> Ints:
        """Numbers of the five-tuples that more is wanted of."""
        return np.array(sorted(self._wanted), np.int64)

    def renumber(self, table: PairTable, numbers: Numbers) -> None:
        """The table was emptied; these are the new numbers of what is wanted."""
        self.welcome(table, 0)
        self._wanted = set(numbers.tolist())
        self._look[numbers] |= _WANTED

    def offer(
        self,
        batch: Batch,
        columns: Columns,
        numbers: Numbers,
        whole: list[tuple[int, Columns, Whole]],
        source: int,
    ) -> None:
        """Feed what passes a gate, what was asked for, and datagrams put together, in capture order."""
        look = self._look[numbers]
        filled = columns.held > 0
        interesting = look != 0
        interesting &= filled | (look & _WANTED != 0)
        rows = np.flatnonzero(filled)
        if not len(rows) and not whole:
            return
        heads = gather(batch.data, columns.payload[rows], HEAD)
        head = heads.view(np.uint8).reshape(-1, HEAD)
        if self._words:
            hit = np.zeros(len(rows), np.bool_)
            for offset, table in self._words:
                hit |= table[heads.view(_word_at(offset))["word"]]
            interesting[rows[hit]] = True
        chosen = np.flatnonzero(interesting)
        if not len(chosen) and not whole:
            return
        gated = self._gated(columns, chosen, rows, head)
        pending = look[chosen] & _WANTED != 0
        use = gated | pending
        offered = _Offered(batch, columns, numbers, whole, source)
        self._deliver(offered, chosen[use], gated[use])

    def _gated(self, columns: Columns, chosen: Ints, rows: Ints, head: Bytes) -> NDArray[np.bool_]:
        b = columns.b[chosen]
        proto = (b >> np.uint64(32) & np.uint64(0xFF)).astype(np.int64)
        source = (b >> np.uint64(16) & _LOW16).astype(np.int64)
        target = (b & _LOW16).astype(np.int64)
        length, held = columns.length[chosen], columns.held[chosen]
        at = np.minimum(np.searchsorted(rows, chosen), max(len(rows) - 1, 0))
        heads = head[at] if len(rows) else np.zeros((len(chosen), HEAD), np.uint8)
        looked = _Looked(proto, source, target, length, held, heads)
        result = np.zeros(len(chosen), np.bool_)
        for gate in (*self._by_port, *self._by_bytes):
            result |= gate.passes(looked)
        return result & (held > 0)

    def _deliver(self, offered: _Offered, rows: Ints, gated: NDArray[np.bool_]) -> None:
        batch, columns, numbers, whole, source = offered
        work: list[tuple[int, int, bool]] = [
            (row, 0, bool(gate)) for row, gate in zip(rows.tolist(), gated.tolist(), strict=True)
        ]
        for place, (row, _, _) in enumerate(whole):
            at = int(np.searchsorted(columns.row, row))
            heapq.heappush(work, (at, place + 1, True))
        if whole:
            heapq.heapify(work)
        done = -1
        while work:
            row, extra, gate = heapq.heappop(work)
            if extra:
                _, one, datagram = whole[extra - 1]
                self._feed(self._packet(batch, one, 0, source, datagram))
                self.fed += 1
                continue
            number = int(numbers[row])
            if row == done or (not gate and number not in self._wanted):
                continue
            done = row
            self.fed += 1
            more = self._feed(self._packet(batch, columns, row, source, None))
            if more and number and number not in self._wanted:
                self._wanted.add(number)
                self._look[number] |= _WANTED
                later = np.flatnonzero(numbers[row + 1 :] == number) + row + 1
                later = later[(columns.held[later] > 0) | (columns.flags[later] & (FIN | RST) != 0)]
                for following in later.tolist():
                    heapq.heappush(work, (following, 0, False))
            elif not more and number in self._wanted:
                self._wanted.discard(number)
                self._look[number] &= ~_WANTED & 0xFF

    def _packet(
        self, batch: Batch, columns: Columns, row: int, source: int, whole: Whole | None
    ) -> Packet:
        a, b = int(columns.a[row]), int(columns.b[row])
        six = b >> 40 & 1 == 1
        proto = b >> 32 & 0xFF
        flags = int(columns.flags[row])
        data = batch.data
        ports = whole.ports if whole else b & 0xFFFF_FFFF
        begin = int(columns.payload[row])
        payload = whole.payload if whole else data[begin : begin + int(columns.held[row])].tobytes()
        seq = 0
        if proto == TCP:
            at = int(columns.transport[row]) + 4
            seq = int.from_bytes(data[at : at + 4].tobytes(), "big")
        mac = int(columns.mac[row])
        macs = data[mac : mac + 12].tobytes() if mac >= 0 else b""
        frame = int(batch.frame[int(columns.row[row])])
        return Packet(
            float(columns.at[row]),
            self._text(a >> 32, six),
            self._text(a & 0xFFFF_FFFF, six),
            ports >> 16,
            ports & 0xFFFF,
            _TRANSPORT.get(proto, ""),
            payload,
            seq,
            flags & SYN != 0,
            self._mac(macs[6:]),
            self._mac(macs[:6]) if batch.link == 1 else None,
            batch.offset + frame - batch.head,
            len(whole.payload) if whole else int(columns.length[row]),
            flags & (FIN | RST) != 0,
            source,
        )

    def _text(self, address: int, six: bool) -> str:
        key = (address, six)
        text = self._texts.get(key)
        if text is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            text = self._texts[key] = self._places.text(address, six=six)
        return text

    def _mac(self, raw: bytes) -> str | None:
        if not raw:
            return None
        text = self._macs.get(raw)
        if text is None:
            if len(self._macs) >= _MOST_TEXTS:
                self._macs.clear()
            text = self._macs[raw] = mac_text(int.from_bytes(raw, "big"))
        return text
