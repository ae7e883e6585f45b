"""Is a datagram a frame of the Gwell platform (GUTES) whose checksum is right?

24 bytes of head: version, type, length, three words, checksum, options; all words little endian (layout and
checksum: wlatic/hacky-wyze-gwell:wyze-p2p/pkg/gwell/frame.go). What follows the checked part (time, signature) is told
by two bits of the options.
"""

from __future__ import annotations

import struct

_HEAD = 24
_SIGNED, _TIMED = 1 << 22, 1 << 24
_SIGNATURE, _TIME = 80, 16


def is_sound(data: bytes) -> bool:
    """Whether length and checksum agree with the frame; what is enciphered is not checked before it is."""
    if len(data) < _HEAD or int.from_bytes(data[2:4], "little") != len(data):
        return False
    first, second, third, fourth, stated, options = struct.unpack_from("<6I", data)
    size = len(data) - _HEAD
    size -= _SIGNATURE if options & _SIGNED else 0
    size -= _TIME if options & _TIMED else 0
    if size < 0:
        return False
    total = (options & 0xFFFFFF) ^ first ^ second ^ third ^ fourth
    for (word,) in struct.iter_unpack("<I", data[_HEAD : _HEAD + size // 4 * 4]):
        total ^= word
    return bool(total == stated)


def sealed(data: bytes) -> bytes:
    """The frame with its checksum filled in; for samples."""
    whole = bytearray(data)
    whole[16:20] = bytes(4)
    total = 0
    first = [
        int.from_bytes(whole[n : n + 4], "little")
        for n in range(0, _HEAD + (len(data) - _HEAD) // 4 * 4, 4)
    ]
    for place, word in enumerate(first):
        total ^= word & 0xFFFFFF if place == 5 else word
    whole[16:20] = total.to_bytes(4, "little")
    return bytes(whole)
