"""What lies in an ext2, ext3 or ext4 filesystem?

Layout: Linux Documentation/filesystems/ext4/. Read-only, without its journal: what was not yet written back when the
image was taken is seen in its older state.
"""

from __future__ import annotations

import struct
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
from camscan.observe.firmware.watch import (
    BudgetError,
    EncryptedError,
    PartialError,
    Watch,
)

_EXTENTS, _INLINE, _ENCRYPTED = 0x80000, 0x10000000, 0x800
_META_GROUPS, _WIDE = 0x10, 0x80
_ROOT = 2
_LISTING = 1 << 26


class _Inode(NamedTuple):
    number: int
    mode: int
    size: int
    flags: int
    blocks: bytes
    extra: bytes
    """What follows the fixed fields: extended attributes."""


class _Reader:
    def __init__(self, view: memoryview) -> None:
        head = view[1024:2048]
        self.view = view
        self.inodes, self.blocks = struct.unpack_from("<II", head, 0)
        first, log = struct.unpack_from("<II", head, 20)
        per_group, _, self.inodes_per_group = struct.unpack_from("<III", head, 32)
        revision = struct.unpack_from("<I", head, 76)[0]
        incompatible = struct.unpack_from("<I", head, 96)[0]
        if log > 6 or not 0 < per_group <= 1 << 19 or not 0 < self.inodes_per_group <= 1 << 19:
            raise DecodeError("ext: no superblock")
        self.block_size: int = 1024 << log
        self.inode_size = struct.unpack_from("<H", head, 88)[0] if revision else 128
        if not 128 <= self.inode_size <= self.block_size or first != (not log):
            raise DecodeError("ext: no superblock")
        if incompatible & _WIDE:
            self.blocks |= struct.unpack_from("<I", head, 0x150)[0] << 32
        if not self.inodes or not self.blocks or self.blocks <= first:
            raise DecodeError("ext: empty")
        self.wide = bool(incompatible & _WIDE)
        size = struct.unpack_from("<H", head, 254)[0] if self.wide else 32
        self.descriptor = max(32, int(size))
        self.first = int(first)
        self.per_group = int(per_group)
        self.sparse = bool(struct.unpack_from("<I", head, 100)[0] & 1)
        self.first_meta = int(struct.unpack_from("<I", head, 0x104)[0])
        self.groups = (self.inodes + self.inodes_per_group - 1) // self.inodes_per_group
        self.meta_groups = bool(incompatible & _META_GROUPS)
        self.created = struct.unpack_from("<I", head, 0x108)[0]
        self.label = text_of(zero_ended(head[120:136]))

    def block(self, number: int) -> memoryview:
        at = number * self.block_size
        raw = self.view[at : at + self.block_size]
        if len(raw) < self.block_size:
            raise DecodeError("ext: block out of range")
        return raw

    def inode(self, number: int) -> _Inode:
        if not 0 < number <= self.inodes:
            raise DecodeError("ext: inode out of range")
        group, index = divmod(number - 1, self.inodes_per_group)
        at = self._descriptor(group)
        (table,) = struct.unpack_from("<I", self.view, at + 8)
        if self.wide and self.descriptor >= 64:
            table |= struct.unpack_from("<I", self.view, at + 0x28)[0] << 32
        raw = bytes(
            self.view[table * self.block_size + index * self.inode_size :][: self.inode_size]
        )
        mode, _, low = struct.unpack_from("<HHI", raw)
        (flags,) = struct.unpack_from("<I", raw, 32)
        (high,) = struct.unpack_from("<I", raw, 108)
        size = low | (high << 32 if mode >> 12 == 0o10 else 0)
        return _Inode(number, mode, size, flags, raw[40:100], raw[128:])

    def _descriptor(self, group: int) -> int:
        """Where the descriptor of a group lies: in one table, or with meta groups in the first group of its own."""
        per = self.block_size // self.descriptor
        meta = group // per
        if not self.meta_groups or meta < self.first_meta:
            return (self.first + 1) * self.block_size + group * self.descriptor
        base = meta * per
        block = self.first + base * self.per_group + (1 if self._has_super(base) else 0)
        return block * self.block_size + group % per * self.descriptor

    def _has_super(self, group: int) -> bool:
        """With sparse superblocks the groups 0, 1 and the powers of 3, 5 and 7 have a copy."""
        if not self.sparse or group < 2:
            return True
        for base in (3, 5, 7):
            power = base
            while power < group:
                power *= base
            if power == group:
                return True
        return False

    def runs(self, inode: _Inode, watch: Watch) -> Iterator[tuple[int, int, int]]:
        """(logical block, physical block or 0 for a hole, count) in no particular order."""
        if inode.flags & _EXTENTS:
            yield from self._extents(inode.blocks, 0, watch)
            return
        pointers = struct.unpack("<15I", inode.blocks)
        for i, pointer in enumerate(pointers[:12]):
            if pointer:
                yield i, pointer, 1
        per = self.block_size // 4
        begin = 12
        for level, pointer in enumerate(pointers[12:], 1):
            if pointer and begin * self.block_size < inode.size:
                last = (inode.size + self.block_size - 1) // self.block_size
                yield from self._indirect(pointer, level, begin, last, watch)
            begin += per**level

    def _indirect(
        self, pointer: int, level: int, begin: int, last: int, watch: Watch
    ) -> Iterator[tuple[int, int, int]]:
        watch.tick()
        per = self.block_size // 4
        span = per ** (level - 1)
        for i, child in enumerate(struct.unpack(f"<{per}I", self.block(pointer))):
            place = begin + i * span
            if place >= last:
                return
            if not child:
                continue
            if level == 1:
                yield place, child, 1
            else:
                yield from self._indirect(child, level - 1, place, last, watch)

    def _extents(
        self, raw: bytes | memoryview, level: int, watch: Watch
    ) -> Iterator[tuple[int, int, int]]:
        watch.tick()
        magic, count, _, depth = struct.unpack_from("<HHHH", raw)
        if magic != 0xF30A or level > 5:
            raise DecodeError("ext: no extent header")
        for i in range(min(count, (len(raw) - 12) // 12)):
            at = 12 + 12 * i
            if depth:
                _, low, high = struct.unpack_from("<IIH", raw, at)
                yield from self._extents(self.block(high << 32 | low), level + 1, watch)
            else:
                logical, length, high, low = struct.unpack_from("<IHHI", raw, at)
                if length > 32768:  # allocated and never written
                    yield logical, 0, length - 32768
                else:
                    yield logical, high << 32 | low, length

    def content(self, inode: _Inode, watch: Watch) -> bytes:
        if inode.flags & _ENCRYPTED:
            raise EncryptedError("ext: encrypted file")
        if inode.flags & _INLINE:
            data = inode.blocks + _inline_rest(inode.extra)
            watch.fits(inode.size)
            return data[: inode.size] + bytes(max(0, inode.size - len(data)))  # the rest is a hole
        watch.fits(inode.size)
        out = bytearray(inode.size)
        try:
            for logical, physical, count in self.runs(inode, watch):
                begin = logical * self.block_size
                length = min(count * self.block_size, inode.size - begin)
                if not physical or length <= 0:
                    continue
                watch.tick()
                at = physical * self.block_size
                raw = self.view[at : at + length]
                out[begin : begin + len(raw)] = raw
                if len(raw) < length:
                    raise DecodeError("block out of range")
        except BudgetError:
            raise
        except BROKEN as error:
            raise PartialError(f"ext: {error}", bytes(out)) from None
        return bytes(out)

    def listing(self, inode: _Inode, watch: Watch) -> Iterator[tuple[bytes, int]]:
        if inode.size > _LISTING:
            raise DecodeError("ext: folder too large")
        data = self.content(inode, watch)
        at = 4 if inode.flags & _INLINE else 0  # an inline folder begins with its parent
        while at + 8 <= len(data):
            number, length, name_size, _ = struct.unpack_from("<IHBB", data, at)
            if length < 8:
                raise DecodeError("ext: folder entry without length")
            if number and name_size:
                yield data[at + 8 : at + 8 + name_size], number
            at += length

    def members(self, watch: Watch) -> Iterator[Member]:
        stack: list[tuple[str, int, int]] = [("", _ROOT, 0)]
        walked: set[int] = set()
        damage = ""
        while stack:
            path, number, depth = stack.pop()
            if number in walked:
                continue
            walked.add(number)
            below = []
            try:
                for name, child in self.listing(self.inode(number), watch):
                    if name in {b".", b".."}:
                        continue
                    inner = inner_path(f"{path}/{text_of(name).replace('/', '_')}")
                    inode = self.inode(child)
                    kind = inode.mode >> 12
                    if kind == 0o4:
                        yield Member(inner, "directory", nothing, 0, inode.mode)
                        if depth < DEEPEST:
                            below.append((inner, child, depth + 1))
                        else:
                            yield Member(inner, "file", too_deep)
                    elif kind == 0o10:
                        read = partial(self.content, inode, watch)
                        yield Member(inner, "file", read, inode.size, inode.mode)
                    elif kind == 0o12:
                        target = text_of(self._target(inode, watch))
                        yield Member(inner, "link", nothing, 0, inode.mode, target)
            except BudgetError:
                raise
            except BROKEN as error:
                damage = damage or f"ext: a folder could not be read: {error}"
            stack.extend(reversed(below))
        if damage:
            raise DecodeError(damage)

    def _target(self, inode: _Inode, watch: Watch) -> bytes:
        if inode.size < 60 and not inode.flags & _EXTENTS:
            return inode.blocks[: inode.size]
        if inode.size > 4096:
            raise DecodeError("ext: link target too long")
        return self.content(inode, watch)


def _inline_rest(extra: bytes) -> bytes:
    """The attribute `system.data`: of inline data what does not fit into the 60 bytes of the block map."""
    if len(extra) < 4:
        return b""
    begin = struct.unpack_from("<H", extra)[0]
    if len(extra) < begin + 20 or extra[begin : begin + 4] != b"\x00\x00\x02\xea":
        return b""
    at = first = begin + 4
    while at + 16 <= len(extra) and extra[at]:
        size, index, place = struct.unpack_from("<BBH", extra, at)
        (length,) = struct.unpack_from("<I", extra, at + 8)
        if index == 7 and extra[at + 16 : at + 16 + size] == b"data":
            return extra[first + place : first + place + length]
        at += (16 + size + 3) // 4 * 4
    return b""


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    reader = _Reader(view[at:])
    root = reader.inode(_ROOT)
    if root.mode >> 12 != 0o4:
        return None
    if next(reader.listing(root, watch), (b"",))[0] != b".":
        return None
    stated = reader.blocks * reader.block_size
    size = min(stated, len(view) - at)
    damage = "ext: the end is missing" if size < stated else ""
    reader.view = view[at : at + size]
    return Found(at, size, reader.members, reader.label, reader.created, "ext", damage)


EXT = Form(
    "ext",
    FILESYSTEM,
    # magic, state, behaviour on errors
    ((r"\x53\xef[\x00-\x07]\x00[\x01-\x03]\x00", 1024 + 56),),
    _probe,
)
