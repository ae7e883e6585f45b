"""When and how do the emulated devices talk to their clouds?"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress

import dns.message

from lab.cloud import CloudEngine
from lab.cloud_map import DNS_SERVER
from lab.persona import PhoneHome
from lab.tls import TlsStream
from lab.unit import Unit

_WAIT_S = 5
_CHUNK = 16384


class PhoneHomeEngine:
    """Schedules all conversations; every packet has the device's own source address."""

    def __init__(
        self, cloud: CloudEngine, names: Mapping[str, str], seed: int, hurry: float
    ) -> None:
        self._cloud, self._names, self._hurry = cloud, names, hurry
        self._rng = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._context = context
        self.done = 0
        self.failed = 0

    def add(self, unit: Unit) -> None:
        """Start the schedules of a device."""
        for home in unit.persona.phone_home:
            first = self._rng.uniform(0, home.every_s) if home.phase_s is None else home.phase_s
            self._loop.call_later(first / self._hurry, self._start, unit, home)

    def _start(self, unit: Unit, home: PhoneHome) -> None:
        if self._stopped:
            return
        task = self._loop.create_task(self._talk(unit, home))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        again = home.every_s + self._rng.uniform(-home.jitter_s, home.jitter_s)
        self._loop.call_later(max(0.5, again / self._hurry), self._start, unit, home)

    def _socket(self, unit: Unit, kind: socket.SocketKind) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        sock.bind((unit.address, 0))
        return sock

    async def _ask(self, unit: Unit, name: str) -> None:
        sock = self._socket(unit, socket.SOCK_DGRAM)
        try:
            sock.connect((DNS_SERVER, 53))
            query = dns.message.make_query(name, "A").to_wire()
            await self._loop.sock_sendall(sock, query)
            await asyncio.wait_for(self._loop.sock_recv(sock, 4096), _WAIT_S)
        finally:
            sock.close()

    async def _talk(self, unit: Unit, home: PhoneHome) -> None:
        try:
            if home.proto.startswith("dns+") or home.proto == "ntp":
                await self._ask(unit, home.name)
            if home.proto in {"udp-p2p", "dns+udp", "ntp"}:
                await self._udp(unit, home)
            else:
                await self._tcp(unit, home)
            self.done += 1
        except (OSError, ssl.SSLError, TimeoutError):
            self.failed += 1

    def _payload(self, unit: Unit, home: PhoneHome) -> bytes:
        if home.proto == "ntp":
            return b"\x23" + bytes(47)
        if home.request_hex is not None:
            return bytes.fromhex(home.request_hex)
        if home.request is not None:
            text = unit.text(home.request, host=home.name).replace("\r\n", "\n").strip("\n")
            return (text.replace("\n", "\r\n") + "\r\n\r\n").encode()
        if home.proto == "dns+http":
            head = (
                f"POST / HTTP/1.1\r\nHost: {home.name}\r\nContent-Length: {home.bytes_up}\r\n\r\n"
            )
            return head.encode() + bytes(home.bytes_up)
        return (bytes(range(256)) * (home.bytes_up // 256 + 1))[: home.bytes_up]

    async def _udp(self, unit: Unit, home: PhoneHome) -> None:
        sock = self._socket(unit, socket.SOCK_DGRAM)
        own = sock.getsockname()
        self._cloud.expected[own] = home
        try:
            sock.connect((self._names[home.name], home.port))
            await self._loop.sock_sendall(sock, self._payload(unit, home))
            await asyncio.wait_for(self._loop.sock_recv(sock, 65535), _WAIT_S)
        finally:
            sock.close()
            self._cloud.expected.pop(own, None)

    async def _tcp(self, unit: Unit, home: PhoneHome) -> None:
        sock = self._socket(unit, socket.SOCK_STREAM)
        own = sock.getsockname()
        self._cloud.expected[own] = home
        try:
            where = (self._names[home.name], home.port)
            await asyncio.wait_for(self._loop.sock_connect(sock, where), _WAIT_S)
            payload = self._payload(unit, home)
            if home.proto == "dns+tls":
                stream = TlsStream(sock, self._context, server=False, name=home.name)
                await asyncio.wait_for(stream.handshake(), _WAIT_S)
                await stream.send(payload)
                got = 0
                while got < home.bytes_down:
                    data = await asyncio.wait_for(stream.recv(), _WAIT_S)
                    if not data:
                        break
                    got += len(data)
                return
            await self._loop.sock_sendall(sock, payload)
            await asyncio.wait_for(self._loop.sock_recv(sock, _CHUNK), _WAIT_S)
        finally:
            sock.close()
            self._cloud.expected.pop(own, None)

    async def close(self) -> None:
        """Stop all schedules."""
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
