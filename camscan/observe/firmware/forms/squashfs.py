"""What lies in a squashfs 4 filesystem?

Layout: Linux Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h. Own reader, because it must
take a slice of a mapped image, hold one file in memory and survive tables that lie. Vendors write the wrong
compressor into the superblock, so a block that does not fit it is tried by its own first bytes.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    BROKEN,
    DEEPEST,
    FILESYSTEM,
    Bytes,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
    too_deep,
)
from camscan.observe.firmware.unpack import block
from camscan.observe.firmware.watch import NoLibraryError, PartialError, Watch

_SUPER = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_COMPRESSORS = {1: "zlib", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_NAMES = {"zlib": "gzip"}
_VARIANTS = ("lzma-short", "lzma-bare")
"""What chip makers' kernels write where the superblock says gzip or lzma."""
_META = 8192
_DIRECTORY, _FILE, _LINK = (1, 8), (2, 9), (3, 10)
_LISTING = 1 << 24
"""Bytes of one folder's list; 16 MiB hold half a million names."""
_NO_FRAGMENT = 0xFFFFFFFF
_SPARSE_STEP = 1 << 20


class _Inode:
    __slots__ = (
        "blocks",
        "fragment",
        "kind",
        "list_at",
        "mode",
        "size",
        "start",
        "target",
        "within",
    )

    def __init__(self, kind: int, mode: int) -> None:
        self.kind = kind
        self.mode = mode
        self.size = self.start = self.within = 0
        self.fragment = _NO_FRAGMENT
        self.target = b""
        self.blocks: tuple[int, ...] = ()
        self.list_at = 0


