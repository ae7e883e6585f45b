"""The plain way to count a capture: one packet after another, dictionaries, no numpy. No test in here.

Written from the standards alone and apart from the engine, so that both being wrong alike is unlikely.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from traffic_frames import Record


class Seen(NamedTuple):
    at: float
    src: str
    dst: str
    proto: int
    sport: int
    dport: int
    size: int
    flags: int
    payload: bytes


class Stack:
    """Takes one frame apart."""

    def __init__(self) -> None:
        self.fragments: dict[tuple, tuple[int, int]] = {}

    def open(self, record: Record) -> Iterator[Seen]:
        frame, wire = record.frame, record.wire or len(record.frame)
        if record.link == 1:
            yield from self.ether(record.at, frame, wire)
        elif record.link in (12, 14, 101, 228, 229):
            yield from self.packet(record.at, frame, wire, wire)
        elif record.link in (0, 108):
            yield from self.packet(record.at, frame[4:], wire, wire - 4)
        elif record.link == 113:
            yield from self.typed(record.at, word(frame, 14), frame[16:], wire, wire - 16)
        elif record.link == 276:
            yield from self.typed(record.at, word(frame, 0), frame[20:], wire, wire - 20)
        elif record.link == 239:
            at = 4
            while at + 4 <= len(frame):
                size, kind = (int.from_bytes(frame[at + i : at + i + 2], "little") for i in (0, 2))
                if kind == 9:
                    yield from self.packet(record.at, frame[at + 4 :], wire, wire - at - 4)
                    break
                at += (size + 3) // 4 * 4

    def ether(self, at: float, frame: bytes, wire: int) -> Iterator[Seen]:
        if len(frame) < 14:
            return
        kind = word(frame, 12)
        if kind < 0x600:
            if frame[14:20] == b"\xaa\xaa\x03\x00\x00\x00" and len(frame) >= 22:
                yield from self.typed(at, word(frame, 20), frame[22:], wire, wire - 22)
            return
        yield from self.typed(at, kind, frame[14:], wire, wire - 14)

    def typed(self, at: float, kind: int, body: bytes, size: int, rest: int) -> Iterator[Seen]:
        while kind in (0x8100, 0x88A8, 0x9100):
            kind, body, rest = word(body, 2), body[4:], rest - 4
        if kind == 0x8864:
            kind = {0x21: 0x0800, 0x57: 0x86DD}.get(word(body, 6), 0)
            body, rest = body[8:], rest - 8
        if kind == 0x8847:
            while True:
                bottom = body[2] & 1
                body, rest = body[4:], rest - 4
                if bottom:
                    break
            if body[0] >> 4 == 0:
                yield from self.ether(at, body[4:], rest - 4)
                return
            kind = 0x0800
        if kind in (0x0800, 0x86DD):
            yield from self.packet(at, body, size, rest)

    def packet(self, at: float, body: bytes, size: int, rest: int) -> Iterator[Seen]:
        if not body:
            return
        if body[0] >> 4 == 4 and len(body) >= 20:
            head, total = (body[0] & 15) * 4, word(body, 2) or rest
            frag = word(body, 6)
            src, dst = text(body[12:16]), text(body[16:20])
            ident = (src, dst, body[9], word(body, 4))
            position = (frag & 0x1FFF, bool(frag & 0x2000)) if frag & 0x3FFF else None
            yield from self.transport(
                at,
                body[9],
                src,
                dst,
                body[head:total],
                size,
                min(rest, total) - head,
                position,
                ident,
            )
        elif body[0] >> 4 == 6 and len(body) >= 40:
            src, dst = text(body[8:24]), text(body[24:40])
            number, length = body[6], word(body, 4)
            inner, rest = body[40 : 40 + length], min(rest, 40 + length) - 40
            position, ident = None, ()
            while number in (0, 43, 44, 51, 60, 135):
                step = {44: 8, 51: (inner[1] + 2) * 4}.get(number, (inner[1] + 1) * 8)
                if number == 44:
                    field = word(inner, 2)
                    if field & 0xFFF9:
                        position = (field >> 3, bool(field & 1))
                    ident = (src, dst, inner[0], inner[4:8])
                number, inner, rest = inner[0], inner[step:], rest - step
                if position and position[0]:
                    break
            yield from self.transport(at, number, src, dst, inner, size, rest, position, ident)

    def transport(self, at, proto, src, dst, body, size, rest, position, ident) -> Iterator[Seen]:
        if position is None:
            inner = list(self.tunnel(at, proto, body, rest))
            if inner and inner[0] is not None:
                yield from inner
                return
        sport = dport = flags = 0
        payload = b""
        if position is not None and position[0]:
            sport, dport = self.fragments.get(ident, (0, 0))
        elif proto in (6, 17):
            sport, dport = word(body, 0), word(body, 2)
            if position is not None:
                self.fragments[ident] = (sport, dport)
            if proto == 6:
                flags, payload = body[13], body[(body[12] >> 4) * 4 :]
            else:
                payload = body[8 : word(body, 4)]
        yield Seen(at, src, dst, proto, sport, dport, size, flags, payload)

    def tunnel(self, at: float, proto: int, body: bytes, rest: int) -> Iterator[Seen | None]:
        if proto in (4, 41):
            yield from self.packet(at, body, rest, rest)
        elif proto == 47:
            flags, kind = word(body, 0), word(body, 2)
            skip = 4 + 4 * sum(1 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
            if kind == 0x88BE:
                skip += 8 if flags & 0x1000 else 0
                yield from self.ether(at, body[skip:], rest - skip)
            elif kind == 0x22EB:
                skip += 20 if body[skip + 11] & 1 else 12
                yield from self.ether(at, body[skip:], rest - skip)
            else:
                yield from self.packet(at, body[skip:], rest - skip, rest - skip)
        elif proto == 17 and word(body, 2) == 37008:
            skip = 12
            while body[skip] != 1:
                skip += 1 if body[skip] == 0 else 2 + body[skip + 1]
            yield from self.ether(at, body[skip + 1 :], rest - skip - 1)
        elif proto == 17 and word(body, 2) == 4789:
            yield from self.ether(at, body[16:], rest - 16)
        elif proto == 17 and word(body, 2) == 6081:
            skip = 16 + (body[8] & 63) * 4
            yield from self.ether(at, body[skip:], rest - skip)


class Count:
    def __init__(self) -> None:
        self.packets_up = self.packets_down = self.bytes_up = self.bytes_down = 0
        self.first, self.last = float("inf"), float("-inf")

    def key(self) -> tuple:
        return (
            self.packets_up,
            self.packets_down,
            self.bytes_up,
            self.bytes_down,
            round(self.first, 5),
            round(self.last, 5),
        )


def count(records: Iterable[Record], clients: set[str]) -> dict[tuple, tuple]:
    """(client, remote, port, transport) -> numbers; `clients` are the addresses that are clients."""
    stack = Stack()
    flows: dict[tuple, Count] = defaultdict(Count)
    for record in records:
        for seen in stack.open(record):
            name = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}.get(seen.proto, str(seen.proto))
            up = seen.src in clients
            key = (
                (seen.src, seen.dst, seen.dport, name)
                if up
                else (seen.dst, seen.src, seen.sport, name)
            )
            flow = flows[key]
            if up:
                flow.packets_up += 1
                flow.bytes_up += seen.size
            else:
                flow.packets_down += 1
                flow.bytes_down += seen.size
            flow.first, flow.last = min(flow.first, seen.at), max(flow.last, seen.at)
    return {key: flow.key() for key, flow in flows.items()}


def word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def text(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw))
