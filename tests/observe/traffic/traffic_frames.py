"""Frames and files for tests, built from the standards byte by byte. No test in here."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAC_A = bytes.fromhex("021122334455")
MAC_B = bytes.fromhex("0266778899aa")


class Record(NamedTuple):
    at: float
    frame: bytes
    wire: int = 0
    link: int = 1


def pack_ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def udp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(
    sport: int,
    dport: int,
    payload: bytes = b"",
    *,
    seq: int = 1,
    flags: int = 0x18,
    options: int = 0,
) -> bytes:
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, 0, (5 + options) << 4, flags, 1024, 0, 0)
    return head + b"\x01" * 4 * options + payload


def ip4(
    src: str,
    dst: str,
    proto: int,
    body: bytes,
    *,
    options: int = 0,
    ident: int = 0,
    frag: int = 0,
    total: int | None = None,
) -> bytes:
    size = 20 + 4 * options
    head = struct.pack(
        ">BBHHHBBH",
        0x40 | size // 4,
        0,
        size + len(body) if total is None else total,
        ident,
        frag,
        64,
        proto,
        0,
    )
    return head + pack_ip(src) + pack_ip(dst) + b"\x01" * 4 * options + body


def ip6(
    src: str, dst: str, proto: int, body: bytes, *, headers: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """`headers`: (number, bytes whose first byte is replaced by the next header's number)."""
    numbers = [n for n, _ in headers] + [proto]
    chain = b"".join(
        bytes([after]) + raw[1:] for (_, raw), after in zip(headers, numbers[1:], strict=True)
    )
    return (
        struct.pack(">IHBB", 6 << 28, len(chain) + len(body), numbers[0], 64)
        + pack_ip(src)
        + pack_ip(dst)
        + chain
        + body
    )


def ethertype(packet: bytes) -> int:
    return 0x0800 if packet[0] >> 4 == 4 else 0x86DD


def ether(
    packet: bytes, *, kind: int | None = None, tags: Sequence[tuple[int, int]] = (), pad: int = 60
) -> bytes:
    """`tags`: (ethertype, VLAN id) from the outside."""
    head = MAC_B + MAC_A
    head += b"".join(struct.pack(">HH", t, v) for t, v in tags)
    frame = head + struct.pack(">H", ethertype(packet) if kind is None else kind) + packet
    return frame + b"\x00" * max(0, pad - len(frame))


def snap(packet: bytes) -> bytes:
    body = b"\xaa\xaa\x03\x00\x00\x00" + struct.pack(">H", ethertype(packet)) + packet
    return MAC_B + MAC_A + struct.pack(">H", len(body)) + body


def pppoe(packet: bytes) -> bytes:
    proto = 0x0021 if packet[0] >> 4 == 4 else 0x0057
    return ether(struct.pack(">BBHHH", 0x11, 0, 1, len(packet) + 2, proto) + packet, kind=0x8864)


def mpls(packet: bytes, *, labels: int = 2, pseudowire: bool = False) -> bytes:
    stack = b"".join(
        struct.pack(">I", (100 + i) << 12 | (0x100 if i == labels - 1 else 0) | 64)
        for i in range(labels)
    )
    return ether(stack + (b"\x00\x00\x00\x00" if pseudowire else b"") + packet, kind=0x8847)


def cooked(packet: bytes) -> bytes:
    return (
        struct.pack(">HHH", 0, 1, 6)
        + MAC_A
        + b"\x00\x00"
        + struct.pack(">H", ethertype(packet))
        + packet
    )


def cooked2(packet: bytes) -> bytes:
    return struct.pack(">HHIHBB", ethertype(packet), 0, 3, 1, 0, 6) + MAC_A + b"\x00\x00" + packet


def null(packet: bytes) -> bytes:
    return struct.pack("<I", 2 if packet[0] >> 4 == 4 else 30) + packet


def nflog(packet: bytes) -> bytes:
    def part(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", len(body) + 4, kind) + body + b"\x00" * (-len(body) % 4)

    return b"\x02\x00\x00\x05" + part(1, b"\x08\x00\x03\x00") + part(10, b"abcde") + part(9, packet)


OUTER = ("10.200.0.1", "10.200.0.2")


def outer(proto: int, body: bytes) -> bytes:
    return ether(ip4(*OUTER, proto, body))


def tzsp(frame: bytes) -> bytes:
    return outer(17, udp(40000, 37008, b"\x01\x00\x00\x01" + b"\x0a\x01\x07" + b"\x00\x01" + frame))


def erspan1(frame: bytes) -> bytes:
    return outer(47, struct.pack(">HH", 0, 0x88BE) + frame)


def erspan2(frame: bytes) -> bytes:
    return outer(
        47, struct.pack(">HHI", 0x1000, 0x88BE, 7) + struct.pack(">II", 0x10010005, 0) + frame
    )


def erspan3(frame: bytes, *, platform: bool = True) -> bytes:
    head = struct.pack(">IIHH", 0x20010005, 0, 0, 1 if platform else 0)
    return outer(
        47,
        struct.pack(">HHI", 0x1000, 0x22EB, 7) + head + (b"\x00" * 8 if platform else b"") + frame,
    )


def gre(packet: bytes, *, flags: int = 0xB000) -> bytes:
    extra = b"\x00" * 4 * sum(1 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    return outer(47, struct.pack(">HH", flags, ethertype(packet)) + extra + packet)


def vxlan(frame: bytes) -> bytes:
    return outer(17, udp(50000, 4789, b"\x08\x00\x00\x00\x00\x00\x01\x00" + frame))


def geneve(frame: bytes, *, options: int = 2) -> bytes:
    head = struct.pack(">BBHI", options, 0, 0x6558, 0x100) + b"\x00" * 4 * options
    return outer(17, udp(50000, 6081, head + frame))


def ip_in_ip(packet: bytes) -> bytes:
    return outer(4 if packet[0] >> 4 == 4 else 41, packet)


def pcap(
    records: Iterable[Record],
    *,
    order: str = "<",
    nano: bool = False,
    link: int = 1,
    snaplen: int = 65535,
) -> bytes:
    scale = 10**9 if nano else 10**6
    out = [
        struct.pack(
            f"{order}IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link
        )
    ]
    for record in records:
        ticks = round(record.at * scale)
        wire = record.wire or len(record.frame)
        out.append(
            struct.pack(f"{order}IIII", ticks // scale, ticks % scale, len(record.frame), wire)
        )
        out.append(record.frame)
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\x00" * (-len(body) % 4)
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + b"\x00" * (-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    link: int = 1, *, order: str = "<", tsresol: int | None = None, offset: int | None = None
) -> bytes:
    options = option(2, b"eth0", order)
    if tsresol is not None:
        options += option(9, bytes([tsresol]), order)
    if offset is not None:
        options += option(14, struct.pack(f"{order}q", offset), order)
    return block(1, struct.pack(f"{order}HHI", link, 0, 0) + options + option(0, b"", order), order)


def enhanced(
    record: Record, number: int = 0, *, order: str = "<", ticks: float = 1e6, shift: float = 0.0
) -> bytes:
    value = round((record.at - shift) * ticks)
    wire = record.wire or len(record.frame)
    body = struct.pack(
        f"{order}IIIII", number, value >> 32, value & 0xFFFFFFFF, len(record.frame), wire
    )
    body += record.frame + b"\x00" * (-len(record.frame) % 4)
    return block(6, body + option(1, b"a comment", order) + option(0, b"", order), order)


def statistics(number: int, dropped: int, *, order: str = "<") -> bytes:
    body = struct.pack(f"{order}III", number, 0, 0) + option(
        5, struct.pack(f"{order}Q", dropped), order
    )
    return block(5, body + option(0, b"", order), order)


def pcapng(records: Iterable[Record], *, order: str = "<") -> bytes:
    """One section, one interface per link type, in order of appearance."""
    out = [section(order)]
    numbers: dict[int, int] = {}
    for record in records:
        if record.link not in numbers:
            numbers[record.link] = len(numbers)
            out.append(interface(record.link, order=order))
        out.append(enhanced(record, numbers[record.link], order=order))
    return b"".join(out)