class _Reader:
    """One filesystem: `view` begins at its superblock and ends where it ends."""

    def __init__(self, view: memoryview) -> None:
        fields = _SUPER.unpack_from(view)
        (magic, self.inodes, self.created, self.block_size, self.fragments, compressor) = fields[:6]
        self.block_log, self.flags, _, major, minor, self.root, self.used = fields[6:13]
        self.inode_table, self.directories, self.fragment_table = fields[15:18]
        if magic not in _MAGICS or self.block_size != 1 << (self.block_log & 31):
            raise DecodeError("squashfs: no superblock")
        if (major, minor) != (4, 0):
            raise DecodeError("squashfs: not version 4")
        if not 4096 <= self.block_size <= 1 << 20 or compressor not in _COMPRESSORS:
            raise DecodeError("squashfs: block size or compressor unknown")
        if self.used < _SUPER.size or not self.inodes or self.inode_table >= self.used:
            raise DecodeError("squashfs: no tables")
        self.view = view[: self.used]
        self.compressor = _COMPRESSORS[compressor]
        self._metas: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def expand(self, data: memoryview, limit: int) -> bytes:
        try:
            return block(self.compressor, data, limit)
        except NoLibraryError:
            raise
        except BROKEN:
            other = _sniffed(data)
            if other in {None, self.compressor}:
                raise
            out = block(str(other), data, limit)
            self.compressor = str(other)
            return out

    def forget(self) -> None:
        """Drop what was expanded."""
        self._metas.clear()
        self._blocks.clear()

    def meta(self, at: int) -> tuple[bytes, int]:
        """The metadata block at a place, and where the next begins."""
        known = self._metas.get(at)
        if known is not None:
            self._metas.move_to_end(at)
            return known
        (head,) = struct.unpack_from("<H", self.view, at)
        size = head & 0x7FFF
        raw = self.view[at + 2 : at + 2 + size]
        if not size or len(raw) < size or size > _META:
            raise DecodeError("squashfs: metadata block out of range")
        made = (bytes(raw) if head & 0x8000 else self.expand(raw, _META), at + 2 + size)
        self._metas[at] = made
        if len(self._metas) > 128:
            self._metas.popitem(last=False)
        return made

    def run(self, at: int, within: int, size: int) -> bytes:
        """`size` bytes of metadata from byte `within` of the block at `at`, across blocks."""
        if size > _LISTING:
            raise DecodeError("squashfs: folder too large")
        out = bytearray()
        while len(out) < size:
            data, at = self.meta(at)
            if within >= len(data):
                within -= len(data)  # a record begins in one block and goes on in the next
                continue
            out += data[within : within + size - len(out)]
            within = 0
        return bytes(out)

    def inode(self, reference: int) -> _Inode:
        at, within = self.inode_table + (reference >> 16), reference & 0xFFFF
        kind, mode = struct.unpack("<HH", self.run(at, within, 16)[:4])
        inode = _Inode(kind, mode)
        if kind in _DIRECTORY:
            body = self.run(at, within + 16, 16 if kind == 1 else 24)
            if kind == 1:
                inode.start, _, size, inode.within = struct.unpack_from("<IIHH", body)
            else:
                _, size, inode.start, _, _, inode.within = struct.unpack_from("<IIIIHH", body)
            inode.size = max(0, size - 3)  # the list counts `.` and `..` as three bytes
        elif kind in _FILE:
            body = self.run(at, within + 16, 16 if kind == 2 else 40)
            if kind == 2:
                inode.start, inode.fragment, inode.within, inode.size = struct.unpack("<4I", body)
            else:
                inode.start, inode.size, _, _, inode.fragment, inode.within, _ = struct.unpack(
                    "<QQQIIII", body
                )
            whole = inode.size // self.block_size
            if inode.fragment == _NO_FRAGMENT and inode.size % self.block_size:
                whole += 1
            # A block takes four bytes of the table: more than the table can hold is a lie.
            if whole * 4 > max(self.used, _META) * 64:
                raise DecodeError("squashfs: more blocks than the filesystem can hold")
            raw = self.run(at, within + (32 if kind == 2 else 56), whole * 4)
            inode.blocks = struct.unpack(f"<{whole}I", raw)
        elif kind in _LINK:
            (size,) = struct.unpack("<4xI", self.run(at, within + 16, 8))
            inode.target = self.run(at, within + 24, min(size, 4096))
        return inode

    def listing(self, inode: _Inode) -> Iterator[tuple[bytes, int]]:
        """(name, reference of the inode) of a folder."""
        data = self.run(self.directories + inode.start, inode.within, inode.size)
        at = 0
        while at + 12 <= len(data):
            count, start, _ = struct.unpack_from("<III", data, at)
            at += 12
            for _ in range(min(count + 1, 256)):
                within, _, _, size = struct.unpack_from("<HhHH", data, at)
                yield data[at + 8 : at + 9 + size], start << 16 | within
                at += 9 + size

    def data_block(self, at: int, size: int, limit: int) -> bytes:
        raw = self.view[at : at + (size & 0xFFFFFF)]
        if len(raw) < size & 0xFFFFFF:
            raise DecodeError("squashfs: data block out of range")
        return bytes(raw) if size & 0x1000000 else self.expand(raw, limit)

    def fragment(self, index: int) -> bytes:
        known = self._blocks.get(index)
        if known is None:
            if index >= self.fragments:
                raise DecodeError("squashfs: fragment out of range")
            (at,) = struct.unpack_from("<Q", self.view, self.fragment_table + index // 512 * 8)
            start, size = struct.unpack("<QI", self.run(at, index % 512 * 16, 12))
            known = self.data_block(start, size, self.block_size)
            self._blocks[index] = known
            if len(self._blocks) > 8:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(index)
        return known

    def content(self, inode: _Inode, watch: Watch) -> bytes:
        out = bytearray()
        at = inode.start
        try:
            for size in inode.blocks:
                want = min(self.block_size, inode.size - len(out))
                if size & 0xFFFFFF:
                    out += self.data_block(at, size, self.block_size)[:want]
                    at += size & 0xFFFFFF
                else:
                    out += bytes(want)
                watch.tick()
            if inode.fragment != _NO_FRAGMENT and inode.size > len(out):
                want = inode.size - len(out)
                out += self.fragment(inode.fragment)[inode.within : inode.within + want]
        except NoLibraryError:
            raise
        except BROKEN as error:
            raise PartialError(f"squashfs: {error}", bytes(out)) from None
        if len(out) < inode.size:
            raise PartialError("squashfs: file ends early", bytes(out))
        return bytes(out)

    def members(self, watch: Watch) -> Iterator[Member]:
        stack: list[tuple[str, int, tuple[int, ...]]] = [("", self.root, ())]
        damage: Exception | None = None
        while stack:
            path, reference, above = stack.pop()
            below = []
            try:
                for name, child in self.listing(self.inode(reference)):
                    inner = inner_path(f"{path}/{text_of(name).replace('/', '_')}")
                    member, is_folder = self._member(inner, child, watch)
                    if member is not None:
                        yield member
                    if is_folder and child not in above and child != reference:
                        if len(above) < DEEPEST:
                            below.append((inner, child, (*above, reference)))
                        else:
                            yield Member(inner, "file", too_deep)
            except NoLibraryError:
                raise
            except BROKEN as error:
                if not hasattr(error, "final"):
                    damage = damage or error
                else:
                    raise
            stack.extend(reversed(below))
        if damage is not None:
            raise DecodeError(f"a folder could not be read: {damage}")

    def _member(self, path: str, reference: int, watch: Watch) -> tuple[Member | None, bool]:
        try:
            inode = self.inode(reference)
        except NoLibraryError:
            raise
        except BROKEN as error:
            return Member(path, "file", partial(_raise, error)), False
        if inode.kind in _DIRECTORY:
            return Member(path, "directory", nothing, 0, inode.mode), True
        if inode.kind in _FILE:
            read = partial(self.content, inode, watch)
            return Member(path, "file", read, inode.size, inode.mode), False
        if inode.kind in _LINK:
            return Member(path, "link", nothing, 0, inode.mode, text_of(inode.target)), False
        return None, False


def _raise(error: Exception) -> Bytes:
    raise DecodeError(f"squashfs: {error}")


def _sniffed(data: memoryview) -> str | None:
    head = bytes(data[:6])
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    if head[:1] in {b"\x5d", b"\x6d"} and head[1:3] == b"\0\0":
        return "lzma"
    if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return None


_MAGICS = {b"hsqs", b"sqsh", b"shsq", b"qshs"}


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    head = view[at : at + _SUPER.size]
    version = _old_version(head)
    if version:
        return version._replace(at=at) if version.size <= len(view) - at else None
    reader = _Reader(view[at:])
    if reader.used > len(view) - at:
        why = f"squashfs: {reader.used} bytes long, {len(view) - at} are here"
        return Found(at, _SUPER.size, partial(_cut_off, why), "", 0, "squashfs")
    try:
        opened = any(_opens(reader, kind) for kind in (reader.compressor, *_VARIANTS))
    except NoLibraryError as error:
        return Found(at, reader.used, partial(_refuse, str(error)), "", reader.created, "squashfs")
    if not opened:
        why = "squashfs: its tables cannot be read"
        return Found(at, _SUPER.size, partial(_cut_off, why), "", 0, "squashfs")
    form = _NAMES.get(reader.compressor, reader.compressor)
    return Found(
        at, reader.used, reader.members, f"squashfs 4.0, {form}", reader.created, "squashfs"
    )


def _opens(reader: _Reader, compressor: str) -> bool:
    """Whether the root folder can be read in this compression."""
    reader.compressor = compressor
    reader.forget()
    try:
        root = reader.inode(reader.root)
        if root.kind not in _DIRECTORY:
            return False
        return all(name and b"/" not in name for name, _ in reader.listing(root))
    except NoLibraryError:
        raise
    except BROKEN:
        return False


def _refuse(why: str, watch: Watch) -> Iterator[Member]:
    del watch
    raise NoLibraryError(why)


def _cut_off(why: str, watch: Watch) -> Iterator[Member]:
    del watch
    raise DecodeError(why)


def _old_version(head: memoryview) -> Found | None:
    """Squashfs 1 to 3 by its own superblock: known, and said to be not read."""
    for order, magic in (("<", b"hsqs"), (">", b"sqsh")):
        if bytes(head[:4]) != magic:
            continue
        major, minor = struct.unpack_from(f"{order}HH", head, 28)
        block_log = struct.unpack_from(f"{order}H", head, 34)[0]
        if major == 3 and minor <= 1 and 12 <= block_log <= 20:
            (created,) = struct.unpack_from(f"{order}I", head, 39)
            (used,) = struct.unpack_from(f"{order}Q", head, 63)
            if used > _SUPER.size:
                why = f"squashfs {major}.{minor} is not read"
                return Found(0, used, partial(_refuse, why), why, created, "squashfs")
    return None


SQUASHFS = Form(
    "squashfs", FILESYSTEM, (("hsqs", 0), ("sqsh", 0), ("shsq", 0), ("qshs", 0)), _probe
)
