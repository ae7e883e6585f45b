"""How do datagrams leave and come in: to groups by one interface, to one device, on fixed ports?

The only opener of UDP sockets. Group packets leave with TTL 1 by a named interface (DESIGN rule
10); unicast ones pass the gate like everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Callable
from typing import cast

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.channel import failure
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.pace import Budget

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Hundreds of cameras answer within half a second (facts: scanning 3, discovery)."""
_SO_BINDTODEVICE = getattr(socket, "SO_BINDTODEVICE", 25)
_SO_RCVBUFFORCE = 33
"""Linux: may exceed net.core.rmem_max with CAP_NET_ADMIN; not named by `socket`."""


class Datagram(Struct, frozen=True, kw_only=True):
    data: bytes
    address: str
    port: int
    interface: str


Received = Callable[[Datagram], None]


class GroupSocket(asyncio.DatagramProtocol):
    """Sends search messages to groups by one interface and hears what comes back."""

    def __init__(self, gate: Gate, source: str, interface: str, received: Received) -> None:
        self.gate = gate
        self.source = source
        self.interface = interface
        self.local_port = 0
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's own class is no DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._received(
            Datagram(
                data=data,
                address=str(addr[0]).partition("%")[0],
                port=addr[1],
                interface=self.interface,
            )
        )

    def error_received(self, exc: Exception) -> None:
        """ICMP errors of group packets say nothing about a device."""

    def send(self, data: bytes, group: str, port: int) -> None:
        """One search message. ObserveError: refused by the gate or by the kernel."""
        self.gate.check_group(group, port, self.source)
        if self._transport is None or self._transport.is_closing():
            raise ObserveError(Reason.ERROR, "the socket is closed")
        self.gate.sent.bytes += len(data)
        self._transport.sendto(data, (group, port))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def open_group(
    gate: Gate,
    *,
    source: str,
    interface: str,
    index: int,
    port: int = 0,
    joins: tuple[str, ...] = (),
    received: Received,
) -> GroupSocket:
    """A socket for one interface. ObserveError when the port cannot be bound.

    `port` 0: any; otherwise the fixed port answers go to. `joins`: groups whose answers are
    multicast; other groups are not joined, since joining made cameras undiscoverable behind
    snooping switches (facts: scanning 3).
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | getattr(socket, "SOCK_NONBLOCK", 0))
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        _enlarge(sock)
        place = struct.pack(
            "@4s4si", b"\0" * 4, ipaddress.IPv4Address(source).packed, index
        )  # struct ip_mreqn
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, place)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        bound = _bind_to_device(sock, interface)
        # Answers by broadcast reach only a wildcard socket; without the device binding the
        # kernel would choose the way of a broadcast, so there the source address decides.
        sock.bind(("" if bound or port else source, port))
        for group in joins:
            request = struct.pack(
                "@4s4si",
                ipaddress.IPv4Address(group).packed,
                ipaddress.IPv4Address(source).packed,
                index,
            )
            with contextlib.suppress(OSError):  # already joined by another socket: no harm
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: GroupSocket(gate, source, interface, received), sock=sock
        )
    except OSError as problem:
        sock.close()
        raise failure(problem, f"UDP port {port} on {interface}") from None
    protocol.local_port = sock.getsockname()[1]
    return protocol


class ClosedError(ObserveError):
    """The device said "port unreachable" (ICMP): an answer, nothing listens there."""

    def __init__(self, port: int) -> None:
        super().__init__(Reason.ERROR, f"UDP port {port}: closed")


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[bytes] = []
        self.problem: Exception | None = None
        self.heard = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if str(addr[0]).partition("%")[0] == self.address and len(self.answers) < 16:
            self.answers.append(data)
            self.heard.set()

    def error_received(self, exc: Exception) -> None:
        self.problem = exc
        self.heard.set()


async def ask(
    gate: Gate,
    address: str,
    port: int,
    message: bytes,
    *,
    budget: Budget,
    answer_port: int = 0,
    accepts: Callable[[bytes], bool] = bool,
    source: str | None = None,
) -> tuple[bytes, ...]:
    """Send one search message to one device, twice if need be; its answers.

    `answer_port`: where the protocol sends answers to, 0 for the sender's port. ObserveError:
    refused by the gate, or no answer; ClosedError for a closed port (ICMP).
    """
    gate.check(address, port)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if answer_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if answer_port or source:
            sock.bind((source or "", answer_port))
        # Connected: among the sockets on a shared answer port the kernel gives each device's
        # answers to its own, and a closed port is told at once (ICMP).
        sock.connect((address, port))
        loop = asyncio.get_running_loop()
        transport, asking = await loop.create_datagram_endpoint(lambda: _Asking(address), sock=sock)
    except OSError as problem:
        sock.close()
        raise failure(problem, f"UDP port {answer_port or port}") from None
    try:
        for _ in range(2):
            await gate.datagram(address, port, len(message))
            transport.sendto(message)
            try:
                async with asyncio.timeout(budget.datagram / 2):
                    while True:
                        await asking.heard.wait()
                        asking.heard.clear()
                        good = tuple(data for data in asking.answers if accepts(data))
                        if good:
                            await asyncio.sleep(0)  # datagrams already in the buffer
                            return tuple(data for data in asking.answers if accepts(data))
                        if asking.problem is not None:
                            raise ClosedError(port)
            except TimeoutError:
                continue
    finally:
        transport.abort()
    raise ObserveError(Reason.TIMEOUT, f"no answer from UDP port {port}")


def _bind_to_device(sock: socket.socket, interface: str) -> bool:
    if not sys.platform.startswith("linux") or not interface:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode() + b"\0")
    except OSError:  # kernels before 5.7 ask for CAP_NET_RAW
        return False
    return True


def _enlarge(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):  # needs CAP_NET_ADMIN; the plain limit stays
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
