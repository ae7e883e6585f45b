"""How do packets of one interface become a pcap stream on a pipe?

Classic pcap, nanosecond magic. The kernel writes packets into a ring of blocks (packet_mmap, TPACKET_V3) that
is mapped here, so that one system call serves thousands of packets. VLAN tags the card took off are put back;
what a loopback interface shows twice is taken once.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from camscan.observe.packet import links
from camscan.observe.packet.messages import Capture, SweepSummary

_MAGIC_NANOSECONDS = 0xA1B23C4D
ETHERNET, RAW_IP = 1, 101
"""Link types of https://www.tcpdump.org/linktypes.html."""
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP, _RX_RING, _VERSION, _IGNORE_OUTGOING = 1, 2, 5, 10, 23
_V1, _V3 = 0, 2
_PROMISCUOUS = 1
_FRAME_TYPES = {1: ETHERNET, 772: ETHERNET}
"""ARPHRD_ETHER, ARPHRD_LOOPBACK; others of /sys/class/net/*/type show bare IP packets (tun, ppp)."""
_LOOPBACK, _OUTGOING = 772, 4

_BLOCK, _BLOCKS, _FRAME = 1 << 20, 64, 2048
"""64 MB: what arrives while the reader rests, half a second of the fullest gigabit link."""
_RETIRE_MS = 50
"""A block is handed over after this time even where it is not full."""
_KERNEL, _USER = 0, 1
_VLAN_VALID, _TPID_VALID = 0x10, 0x40
_STATUS = struct.Struct("=I")
_BLOCK_HEAD = struct.Struct("=III")  # status, packets, offset of the first (at 8 of a block)
_PACKET = struct.Struct("=IIIIIIHH4xIH")
"""tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac, net, (rxhash), vlan_tci, vlan_tpid."""
_ADDRESS = struct.Struct("=2x2x4xHB")  # sockaddr_ll behind it: hatype, pkttype
_ADDRESS_AT = 48
_RECORD = struct.Struct("=IIII")


def file_header(snaplen: int, link: int = ETHERNET) -> bytes:
    return struct.pack("=IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, snaplen, link)


def link_type(interface: str) -> int:
    """What frames of an interface begin with."""
    kind = _type_of(interface)
    return ETHERNET if kind is None else _FRAME_TYPES.get(kind, RAW_IP)


def _type_of(interface: str) -> int | None:
    """ARPHRD of an interface."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/sys/class/net", interface, "type").read_text("ascii"))
    return None


def _ignore_outgoing(sock: socket.socket, *, ignore: bool) -> bool:
    with contextlib.suppress(OSError):
        sock.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, int(ignore))
        return True
    return False


class _Ring:
    """The mapped ring of one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setsockopt(_SOL_PACKET, _VERSION, _V3)
        request = struct.pack(
            "=7I", _BLOCK, _BLOCKS, _FRAME, _BLOCK // _FRAME * _BLOCKS, _RETIRE_MS, 0, 0
        )
        sock.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._map = mmap.mmap(sock.fileno(), _BLOCK * _BLOCKS)
        self._view = memoryview(self._map)
        self._next = 0

    def close(self) -> None:
        self._view.release()
        self._map.close()
        self._sock.setsockopt(_SOL_PACKET, _RX_RING, bytes(28))
        self._sock.setsockopt(_SOL_PACKET, _VERSION, _V1)

    def take(self, snaplen: int) -> tuple[bytes, int] | None:
        """Records of the next block that is ready, and how many; None where none is."""
        base = self._next * _BLOCK
        view = self._view
        status, packets, first = _BLOCK_HEAD.unpack_from(view, base + 8)
        if not status & _USER:
            return None
        out: list[bytes | memoryview] = []
        add, unpack, pack = out.append, _PACKET.unpack_from, _RECORD.pack
        place, count = base + first, 0
        for _ in range(packets):
            step, seconds, nano, held, wire, flags, mac, _, tag, protocol = unpack(view, place)
            kind, way = _ADDRESS.unpack_from(view, place + _ADDRESS_AT)
            if kind != _LOOPBACK or way != _OUTGOING:
                begin = place + mac
                if flags & _VLAN_VALID:
                    protocol = protocol if flags & _TPID_VALID else 0x8100
                    tagged = struct.pack(">HH", protocol, tag)
                    size = min(held + 4, snaplen)
                    frame = bytes(view[begin : begin + 12]) + tagged
                    frame += bytes(view[begin + 12 : begin + held])
                    add(pack(seconds, nano, size, wire + 4))
                    add(frame[:size])
                else:
                    size = min(held, snaplen)
                    add(pack(seconds, nano, size, wire))
                    add(view[begin : begin + size])
                count += 1
            place += step
        records = b"".join(out)
        for part in out:
            if isinstance(part, memoryview):
                part.release()
        _STATUS.pack_into(view, base + 8, _KERNEL)
        self._next = (self._next + 1) % _BLOCKS
        return records, count


def _promiscuous(sock: socket.socket, interface: str, *, add: bool) -> bool:
    """Whether the card agreed to show frames to other stations too."""
    try:
        index = socket.if_nametoindex(interface)
        request = struct.pack("=IHH8s", index, _PROMISCUOUS, 0, bytes(8))
        sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP if add else _DROP_MEMBERSHIP, request)
    except OSError:
        return False
    return True


