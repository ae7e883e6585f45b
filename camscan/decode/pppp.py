"""What does a PPPP (CS2, iLnk) device say on its LAN port (facts: discovery 7)?"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode import search_ports
from camscan.decode.collect import Collector
from camscan.decode.layout import c_text, need
from camscan.model.observation import Fields

PORT = search_ports.PPPP
_MAGIC = 0xF1
_PUNCH = {0x41, 0x42}
_NAMES = {
    0x30: "LanSearch",
    0x32: "LanSearchExt",
    0x41: "PunchPkt",
    0x42: "P2pRdy",
    0xE0: "Alive",
    0xE1: "AliveAck",
    0xF0: "Close",
}


class PpppAnswer(Struct, frozen=True):
    """One packet; `id` is `PREFIX-001234-CHECK` of a PunchPkt."""

    message: str
    prefix: str
    id: str
    obfuscated: bool

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.PPPP]`."""
        out = Collector()
        out.add("message", self.message)
        out.add("id", self.id)
        out.add("id-prefix", self.prefix)
        out.add("obfuscated", "true" if self.obfuscated else "false")
        return out.done()


def parse(data: bytes) -> PpppAnswer:
    """Read a packet; one that does not begin with f1 is taken as obfuscated, not read further."""
    need(data, 4, "PPPP packet")
    if data[0] != _MAGIC:
        return PpppAnswer(message="", prefix="", id="", obfuscated=True)
    message = _NAMES.get(data[1], f"0x{data[1]:02x}")
    body = data[4:]
    if data[1] not in _PUNCH or len(body) < 20:
        return PpppAnswer(message=message, prefix="", id="", obfuscated=False)
    prefix = c_text(body[:8])
    # The serial number is four bytes big endian, written with six digits in the printed ID.
    (serial,) = struct.unpack_from(">I", body, 8)
    check = c_text(body[12:20])
    return PpppAnswer(
        message=message, prefix=prefix, id=f"{prefix}-{serial:06d}-{check}", obfuscated=False
    )


def search_message() -> bytes:
    """LanSearch: f1 30 00 00."""
    return b"\xf1\x30\x00\x00"
