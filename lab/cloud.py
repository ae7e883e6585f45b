"""How do the emulated clouds answer: DNS, TLS, TCP, UDP rendezvous, NTP?"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.cloud_map import DNS_SERVER
from lab.persona import Certificate, PhoneHome, Tls
from lab.tls import TlsStream, server_context

_IDLE_S = 20
_CHUNK = 16384
_NTP_EPOCH = 2208988800
CLOUD_CA = "CN=Emulated Cloud CA, O=Lab"


class CloudEngine:
    """All servers of the wan namespace. Sockets are opened inside it by `open`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {name.lower(): address for name, address in names.items()}
        self._by_address = {address: name for name, address in names.items()}
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.expected: dict[tuple[str, int], PhoneHome] = {}
        """Device address and port of a conversation under way -> what it is."""
        self.served: Counter[str] = Counter()

    def open(self, homes: Iterable[PhoneHome]) -> None:
        """Open all sockets; to be called inside the wan namespace."""
        self._udp(DNS_SERVER, 53, self._dns)
        udp, tcp = set(), set()
        for home in homes:
            (udp if home.proto in {"udp-p2p", "dns+udp", "ntp"} else tcp).add(home.port)
        addresses = sorted(set(self._names.values()))
        for port in sorted(udp):
            for address in addresses:
                self._udp(address, port, self._datagram)
        for port in sorted(tcp):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("0.0.0.0", port))
            sock.listen(128)
            self._sockets.append(sock)
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _udp(self, address: str, port: int, handler: object) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((address, port))
        self._sockets.append(sock)
        self._loop.add_reader(sock.fileno(), handler, sock)  # type: ignore[arg-type]

    def _dns(self, sock: socket.socket) -> None:
        while True:
            try:
                data, peer = sock.recvfrom(4096)
            except OSError:
                return
            with suppress(dns.exception.DNSException, ValueError, IndexError):
                sock.sendto(self._resolve(data), peer)

    def _resolve(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.served[f"dns {name}"] += 1
        address = self._names.get(name)
        if address is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", "A", address))
        return response.to_wire()

    def _datagram(self, sock: socket.socket) -> None:
        while True:
            try:
                data, peer = sock.recvfrom(4096)
            except OSError:
                return
            home = self.expected.get(peer)
            self.served[f"udp {sock.getsockname()[1]}"] += 1
            if home is not None and home.proto == "ntp":
                answer = _ntp(data)
            else:
                answer = _filler(home.bytes_down if home else 16, data[:2])
            with suppress(OSError):
                sock.sendto(answer, peer)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            task = self._loop.create_task(self._serve(sock, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._contexts:
            cert = Certificate(issuer=CLOUD_CA, days=825)
            tls = Tls(min="1.2", max="1.3", cert=cert)
            self._contexts[name] = server_context(tls, f"CN={name}", (f"DNS:{name}",))
        return self._contexts[name]

    async def _serve(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        home = self.expected.get(peer)
        try:
            if home is None:
                return
            name = home.name
            self.served[f"{home.proto} {name}"] += 1
            if home.proto == "dns+tls":
                stream = TlsStream(sock, self._context(name), server=True)
                await asyncio.wait_for(stream.handshake(), _IDLE_S)
                got = 0
                while got < home.bytes_up:
                    data = await asyncio.wait_for(stream.recv(), _IDLE_S)
                    if not data:
                        return
                    got += len(data)
                await stream.send(_filler(home.bytes_down, b""))
                await asyncio.wait_for(stream.recv(), _IDLE_S)
                return
            await asyncio.wait_for(self._loop.sock_recv(sock, _CHUNK), _IDLE_S)
            body = _filler(home.bytes_down, b"")
            head = b""
            if home.proto == "dns+http":
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            await self._loop.sock_sendall(sock, head + body)
            await asyncio.wait_for(self._loop.sock_recv(sock, _CHUNK), _IDLE_S)
        except (OSError, ssl.SSLError, TimeoutError):
            pass
        finally:
            sock.close()

    async def close(self) -> None:
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _filler(count: int, head: bytes) -> bytes:
    return (head + bytes(range(256)) * (count // 256 + 1))[:count]


def _ntp(request: bytes) -> bytes:
    """Server answer of RFC 5905 section 7.3, stratum 2."""
    now = struct.pack(">II", int(time.time()) + _NTP_EPOCH, 0)  # noqa: TID251 (a time server tells the time)
    head = struct.pack(">BBBb", 0x24, 2, 6, -20) + bytes(12)
    return head + now + request[40:48].ljust(8, b"\0") + now + now
