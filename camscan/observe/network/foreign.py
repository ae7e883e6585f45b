"""Which devices answer a group search from a subnet this machine does not accept packets from?

A camera with a factory address (192.0.0.64, 192.168.1.108) answers from it. Where the kernel
checks reverse paths strictly (rp_filter = 1) an ordinary socket never sees that answer; the packet
helper's capture does. It only listens: such a device is seen, never contacted (facts: scanning 3).
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import struct
from collections.abc import Callable
from pathlib import Path

from camscan.observe.packet.client import CaptureStream, PacketHelper
from camscan.observe.wire.udp import Datagram

_CONF = Path("/proc/sys/net/ipv4/conf")
_STRICT = 1
# Ethernet, IPv4, UDP (classic BPF: load half-word 12, load byte 23).
_UDP = (
    (0x28, 0, 0, 12),
    (0x15, 0, 3, 0x0800),
    (0x30, 0, 0, 23),
    (0x15, 0, 1, 17),
    (0x06, 0, 0, 65_535),
    (0x06, 0, 0, 0),
)
_SNAPLEN = 4096
_FILE_HEADER = 24
_RECORD = struct.Struct("=IIII")

Take = Callable[[int, Datagram], None]
"""(own port it came to, datagram)"""


def hidden(interface: str) -> bool:
    """Whether the kernel drops what comes in by `interface` from a subnet it has no way to."""
    modes = []
    for name in ("all", interface):
        try:
            modes.append(int((_CONF / name / "rp_filter").read_text("ascii")))
        except (OSError, ValueError):  # not Linux: nothing known
            modes.append(0)
    return max(modes) == _STRICT


def parse(frame: bytes, interface: str) -> tuple[int, Datagram] | None:
    """(destination port, datagram) of an Ethernet frame with one whole IPv4/UDP packet, else None."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4 or frame[23] != 17:
        return None
    if struct.unpack_from(">H", frame, 20)[0] & 0x3FFF:
        return None  # a fragment
    start = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < start + 8:
        return None
    source, destination, length = struct.unpack_from(">HHH", frame, start)
    if length < 8 or len(frame) < start + length:
        return None
    return destination, Datagram(
        data=frame[start + 8 : start + length],
        address=str(ipaddress.IPv4Address(frame[26:30])),
        port=source,
        interface=interface,
    )


class Overhearing:
    """Listens on one interface through the packet helper until it is stopped."""

    def __init__(self, interface: str, source: str, take: Take) -> None:
        self._interface = interface
        self._source = source
        self._take = take
        self._stream: CaptureStream | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self, helper: PacketHelper) -> None:
        """Raises CamscanError where the helper refuses."""
        self._stream = await helper.capture(self._interface, program=_UDP, snaplen=_SNAPLEN)
        self._reading = asyncio.ensure_future(self._read(self._stream.fd))

    async def stop(self) -> None:
        """What has arrived so far is still handed over."""
        if self._stream is not None:
            await self._stream.stop()
        if self._reading is not None:
            await self._reading

    async def _read(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "rb")
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            await reader.readexactly(_FILE_HEADER)
            while True:
                _, _, kept, _ = _RECORD.unpack(await reader.readexactly(_RECORD.size))
                found = parse(await reader.readexactly(kept), self._interface)
                if found is not None and found[1].address != self._source:
                    self._take(*found)
        except asyncio.IncompleteReadError:
            return  # the capture has ended
        finally:
            transport.close()
