"""Does a Xiaomi device answer the miIO hello (facts: discovery 7)?"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode import search_ports
from camscan.decode.collect import collect
from camscan.decode.layout import need
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.MIIO
_MAGIC = b"\x21\x31"


class MiioAnswer(Struct, frozen=True):
    """The header; the token in its last 16 bytes is a secret and is not read."""

    device_id: int
    stamp: int

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.MIIO]`: device-id in eight hex digits, stamp in seconds."""
        return collect((("device-id", f"{self.device_id:08x}"), ("stamp", self.stamp)))


def parse(data: bytes) -> MiioAnswer:
    """Read the first 16 bytes; raises DecodeError when they are not a miIO header."""
    need(data, 16, "miIO answer")
    if data[:2] != _MAGIC:
        raise DecodeError(f"miIO answers begin with 2131, this one with {data[:2].hex()}")
    device_id, stamp = struct.unpack_from(">II", data, 8)
    return MiioAnswer(device_id=device_id, stamp=stamp)


def search_message() -> bytes:
    """The hello: 21 31 00 20 and 28 bytes ff."""
    return b"\x21\x31\x00\x20" + b"\xff" * 28
