"""How are the binary search answers laid out? (facts: discovery 3, 6, 7)"""

from __future__ import annotations

import struct
import time
from ipaddress import IPv4Address

from lab.persona import Udp
from lab.unit import Unit


def _field(unit: Unit, udp: Udp, name: str, default: str = "") -> str:
    return unit.text(str(udp.fields.get(name, default)))


def _fixed(text: str, size: int) -> bytes:
    return text.encode("latin-1", "replace")[: size - 1].ljust(size, b"\0")


def _ip(text: str) -> bytes:
    return IPv4Address(text or "0.0.0.0").packed


def _mac(unit: Unit) -> bytes:
    return bytes.fromhex(unit.mac.replace(":", ""))


def _own(unit: Unit) -> bytes:
    return _ip(unit.text("{ip}"))


def _place(size: int, parts: dict[int, bytes]) -> bytes:
    out = bytearray(size)
    for offset, data in parts.items():
        out[offset : offset + len(data)] = data
    return bytes(out)


def asks_dahua5050(data: bytes) -> bool:
    return len(data) >= 32 and data[:3] == b"\xa3\x01\x00" and data[16] == 2


def dahua5050(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    """Fixed part of 0x78 bytes, MAC text and model, then CRLF lines."""
    model = _field(unit, udp, "model", "{model}")
    section = unit.mac.encode() + model.encode("latin-1", "replace")
    lines = "".join(
        f"{label}:{value}\r\n"
        for label, value in (
            ("Name", _field(unit, udp, "name")),
            ("Device", _field(unit, udp, "device", model)),
            ("IPv6Addr", _field(unit, udp, "ipv6")),
            ("SerialNo", unit.serial),
        )
    ).encode("latin-1", "replace")
    fixed = _place(
        0x78,
        {
            0: b"\xb3",
            2: bytes((len(section) & 0xFF,)),
            4: struct.pack("<I", 0x58),
            0x10: struct.pack("<I", 2),
            0x14: struct.pack("<H", len(lines)),
            0x28: model.encode("latin-1", "replace")[:16],
            0x38: _own(unit)[::-1],
            0x3C: _ip(unit.mask)[::-1],
            0x40: _ip(unit.gateway)[::-1],
            0x44: _ip(_field(unit, udp, "dns", "8.8.8.8"))[::-1],
        },
    )
    return fixed + section + lines


def asks_hanwha(data: bytes) -> bool:
    return len(data) == 262 and data[0] == 1 and not any(data[1:])


def hanwha(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    return _place(
        262,
        {
            0: b"\x0b",
            0x13: _fixed(unit.mac.upper(), 18),
            0x25: _fixed(unit.text("{ip}"), 16),
            0x35: _fixed(unit.mask, 16),
            0x45: _fixed(unit.gateway, 16),
            0x6D: _field(unit, udp, "model", "{model}").encode()[:10],
            0x85: _fixed(_field(unit, udp, "url", "http://{ip}/"), 39),
        },
    )


def asks_bosch(data: bytes) -> bool:
    return len(data) == 12 and data[:4] == b"\x99\x39\xa4\x27"


def bosch(unit: Unit, _udp: Udp, request: bytes) -> bytes:
    """The short form of 32 bytes."""
    return _place(
        32,
        {
            0: request[:8],
            8: _mac(unit),
            0x10: _own(unit),
            0x14: _ip(unit.mask),
            0x18: _ip(unit.gateway),
        },
    )


def asks_vivotek(data: bytes) -> bool:
    return len(data) >= 5 and data[1:5] == b"\x4a\x5d\x8f\x1c"


def vivotek(unit: Unit, udp: Udp, request: bytes) -> bytes:
    def value(kind: int, data: bytes) -> bytes:
        return bytes((kind, len(data))) + data

    return (
        request[:5]
        + value(1, _field(unit, udp, "name", "{model}").encode())
        + value(2, _mac(unit))
        + value(3, _own(unit))
        + value(9, _field(unit, udp, "model", "{model}").encode())
    )


def asks_panasonic(data: bytes) -> bool:
    return len(data) == 52 and data[:6] == b"\x00\x01\x00\x00\x00\x0d"


def panasonic(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    """Head, then from byte 53 (offset 52) type(2) length(2) value."""

    def value(kind: int, data: bytes) -> bytes:
        return struct.pack(">HH", kind, len(data)) + data

    dns = _ip(_field(unit, udp, "dns1", "0.0.0.0")) + _ip(_field(unit, udp, "dns2", "0.0.0.0"))
    head = _place(52, {0: b"\x00\x01\x00\x00\x00\x0d", 0x0C: _mac(unit), 0x12: _own(unit)})
    port = unit.port(int(_field(unit, udp, "http_port", "80")))
    return (
        head
        + value(0x20, _own(unit))
        + value(0x21, _ip(unit.mask))
        + value(0x22, _ip(unit.gateway))
        + value(0x23, dns)
        + value(0x25, struct.pack(">H", port))
        + value(0xA7, _field(unit, udp, "name", "{model}").encode())
        + value(0xA8, _field(unit, udp, "short_name", "{model}").encode())
        + value(0xA9, _field(unit, udp, "firmware", "{firmware}").encode())
        + b"\xff\xff\x00\x00"
    )


def asks_sony(data: bytes) -> bool:
    return data[:1] == b"\x02" and b"ENQ:allinfo" in data


def sony(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    pairs = [f"{key}:{_field(unit, udp, key)}".encode() for key in udp.fields]
    return b"\x02" + b"\xff".join(pairs) + b"\xff\x03"


def asks_ubiquiti(data: bytes) -> bool:
    return data[:4] in {b"\x01\x00\x00\x00", b"\x02\x08\x00\x00"}


def ubiquiti(unit: Unit, udp: Udp, request: bytes) -> bytes:
    def value(kind: int, data: bytes) -> bytes:
        return struct.pack(">BH", kind, len(data)) + data

    old = request[0] == 1
    body = (
        value(0x01, _mac(unit))
        + value(0x02, _mac(unit) + _own(unit))
        + value(0x03, _field(unit, udp, "firmware", "{firmware}").encode())
        + value(0x0A, struct.pack(">I", int(time.monotonic()) & 0xFFFFFFFF))
        + value(0x0B, _field(unit, udp, "hostname", "device").encode())
        + value(0x0C if old else 0x15, _field(unit, udp, "model", "{model}").encode())
    )
    if not old:
        body += value(0x16, _field(unit, udp, "version", "{firmware}").encode())
    return struct.pack(">BBH", 1 if old else 2, 0 if old else 6, len(body)) + body


def asks_reolink(data: bytes) -> bool:
    return data[:4] == b"\xaa\xaa\x00\x00"


def reolink(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    """The facts name the contents only (name, IP, port, UID); this order of texts is our own."""
    port = unit.port(int(_field(unit, udp, "tcp_port", "9000")))
    return (
        b"\xaa\xaa\x00\x00"
        + _fixed(_field(unit, udp, "name", "{model}"), 32)
        + _fixed(unit.text("{ip}"), 16)
        + struct.pack("<I", port)
        + _fixed(_field(unit, udp, "uid"), 32)
    )


def asks_foscam(data: bytes) -> bool:
    return len(data) >= 27 and data[:4] == b"MO_I" and data[4:6] == b"\0\0"


def foscam(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    """Head as in the request with type 1; texts and numbers at fixed places."""

    def version(text: str) -> bytes:
        numbers = [int(part) & 0xFF for part in text.split(".") if part.isdigit()]
        return bytes((*numbers, 0, 0, 0, 0)[:4])

    port = unit.port(int(_field(unit, udp, "web_port", "80")))
    return _place(
        0x58,
        {
            0: b"MO_I",
            4: struct.pack("<H", 1),
            0x0F: struct.pack("<I", 0x58 - 0x17),
            0x13: struct.pack("<I", 0x58 - 0x17),
            0x17: _fixed(_field(unit, udp, "serial", "{mac-plain}"), 13),
            0x24: _fixed(_field(unit, udp, "name", "{model}"), 21),
            0x39: _own(unit),
            0x3D: _ip(unit.mask),
            0x41: _ip(unit.gateway),
            0x45: _ip(_field(unit, udp, "dns", "0.0.0.0")),
            0x49: struct.pack(">I", int(_field(unit, udp, "type", "0")) & 0xFFFFFFFF),
            0x4D: version(_field(unit, udp, "firmware", "{firmware}")),
            0x51: version(_field(unit, udp, "web")),
            0x55: struct.pack(">H", port),
        },
    )


def asks_vstarcam(data: bytes) -> bool:
    return data[:4] == b"\x44\x48\x01\x01"


def vstarcam(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    port = unit.port(int(_field(unit, udp, "http_port", "81")))
    return _place(
        0x110,
        {
            0: b"\x44\x48\x01\x08",
            0x04: _fixed(unit.text("{ip}"), 16),
            0x14: _fixed(unit.mask, 16),
            0x24: _fixed(unit.gateway, 16),
            0x34: _fixed(_field(unit, udp, "dns1", "8.8.8.8"), 16),
            0x44: _fixed(_field(unit, udp, "dns2", "8.8.4.4"), 16),
            0x54: _mac(unit),
            0x5A: struct.pack("<H", port),
            0x5C: _fixed(_field(unit, udp, "serial", "{serial}"), 32),
            0x7C: _fixed(_field(unit, udp, "name", "{model}"), 32),
            0xCC: _fixed(_field(unit, udp, "firmware", "{firmware}"), 32),
        },
    )


def asks_pppp(data: bytes) -> bool:
    return data[:2] in {b"\xf1\x30", b"\xf1\x32"}


def pppp(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    """f1 41, length, UID: prefix[8] serial be32 check[8]."""
    number = int(_field(unit, udp, "number", "0") or 0) + unit.number
    body = (
        _field(unit, udp, "prefix").encode()[:8].ljust(8, b"\0")
        + struct.pack(">I", number & 0xFFFFFFFF)
        + _field(unit, udp, "check").encode()[:8].ljust(8, b"\0")
    )
    return b"\xf1\x41" + struct.pack(">H", len(body)) + body


def asks_miio(data: bytes) -> bool:
    return len(data) == 32 and data[:4] == b"\x21\x31\x00\x20" and data[4:] == b"\xff" * 28


def miio(unit: Unit, udp: Udp, _request: bytes) -> bytes:
    number = (int(_field(unit, udp, "device_id", "0") or 0) + unit.number) & 0xFFFFFFFF
    stamp = int(time.monotonic()) & 0xFFFFFFFF
    return struct.pack(">HHIII", 0x2131, 32, 0, number, stamp) + b"\xff" * 16
