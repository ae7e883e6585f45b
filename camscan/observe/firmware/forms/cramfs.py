"""What lies in a cramfs filesystem of either byte order?

Layout: Linux Documentation/filesystems/cramfs.rst and include/uapi/linux/cramfs_fs.h. The fields of an inode are
C bit fields, so a big-endian image has them in another order, not only in other bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    BROKEN,
    DEEPEST,
    FILESYSTEM,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
    too_deep,
    zero_ended,
)
from camscan.observe.firmware.unpack import block
from camscan.observe.firmware.watch import PartialError, Watch

_PAGE = 4096
_ROOT = 64
_SHIFT = 512
"""mkfs.cramfs -p leaves so much space before the superblock."""
_EXTENDED, _SHIFTED = 0x800, 0x400


class _Inode(NamedTuple):
    mode: int
    size: int
    name_size: int
    at: int


class _Reader:
    def __init__(self, view: memoryview, order: str, *, extended: bool) -> None:
        self.view = view
        self.order = order
        self.extended = extended

    def inode(self, at: int) -> _Inode:
        first, second, third = struct.unpack_from(f"{self.order}III", self.view, at)
        if self.order == "<":
            return _Inode(first & 0xFFFF, second & 0xFFFFFF, (third & 0x3F) * 4, (third >> 6) * 4)
        return _Inode(first >> 16, second >> 8, (third >> 26) * 4, (third & 0x3FFFFFF) * 4)

    def children(self, folder: _Inode) -> Iterator[tuple[bytes, _Inode]]:
        at, end = folder.at, folder.at + folder.size
        if end > len(self.view):
            raise DecodeError("cramfs: folder out of range")
        while at + 12 <= end:
            inode = self.inode(at)
            name = zero_ended(self.view[at + 12 : at + 12 + inode.name_size])
            if not name:
                raise DecodeError("cramfs: entry without name")
            yield name, inode
            at += 12 + inode.name_size

    def content(self, inode: _Inode, watch: Watch) -> bytes:
        count = (inode.size + _PAGE - 1) // _PAGE
        out = bytearray()
        try:
            pointers = struct.unpack_from(f"{self.order}{count}I", self.view, inode.at)
            at = inode.at + 4 * count
            for pointer in pointers:
                watch.tick()
                want = min(_PAGE, inode.size - len(out))
                stored = direct = False
                if self.extended:
                    stored, direct = bool(pointer & 1 << 31), bool(pointer & 1 << 30)
                    pointer &= (1 << 30) - 1
                if direct:
                    at = pointer << 2
                    size = (
                        want if stored else struct.unpack_from(f"{self.order}H", self.view, at)[0]
                    )
                    at += 0 if stored else 2
                    pointer = at + size
                raw = self.view[at:pointer]
                if pointer > len(self.view) or pointer < at:
                    raise DecodeError("cramfs: block out of range")
                if not len(raw):
                    out += bytes(want)
                else:
                    out += bytes(raw[:want]) if stored else block("zlib", raw, _PAGE)[:want]
                at = pointer
        except BROKEN as error:
            if hasattr(error, "final"):
                raise
            raise PartialError(f"cramfs: {error}", bytes(out)) from None
        return bytes(out)

    def members(self, root: _Inode, watch: Watch) -> Iterator[Member]:
        stack: list[tuple[str, _Inode, tuple[int, ...]]] = [("", root, ())]
        while stack:
            path, folder, above = stack.pop()
            below = []
            for name, inode in self.children(folder):
                inner = inner_path(f"{path}/{text_of(name).replace('/', '_')}")
                kind = inode.mode >> 12
                if kind == 0o4:
                    yield Member(inner, "directory", nothing, 0, inode.mode)
                    if inode.size and inode.at not in above and inode.at != folder.at:
                        if len(above) < DEEPEST:
                            below.append((inner, inode, (*above, folder.at)))
                        else:
                            yield Member(inner, "file", too_deep)
                elif kind == 0o10:
                    read = partial(self.content, inode, watch)
                    yield Member(inner, "file", read, inode.size, inode.mode)
                elif kind == 0o12:
                    target = text_of(self.content(inode, watch)) if inode.size <= _PAGE else ""
                    yield Member(inner, "link", nothing, 0, inode.mode, target)
            stack.extend(reversed(below))


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    order = "<" if bytes(view[at : at + 4]) == b"\x45\x3d\xcd\x28" else ">"
    size, flags = struct.unpack_from(f"{order}II", view, at + 4)
    if bytes(view[at + 16 : at + 32]) != b"Compressed ROMFS":
        return None
    base = at
    reader = _Reader(view[at:], order, extended=bool(flags & _EXTENDED))
    root = reader.inode(_ROOT)
    if root.at == _SHIFT + _ROOT + 12 and at >= _SHIFT:
        base = at - _SHIFT
        reader = _Reader(view[base:], order, extended=bool(flags & _EXTENDED))
        root = reader.inode(_SHIFT + _ROOT)
    if root.mode >> 12 != 0o4:
        return None
    version_2 = bool(flags & 1)
    length = size if version_2 else max(_end(reader, root, watch), _ROOT + 12)
    damage = ""
    if base + length > len(view):
        length = len(view) - base
        damage = "cramfs: the end is missing"
    elif version_2 and not _summed(view[at : base + length], order):
        damage = "cramfs: the checksum is wrong"
    label = text_of(zero_ended(view[at + 48 : at + 64]))
    reader.view = view[base : base + length]
    # What was read before the check did not fit the checksum only if something inside was changed.
    next(reader.children(root), None)
    return Found(base, length, partial(reader.members, root), label, 0, "cramfs", damage)


def _summed(view: memoryview, order: str) -> bool:
    """The checksum begins with the superblock and counts itself as zero."""
    stated: int = struct.unpack_from(f"{order}I", view, 32)[0]
    running = zlib.crc32(view[36:], zlib.crc32(bytes(4), zlib.crc32(view[:32])))
    return running == stated


def _end(reader: _Reader, root: _Inode, watch: Watch) -> int:
    """Version 1 states no size: where its last block ends."""
    end = root.at + root.size
    stack, seen = [root], {root.at}
    while stack:
        for _, inode in reader.children(stack.pop()):
            watch.tick()
            if inode.mode >> 12 == 0o4 and inode.at not in seen and inode.size:
                seen.add(inode.at)
                stack.append(inode)
                end = max(end, inode.at + inode.size)
            elif inode.mode >> 12 in {0o10, 0o12} and inode.size:
                count = (inode.size + _PAGE - 1) // _PAGE
                last = struct.unpack_from(
                    f"{reader.order}I", reader.view, inode.at + 4 * (count - 1)
                )[0]
                end = max(end, last)
    return (end + 3) // 4 * 4


CRAMFS = Form(
    "cramfs",
    FILESYSTEM,
    ((r"\x45\x3d\xcd\x28", 0), (r"\x28\xcd\x3d\x45", 0)),
    _probe,
)
