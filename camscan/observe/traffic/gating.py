"""Which packets of a batch pass a gate? Look-up tables first, exact comparison for what they let through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.errors import UsageError
from camscan.observe.traffic.batch import TCP, UDP, Bytes, Columns, Ints, Keys
from camscan.observe.traffic.packet import ALIKE, HEAD, Gate

_NUMBER = {"tcp": TCP, "udp": UDP}
_LOW16 = np.uint64(0xFFFF)
NO_RANK = 255


class Looked(NamedTuple):
    """Packets that passed the look-up tables."""

    proto: Ints
    source: Ints
    target: Ints
    length: Ints
    held: Ints
    head: Bytes

    @classmethod
    def at(cls, columns: Columns, rows: Ints, head: Bytes) -> Looked:
        b = columns.b[rows]
        return cls(
            (b >> np.uint64(32) & np.uint64(0xFF)).astype(np.int64),
            (b >> np.uint64(16) & _LOW16).astype(np.int64),
            (b & _LOW16).astype(np.int64),
            columns.length[rows],
            columns.held[rows],
            head,
        )


class _Compiled:
    """A gate as numbers."""

    def __init__(self, gate: Gate) -> None:
        size = len(gate.pattern)
        if gate.offset + max(size, 2) > HEAD or (gate.mask and len(gate.mask) != size):
            raise UsageError(f"gate {gate.id}: pattern or mask outside the first {HEAD} bytes")
        if not size and not gate.ports:
            raise UsageError(f"gate {gate.id}: neither ports nor pattern")
        if gate.alike not in ALIKE:
            raise UsageError(f"gate {gate.id}: alike is one of {', '.join(ALIKE[1:])}, or empty")
        self.proto = _NUMBER.get(gate.transport, 0)
        self.ports = np.array(gate.ports, np.int64)
        self._named = np.zeros(65_536, np.bool_)
        self._named[self.ports] = True
        self.size = size
        self.offset = gate.offset
        mask = gate.mask or b"\xff" * size
        self.mask = np.frombuffer(mask, np.uint8)
        self.value = np.frombuffer(gate.pattern, np.uint8) & self.mask
        self.shortest = max(gate.shortest, 1)
        self.longest = gate.longest
        self.rank = ALIKE.index(gate.alike)

    def passes(self, rows: Looked) -> NDArray[np.bool_]:
        result = (rows.length >= self.shortest) & (rows.length <= self.longest)
        if self.proto:
            result &= rows.proto == self.proto
        if len(self.ports):
            result &= self._named[rows.source] | self._named[rows.target]
        if self.size:
            end = self.offset + self.size
            result &= rows.held >= end
            result &= ((rows.head[:, self.offset : end] & self.mask) == self.value).all(axis=1)
        return result

    def words(self) -> NDArray[np.bool_]:
        """Which little-endian 16-bit words at its offset begin its pattern."""
        every = np.arange(65_536)
        possible: NDArray[np.bool_] = (every & 0xFF & int(self.mask[0])) == int(self.value[0])
        if self.size > 1:
            possible &= (every >> 8 & int(self.mask[1])) == int(self.value[1])
        return possible


class Gating:
    """All gates of a reading."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._by_port = [_Compiled(g) for g in gates if not g.pattern]
        self._by_bytes = [_Compiled(g) for g in gates if g.pattern]
        self._ports = {proto: self._port_table(proto) for proto in (TCP, UDP)}
        self._words: list[tuple[np.dtype[np.void], NDArray[np.bool_], NDArray[np.uint64]]] = []
        for offset in sorted({g.offset for g in self._by_bytes}):
            bits = np.zeros(65_536, np.uint64)
            for place, gate in enumerate(self._by_bytes):
                if gate.offset == offset:
                    bits[gate.words()] |= np.uint64(1) << np.uint64(place % 64)
            word = np.dtype(
                {"names": ["word"], "formats": ["<u2"], "offsets": [offset], "itemsize": HEAD}
            )
            self._words.append((word, bits != 0, bits))

    def _port_table(self, proto: int) -> NDArray[np.bool_]:
        table = np.zeros(65_536, np.bool_)
        for gate in self._by_port:
            if gate.proto in {0, proto}:
                table[gate.ports] = True
        return table

    def by_port(self, b: Keys) -> NDArray[np.bool_]:
        """Which five-tuples have a port some gate names."""
        source, target = (b >> np.uint64(16) & _LOW16), b & _LOW16
        proto = b >> np.uint64(32) & np.uint64(0xFF)
        result = np.zeros(len(b), np.bool_)
        for number, ports in self._ports.items():
            result |= (proto == np.uint64(number)) & (ports[source] | ports[target])
        return result

    def by_bytes(self, heads: NDArray[np.void]) -> NDArray[np.bool_]:
        """Which payloads (first HEAD bytes) may begin like a pattern."""
        hit = np.zeros(len(heads), np.bool_)
        for word, table, _ in self._words:
            hit |= table[heads.view(word)["word"]]
        return hit

    def ranks(self, rows: Looked) -> NDArray[np.uint8]:
        """Per packet NO_RANK where no gate lets it pass, else the lowest place in ALIKE of those that do."""
        result = np.full(len(rows.proto), NO_RANK, np.uint8)
        for gate in self._by_port:
            passed = gate.passes(rows)
            result[passed] = np.minimum(result[passed], gate.rank)
        bits = np.zeros(len(rows.proto), np.uint64)
        if len(rows.head):
            heads = rows.head.view(f"V{HEAD}")[:, 0]
            for word, _, table in self._words:
                bits |= table[heads.view(word)["word"]]
        some = int(np.bitwise_or.reduce(bits)) if len(bits) else 0
        for place, gate in enumerate(self._by_bytes):
            if some >> place % 64 & 1:
                # Few rows begin like the pattern of this gate.
                which = np.flatnonzero(bits & np.uint64(1 << place % 64))
                found = which[gate.passes(Looked._make(column[which] for column in rows))]
                result[found] = np.minimum(result[found], gate.rank)
        result[rows.held <= 0] = NO_RANK
        return result

    def port_side(self, rows: Looked) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether source and destination port are ones that a port gate names."""
        udp = self._ports[UDP]
        return udp[rows.source], udp[rows.target]
