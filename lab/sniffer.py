"""Which packets crossed a veth? Recorded by the kernel's ring, read after the fact."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import select
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V3 = 5, 10, 2
_PACKET_STATISTICS = 6
_SO_ATTACH_FILTER = 26
_BLOCK = 1 << 20
_TP_STATUS_USER = 1
_OUTGOING = 4
_HEADER = struct.Struct("=IIIIIIHH")  # next, sec, nsec, snaplen, len, status, mac, net
_SLL_OFFSET = 48  # TPACKET_ALIGN(sizeof(struct tpacket3_hdr))


class Packet(NamedTuple):
    """One frame of the veth."""

    time: float
    outgoing: bool
    """Sent by the lab (a device), not by the peer."""
    length: int
    data: bytes


def _attach_limit(sock: socket.socket, head: int, datagram: int) -> None:
    """Keep `datagram` bytes of IPv4 UDP and `head` bytes of everything else (classic BPF)."""
    program = struct.pack(
        "=HBBIHBBIHBBIHBBIHBBIHBBI",
        0x28, 0, 0, 12,  # ldh [12]
        0x15, 0, 3, 0x0800,  # jeq IPv4 else head
        0x30, 0, 0, 23,  # ldb [23]
        0x15, 0, 1, 17,  # jeq UDP else head
        0x06, 0, 0, datagram,
        0x06, 0, 0, head,
    )  # fmt: skip
    buffer = ctypes.create_string_buffer(program)
    sock.setsockopt(
        socket.SOL_SOCKET,
        _SO_ATTACH_FILTER,
        struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)),
    )


class Sniffer:
    """A ring on one interface of the current namespace; blocks are kept in a temporary file."""

    def __init__(
        self, interface: str, *, blocks: int = 24, head: int = 128, datagram: int = 1024
    ) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        _attach_limit(self._sock, head, datagram)
        self._sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        request = struct.pack("=7I", _BLOCK, blocks, 2048, blocks * _BLOCK // 2048, 20, 0, 0)
        self._sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._ring = mmap.mmap(self._sock.fileno(), blocks * _BLOCK)
        self._blocks, self._next = blocks, 0
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the sniffer)
        self._sizes: list[int] = []
        self._sock.bind((interface, _ETH_P_ALL))
        self.lost = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def start(self) -> None:
        """Empty the ring whenever the event loop is told of packets."""
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self.drain)

    def drain(self) -> None:
        """Copy all finished blocks out of the ring."""
        while True:
            at = self._next * _BLOCK
            status, count, _first, length = struct.unpack_from("=IIII", self._ring, at + 8)
            if not status & _TP_STATUS_USER:
                return
            if count:
                block = self._ring[at : at + length]
                self._file.write(block)
                self._sizes.append(len(block))
            struct.pack_into("=I", self._ring, at + 8, 0)
            self._next = (self._next + 1) % self._blocks

    def stop(self) -> None:
        """Take the rest (the kernel closes a block after 20 ms) and close the socket."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        for _ in range(3):
            poll.poll(30)
            self.drain()
        statistics = self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        self.lost = struct.unpack("=III", statistics)[1]
        self._ring.close()
        self._sock.close()

    def packets(self) -> Iterator[Packet]:
        """All frames in order."""
        self._file.seek(0)
        for size in self._sizes:
            block = self._file.read(size)
            count, at = struct.unpack_from("=II", block, 12)
            for _ in range(count):
                following, sec, nsec, kept, length, _status, mac, _net = _HEADER.unpack_from(
                    block, at
                )
                kind = block[at + _SLL_OFFSET + 10]  # sockaddr_ll.sll_pkttype
                start = at + mac
                yield Packet(
                    sec + nsec / 1e9, kind == _OUTGOING, length, block[start : start + kept]
                )
                at += following


def write_pcap(packets: Iterator[Packet], path: Path) -> int:
    """A pcap file (microseconds, Ethernet); answers the number of packets."""
    count = 0
    with path.open("wb") as stream:
        stream.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for packet in packets:
            sec = int(packet.time)
            micro = int((packet.time - sec) * 1e6)
            stream.write(struct.pack("=IIII", sec, micro, len(packet.data), packet.length))
            stream.write(packet.data)
            count += 1
    return count
