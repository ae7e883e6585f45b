"""Who answers searches, and where does an answer go?"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Sequence

from lab.persona import Udp
from lab.stats import Stats
from lab.udp_answers import answers
from lab.udp_services import BROADCAST, SERVICES, groups_of, port_of
from lab.unit import Unit

_GROUP_DELAY_S = 0.5
_BUFFER = 1 << 22


class UdpEngine:
    """Sockets of all UDP services: one per device and service, one per group and port."""

    def __init__(
        self,
        stats: Stats,
        *,
        interface: str | None,
        broadcasts: Sequence[str],
        dead: set[str],
    ) -> None:
        self._stats = stats
        self._interface = interface
        self._broadcasts = (BROADCAST, *broadcasts)
        self._dead = dead
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._own: dict[tuple[str, int], socket.socket] = {}
        self._members: dict[tuple[str, int], list[tuple[Unit, Udp]]] = {}
        self._served: dict[tuple[str, int], list[tuple[Unit, Udp]]] = {}
        self.problems: list[str] = []

    def add(self, unit: Unit, *, groups: bool = True) -> None:
        """Serve all UDP services of a device; group sockets are opened by `open_groups`.

        `groups` is false for devices behind a router: group packets do not get there.
        """
        for udp in unit.persona.udp:
            port = unit.port(port_of(udp))
            key = (unit.address, port)
            if key not in self._own:
                self._own[key] = self._open(unit.address, port)
                self._served[key] = []
                self._loop.add_reader(self._own[key].fileno(), self._unicast, key)
            self._served[key].append((unit, udp))
            for group in groups_of(udp) if groups else ():
                names = self._broadcasts if group == BROADCAST else (group,)
                for name in names:
                    self._members.setdefault((name, port), []).append((unit, udp))

    def _open(self, address: str, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1 if not self._interface else 0
        )
        try:
            sock.bind((address, port))
        except OSError:
            sock.close()
            raise
        self._sockets.append(sock)
        return sock

    def open_groups(self) -> None:
        """Join all groups any device listens on."""
        for key in self._members:
            group, port = key
            try:
                sock = self._open(group, port)
            except OSError as error:
                if self._interface:
                    self.problems.append(f"group {group}:{port}: {error}")
                continue
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            if int(group.split(".")[0]) in range(224, 240):
                index = socket.if_nametoindex(self._interface) if self._interface else 0
                local = "0.0.0.0" if self._interface else "127.0.0.1"
                request = struct.pack(
                    "4s4si", socket.inet_aton(group), socket.inet_aton(local), index
                )
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            self._loop.add_reader(sock.fileno(), self._group, sock, key)

    def _unicast(self, key: tuple[str, int]) -> None:
        for data, peer in _receive(self._own[key]):
            if peer[0] in self._dead or key[0] in self._dead:
                continue
            self._stats.datagram(key[0], data)
            for unit, udp in self._served[key]:
                if udp.unicast:
                    self._schedule(unit, udp, data, peer, key, 0.0)

    def _group(self, sock: socket.socket, key: tuple[str, int]) -> None:
        for data, peer in _receive(sock):
            if (peer[0], key[1]) in self._own and peer[1] == key[1]:
                continue  # an answer of another device of the city to the group
            self._stats.group_datagram(key[0], key[1], data)
            for unit, udp in self._members[key]:
                if unit.address not in self._dead:
                    self._schedule(unit, udp, data, peer, key, _GROUP_DELAY_S)

    def _schedule(
        self,
        unit: Unit,
        udp: Udp,
        data: bytes,
        peer: tuple[str, int],
        asked: tuple[str, int],
        upper_s: float,
    ) -> None:
        made = answers(unit, udp, data)
        if not made:
            return
        upper = upper_s if udp.delay_ms is None else udp.delay_ms / 1000
        service = SERVICES[udp.service]
        where = udp.destination or service.destination
        group = next(iter(groups_of(udp)), None)
        target = peer
        if udp.service == "mdns" and peer[1] != service.answer_port:
            where = "sender"  # RFC 6762 section 6.7: legacy queries are answered to the sender
        if where == "port" and service.answer_port:
            target = (peer[0], service.answer_port)
        elif where == "group" and group and asked[0] == group:
            target = (group, service.answer_port or port_of(udp))
        sock = self._own[unit.address, unit.port(port_of(udp))]
        for datagram in made:
            self._loop.call_later(
                random.uniform(0, upper) if upper else 0, self._send, sock, datagram, target, unit
            )

    def _send(
        self, sock: socket.socket, datagram: bytes, target: tuple[str, int], unit: Unit
    ) -> None:
        first = int(target[0].split(".")[0])
        try:
            if first in range(224, 240):
                index = socket.if_nametoindex(self._interface) if self._interface else 0
                local = unit.address if not self._interface else "0.0.0.0"
                request = struct.pack(
                    "4s4si", socket.inet_aton("0.0.0.0"), socket.inet_aton(local), index
                )
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
            sock.sendto(datagram, target)
        except OSError as error:
            if len(self.problems) < 20:
                self.problems.append(f"{unit.address} to {target}: {error}")

    def close(self) -> None:
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()


def _receive(sock: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
    got = []
    while True:
        try:
            data, peer = sock.recvfrom(65535)
        except OSError:
            return got
        got.append((data, peer))
