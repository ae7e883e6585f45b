"""Which packets of a batch pass a gate? Look-up tables first, exact comparison for what they let through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.errors import UsageError
from camscan.observe.traffic import steps
from camscan.observe.traffic.batch import TCP, UDP, Bytes, Columns, Ints, Keys
from camscan.observe.traffic.compiled_gates import CompiledGates, Lot
from camscan.observe.traffic.packet import ALIKE, HEAD, Gate

_NUMBER = {"tcp": TCP, "udp": UDP}
_LOW16 = np.uint64(0xFFFF)
_WORD = 0xFFFF
_WORDS = np.arange(65_536, dtype=np.uint16)
Bits = NDArray[np.uint32]
NO_RANK = 255
MOST_PORT_GATES = 31
PORT_BITS = np.uint32(1)
"""The lowest bit of what is known of a five-tuple is not for gates."""


class Looked(NamedTuple):
    """Packets that passed the look-up tables."""

    proto: Ints
    source: Ints
    target: Ints
    length: Ints
    held: Ints
    head: Bytes
    """HEAD bytes each."""

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


class _Group(NamedTuple):
    """Gates that differ in their patterns alone."""

    proto: int
    ports: tuple[int, ...]
    offset: int
    mask: bytes
    shortest: int
    longest: int
    rank: int

    @classmethod
    def of(cls, gate: Gate) -> _Group:
        size = len(gate.pattern)
        if gate.offset + max(size, 2) > HEAD or (gate.mask and len(gate.mask) != size):
            raise UsageError(f"gate {gate.id}: pattern or mask outside the first {HEAD} bytes")
        if not size and not gate.ports:
            raise UsageError(f"gate {gate.id}: neither ports nor pattern")
        if gate.alike not in ALIKE:
            raise UsageError(f"gate {gate.id}: alike is one of {', '.join(ALIKE[1:])}, or empty")
        return cls(
            proto=_NUMBER.get(gate.transport, 0),
            ports=gate.ports,
            offset=gate.offset,
            mask=gate.mask or b"\xff" * size,
            shortest=max(gate.shortest, 1),
            longest=gate.longest,
            rank=ALIKE.index(gate.alike),
        )

    @property
    def end(self) -> int:
        return self.offset + len(self.mask)


class _Patterns:
    """The patterns of one group as numbers."""

    def __init__(
        self, group: _Group, patterns: Sequence[bytes], named: NDArray[np.bool_], *, told: bool
    ) -> None:
        """`named`: room for one number per port. `told`: no other group has the bit of this one in the tables of words."""
        self.group = group
        self.word_mask = int.from_bytes(group.mask[:2], "little")
        fixed = [bytes(v & m for v, m in zip(p, group.mask, strict=True)) for p in patterns]
        self.words = sorted({int.from_bytes(value[:2], "little") for value in fixed})
        # Where two bytes are all there is, the table of words has told already.
        whole = [] if told and len(group.mask) <= 2 else [_halves(v, group.offset) for v in fixed]
        self._values = np.array(whole, np.uint64).reshape(-1, 2)
        self._mask = np.array(_halves(group.mask, group.offset), np.uint64)
        self._named = named if group.ports else None
        named[list(group.ports)] = True

    def enter(self, bits: Keys, bit: np.uint64) -> None:
        """Set the bit at all words that begin one of the patterns."""
        if self.word_mask == _WORD:
            bits[self.words] |= bit
            return
        free = np.flatnonzero(_WORDS & np.uint16(self.word_mask) == 0)
        for word in self.words:
            bits[free | word] |= bit

    def lot(self, weight: int) -> Lot:
        """The same for the compiled step."""
        group = self.group
        mask = self._mask.tolist()
        return Lot(
            group.proto, group.shortest, group.longest, group.end, group.rank, weight,
            (mask[0], mask[1]), self._values if len(self._values) else None, self._named,
        )  # fmt: skip

    def passes(self, rows: Looked, which: Ints) -> Ints:
        """Those of `which` that pass."""
        group = self.group
        length = rows.length[which]
        result = (length >= group.shortest) & (rows.held[which] >= group.end)
        if group.longest < 65_535:
            result &= length <= group.longest
        if group.proto:
            result &= rows.proto[which] == group.proto
        if self._named is not None:
            result &= self._named[rows.source[which]] | self._named[rows.target[which]]
        if len(self._values):
            halves = rows.head[which].view(np.uint64) & self._mask
            same = halves[:, None, :] == self._values
            result &= (same[:, :, 0] & same[:, :, 1]).any(axis=1)
        return which[result]


def _halves(value: bytes, offset: int) -> tuple[int, int]:
    head = bytes(offset) + value + bytes(HEAD - offset - len(value))
    return int.from_bytes(head[:8], "little"), int.from_bytes(head[8:], "little")


class Gating:
    """All gates of a reading."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        groups: dict[_Group, list[bytes]] = {}
        by_port: dict[_Group, list[int]] = {}
        for gate in gates:
            group = _Group.of(gate)
            if gate.pattern:
                groups.setdefault(group, []).append(gate.pattern)
            else:
                by_port.setdefault(group._replace(ports=()), []).extend(group.ports)
        self._by_port = [group._replace(ports=tuple(ports)) for group, ports in by_port.items()]
        if len(self._by_port) > MOST_PORT_GATES:
            raise UsageError(f"{len(self._by_port)} gates of ports; {MOST_PORT_GATES} is the limit")
        self._weights = _weights(len(self._by_port) + len(groups))
        self._ports = {proto: self._port_table(proto) for proto in (TCP, UDP)}
        self.servers: NDArray[np.bool_] = self._ports[UDP] != 0
        """By port, whether a gate of UDP names it."""
        told = len(groups) <= 64
        # In one piece, of which the parts without ports are never touched.
        named = np.zeros((len(groups), 65_536), np.bool_)
        self._by_bytes = [
            _Patterns(group, found, row, told=told)
            for row, (group, found) in zip(named, groups.items(), strict=True)
        ]
        self._words: list[tuple[int, NDArray[np.bool_], Keys]] = []
        for offset in sorted({p.group.offset for p in self._by_bytes}):
            bits = np.zeros(65_536, np.uint64)
            for place, patterns in enumerate(self._by_bytes):
                if patterns.group.offset == offset:
                    patterns.enter(bits, np.uint64(1 << place % 64))
            self._words.append((offset, bits != 0, bits))
        self._compiled: CompiledGates | None = None

    def _port_table(self, proto: int) -> Bits:
        """Bit n: gate n names the port."""
        table = np.zeros(65_536, np.uint32)
        for place, group in enumerate(self._by_port):
            if group.proto in {0, proto}:
                table[list(group.ports)] |= np.uint32(1 << place)
        return table

    def compiled(self) -> int:
        """All gates, as the compiled step is given them."""
        if self._compiled is None:
            weights = self._weights.tolist()
            ports = [
                Lot(0, g.shortest, g.longest, 0, g.rank, weight)
                for g, weight in zip(self._by_port, weights, strict=False)
            ]
            patterns = [
                p.lot(weight)
                for p, weight in zip(self._by_bytes, weights[len(ports) :], strict=True)
            ]
            words = [(offset, bits) for offset, _, bits in self._words]
            self._compiled = CompiledGates(ports, patterns, words)
        return self._compiled.place

    def by_port(self, b: Keys) -> Bits:
        """Which gates of ports name a port of each five-tuple: one bit per gate, from the second bit on."""
        if steps.compiled is not None:
            found, b = np.empty(len(b), np.uint32), np.ascontiguousarray(b)
            tables = steps.at(self._ports[TCP]), steps.at(self._ports[UDP])
            steps.compiled.camscan_ports(steps.at(b), len(b), *tables, steps.at(found))
            return found
        source, target = (b >> np.uint64(16) & _LOW16), b & _LOW16
        proto = b >> np.uint64(32) & np.uint64(0xFF)
        result = np.zeros(len(b), np.uint32)
        for number, ports in self._ports.items():
            which = proto == np.uint64(number)
            result |= np.where(which, ports[source] | ports[target], np.uint32(0))
        return result << PORT_BITS

    def by_bytes(self, heads: NDArray[np.void]) -> NDArray[np.bool_]:
        """Which payloads (first HEAD bytes) may begin like a pattern."""
        hit = np.zeros(len(heads), np.bool_)
        if not len(heads):
            return hit
        for offset, table, _ in self._words:
            hit |= table[_word(heads, offset)]
        return hit

    def ranks(self, ports: Bits, rows: Looked) -> tuple[NDArray[np.uint8], Keys]:
        """Per packet NO_RANK where no gate lets it pass, else the lowest place in ALIKE of those that do.

        `ports`: what `by_port` says of its five-tuple. Second, a number for the set of gates that it passed.
        """
        result = np.full(len(rows.proto), NO_RANK, np.uint8)
        passed = np.zeros(len(rows.proto), np.uint64)
        if not len(result):
            return result, passed
        some = int(np.bitwise_or.reduce(ports))
        for place, group in enumerate(self._by_port):
            if some >> place & 1:
                which = np.flatnonzero(ports & np.uint32(1 << place))
                length = rows.length[which]
                found = which[(length >= group.shortest) & (length <= group.longest)]
                result[found] = np.minimum(result[found], group.rank)
                passed[found] += self._weights[place]
        bits = np.zeros(len(rows.proto), np.uint64)
        for offset, _, table in self._words:
            bits |= table[_word(rows.head, offset)]
        some = int(np.bitwise_or.reduce(bits))
        for place, patterns in enumerate(self._by_bytes):
            if some >> place % 64 & 1:
                # Few rows begin like a pattern of this group.
                which = np.flatnonzero(bits & np.uint64(1 << place % 64))
                found = patterns.passes(rows, which)
                result[found] = np.minimum(result[found], patterns.group.rank)
                passed[found] += self._weights[len(self._by_port) + place]
        result[rows.held <= 0] = NO_RANK
        return result, passed


def _weights(count: int) -> Keys:
    """Numbers of which different sets have different sums; beyond 64, all but certainly."""
    if count <= 64:
        return np.uint64(1) << np.arange(count, dtype=np.uint64)
    return np.frombuffer(os.urandom(8 * count), np.uint64)


def _word(heads: NDArray[np.generic], offset: int) -> NDArray[np.uint16]:
    """The little-endian 16-bit word at an offset of heads that lie one behind the other."""
    return np.ndarray((len(heads),), "<u2", heads, offset=offset, strides=(HEAD,))
