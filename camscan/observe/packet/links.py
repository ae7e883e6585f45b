"""Which packet sockets has the helper, and what did the kernel drop on them?

Opened before privileges are dropped: SO_RCVBUFFORCE needs CAP_NET_ADMIN, binding later does not.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path

from camscan.errors import UsageError
from camscan.observe.packet import bpf

ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0800, 0x0806, 0x86DD
PACKET_OUTGOING = 4
_SO_RCVBUFFORCE, _SOL_PACKET, _PACKET_STATISTICS = 33, 263, 6
RECEIVE_BUFFER = 16 * 1024 * 1024
_SWEEPS, _CAPTURES = 8, 4


def _open(kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, kind, 0)  # protocol 0: nothing arrives before bind
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    bpf.attach(sock, bpf.NOTHING)
    return sock


class Links:
    """A pool of receiving sockets; sending sockets are opened when needed (CAP_NET_RAW)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sweeps = [_open(socket.SOCK_DGRAM) for _ in range(_SWEEPS)]
        self._captures = [_open(socket.SOCK_RAW) for _ in range(_CAPTURES)]

    def receiver(self, interface: str, protocol: int, program: bpf.Program) -> socket.socket:
        """A socket without link header, bound and filtered. Give it back with `release`."""
        return self._take(self._sweeps, interface, protocol, program)

    def listener(self, interface: str, program: bpf.Program) -> socket.socket:
        """A socket with link header that also sees what leaves. Give it back with `release`."""
        return self._take(self._captures, interface, ETH_P_ALL, program)

    def release(self, sock: socket.socket) -> None:
        bpf.attach(sock, bpf.NOTHING)
        with self._lock:
            (self._captures if sock.type == socket.SOCK_RAW else self._sweeps).append(sock)

    def _take(
        self, pool: list[socket.socket], interface: str, protocol: int, program: bpf.Program
    ) -> socket.socket:
        with self._lock:
            if not pool:
                raise UsageError("too many verbs at once in the packet helper; end one first")
            sock = pool.pop()
        try:
            sock.bind((interface, protocol))
            bpf.attach(sock, program)
            lost(sock)
        except OSError:
            with self._lock:
                pool.append(sock)
            raise
        return sock


def sender(interface: str) -> socket.socket:
    """Frames out of one interface. No PACKET_QDISC_BYPASS: the owner's own tcpdump must see them."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, 0))
    return sock


def lost(sock: socket.socket) -> int:
    """Packets dropped since the last call because the receive buffer was full."""
    _, drops = struct.unpack("=II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(drops)


def table_overflows() -> int:
    """Neighbour table overflows since boot: column table_fulls of both caches, all CPUs."""
    total = 0
    for name in ("arp_cache", "ndisc_cache"):
        with contextlib.suppress(OSError, ValueError):
            head, *rows = Path("/proc/net/stat", name).read_text("ascii").splitlines()
            column = head.split().index("table_fulls")
            total += sum(int(row.split()[column], 16) for row in rows)
    return total


def hold_port(family: int, source: str, seed: int) -> tuple[socket.socket, int]:
    """A TCP port outside the ephemeral range, bound so that nobody else uses it, never listening.

    The kernel therefore answers each SYN/ACK with RST by itself: no connection is ever opened.
    """
    low, high = 32768, 60999
    with contextlib.suppress(OSError, ValueError):
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
        low, high = int(text[0]), int(text[1])
    choices = [port for port in range(61000, 65000) if not low <= port <= high]
    choices = choices or [port for port in range(20000, 32000) if not low <= port <= high]
    if not choices:
        raise OSError("ip_local_port_range leaves no port above 20000 free")
    for step in range(64):
        port = choices[(seed * 7919 + step * 61) % len(choices)]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.bind((source, port) if family == socket.AF_INET else ("::", port))
        except OSError:
            sock.close()
            continue
        return sock, port
    raise OSError("no free source port found for the SYN sweep")
