"""What lies in a compressed stream that stands alone: gzip, xz, lzma, bzip2, zstd, lz4, lzop?

A stream has no superblock, so it counts when it expands to its end with its own check, or when so much came out
that chance is no explanation; the second is reported as damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import STREAM, Bytes, Form, Found, Member, inner_path, text_of
from camscan.observe.firmware.unpack import Stream, block, stream
from camscan.observe.firmware.watch import Watch

_CHANCE = 1 << 16
"""Bytes out of a stream without an end that are no accident."""
_UNCHECKED = 256
"""Bytes out of an ended stream of a form without a checksum."""
_JOINED = {
    "gzip": (b"\x1f\x8b\x08",),
    "xz": (b"\xfd7zXZ\0",),
    "bzip2": (b"BZh",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "lz4": (b"\x04\x22\x4d\x18",),
}
_LEGACY_BLOCK = 8 << 20
"""Expanded size of a block in the LZ4 form of the Linux kernel."""


def payload(kind: str, data: memoryview, watch: Watch) -> Stream:
    """A stream a container points to: expanded as far as it goes."""
    if kind == "lz4" and bytes(data[:4]) == b"\x02\x21\x4c\x18":
        return _lz4_legacy(data, watch.room())
    if kind == "lzo":
        return _lzop(data, watch.room())
    made = stream(kind, data, watch.room(), watch.tick)
    parts = [made.data]
    size, taken = len(made.data), made.taken
    # `cat a.gz b.gz` is a gzip file, and so it is with the other forms that have a magic number.
    while made.ended and bytes(data[taken : taken + 6]).startswith(_JOINED.get(kind, (b"\0" * 7,))):
        watch.tick()
        made = stream(kind, data[taken:], watch.room() - size, watch.tick)
        if not made.ended:
            break
        parts.append(made.data)
        size += len(made.data)
        taken += made.taken
    if len(parts) == 1:
        return made if made.data is parts[0] else Stream(parts[0], taken, ended=True)
    return Stream(b"".join(parts), taken, ended=True)


def wrapped(name: str, data: Bytes, watch: Watch) -> Iterator[Member]:
    """The one file that came out of a stream."""
    del watch
    yield Member(name, "file", partial(_given, data), len(data))


def _given(data: Bytes) -> Bytes:
    return data


def _probe(kind: str, view: memoryview, at: int, watch: Watch) -> Found | None:
    watch.tick()
    if kind == "lzma" and not _dictionary(view, at):
        return None
    made = payload(kind, view[at:], watch)
    checked = kind not in {"lzma", "lz4"}
    if len(made.data) < (1 if made.ended and checked else _UNCHECKED if made.ended else _CHANCE):
        return None
    label = created = None
    if kind == "gzip":
        label, created = _gzip_header(view, at)
    name = inner_path(label or "").rsplit("/", 1)[-1] or "data"
    return Found(
        at,
        made.taken,
        partial(wrapped, name, made.data),
        label or "",
        created or 0,
        kind,
        made.damage,
    )


def _dictionary(view: memoryview, at: int) -> bool:
    """Whether the size of the dictionary is one encoders choose: a power of two, or three times one."""
    size = int(struct.unpack_from("<I", view, at + 1)[0])
    base = size if size % 3 else size // 3
    return size >= 1 << 12 and (base & (base - 1) == 0 or size == 0xFFFFFFFF)


def _gzip_header(view: memoryview, at: int) -> tuple[str, int]:
    """(stored name, time) of RFC 1952."""
    flags, created = struct.unpack_from("<BI", view, at + 3)
    place = at + 10
    if flags & 4:
        place += 2 + struct.unpack_from("<H", view, place)[0]
    if not flags & 8:
        return "", created
    return text_of(bytes(view[place : place + 256]).split(b"\0", 1)[0]), created


def _lz4_legacy(data: memoryview, limit: int) -> Stream:
    out = bytearray()
    at = 4
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if not 0 < size <= _LEGACY_BLOCK + (_LEGACY_BLOCK >> 6) or at + 4 + size > len(data):
            break
        if len(out) + _LEGACY_BLOCK > max(limit, _LEGACY_BLOCK):
            return Stream(bytes(out), at, ended=False, damage="lz4: longer than the budget")
        try:
            part = block("lz4", data[at + 4 : at + 4 + size], _LEGACY_BLOCK)
        except DecodeError as error:
            if not out:
                raise
            # The kernel build appends the expanded size, which is no block.
            return Stream(bytes(out), at, ended=len(out) >= _UNCHECKED, damage=str(error)[:0])
        out += part
        at += 4 + size
        if len(part) < _LEGACY_BLOCK:
            break
    return Stream(bytes(out), at, ended=bool(out))


def _lzop(data: memoryview, limit: int) -> Stream:
    """The file form of lzop: magic, header, then blocks with their sizes and checksums."""
    if bytes(data[:9]) != b"\x89LZO\0\r\n\x1a\n":
        return Stream(block("lzo", data, limit), len(data), ended=True)
    version, _, needed = struct.unpack_from(">HHH", data, 9)
    at = 15 if version >= 0x940 and needed else 13
    at = 15
    _, at = data[at], at + 1
    if version >= 0x940:
        at += 1  # level
    (flags,) = struct.unpack_from(">I", data, at)
    at += 4
    if flags & 0x800:
        at += 4  # filter
    at += 8  # mode, time
    if version >= 0x940:
        at += 4  # upper half of the time
    at += 1 + data[at] + 4  # name, header checksum
    if flags & 0x40:
        at += 4 + struct.unpack_from(">I", data, at)[0] + 4
    plain_sums = bool(flags & 0x1) + bool(flags & 0x100)
    packed_sums = bool(flags & 0x2) + bool(flags & 0x200)
    out = bytearray()
    while at + 4 <= len(data):
        (plain,) = struct.unpack_from(">I", data, at)
        if not plain:
            return Stream(bytes(out), at + 4, ended=True)
        (packed,) = struct.unpack_from(">I", data, at + 4)
        if plain > 64 << 20 or packed > plain or len(out) + plain > limit:
            break
        at += 8 + 4 * plain_sums + (4 * packed_sums if packed < plain else 0)
        raw = data[at : at + packed]
        if len(raw) < packed:
            break
        out += bytes(raw) if packed == plain else block("lzo", raw, plain)
        at += packed
    return Stream(bytes(out), min(at, len(data)), ended=False, damage="lzop: the stream ends early")


def _form(kind: str, *magics: str) -> Form:
    return Form(kind, STREAM, tuple((m, 0) for m in magics), partial(_probe, kind))


STREAMS = (
    _form("gzip", r"\x1f\x8b\x08[\x00-\x1f]"),
    _form("xz", r"\xfd7zXZ\x00\x00[\x00\x01\x04\x0a]"),
    # properties, dictionary size (a power of two or three times one), expanded size (unknown or below 4 GiB)
    _form(
        "lzma",
        r"[\x5d\x6d\x2d]\x00\x00[\x00-\xff][\x00-\x08](?:\xff{8}|[\x00-\xff]{4}\x00{4})",
    ),
    _form("bzip2", r"BZh[1-9]1AY&SY"),
    _form("zstd", r"\x28\xb5\x2f\xfd"),
    _form("lz4", r"\x04\x22\x4d\x18[\x40-\x7f]", r"\x02\x21\x4c\x18"),
    _form("lzo", r"\x89LZO\x00\x0d\x0a\x1a\x0a"),
)
