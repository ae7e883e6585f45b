"""What lies in a yaffs filesystem, as its tools write it or as a dump of NAND flash holds it?

Layout: the yaffs documentation (yaffs.net, "How yaffs works") and yaffs_guts.h, yaffs_packedtags2.h. Every page is
followed by its spare bytes, in which tags say to which object a page belongs; page 0 of an object is its header. Where
in the spare bytes the tags begin depends on the flash controller: the place is the one at which they fit the headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.observe.firmware.form import (
    FILESYSTEM,
    Form,
    Found,
    Member,
    nothing,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.forms.folders import walk
from camscan.observe.firmware.watch import PartialError, Watch

SHAPES = (
    (2048, 64),
    (512, 16),
    (4096, 128),
    (2048, 128),
    (4096, 224),
    (4096, 256),
    (1024, 32),
    (8192, 256),
)
"""Bytes of a page and of the spare area behind it."""
_FILE, _LINK, _FOLDER, _HARD, _SPECIAL = range(1, 6)
_MODES = {_FILE: 0o10, _LINK: 0o12, _FOLDER: 0o4}
_ROOT, _UNLINKED, _DELETED = 1, 3, 4
_EXTRA = 1 << 31
"""In the chunk number of a header: the tags repeat parent and kind."""
_ERASED = 1 << 14
"""Erased pages in a row behind which a partition ends: 32 MiB of 2 KiB pages."""
_WRONG = 64
"""Pages without tags in a row behind which it ends: one erase block."""
_OBJECTS = 1 << 20


class Tags(NamedTuple):
    sequence: int
    object: int
    chunk: int
    """0: the header."""
    size: int


class _Header(NamedTuple):
    kind: int
    parent: int
    name: bytes
    mode: int
    size: int
    twin: int
    target: bytes


class _Shape(NamedTuple):
    page: int
    spare: int
    place: int
    """Of the tags in the spare bytes; -1: the tags of version 1."""
    order: str

    @property
    def step(self) -> int:
        return self.page + self.spare


def _tags(view: memoryview, at: int, shape: _Shape) -> Tags | None:
    """The tags of the page at `at`; None where there are none that can be."""
    spare = view[at + shape.page : at + shape.step]
    if len(spare) < shape.spare:
        return None
    if shape.place < 0:
        return _tags_1(spare, shape.order)
    sequence, number, chunk, size = struct.unpack_from(f"{shape.order}4I", spare, shape.place)
    if not 0x1000 <= sequence <= 0xEFFFFF00:
        return None
    if chunk & _EXTRA:
        return Tags(sequence, number & 0x0FFFFFFF, 0, size)
    if not 0 < number <= 0x3FFFF or chunk > 0xFFFFF:
        return None
    return Tags(sequence, number, chunk, size) if not chunk or size <= shape.page else None


def _tags_1(spare: memoryview, order: str) -> Tags | None:
    """Eight bytes around the marks and checksums of a 512-byte page: 20 bits chunk, 2 serial, 10 size, 18 object."""
    if spare[5] != 0xFF:
        return None  # a bad block
    raw = bytes(spare[0:4]) + bytes(spare[6:8]) + bytes(spare[11:13])
    if order == "<":
        value = int.from_bytes(raw, "little")
        chunk, serial, size, number = (
            value & 0xFFFFF,
            value >> 20 & 3,
            value >> 22 & 0x3FF,
            value >> 32 & 0x3FFFF,
        )
    else:
        value = int.from_bytes(raw, "big")
        chunk, serial, size, number = (
            value >> 44,
            value >> 42 & 3,
            value >> 32 & 0x3FF,
            value >> 14 & 0x3FFFF,
        )
    if not number or number == 0x3FFFF or size > 512:
        return None
    # The serial number counts from 0 to 3 and round again: too short to order by, so the place decides.
    return Tags(0x1000 + (serial & 0), number, chunk, size)


def _header(view: memoryview, at: int, order: str) -> _Header | None:
    raw = view[at : at + 512]
    if len(raw) < 512:
        return None
    kind, parent, unused = struct.unpack_from(f"{order}IIH", raw)
    if not _FILE <= kind <= _SPECIAL or not 0 < parent <= 0x3FFFF or unused != 0xFFFF:
        return None
    name = zero_ended(raw[10:266])
    mode, _, _, _, _, _, size, twin = struct.unpack_from(f"{order}8I", raw, 268)
    if any(byte < 0x20 for byte in name) or b"/" in name:
        return None
    if not name and (kind, parent) != (_FOLDER, _ROOT):
        return None  # only the root has no name
    if kind in _MODES and mode >> 12 not in {0, _MODES[kind]}:
        return None
    return _Header(kind, parent, name, mode, size, twin, zero_ended(raw[300:460]))


def _erased(view: memoryview, at: int, shape: _Shape) -> bool:
    return bytes(view[at : at + shape.step]) == b"\xff" * shape.step


class _Log:
    """The pages of one partition: of each object and chunk the one written last."""

    def __init__(self, view: memoryview, shape: _Shape) -> None:
        self.view = view
        self.shape = shape
        self.headers: dict[int, tuple[int, int, _Header]] = {}
        self.chunks: dict[int, dict[int, tuple[int, int, int]]] = {}

    def take(self, tags: Tags, at: int) -> bool:
        """Keep a page; False where it belongs to the partition that follows."""
        if tags.chunk:
            known = self.chunks.setdefault(tags.object, {}).get(tags.chunk)
            if known is None or tags.sequence >= known[0]:
                self.chunks[tags.object][tags.chunk] = (tags.sequence, at, tags.size)
            return True
        header = _header(self.view, at, self.shape.order)
        if header is None:
            return True
        known_header = self.headers.get(tags.object)
        if known_header is not None and known_header[2].kind != header.kind:
            return False  # an object never changes its kind
        if known_header is None or tags.sequence >= known_header[0]:
            self.headers[tags.object] = (tags.sequence, at, header)
        return True

    def content(self, number: int, watch: Watch) -> bytes:
        header = self.headers[number][2]
        chunks = self.chunks.get(number, {})
        page = self.shape.page
        last = max(chunks, default=0)
        written = (last - 1) * page + chunks[last][2] if last else 0
        size = header.size if header.size not in {0, 0xFFFFFFFF} else written
        watch.fits(size)
        out = bytearray(size)
        for chunk, (_, at, length) in chunks.items():
            watch.tick()
            begin = (chunk - 1) * page
            end = min(begin + min(length, page), size)
            if begin < end:
                out[begin:end] = self.view[at : at + end - begin]
        if size - written >= page and written:
            raise PartialError("yaffs: the end of the file is missing", bytes(out))
        return bytes(out)

    def members(self, watch: Watch) -> Iterator[Member]:
        folders: dict[int, list[tuple[bytes, int]]] = {}
        for number, (_, _, header) in self.headers.items():
            if number != _ROOT and header.parent not in {_UNLINKED, _DELETED} and header.name:
                folders.setdefault(header.parent, []).append((header.name, number))
        walked: set[int] = set()
        for root in (_ROOT, *sorted(set(folders) - set(self.headers)), *sorted(folders)):
            if root not in walked:
                label = "" if root == _ROOT else f"#{root}"
                yield from walk(label, root, folders, walked, partial(self._member, watch))

    def _member(self, watch: Watch, inner: str, number: int) -> tuple[Member, int] | None:
        header = self.headers[number][2]
        if header.kind == _FOLDER:
            return Member(inner, "directory", nothing, 0, header.mode), number
        if header.kind == _FILE:
            size = header.size if header.size != 0xFFFFFFFF else 0
            read = partial(self.content, number, watch)
            return Member(inner, "file", read, size, header.mode), number
        if header.kind == _LINK:
            target = text_of(header.target)
            return Member(inner, "link", nothing, 0, header.mode, target), number
        return None


def _shape(view: memoryview, at: int) -> _Shape | None:
    """Sizes and place of the tags at which the header at `at` and what follows fit."""
    order = "<" if view[at] else ">"
    if _header(view, at, order) is None:
        return None
    for page, spare in SHAPES:
        places = (-1,) if (page, spare) == (512, 16) else (0, 2, *range(4, spare - 15, 2))
        for place in places:
            shape = _Shape(page, spare, place, order)
            first = _tags(view, at, shape)
            if first is None or first.chunk:
                continue
            if _fits(view, at, shape):
                return shape
    return None


def _fits(view: memoryview, at: int, shape: _Shape) -> bool:
    """Whether the tags of the first pages say header where a header is, and nothing else."""
    for i in range(8):
        place = at + i * shape.step
        if place + shape.step > len(view) or _erased(view, place, shape):
            return i >= 2
        tags = _tags(view, place, shape)
        if tags is None or (not tags.chunk and _header(view, place, shape.order) is None):
            return i >= 4
    return True


def _likely(tags: Tags, log: _Log, at: int) -> bool:
    """Whether the page is one of this partition: tags are few bits, and what follows may look like them."""
    if not tags.chunk:
        return _header(log.view, at, log.shape.order) is not None
    return log.shape.place >= 0 or tags.object in log.headers


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    shape = _shape(view, at)
    if shape is None:
        return None
    log = _Log(view, shape)
    place = end = at
    erased = wrong = 0
    damage = ""
    while place + shape.step <= len(view) and erased < _ERASED and wrong < _WRONG:
        watch.tick()
        tags = _tags(view, place, shape)
        if tags is None:
            if _erased(view, place, shape):
                erased += 1
            else:
                wrong += 1
        elif len(log.headers) > min(_OBJECTS, watch.budget.files):
            damage = "yaffs: more objects than the budget"
            break
        elif not _likely(tags, log, place):
            wrong += 1
        elif not log.take(tags, place):
            break
        else:
            erased = wrong = 0
            end = place + shape.step
        place += shape.step
    if not any(h.name and h.parent in {_ROOT, *log.headers} for _, _, h in log.headers.values()):
        return None
    version = "yaffs1" if shape.place < 0 else "yaffs2"
    order = "little-endian" if shape.order == "<" else "big-endian"
    label = f"{version}, pages of {shape.page} and {shape.spare} bytes, {order}"
    return Found(at, end - at, log.members, label, 0, "yaffs", damage)


YAFFS = Form(
    "yaffs",
    FILESYSTEM,
    (
        # kind, parent, the sum no longer used, first byte of a name (the root has none)
        (r"[\x01-\x03\x05]\x00\x00\x00[\x00-\xff]{2}[\x00-\x03]\x00\xff\xff[\x00\x20-\x7e]", 0),
        (r"\x00\x00\x00[\x01-\x03\x05]\x00[\x00-\x03][\x00-\xff]{2}\xff\xff[\x00\x20-\x7e]", 0),
    ),
    _probe,
)
