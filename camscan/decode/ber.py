"""How is BER read and written, as far as SNMP needs it (X.690 section 8)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.errors import DecodeError

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
MAX_ITEMS = 1024


class Item(Struct, frozen=True):
    """One tag-length-value."""

    tag: int
    value: bytes


def items(data: bytes) -> tuple[Item, ...]:
    """Split a concatenation of items; raises DecodeError when one does not fit."""
    found: list[Item] = []
    position = 0
    while position < len(data):
        if len(found) >= MAX_ITEMS:
            raise DecodeError(f"BER with more than {MAX_ITEMS} items")
        tag = data[position]
        if tag & 0x1F == 0x1F:
            raise DecodeError(f"BER tag {tag:02x} of several bytes is not used by SNMP")
        length, position = _length(data, position + 1)
        if position + length > len(data):
            raise DecodeError(f"BER item of {length} bytes, only {len(data) - position} are there")
        found.append(Item(tag, data[position : position + length]))
        position += length
    return tuple(found)


def _length(data: bytes, position: int) -> tuple[int, int]:
    if position >= len(data):
        raise DecodeError("BER item ends before its length")
    first = data[position]
    position += 1
    if first < 0x80:
        return first, position
    count = first & 0x7F
    if not 0 < count <= 4 or position + count > len(data):
        raise DecodeError(f"BER length in {count} bytes is not read")
    return int.from_bytes(data[position : position + count], "big"), position + count


def oid_text(value: bytes) -> str:
    """`1.3.6.1` of the bytes of an object identifier; empty when it ends inside a number."""
    numbers: list[int] = []
    number = 0
    for byte in value[:256]:
        number = (number << 7 | byte & 0x7F) & 0xFFFFFFFFFFFFFFFF
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers or value[-1] & 0x80:
        return ""
    first = min(numbers[0] // 40, 2)
    return ".".join(str(part) for part in (first, numbers[0] - 40 * first, *numbers[1:]))


def encode(tag: int, value: bytes) -> bytes:
    """One item with the shortest length."""
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def integer(number: int) -> bytes:
    """An INTEGER, not negative."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
