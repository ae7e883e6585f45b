"""What stands in a TUTK (Kalay) datagram once its scrambling is undone?

The scrambling hides nothing: bits are moved and a printed sentence is added, the same for every device
(facts: traffic 4). Each 16-byte block: four little-endian words rotated, bytes exchanged, the sentence
added by exclusive or, words rotated again. Only whole blocks are undone here.
"""

from __future__ import annotations

import re
import struct

BLOCK = 16
_SENTENCE = b"Charlie is the designer of P2P!!"[:BLOCK]
_PLACES = (11, 9, 8, 15, 13, 10, 12, 14, 2, 1, 5, 0, 6, 4, 7, 3)
"""Byte n of a block came from this place; the exchange is its own inverse."""
_WORDS = struct.Struct("<4I")
_UID = re.compile(rb"[A-Z0-9]{20}")
_CONNECT = frozenset(
    {b"\x01\x06\x21", b"\x03\x02\x34", b"\x01\x04\x33", b"\x02\x04\x33", b"\x04\x04\x33"}
)
"""Message types at offset 8 whose body begins with the UID."""


def plain(data: bytes) -> bytes:
    """The whole blocks of a datagram, at most 64 bytes, without scrambling."""
    return b"".join(
        _undo(data[n : n + BLOCK]) for n in range(0, min(len(data), 64) - BLOCK + 1, BLOCK)
    )


def is_message(data: bytes) -> bool:
    """Whether magic 04 02, a known version and the length of the datagram agree."""
    if len(data) < 24:
        return False
    head = _undo(data[:BLOCK])
    size = int.from_bytes(head[4:6], "little")
    return head[:2] == b"\x04\x02" and 0x10 <= head[2] <= 0x2F and size == len(data) - BLOCK


def uid(data: bytes) -> str:
    """UID of a connect message, empty for any other."""
    if not is_message(data):
        return ""
    text = plain(data)
    found = text[16:36]
    return found.decode("ascii") if text[8:11] in _CONNECT and _UID.fullmatch(found) else ""


def scramble(block: bytes) -> bytes:
    """One block as it goes over the wire; for samples and for the fixed bits of a pattern."""
    words = _WORDS.unpack(block)
    turned = _WORDS.pack(*(_right(w, 4 * n + 1) for n, w in enumerate(words)))
    mixed = bytes(a ^ b for a, b in zip(turned, _SENTENCE, strict=True))
    moved = _exchange(mixed)
    return _WORDS.pack(*(_right(w, 4 * n + 3) for n, w in enumerate(_WORDS.unpack(moved))))


def _undo(block: bytes) -> bytes:
    words = _WORDS.unpack(block)
    moved = _exchange(_WORDS.pack(*(_left(w, 4 * n + 3) for n, w in enumerate(words))))
    turned = bytes(a ^ b for a, b in zip(moved, _SENTENCE, strict=True))
    return _WORDS.pack(*(_left(w, 4 * n + 1) for n, w in enumerate(_WORDS.unpack(turned))))


def _exchange(block: bytes) -> bytes:
    return bytes(block[place] for place in _PLACES)


def _left(word: int, count: int) -> int:
    return (word << count | word >> (32 - count)) & 0xFFFFFFFF


def _right(word: int, count: int) -> int:
    return (word >> count | word << (32 - count)) & 0xFFFFFFFF
