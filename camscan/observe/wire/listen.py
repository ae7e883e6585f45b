"""How does a mirror that a router sends as datagrams arrive (TZSP to UDP 37008)?

Opens one receiving socket and turns what comes into a pcap stream: link type raw IP, each datagram with the
IPv4 and UDP headers it had, so that it is unwrapped like a mirror found in a capture. Nothing is answered.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import threading
import time
from pathlib import Path

from camscan.clock import Clock
from camscan.errors import PrivilegeError, UsageError

_BUFFER = 32 << 20
_SO_RCVBUFFORCE = 33
_LARGEST = 65_535
_FLUSH = 0.2
"""Seconds that a datagram may wait for others before it is handed on."""
_RAW_IP = 101


def listening(text: str) -> tuple[str, int]:
    """`tzsp:ADDRESS:PORT` -> (address, port); UsageError otherwise."""
    form, _, place = text.partition(":")
    address, _, port = place.rpartition(":")
    address = address.strip("[]")
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError:
        number = -1
    if form != "tzsp" or not 0 < number < 65_536:
        raise UsageError(
            f"--listen {text}: write tzsp:ADDRESS:PORT, for example tzsp:192.0.2.5:37008"
        )
    return address, number


class TzspListener:
    """`fd` reads the pcap stream; `close` ends it."""

    def __init__(self, address: str, port: int, clock: Clock, *, into: int = -1) -> None:
        """`into`: write end of the caller's own pipe (it stays the caller's to close); then `fd` is -1."""
        self._clock = clock
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        try:
            self._sock.bind((address, port))
        except OSError as error:
            self._sock.close()
            raise PrivilegeError(
                f"cannot listen on {address} port {port}: {error.strerror}"
            ) from error
        self.address: tuple[str, int] = self._sock.getsockname()[:2]
        self._sock.settimeout(0.2)
        self.fd, self._pipe = os.pipe() if into < 0 else (-1, os.dup(into))
        self.datagrams = 0
        self.dropped = 0
        """Datagrams the kernel dropped, as of the last pause or the end."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def lost(self) -> int:
        """Datagrams the kernel dropped because we were too slow (last column of /proc/net/udp)."""
        if self._sock.fileno() < 0:
            return self.dropped
        with contextlib.suppress(OSError, ValueError, IndexError):
            inode = str(os.fstat(self._sock.fileno()).st_ino)
            for table in ("udp", "udp6"):
                for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
                    cells = line.split()
                    if cells[9] == inode:
                        return int(cells[12])
        return 0

    def close(self) -> None:
        """Stop; the reader of `fd` sees the end after what came before."""
        self._stopped.set()
        self._thread.join(5.0)

    def join(self) -> None:
        """Wait for the end: of `close`, or because the reader closed its pipe."""
        self._thread.join()

    def _run(self) -> None:
        with (
            contextlib.suppress(BrokenPipeError),
            self._sock,
            os.fdopen(self._pipe, "wb", buffering=1 << 16) as out,
        ):
            out.write(struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _LARGEST, _RAW_IP))
            # After the stop, what has arrived is still taken; at most one receive buffer of it.
            left = _BUFFER
            flushed = time.monotonic()
            while left > 0:
                try:
                    data, sender = self._sock.recvfrom(_LARGEST)
                except TimeoutError:
                    out.flush()
                    self.dropped = self.lost()
                    if self._stopped.is_set():
                        return
                    continue
                out.write(self._record(data, sender))
                self.datagrams += 1
                if (now := time.monotonic()) - flushed > _FLUSH:
                    # A mirror that never pauses is handed on all the same.
                    out.flush()
                    flushed = now
                left -= len(data) + 64 if self._stopped.is_set() else 0
            self.dropped = self.lost()

    def _record(self, data: bytes, sender: tuple[str, int]) -> bytes:
        now = self._clock.now()
        seconds = int(now)
        source = ipaddress.ip_address(sender[0].partition("%")[0]).packed
        target = ipaddress.ip_address(self.address[0]).packed
        data = data[: _LARGEST - 48]
        size = 8 + len(data)
        udp = struct.pack(">HHHH", sender[1], 37008, size, 0)
        if len(source) == 4:
            head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0)
        else:
            head = struct.pack(">IHBB", 6 << 28, size, 17, 64)
        packet = head + source + target + udp + data
        return struct.pack(
            "=IIII", seconds, int((now - seconds) * 1e9), len(packet), len(packet)
        ) + packet  # fmt: skip
