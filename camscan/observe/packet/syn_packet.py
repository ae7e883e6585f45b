"""How is one SYN written into a template, and what does the answer to it say?

IPv4 frames and routed IPv4 packets carry checksums summed from parts that were added up once;
IPv6 leaves header and checksum to the kernel (IPV6_CHECKSUM).
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from enum import IntEnum

from msgspec import Struct

from camscan.observe.packet import links, templates
from camscan.observe.packet.batch import Batch
from camscan.observe.packet.messages import SynSweep

_IPV6_CHECKSUM = 7
_HEAD = struct.Struct(">H4sIHHI")  # IP checksum, source, destination, ports, sequence
_SHORT = struct.Struct(">H")
_TCP = struct.Struct(">HHIIBB")


class Answer(IntEnum):
    OPEN = 1
    CLOSED = 2
    UNREACHABLE = 3
    """ICMP from the device itself: it is there and refuses."""
    GONE = 4
    """ICMP from a router: the device cannot be reached."""


OPEN = {Answer.OPEN: "open", Answer.CLOSED: "closed", Answer.UNREACHABLE: "unreachable"}


class Reading(Struct, frozen=True):
    address: int
    port: int
    state: Answer
    sequence: int
    """Ours, as the answer quotes it."""
    ttl: int


class SynPacket:
    """IPv4; `route` False writes whole frames, True leaves the link to the kernel."""

    version = 4
    net_shift = 8

    def __init__(self, order: SynSweep, mac: str, source_port: int) -> None:
        self.source = socket.inet_pton(socket.AF_INET, order.source)
        self.source_port = source_port
        self._key = os.urandom(16)
        self._hosts: dict[int, int] = {}
        self._ports: dict[tuple[int, int], int] = {}
        frame = templates.syn(mac or "00:00:00:00:00:00", order.source, source_port)
        self._macs = {
            int.from_bytes(socket.inet_pton(socket.AF_INET, address)): bytes.fromhex(
                text.replace(":", "")
            )
            for address, text in order.macs.items()
        }
        self._at = 14 if self._macs else 0
        if self._macs:
            self._sock = links.sender(order.interface)
            self.batch = Batch(self._sock, frame)
        else:
            self._sock = routed_socket(socket.AF_INET, socket.IPPROTO_RAW, order)
            self.batch = Batch(self._sock, frame[14:], 16)
        self._ip_sum = _words(frame[14:34])
        self._tcp_sum = _words(frame[34:]) + _words(self.source) + 6 + len(frame) - 34

    def close(self) -> None:
        self._sock.close()

    def sequence(self, address: int, port: int, attempt: int) -> int:
        """Keyed hash of address, port and attempt: 32 bits."""
        host = self._hosts.get(address)
        if host is None:
            host = self._hosts[address] = self._hash(b"h", address)
        key = (port, attempt)
        part = self._ports.get(key)
        if part is None:
            part = self._ports[key] = self._hash(b"p", port << 8 | attempt)
        return (host + part) & 0xFFFFFFFF

    def _hash(self, kind: bytes, number: int) -> int:
        text = kind + number.to_bytes(17, "big")
        return int.from_bytes(hashlib.blake2s(text, key=self._key, digest_size=4).digest())

    def patch(self, slot: int, address: int, port: int, attempt: int) -> None:
        """Write one SYN into a slot of the batch."""
        sequence = self.sequence(address, port, attempt)
        view, start = self.batch.view, slot * self.batch.size
        both = (address >> 16) + (address & 0xFFFF)
        total = self._tcp_sum + both + port + (sequence >> 16) + (sequence & 0xFFFF)
        at = start + self._at
        _HEAD.pack_into(
            view, at + 10, _fold(self._ip_sum + both), self.source, address,
            self.source_port, port, sequence,
        )  # fmt: skip
        _SHORT.pack_into(view, at + 36, _fold(total))
        if self._macs:
            view[start : start + 6] = self._macs[address]
        else:
            struct.pack_into("=H2x", self.batch.names, slot * 16, socket.AF_INET)
            struct.pack_into(">I", self.batch.names, slot * 16 + 4, address)

    def attempt_of(self, read: Reading, attempts: int) -> int | None:
        """Which of our probes this answers; None = none, a forgery or an old packet."""
        for attempt in range(attempts):
            if self.sequence(read.address, read.port, attempt) == read.sequence:
                return attempt
        return None

    def read(self, data: bytes) -> Reading | None:
        """One IPv4 packet, from its header on; None where it is not an answer."""
        if len(data) < 20 or data[0] >> 4 != 4 or data[16:20] != self.source:
            return None
        length = (data[0] & 15) * 4
        sender = int.from_bytes(data[12:16])
        if data[9] == 6:
            return _tcp_reading(data, length, sender, data[8])
        if data[9] != 1 or len(data) < length + 36 or data[length] != 3:
            return None
        inner = length + 8
        if data[inner] >> 4 != 4 or data[inner + 9] != 6:
            return None
        target = int.from_bytes(data[inner + 16 : inner + 20])
        tcp = inner + (data[inner] & 15) * 4
        return self._quoted(data, tcp, target, sender, data[8])

    def _quoted(self, data: bytes, tcp: int, target: int, sender: int, ttl: int) -> Reading | None:
        if len(data) < tcp + 8:
            return None
        source, port, sequence = struct.unpack_from(">HHI", data, tcp)
        if source != self.source_port:
            return None
        state = Answer.UNREACHABLE if sender == target else Answer.GONE
        return Reading(target, port, state, sequence, ttl)


class SynPacket6(SynPacket):
    """IPv6: the kernel writes header and checksum and finds the neighbour."""

    version = 6
    net_shift = 64

    def __init__(self, order: SynSweep, source_port: int) -> None:
        self.source = socket.inet_pton(socket.AF_INET6, order.source)
        self.source_port = source_port
        self._key = os.urandom(16)
        self._hosts = {}
        self._ports = {}
        self._zone = socket.if_nametoindex(order.interface)
        self._sock = routed_socket(socket.AF_INET6, socket.IPPROTO_TCP, order)
        self._sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_CHECKSUM, 16)
        # Answers are read from the packet socket; here they would only fill a buffer.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        zone = self._zone if order.source.startswith("fe80") else 0
        self._sock.bind((order.source, 0, 0, zone))
        self.batch = Batch(self._sock, templates.syn6(source_port), 28)

    def patch(self, slot: int, address: int, port: int, attempt: int) -> None:
        sequence = self.sequence(address, port, attempt)
        struct.pack_into(">HI", self.batch.view, slot * self.batch.size + 2, port, sequence)
        zone = self._zone if address >> 118 == 0xFE80 >> 6 else 0
        name = struct.pack("=HHI", socket.AF_INET6, 0, 0) + address.to_bytes(16, "big")
        self.batch.names[slot * 28 : slot * 28 + 28] = name + struct.pack("=I", zone)

    def read(self, data: bytes) -> Reading | None:
        if len(data) < 44 or data[0] >> 4 != 6 or data[24:40] != self.source:
            return None
        sender = int.from_bytes(data[8:24])
        if data[6] == 6:
            return _tcp_reading(data, 40, sender, data[7])
        if data[6] != 58 or len(data) < 96 or data[40] != 1 or data[54] != 6:
            return None
        return self._quoted(data, 88, int.from_bytes(data[72:88]), sender, data[7])


def open_packet(order: SynSweep, version: int, mac: str, source_port: int) -> SynPacket:
    return SynPacket(order, mac, source_port) if version == 4 else SynPacket6(order, source_port)


def routed_socket(family: int, protocol: int, order: SynSweep) -> socket.socket:
    """A raw socket whose packets the kernel routes, out of the named interface alone."""
    sock = socket.socket(family, socket.SOCK_RAW, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, order.interface.encode() + b"\0")
    return sock


def _tcp_reading(data: bytes, at: int, sender: int, ttl: int) -> Reading | None:
    if len(data) < at + 14:
        return None
    port, _, _, acknowledged, _, flags = _TCP.unpack_from(data, at)
    if not flags & 0x10:  # without ACK nothing ties it to a probe of ours
        return None
    if flags & 0x04:
        state = Answer.CLOSED
    elif flags & 0x02:
        state = Answer.OPEN
    else:
        return None
    return Reading(sender, port, state, (acknowledged - 1) & 0xFFFFFFFF, ttl)


def _words(data: bytes) -> int:
    return sum(struct.unpack(f">{len(data) // 2}H", data))


def _fold(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
