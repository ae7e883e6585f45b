"""Which bytes do the private frames put around a text answer? (facts: discovery 3, 4, 7)"""

from __future__ import annotations

import struct
import zlib


def asks_dhip(data: bytes) -> bool:
    return data[4:8] == b"DHIP" and b"DHDiscover.search" in data


def dhip(text: bytes, _request: bytes) -> bytes:
    """32 bytes little endian: 0x20, DHIP, 0, 0, length, 0, length, 0."""
    return struct.pack("<I4sIIIIII", 0x20, b"DHIP", 0, 0, len(text), 0, len(text), 0) + text


def asks_xm(data: bytes) -> bool:
    return len(data) >= 20 and data[0] == 0xFF and data[14:16] == b"\xfa\x05"


def xm(text: bytes, _request: bytes) -> bytes:
    """20 bytes with message 1531, then JSON, line feed, zero."""
    body = text + b"\x0a\x00"
    return struct.pack("<BBHIIHHI", 0xFF, 1, 0, 0, 0, 0, 1531, len(body)) + body


def asks_tdp(data: bytes) -> bool:
    return len(data) >= 16 and data[:2] == b"\x02\x00" and data[2:4] == b"\x00\x01"


def tdp(text: bytes, request: bytes) -> bytes:
    """16 bytes big endian; CRC over all with the field set to 5a6b7c8d."""
    serial = struct.unpack(">I", request[8:12])[0]
    head = struct.pack(">BBHHBBII", 2, 0, 1, len(text), 0x11, 0, serial, 0x5A6B7C8D)
    return head[:12] + struct.pack(">I", zlib.crc32(head + text)) + text


def _autokey(data: bytes, *, encode: bool) -> bytes:
    key, out = 0xAB, bytearray()
    for value in data:
        out.append(value ^ key)
        key = out[-1] if encode else value
    return bytes(out)


def asks_kasa(data: bytes) -> bool:
    return b"get_sysinfo" in _autokey(data, encode=False)


def kasa(text: bytes, _request: bytes) -> bytes:
    """XOR with the previous cipher byte, start 0xab."""
    return _autokey(text, encode=True)


# Baichuan UDP XML: eight little-endian words of key, each plus the transmission id
# (thirtythreeforty/neolink: crates/core/src/bcudp/xml_crypto.rs)
_BC_KEY = (
    0x1F2D3C4B,
    0x5A6C7F8D,
    0x38172E4B,
    0x8271635A,
    0x863F1A2B,
    0xA5C6F7D8,
    0x8371E1B4,
    0x17F2D3A5,
)


def _bc_crypt(data: bytes, offset: int) -> bytes:
    key = b"".join(struct.pack("<I", (word + offset) & 0xFFFFFFFF) for word in _BC_KEY)
    return bytes(value ^ key[index % len(key)] for index, value in enumerate(data))


def _bc_crc(data: bytes) -> int:
    """CRC-32 with start 0 and without the final inversion."""
    return (zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF) & 0xFFFFFFFF


def asks_bcudp(data: bytes) -> bool:
    if len(data) < 20 or data[:4] != b"\x3a\xcf\x87\x2a":
        return False
    transmission = struct.unpack("<I", data[12:16])[0]
    return b"C2D_S" in _bc_crypt(data[20:], transmission) or b"C2D_S" in data[20:]


def bcudp(text: bytes, request: bytes) -> bytes:
    """Magic, length, 1, transmission id, checksum, coded XML."""
    transmission = struct.unpack("<I", request[12:16])[0]
    body = _bc_crypt(text, transmission)
    head = struct.pack("<IIIII", 0x2A87CF3A, len(body), 1, transmission, _bc_crc(body))
    return head + body
