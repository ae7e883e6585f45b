"""Which streams, coders and files does the header of a 7z archive name?

Layout: 7zFormat.txt of the 7-Zip source.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from camscan.errors import DecodeError

_MOST = 1 << 20
"""Files, streams, folders: each."""
_CODERS = 8
(
    _END, _HEADER, _ARCHIVE, _MORE, _MAIN, _FILES, _PACK, _UNPACK, _SUB, _SIZE, _CRC, _FOLDER, _CODERS_SIZE, _COUNT,
    _EMPTY_STREAM, _EMPTY_FILE, _ANTI, _NAMES,
) = range(18)  # fmt: skip
_ATTRIBUTES, _ENCODED = 0x15, 0x17


class Folder(NamedTuple):
    """One packed stream and the coders it goes through."""

    at: int
    packed: int
    chain: tuple[tuple[bytes, bytes, int], ...]
    """(method, properties, bytes that come out) in the order in which they expand it."""

    @property
    def size(self) -> int:
        return self.chain[-1][2]


class Item(NamedTuple):
    name: str
    mode: int
    is_folder: bool
    folder: Folder
    at: int
    """In the expanded folder."""
    size: int
    checksum: int | None


class Layout(NamedTuple):
    folders: tuple[Folder, ...]
    items: tuple[Item, ...]
    wrapped: bool
    """The header is packed itself: it is the content of the only folder."""


class Cursor:
    """Reads the header from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise DecodeError("7z: the header ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """As many leading ones of the first byte, so many bytes follow; its other bits are the highest."""
        first = self.byte()
        value = 0
        mask = 0x80
        for i in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * i)
            value |= self.byte() << (8 * i)
            mask >>= 1
        return value

    def count(self, most: int = _MOST) -> int:
        value = self.number()
        if value > most:
            raise DecodeError("7z: more entries than can be")
        return value

    def bits(self, count: int) -> list[bool]:
        raw = self.take((count + 7) // 8)
        return [bool(raw[i // 8] & 0x80 >> i % 8) for i in range(count)]

    def defined(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def checksums(self, count: int) -> list[int | None]:
        return [struct.unpack("<I", self.take(4))[0] if d else None for d in self.defined(count)]


class _Coders(NamedTuple):
    chain: tuple[tuple[bytes, bytes], ...]
    streams: int
    """Packed streams it takes."""
    order: tuple[int, ...]
    """Coders in the order in which they expand; empty where they do not form a line."""


def _coders(cursor: Cursor) -> _Coders:
    chain: list[tuple[bytes, bytes]] = []
    ins = outs = 0
    for _ in range(cursor.count(_CODERS)):
        flags = cursor.byte()
        method = cursor.take(flags & 0xF)
        taken, given = (cursor.count(32), cursor.count(32)) if flags & 0x10 else (1, 1)
        properties = cursor.take(cursor.count(1 << 16)) if flags & 0x20 else b""
        chain.append((method, properties))
        ins, outs = ins + taken, outs + given
    if not outs or ins < outs - 1:
        raise DecodeError("7z: a folder without coders")
    pairs = [(cursor.count(64), cursor.count(64)) for _ in range(outs - 1)]
    streams = ins - len(pairs)
    first = [cursor.count(64) for _ in range(streams)] if streams > 1 else []
    if first or ins != len(chain) or outs != len(chain):
        return _Coders(tuple(chain), streams, ())
    taken_by = {out: into for into, out in pairs}
    bound = set(taken_by.values())
    begins = [i for i in range(len(chain)) if i not in bound]
    order = begins[:1]
    while order and order[-1] in taken_by and len(order) <= len(chain):
        order.append(taken_by[order[-1]])
    return _Coders(tuple(chain), streams, tuple(order) if len(set(order)) == len(chain) else ())


def _streams(cursor: Cursor, base: int) -> tuple[list[Folder], list[list[tuple[int, int | None]]]]:
    """(folders, of each the (size, checksum) of its files)."""
    place = base
    packed: list[int] = []
    coders: list[_Coders] = []
    sizes: list[list[int]] = []
    sums: list[int | None] = []
    files: list[list[tuple[int, int | None]]] | None = None
    while (kind := cursor.byte()) != _END:
        if kind == _PACK:
            place = base + cursor.number()
            packed = _packed(cursor)
        elif kind == _UNPACK:
            coders, sizes, sums = _unpacked(cursor)
        elif kind == _SUB:
            files = _substreams(cursor, [s[-1] for s in sizes], sums)
        else:
            raise DecodeError("7z: unknown stream property")
    folders: list[Folder] = []
    for coder, size in zip(coders, sizes, strict=True):
        own = packed[: coder.streams]
        packed = packed[coder.streams :]
        order = coder.order or tuple(range(len(coder.chain)))
        chain = tuple((*coder.chain[i], size[i]) for i in order)
        if not coder.order:  # several streams meet: named by the method that joins them
            chain = ((coder.chain[-1][0] or b"\xff", b"", max(size)),)
        folders.append(Folder(place, sum(own), chain))
        place += sum(own)
    if files is None:
        files = [[(f.size, c)] for f, c in zip(folders, sums, strict=True)]
    return folders, files


def _packed(cursor: Cursor) -> list[int]:
    count = cursor.count()
    sizes: list[int] = []
    while (kind := cursor.byte()) != _END:
        if kind == _SIZE:
            sizes = [cursor.number() for _ in range(count)]
        elif kind == _CRC:
            cursor.checksums(count)
        else:
            raise DecodeError("7z: unknown property of packed streams")
    return sizes


def _unpacked(cursor: Cursor) -> tuple[list[_Coders], list[list[int]], list[int | None]]:
    if cursor.byte() != _FOLDER:
        raise DecodeError("7z: no folders")
    count = cursor.count()
    if cursor.byte():
        raise DecodeError("7z: folders in another stream")
    coders = [_coders(cursor) for _ in range(count)]
    sizes: list[list[int]] = []
    sums: list[int | None] = [None] * count
    while (kind := cursor.byte()) != _END:
        if kind == _CODERS_SIZE:
            sizes = [[cursor.number() for _ in c.chain] for c in coders]
        elif kind == _CRC:
            sums = cursor.checksums(count)
        else:
            raise DecodeError("7z: unknown property of folders")
    if len(sizes) != count:
        raise DecodeError("7z: folders without size")
    return coders, sizes, sums


def _substreams(
    cursor: Cursor, whole: list[int], sums: list[int | None]
) -> list[list[tuple[int, int | None]]]:
    counts = [1] * len(whole)
    kind = cursor.byte()
    if kind == _COUNT:
        counts = [cursor.count() for _ in whole]
        kind = cursor.byte()
    if sum(counts) > _MOST:
        raise DecodeError("7z: more files than can be")
    sizes: list[list[int]] = []
    for count, total in zip(counts, whole, strict=True):
        own = [cursor.number() for _ in range(count - 1)] if kind == _SIZE and count else []
        sizes.append([*own, max(0, total - sum(own))] if count else [])
    if kind == _SIZE:
        kind = cursor.byte()
    unknown = sum(c for c, s in zip(counts, sums, strict=True) if c != 1 or s is None)
    given: Iterator[int | None] = iter(())
    while kind != _END:
        if kind != _CRC:
            raise DecodeError("7z: unknown property of files in folders")
        given = iter(cursor.checksums(unknown))
        kind = cursor.byte()
    return [
        [(size, own if count == 1 and own is not None else next(given, None)) for size in group]
        for group, count, own in zip(sizes, counts, sums, strict=True)
    ]


def _read_files(
    cursor: Cursor, folders: list[Folder], files: list[list[tuple[int, int | None]]]
) -> list[Item]:
    count = cursor.count()
    names: list[str] = [""] * count
    empty = [False] * count
    no_file: list[bool] | None = None
    modes = [0] * count
    while kind := cursor.byte():
        own = Cursor(cursor.take(cursor.number()))
        if kind == _EMPTY_STREAM:
            empty = own.bits(count)
        elif kind == _EMPTY_FILE:
            no_file = own.bits(sum(empty))
        elif kind == _NAMES and not own.byte():
            names = own.data[1:].decode("utf-16-le", "replace").split("\0")[:count]
        elif kind == _ATTRIBUTES:
            modes = _modes(own, count)
    if len(names) != count:
        raise DecodeError("7z: files without names")
    no_file = no_file or [False] * sum(empty)
    places = [
        (folder, at, size, checksum)
        for folder, group in zip(folders, files, strict=True)
        for at, (size, checksum) in zip(_places(group), group, strict=True)
    ]
    nowhere = Folder(0, 0, ((b"\0", b"", 0),))
    items: list[Item] = []
    streams, blank = iter(places), iter(no_file)
    for name, is_empty, mode in zip(names, empty, modes, strict=True):
        if is_empty:
            items.append(Item(name, mode, not next(blank), nowhere, 0, 0, None))
            continue
        stream = next(streams, None)
        if stream is None:
            raise DecodeError("7z: fewer streams than files")
        folder, at, size, checksum = stream
        items.append(Item(name, mode, False, folder, at, size, checksum))
    return items


def _places(group: list[tuple[int, int | None]]) -> list[int]:
    places, at = [], 0
    for size, _ in group:
        places.append(at)
        at += size
    return places


def _modes(cursor: Cursor, count: int) -> list[int]:
    """Attributes of Windows; with bit 15 the upper half is the mode of Unix."""
    defined = cursor.defined(count)
    if cursor.byte():
        return [0] * count
    values = [struct.unpack("<I", cursor.take(4))[0] if d else 0 for d in defined]
    return [value >> 16 if value & 0x8000 else 0 for value in values]


def layout(cursor: Cursor, base: int) -> Layout:
    """The header at the beginning of `cursor`; `base`: where the packed streams begin in the file."""
    kind = cursor.byte()
    if kind == _ENCODED:
        packed, _ = _streams(cursor, base)
        if len(packed) != 1:
            raise DecodeError("7z: a packed header in several folders")
        return Layout(tuple(packed), (), wrapped=True)
    if kind != _HEADER:
        raise DecodeError("7z: no header")
    folders: list[Folder] = []
    files: list[list[tuple[int, int | None]]] = []
    items: list[Item] = []
    while kind := cursor.byte():
        if kind == _ARCHIVE:
            while cursor.byte():
                cursor.take(cursor.number())
        elif kind == _MORE:
            _streams(cursor, base)
        elif kind == _MAIN:
            folders, files = _streams(cursor, base)
        elif kind == _FILES:
            items = _read_files(cursor, folders, files)
        else:
            raise DecodeError("7z: unknown part of the header")
    return Layout(tuple(folders), tuple(items), wrapped=False)
