"""Who listens on the devices' TCP ports, and what happens to a connection?"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from typing import Protocol

from lab import http, tarpit
from lab.netns import NamespaceError
from lab.persona import Tcp
from lab.stats import Stats
from lab.tls import TlsStream, server_context
from lab.unit import Unit

_CHUNK = 16384
_IDLE_S = 60
_BACKLOG = 64
_SO_ORIGINAL_DST = 80


class Stream(Protocol):
    """Bytes in both directions, encrypted or not."""

    async def recv(self) -> bytes: ...
    async def send(self, data: bytes) -> None: ...


class PlainStream:
    """A socket as it is."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def recv(self) -> bytes:
        return await self._loop.sock_recv(self._sock, _CHUNK)

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)


class Connection:
    """One accepted connection: the device, the service, counters."""

    def __init__(self, unit: Unit, tcp: Tcp, port: int, stats: Stats, profile_s: float) -> None:
        self.unit, self.tcp, self.port, self.stats = unit, tcp, port, stats
        self.first_byte_s = max(unit.persona.latency.first_byte_ms / 1000, profile_s)
        self.stream: Stream

    async def recv(self) -> bytes:
        data = await asyncio.wait_for(self.stream.recv(), _IDLE_S)
        self.stats.received(self.unit.address, self.port, len(data))
        return data

    async def send(self, data: bytes) -> None:
        self.stats.device(self.unit.address).bytes_out += len(data)
        await self.stream.send(data)


class TcpEngine:
    """All listening sockets of the city."""

    def __init__(self, stats: Stats, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self._stats = stats
        self._http_s, self._tls_s = latency
        self._listeners: dict[str, list[tuple[socket.socket, Unit, Tcp, int]]] = {}
        self._contexts: dict[object, ssl.SSLContext] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.dead: set[str] = set()
        """Addresses that have crashed and are not back yet."""

    def add(self, unit: Unit) -> None:
        """Listen on all ports of a device. Raises NamespaceError if the system refuses."""
        for tcp in unit.persona.tcp:
            for number in tcp.numbers:
                self._listen(unit, tcp, unit.port(number))

    def _listen(self, unit: Unit, tcp: Tcp, port: int) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((unit.address, port))
        except OSError as error:
            sock.close()
            raise NamespaceError(f"cannot listen on {unit.address}:{port}: {error}") from error
        sock.listen(_BACKLOG)
        self._listeners.setdefault(unit.address, []).append((sock, unit, tcp, port))
        self._loop.add_reader(sock.fileno(), self._accept, sock, unit, tcp, port)

    def _accept(self, listener: socket.socket, unit: Unit, tcp: Tcp, port: int) -> None:
        while True:
            try:
                sock, _peer = listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            held = self._stats.accepted(unit.address, sock)
            limit = unit.persona.limits.max_connections
            if limit is not None and held > limit:
                self._crash(unit)
                return
            task = self._loop.create_task(self._serve(sock, unit, tcp, port))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _crash(self, unit: Unit) -> None:
        self._stats.device(unit.address).crashes += 1
        self.dead.add(unit.address)
        there: dict[int, Unit] = {}
        for sock, one, *_ in self._listeners.pop(unit.address, []):
            there[one.number] = one
            self._loop.remove_reader(sock.fileno())
            sock.close()
        for sock in self._stats.open_sockets(unit.address):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)
        self._loop.call_later(unit.persona.limits.crash_seconds, self._revive, list(there.values()))

    def _revive(self, units: list[Unit]) -> None:
        for unit in units:
            self.dead.discard(unit.address)
            self.add(unit)

    def _context(self, unit: Unit, tcp: Tcp) -> ssl.SSLContext:
        assert tcp.tls is not None
        cert = tcp.tls.cert
        subject = unit.text(cert.subject)
        sans = tuple(unit.text(name) for name in cert.sans)
        key = (tcp.tls, subject, sans, unit.number)
        if key not in self._contexts:
            self._contexts[key] = server_context(tcp.tls, subject, sans, unit.number)
        return self._contexts[key]

    async def _serve(self, sock: socket.socket, unit: Unit, tcp: Tcp, port: int) -> None:
        connection = Connection(unit, tcp, port, self._stats, self._http_s)
        try:
            latency = unit.persona.latency
            if latency.connect_ms:
                await asyncio.sleep(latency.connect_ms / 1000)
            if tcp.tls is not None:
                stream = TlsStream(sock, self._context(unit, tcp), server=True)
                pause = (latency.tls_ms + tcp.tls.handshake_ms) / 1000
                await asyncio.wait_for(stream.handshake(max(pause, self._tls_s)), _IDLE_S)
                self._stats.device(unit.address).tls_handshakes += 1
                connection.stream = stream
            else:
                connection.stream = PlainStream(sock)
            await _talk(connection)
        except http.ResetError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, ssl.SSLError, TimeoutError, EOFError):
            pass
        finally:
            self._stats.closed(unit.address, sock)
            sock.close()

    async def close(self) -> None:
        """Close all sockets and end all conversations."""
        for entries in self._listeners.values():
            for sock, *_ in entries:
                self._loop.remove_reader(sock.fileno())
                sock.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _talk(connection: Connection) -> None:
    tcp = connection.tcp
    if tcp.banner_hex is not None:
        await connection.send(bytes.fromhex(tcp.banner_hex))
    elif tcp.banner is not None:
        text = connection.unit.text(tcp.banner.removeprefix("\n"))
        await connection.send(text.replace("\r\n", "\n").replace("\n", "\r\n").encode())
    if tcp.proto in {"http", "https", "rtsp", "rtsps"}:
        await http.converse(connection)
    elif tcp.proto == "tarpit":
        await tarpit.hold(connection, tcp.tarpit or "silent")
    elif tcp.proto == "silent":
        while await connection.recv():
            pass
    else:
        await _greet(connection)


async def _greet(connection: Connection) -> None:
    """A private protocol: documented openings only; silence for everything else."""
    unit, tcp = connection.unit, connection.tcp
    data = b""
    while len(data) < 65536:
        more = await connection.recv()
        if not more:
            return
        data += more
        connection.stats.raw(unit.address, data)
        for greeting in tcp.greeting:
            if len(data) >= greeting.min_length and data.startswith(
                bytes.fromhex(greeting.match_hex)
            ):
                if connection.first_byte_s:
                    await asyncio.sleep(connection.first_byte_s)
                if greeting.response_hex is not None:
                    await connection.send(bytes.fromhex(greeting.response_hex))
                elif greeting.response is not None:
                    text = unit.text(greeting.response).replace("\n", "\r\n")
                    head = bytes.fromhex(greeting.head_hex or "")
                    await connection.send(head + text.encode())
                if greeting.close:
                    return
                data = b""
                break
