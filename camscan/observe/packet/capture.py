"""How do packets of one interface become a pcap stream on a pipe?

Classic pcap, nanosecond magic, link type Ethernet. VLAN tags the card took off are put back.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading

from camscan.observe.packet import links
from camscan.observe.packet.messages import Capture, SweepSummary

_MAGIC_NANOSECONDS = 0xA1B23C4D
_LINK_ETHERNET = 1
_SO_TIMESTAMPNS, _PACKET_AUXDATA, _VLAN_VALID, _TPID_VALID = 35, 8, 0x10, 0x40
_SOL_PACKET = 263
_AUX = struct.Struct("=IIIHHHH")


def file_header(snaplen: int) -> bytes:
    return struct.pack("=IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, snaplen, _LINK_ETHERNET)


def stream(order: Capture, pipe: int, pool: links.Links, stopped: threading.Event) -> SweepSummary:
    """Write until the verb is stopped or the reader closes the pipe; the pipe is closed here."""
    snaplen = max(64, min(order.snaplen, 262_144))
    sock = pool.listener(order.interface, order.program or ((0x06, 0, 0, 0xFFFFFFFF),))
    count, dropped, broken = 0, 0, False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        with os.fdopen(pipe, "wb", buffering=1 << 16) as out:
            try:
                out.write(file_header(snaplen))
                out.flush()
                while not stopped.is_set():
                    if not poll.poll(100):
                        out.flush()
                        dropped += links.lost(sock)
                        continue
                    for _ in range(512):
                        record = _one(sock, snaplen)
                        if record is None:
                            break
                        out.write(record)
                        count += 1
                # What arrived before the stop belongs to the capture.
                while (record := _one(sock, snaplen)) is not None:
                    out.write(record)
                    count += 1
                out.flush()
            except BrokenPipeError:
                broken = True
            except OSError:  # the link went away
                broken = True
        dropped += links.lost(sock)
    finally:
        pool.release(sock)
    return SweepSummary(answered=count, dropped=dropped, complete=not dropped and not broken)


def _one(sock: socket.socket, snaplen: int) -> bytes | None:
    try:
        data, ancillary, flags, _ = sock.recvmsg(
            snaplen, 256, socket.MSG_DONTWAIT | socket.MSG_TRUNC
        )
    except BlockingIOError:
        return None
    del flags
    seconds = nanoseconds = 0
    length = len(data)
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(raw) >= 16:
            seconds, nanoseconds = struct.unpack_from("=qq", raw)
        elif level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(raw) >= _AUX.size:
            status, length, _, _, _, tag, protocol = _AUX.unpack_from(raw)
            if status & _VLAN_VALID:
                protocol = protocol if status & _TPID_VALID else 0x8100
                data = data[:12] + struct.pack(">HH", protocol, tag) + data[12:]
                length += 4
    data = data[:snaplen]
    return struct.pack("=IIII", seconds & 0xFFFFFFFF, nanoseconds, len(data), length) + data
