"""How is one TCP connection opened, read within its limits, and closed before the next?

The only opener of TCP sockets. Every connection is leased from the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.gate import Gate, Lease
from camscan.observe.wire.pace import Budget

_GONE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
_PAUSE_AT = 256 * 1024
"""Unread bytes at which the kernel is no longer drained; no reader keeps more than 64 KB."""


class Channel(asyncio.Protocol):
    """One connection: bytes received so far, whether the other side has ended it."""

    def __init__(self, lease: Lease, gate: Gate, budget: Budget) -> None:
        self.lease = lease
        self.gate = gate
        self.budget = budget
        self.received = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self.rtt = 0.0
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.get_running_loop().create_future()
        self._waiter: asyncio.Future[None] | None = None
        self._discard = False

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._discard:
            return
        self.received += data
        if len(self.received) > _PAUSE_AT and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        if not self._lost.done():
            self._lost.set_result(None)
        self._wake()

    # for readers
    @property
    def alive(self) -> bool:
        """Whether another request can be tried on it."""
        return not self.ended and self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        if not self.alive or self._transport is None:
            raise ObserveError(Reason.ERROR, "the device closed the connection")
        self._transport.write(data)

    async def more(self, deadline: float) -> bool:
        """Wait until new bytes arrived (True) or the other side ended (False).

        TimeoutError at `deadline` (loop time). Bytes are in `received`; readers take them off.
        """
        before = len(self.received)
        if self.ended:
            return False
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        if left <= 0:
            raise TimeoutError
        self._waiter = loop.create_future()
        timer = loop.call_at(deadline, self._expire, self._waiter)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        return len(self.received) > before or not self.ended

    def take(self, count: int) -> bytes:
        """Remove and return the first `count` received bytes."""
        data = bytes(self.received[:count])
        del self.received[:count]
        if self._transport is not None and len(self.received) <= _PAUSE_AT:
            with contextlib.suppress(RuntimeError):  # closing: nothing to resume
                self._transport.resume_reading()
        return data

    async def close(self) -> None:
        """End it and wait for the other side's FIN for a moment, then give the lease back.

        A device that has not noticed our FIN would count the next connection as a second one;
        fragile devices die of that (facts: scanning 2.3).
        """
        transport = self._transport
        try:
            if transport is not None and not self._lost.done():
                self._discard = True
                if not self.ended:
                    try:
                        transport.write_eof()
                        async with asyncio.timeout(self.budget.close_wait):
                            while not self.ended:
                                await self.more(asyncio.get_running_loop().time() + 1)
                    except (TimeoutError, OSError, RuntimeError):
                        pass
                transport.abort()
                await self._lost
        finally:
            if transport is not None:
                transport.abort()
            self.lease.release()

    @staticmethod
    def _expire(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def connect(
    gate: Gate,
    address: str,
    port: int,
    *,
    budget: Budget,
    timeout: float | None = None,  # noqa: ASYNC109 - the deadline of one handshake, part of the budget
    source: str | None = None,
) -> Channel:
    """Open the device's one connection. ObserveError: refused by the gate, or not connected."""
    lease = await gate.open(address, port)
    loop = asyncio.get_running_loop()
    started = loop.time()
    sock: socket.socket | None = None
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            sock.bind((source, 0))
        async with asyncio.timeout(budget.connect if timeout is None else timeout):
            await loop.sock_connect(sock, (address, port))
        rtt = loop.time() - started
        lease.completed()
        channel = Channel(lease, gate, budget)
        channel.rtt = rtt
        await loop.create_connection(lambda: channel, sock=sock)
    except BaseException as problem:
        if sock is not None:
            sock.close()
        lease.release()
        if isinstance(problem, TimeoutError):
            raise ObserveError(Reason.TIMEOUT, f"no connection to port {port}") from None
        if isinstance(problem, OSError):
            raise failure(problem, f"port {port}") from None
        raise
    return channel


def failure(problem: OSError, where: str) -> ObserveError:
    """The reason code of an operating-system error."""
    if isinstance(problem, ConnectionRefusedError):
        return ObserveError(Reason.ERROR, f"{where}: connection refused")
    if isinstance(problem, ssl.SSLError):
        return ObserveError(Reason.ERROR, f"{where}: {problem.reason or problem}")
    if isinstance(problem, ConnectionError):
        return ObserveError(Reason.ERROR, f"{where}: connection reset")
    if problem.errno in _GONE:
        return ObserveError(Reason.DEVICE_OFFLINE, f"{where}: no route to the device")
    if problem.errno in {errno.EACCES, errno.EPERM}:
        return ObserveError(Reason.NO_PRIVILEGE, f"{where}: {problem.strerror}")
    if problem.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
        return ObserveError(Reason.LOSS, f"{where}: {problem.strerror} on this machine")
    return ObserveError(Reason.ERROR, f"{where}: {problem.strerror or problem}")
