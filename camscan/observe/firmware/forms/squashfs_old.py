"""What lies in a squashfs of version 1, 2 or 3, of either byte order?

Layout: the compatibility header of squashfs-tools (squashfs_compat.h). The fields are C bit fields: in a big-endian
filesystem the first of them takes the upper bits. Cameras with kernels before 2.6.29 have these.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from camscan.errors import DecodeError
from camscan.observe.firmware.forms.squashfs_reader import (
    DIRECTORY,
    FILE,
    LINK,
    META,
    NO_FRAGMENT,
    STORED,
    Inode,
    Reader,
)

_SUPER = {1: 51, 2: 63, 3: 119}
_CHECKED = 1 << 2
"""Flag: a byte 0xFF stands before every metadata block."""
_TYPES_1 = 5
"""Version 1 writes bank * 5 + type, the bank being the upper bits of the owner."""
_HOLD = {1: 3, 2: 4, 3: 12}
"""Bytes every inode begins with."""


class OldReader(Reader):
    """Versions 1 to 3; DecodeError where the superblock is none of them."""

    def __init__(self, view: memoryview, order: str) -> None:
        super().__init__()
        self.order = order
        self.major, minor, small, log = self._unpack(view, 28, "HHHH")
        if self.major not in _SUPER or minor > 1:
            raise DecodeError("squashfs: not version 1 to 3")
        self.flags = view[36]
        (self.created,) = self._unpack(view, 39, "I")
        (self.root,) = self._unpack(view, 43, "Q")
        used, _, _, inodes, folders = self._unpack(view, 8, "5I")
        (count,) = self._unpack(view, 4, "I")
        self.block_size = small
        self.fragments = self.fragment_table = 0
        if self.major >= 2:
            self.block_size, self.fragments, self.fragment_table = self._unpack(view, 51, "3I")
        if self.major == 3:
            used, _, _, inodes, folders, self.fragment_table = self._unpack(view, 63, "6Q")
        self.used, self.inode_table, self.directories = used, inodes, folders
        if not 9 <= log <= 20 or self.block_size != 1 << log or not count:
            raise DecodeError("squashfs: no superblock")
        if not _SUPER[self.major] <= self.inode_table < self.directories <= self.used:
            raise DecodeError("squashfs: no tables")
        self.version = f"{self.major}.{minor}"
        self.view = view[: self.used]
        self.compressor = "zlib"
        self.meta_head = 3 if self.flags & _CHECKED else 2

    def _unpack(self, data: bytes | memoryview, at: int, fields: str) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{fields}", data, at)

    def _bits(self, raw: bytes, *widths: int) -> tuple[int, ...]:
        """Neighbouring bit fields, from the lowest bit up, or from the highest down."""
        value = int.from_bytes(raw, "little" if self.order == "<" else "big")
        left = 8 * len(raw)
        found = []
        for width in widths:
            shift = 8 * len(raw) - left if self.order == "<" else left - width
            found.append(value >> shift & ((1 << width) - 1))
            left -= width
        return tuple(found)

    def inode(self, reference: int) -> Inode:
        at, within = self.inode_table + (reference >> 16), reference & 0xFFFF
        hold = _HOLD[self.major]
        kind, mode = self._bits(self.run(at, within, hold)[:2], 4, 12)
        if self.major == 1 and kind:
            kind = (kind - 1) % _TYPES_1 + 1
        inode = Inode(kind, mode)
        within += hold
        if kind in DIRECTORY:
            inode.mode |= 0o40000
            self._folder(inode, at, within)
        elif kind in FILE:
            inode.mode |= 0o100000
            self._file(inode, at, within)
        elif kind in LINK:
            inode.mode |= 0o120000
            within += 4 if self.major == 3 else 0  # number of links
            (size,) = self._unpack(self.run(at, within, 2), 0, "H")
            inode.target = self.run(at, within + 2, min(size, 4096))
        return inode

    def _folder(self, inode: Inode, at: int, within: int) -> None:
        large = inode.kind == 8
        within += 4 if self.major == 3 else 0  # number of links
        wide = 5 if large else 4
        raw = self.run(at, within, wide + 8)
        size, inode.within = self._bits(raw[:wide], 27 if large else 19, 13)
        if self.major == 3:
            (inode.start,) = self._unpack(raw, wide, "I")
        else:  # time, then three bytes
            inode.start = int.from_bytes(
                raw[wide + 4 : wide + 7], "little" if self.order == "<" else "big"
            )
        # Version 3 counts `.` and `..` as three bytes of the list.
        inode.size = max(0, size - 3) if self.major == 3 else size

    def _file(self, inode: Inode, at: int, within: int) -> None:
        if self.major == 3:
            if inode.kind == 2:
                length = 20
                raw = self.run(at, within, length)
                inode.start, inode.fragment, inode.within, inode.size = self._unpack(raw, 0, "QIII")
            else:
                length = 28
                raw = self.run(at, within, length)
                _, inode.start, inode.fragment, inode.within, inode.size = self._unpack(
                    raw, 0, "IQIIQ"
                )
        elif self.major == 2:
            length = 20
            raw = self.run(at, within, length)
            _, inode.start, inode.fragment, inode.within, inode.size = self._unpack(raw, 0, "5I")
        else:
            length = 12
            _, inode.start, inode.size = self._unpack(self.run(at, within, length), 0, "3I")
        whole = inode.size // self.block_size
        if inode.fragment == NO_FRAGMENT and inode.size % self.block_size:
            whole += 1
        if whole * 2 > max(self.used, META) * 64:
            raise DecodeError("squashfs: more blocks than the filesystem can hold")
        if self.major == 1:
            sizes = self._unpack(self.run(at, within + length, whole * 2), 0, f"{whole}H")
            inode.blocks = tuple(_wide(size) for size in sizes)
        else:
            inode.blocks = self._unpack(self.run(at, within + length, whole * 4), 0, f"{whole}I")

    def listing(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        data = self.run(self.directories + inode.start, inode.within, inode.size)
        head, step = (9, 5) if self.major == 3 else (4, 3)
        at = 0
        while at + head <= len(data):
            if self.major == 3:
                count, start = data[at], self._unpack(data, at + 1, "I")[0]
            else:
                count, start = self._bits(data[at : at + 4], 8, 24)
            at += head
            for _ in range(count + 1):
                within, _, size = self._bits(data[at : at + 3], 13, 3, 8)
                name = data[at + step : at + step + size + 1]
                if len(name) <= size:
                    raise DecodeError("squashfs: folder ends early")
                yield name, start << 16 | within
                at += step + size + 1

    def fragment_at(self, index: int) -> tuple[int, int]:
        wide = self.major == 3
        length = 16 if wide else 8
        per = META // length
        place = self.fragment_table + index // per * (8 if wide else 4)
        (at,) = self._unpack(self.view, place, "Q" if wide else "I")
        start, size = self._unpack(
            self.run(at, index % per * length, length), 0, "QI" if wide else "II"
        )
        return start, size


def _wide(size: int) -> int:
    """The two bytes version 1 states a block in, as the four of later versions."""
    return size & 0x7FFF or 0x8000 if not size & 0x8000 else (size & 0x7FFF or 0x8000) | STORED
