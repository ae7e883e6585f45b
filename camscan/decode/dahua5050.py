"""What does Dahua's older binary search answer say (facts: discovery 3, UDP 5050)?"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode import search_ports
from camscan.decode.collect import Collector
from camscan.decode.layout import c_text, ipv4_of_bytes, mac_of_text, need
from camscan.decode.text import decode_text
from camscan.decode.versions import build_date
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.DAHUA_5050
_FIXED = 0x78
_LINES = {"device": "device-type", "name": "machine-name", "serialno": "serial"}


class Dahua5050Answer(Struct, frozen=True):
    """Fixed part and the text lines `key:value` of the last section."""

    model: str
    address: str
    gateway: str
    dns: str
    mac: str
    lines: tuple[tuple[str, str], ...]

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.DHDISCOVER]`, form `legacy`."""
        out = Collector()
        out.add("form", "legacy")
        out.add("mac", mac_of_text(self.mac))
        out.add("ipv4-address", self.address)
        out.add("dns", self.dns)
        out.add("field", *(f"{name}={value}" for name, value in self.lines))
        for name, value in self.lines:
            if name.lower() in _LINES:
                out.add_once(_LINES[name.lower()], value)
            if name.lower() in {"version", "builddate"}:
                out.add("version", value)
                built = build_date(value)
                out.add_once("build-date", built.isoformat() if built else None)
        out.add_once("device-type", self.model)
        return out.done()


def parse(data: bytes) -> Dahua5050Answer:
    """Read an answer; raises DecodeError unless it begins with b3 and holds the fixed part."""
    need(data, 0x48, "Dahua search answer")
    if data[0] != 0xB3:
        raise DecodeError(f"Dahua search answer begins with b3, this one with {data[0]:02x}")
    second = data[2]
    (third,) = struct.unpack_from("<H", data, 0x14)
    text_start = _FIXED + second if _FIXED + second <= len(data) else _FIXED
    # Some firmware counts the third section differently, so all that follows is read as lines.
    lines: list[tuple[str, str]] = []
    for line in decode_text(data[text_start : text_start + max(third, 1024)]).splitlines()[:64]:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            lines.append((name.strip()[:64], value.strip()))
    return Dahua5050Answer(
        model=c_text(data[0x28:0x38]),
        address=ipv4_of_bytes(data[0x38:0x3C]),
        gateway=ipv4_of_bytes(data[0x40:0x44]),
        dns=ipv4_of_bytes(data[0x44:0x48]),
        mac=c_text(data[_FIXED : _FIXED + 17]),
        lines=tuple(lines),
    )


def search_message() -> bytes:
    """a3 01 00 01, 12 zeros, 02, 15 zeros: 32 bytes."""
    return b"\xa3\x01\x00\x01" + bytes(12) + b"\x02" + bytes(15)