def stream(
    order: Capture,
    pipe: int,
    pool: links.Links,
    stopped: threading.Event,
    counted: Callable[[int, int], None],
) -> SweepSummary:
    """Write until the verb is stopped or the reader closes the pipe; the pipe is closed here.

    `counted`: told once a second how many packets were written and dropped so far.
    """
    # Before all else: whatever fails below, the pipe ends, and whoever reads it does not wait for ever.
    with io.FileIO(pipe, "wb") as out:
        return _stream(order, out, pool, stopped, counted)


def _stream(
    order: Capture,
    out: io.FileIO,
    pool: links.Links,
    stopped: threading.Event,
    counted: Callable[[int, int], None],
) -> SweepSummary:
    snaplen = max(64, min(order.snaplen, 262_144))
    sock = pool.listener(order.interface, order.program or ((0x06, 0, 0, 0xFFFFFFFF),))
    # The sending side of loopback is the receiving side again: where the kernel can (4.20), it need not come here.
    twice = _type_of(order.interface) == _LOOPBACK and _ignore_outgoing(sock, ignore=True)
    count, dropped, broken, ring, open_to_all = 0, 0, False, None, False
    due = 0.0
    try:
        ring = _Ring(sock)
        open_to_all = _promiscuous(sock, order.interface, add=True)
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLERR)
        try:
            out.write(file_header(snaplen, link_type(order.interface)))
            while True:
                # Asked before the ring is emptied: what arrived before the stop belongs to the capture.
                last = stopped.is_set()
                if last:
                    time.sleep(2 * _RETIRE_MS / 1000)
                while (taken := ring.take(snaplen)) is not None:
                    records, packets = taken
                    _write(out, records)
                    count += packets
                dropped += links.lost(sock)
                if last:
                    break
                if (now := time.monotonic()) >= due:
                    due = now + 1.0
                    counted(count, dropped)
                poll.poll(100)
        except BrokenPipeError:
            broken = True
        except OSError:  # the link went away
            broken = True
        dropped += links.lost(sock)
    finally:
        if twice:
            _ignore_outgoing(sock, ignore=False)
        if open_to_all:
            _promiscuous(sock, order.interface, add=False)
        if ring is not None:
            ring.close()
        pool.release(sock)
    return SweepSummary(
        answered=count,
        dropped=dropped,
        complete=not dropped and not broken,
        promiscuous=open_to_all,
    )


def _write(out: io.FileIO, records: bytes) -> None:
    view = memoryview(records)
    while view:
        view = view[out.write(view) or 0 :]
