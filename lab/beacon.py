"""What do devices broadcast by themselves, unasked?

One socket per device, bound to its own address; the datagram goes to the broadcast address of its segment.
Only in namespaces: on loopback there is no segment to broadcast into.
"""

from __future__ import annotations

import asyncio
import random
import socket
import zlib
from collections.abc import Mapping

from lab.persona import Beacon
from lab.unit import Unit

_TUYA_KEY = bytes.fromhex("6c1ec8e2bb9bb59ab50b0daf649b410a")
"""MD5 of the text every library of the protocol publishes (jasonacox/tinytuya README)."""


def datagram(unit: Unit, beacon: Beacon) -> bytes:
    """The bytes of one broadcast, values of the unit filled in."""
    text = unit.text(beacon.text).encode()
    if beacon.form == "text":
        return text
    if beacon.form == "tuya":
        from cryptography.hazmat.primitives import padding
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        padder = padding.PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(_TUYA_KEY), modes.ECB()).encryptor()
        text = encryptor.update(padder.update(text) + padder.finalize()) + encryptor.finalize()
    body = bytes(4) + text
    head = b"\0\0\x55\xaa" + bytes(4) + (0x13).to_bytes(4, "big")
    frame = head + (len(body) + 8).to_bytes(4, "big") + body
    return frame + zlib.crc32(frame).to_bytes(4, "big") + b"\0\0\xaa\x55"


class BeaconEngine:
    """Schedules the broadcasts of all devices."""

    def __init__(self, broadcasts: Mapping[str, str], seed: int) -> None:
        self._broadcasts = broadcasts
        """Segment id -> its broadcast address."""
        self._rng = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._handles: dict[tuple[str, int], asyncio.TimerHandle] = {}
        self.problems: list[str] = []

    def add(self, unit: Unit) -> None:
        """Start the broadcasts of a device, at a random moment of their period."""
        target = self._broadcasts.get(unit.segment)
        if target is None or not unit.persona.beacon:
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind((unit.address, 0))
        self._sockets.append(sock)
        for number, beacon in enumerate(unit.persona.beacon):
            place = (unit.address, number)
            first = self._rng.uniform(0, beacon.every_s)
            self._handles[place] = self._loop.call_later(
                first, self._send, place, sock, unit, beacon, target
            )

    def _send(
        self, place: tuple[str, int], sock: socket.socket, unit: Unit, beacon: Beacon, target: str
    ) -> None:
        try:
            sock.sendto(datagram(unit, beacon), (target, beacon.port))
        except OSError as error:
            if len(self.problems) < 20:
                self.problems.append(f"{unit.address} broadcast to {target}: {error}")
        self._handles[place] = self._loop.call_later(
            beacon.every_s, self._send, place, sock, unit, beacon, target
        )

    def close(self) -> None:
        for handle in self._handles.values():
            handle.cancel()
        for sock in self._sockets:
            sock.close()
