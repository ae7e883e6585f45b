"""Is this a squashfs, of which version, byte order and compression, and what lies in it?

Layout of version 4: Linux Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h. Neither the magic
number nor the compressor a vendor writes can be trusted: the byte order is the one in which the superblock fits,
the compression the one in which the root folder can be read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import BROKEN, FILESYSTEM, Form, Found, Member
from camscan.observe.firmware.forms.squashfs_old import OldReader
from camscan.observe.firmware.forms.squashfs_reader import (
    DIRECTORY,
    FILE,
    LINK,
    META,
    NO_FRAGMENT,
    Inode,
    Reader,
)
from camscan.observe.firmware.forms.squashfs_rest import members
from camscan.observe.firmware.unpack import LZMA_GUESSES
from camscan.observe.firmware.watch import NoLibraryError, Watch

_SUPER = "4sIIIIHHHHHHQQQQQQQQ"
_SIZE = 96
_COMPRESSORS = {1: "zlib", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_NAMES = {"zlib": "gzip"}
_VARIANTS = ("zlib", "xz", "lzma", "lzma-short", "lzma-bare")
"""What chip makers' kernels write whatever the superblock says."""
_MAGICS = ("hsqs", "sqsh", "shsq", "qshs", "sqlz", "zlqs", "hsqt", "tqsh")


class _Reader(Reader):
    """Version 4."""

    version = "4.0"

    def __init__(self, view: memoryview, order: str) -> None:
        super().__init__()
        self.order = order
        fields = struct.unpack_from(f"{order}{_SUPER}", view)
        (_, count, self.created, self.block_size, self.fragments, compressor) = fields[:6]
        log, self.flags, _, major, minor, self.root, self.used = fields[6:13]
        self.inode_table, self.directories, self.fragment_table = fields[15:18]
        if self.block_size != 1 << (log & 31):
            raise DecodeError("squashfs: no superblock")
        if (major, minor) != (4, 0):
            raise DecodeError("squashfs: not version 4")
        if not 4096 <= self.block_size <= 1 << 20 or compressor not in _COMPRESSORS:
            raise DecodeError("squashfs: block size or compressor unknown")
        if self.used < _SIZE or not count or self.inode_table >= self.used:
            raise DecodeError("squashfs: no tables")
        self.view = view[: self.used]
        self.compressor = _COMPRESSORS[compressor]

    def _unpack(self, data: bytes | memoryview, at: int, fields: str) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{fields}", data, at)

    def inode(self, reference: int) -> Inode:
        at, within = self.inode_table + (reference >> 16), reference & 0xFFFF
        kind, mode = self._unpack(self.run(at, within, 16), 0, "HH")
        inode = Inode(kind, mode)
        if kind in DIRECTORY:
            body = self.run(at, within + 16, 16 if kind == 1 else 24)
            if kind == 1:
                inode.start, _, size, inode.within = self._unpack(body, 0, "IIHH")
            else:
                _, size, inode.start, _, _, inode.within = self._unpack(body, 0, "IIIIHH")
            inode.size = max(0, size - 3)  # the list counts `.` and `..` as three bytes
        elif kind in FILE:
            body = self.run(at, within + 16, 16 if kind == 2 else 40)
            if kind == 2:
                inode.start, inode.fragment, inode.within, inode.size = self._unpack(body, 0, "4I")
            else:
                inode.start, inode.size, _, _, inode.fragment, inode.within, _ = self._unpack(
                    body, 0, "QQQIIII"
                )
            whole = inode.size // self.block_size
            if inode.fragment == NO_FRAGMENT and inode.size % self.block_size:
                whole += 1
            # A block takes four bytes of the table: more than the table can hold is a lie.
            if whole * 4 > max(self.used, META) * 64:
                raise DecodeError("squashfs: more blocks than the filesystem can hold")
            raw = self.run(at, within + (32 if kind == 2 else 56), whole * 4)
            inode.blocks = self._unpack(raw, 0, f"{whole}I")
        elif kind in LINK:
            (size,) = self._unpack(self.run(at, within + 16, 8), 4, "I")
            inode.target = self.run(at, within + 24, min(size, 4096))
        return inode

    def listing(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        data = self.run(self.directories + inode.start, inode.within, inode.size)
        at = 0
        while at + 12 <= len(data):
            count, start, _ = self._unpack(data, at, "III")
            at += 12
            for _ in range(min(count + 1, 256)):
                within, _, _, size = self._unpack(data, at, "HhHH")
                yield data[at + 8 : at + 9 + size], start << 16 | within
                at += 9 + size

    def fragment_at(self, index: int) -> tuple[int, int]:
        (at,) = self._unpack(self.view, self.fragment_table + index // 512 * 8, "Q")
        start, size = self._unpack(self.run(at, index % 512 * 16, 12), 0, "QI")
        return start, size


def _readers(view: memoryview) -> Iterator[Reader]:
    for order in ("<", ">"):
        for kind in (_Reader, OldReader):
            try:
                yield kind(view, order)
            except (DecodeError, struct.error, IndexError):
                continue


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    reader = next(_readers(view[at:]), None)
    if reader is None:
        return None
    here = len(view) - at
    cut = reader.used > here
    try:
        opened = _opened(reader, watch)
    except NoLibraryError as error:
        size = min(reader.used, here)
        return Found(at, size, partial(_refuse, str(error)), "", reader.created, "squashfs")
    if not opened:
        why = "squashfs: its tables cannot be read"
        if cut:
            why = f"squashfs: {reader.used} bytes long, {here} are here"
        # The reader was tried with other compressions: what counts is what the superblock states.
        reader = next(_readers(view[at:]))
        body = view[at + _SIZE : at + min(reader.used, here)]
        rest = partial(members, body, reader.compressor, reader.block_size, why)
        return Found(at, min(_SIZE, here), rest, f"squashfs {reader.version}", 0, "squashfs")
    how = _NAMES.get(reader.compressor, reader.compressor)
    order = ", big-endian" if reader.order == ">" else ""
    label = f"squashfs {reader.version}, {how}{order}"
    damage = f"squashfs: {reader.used} bytes long, {here} are here" if cut else ""
    size = min(reader.used, here)
    return Found(at, size, reader.members, label, reader.created, "squashfs", damage)


def _opened(reader: Reader, watch: Watch) -> bool:
    """Whether the root folder can be read in some compression; the reader keeps it."""
    for kind in dict.fromkeys((reader.compressor, *_VARIANTS)):
        if _opens(reader, kind, strict=False):
            return True
    for kind in LZMA_GUESSES:
        watch.tick()
        if _opens(reader, kind, strict=True):
            return True
    return False


def _opens(reader: Reader, compressor: str, *, strict: bool) -> bool:
    """Whether the root folder can be read in this compression; `strict`: and what it names too."""
    reader.compressor = compressor
    reader.forget()
    try:
        root = reader.inode(reader.root)
        if root.kind not in DIRECTORY:
            return False
        entries = list(reader.listing(root))
        if not all(name and b"/" not in name and b"\0" not in name for name, _ in entries):
            return False
        if not strict:
            return True
        return bool(entries) and all(0 <= reader.inode(r).kind <= 14 for _, r in entries[:16])
    except NoLibraryError:
        raise
    except BROKEN:
        return False


def _refuse(why: str, watch: Watch) -> Iterator[Member]:
    del watch
    raise NoLibraryError(why)


SQUASHFS = Form("squashfs", FILESYSTEM, tuple((m, 0) for m in _MAGICS), _probe)
