"""How are texts, MACs and addresses read out of fixed layouts?"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from camscan.decode.text import decode_text
from camscan.errors import DecodeError

_HEX = re.compile(r"[0-9a-fA-F]{12}")


def c_text(data: bytes) -> str:
    """Text up to the first zero byte."""
    return decode_text(data.split(b"\x00", 1)[0]).strip()


def mac_of_bytes(data: bytes) -> str:
    """`aa:bb:cc:dd:ee:ff` of six bytes; empty when there are not six or all are zero."""
    if len(data) != 6 or not any(data):
        return ""
    return data.hex(":")


def mac_of_text(text: str) -> str:
    """`aa:bb:cc:dd:ee:ff` of any common spelling; the text itself when it is none."""
    digits = text.strip().replace("-", "").replace(":", "").replace(".", "")
    if not _HEX.fullmatch(digits):
        return text.strip()
    return bytes.fromhex(digits).hex(":")


def ipv4_of_bytes(data: bytes, *, little_endian: bool = False) -> str:
    """Dotted text of four bytes; empty when there are not four or all are zero."""
    if len(data) != 4 or not any(data):
        return ""
    return str(IPv4Address(data[::-1] if little_endian else data))


def ipv6_of_bytes(data: bytes) -> str:
    """Text of sixteen bytes; empty when there are not sixteen or all are zero."""
    if len(data) != 16 or not any(data):
        return ""
    return str(IPv6Address(data))


def need(data: bytes, length: int, what: str) -> None:
    """Raise DecodeError unless there are at least `length` bytes."""
    if len(data) < length:
        raise DecodeError(f"{what}: {len(data)} bytes, at least {length} are needed")
