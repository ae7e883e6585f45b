"""How are the files of any squashfs read, once its version says where their records lie?

The versions differ in their superblock, their inodes and their folder entries; metadata blocks, data blocks,
fragments and the walk are the same in all of them. Own reader, because it must take a slice of a mapped image, hold
one file in memory and survive tables that lie. Vendors write the wrong compressor into the superblock, so a block
that does not fit it is tried by its own first bytes.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    BROKEN,
    DEEPEST,
    Bytes,
    Member,
    inner_path,
    nothing,
    text_of,
    too_deep,
)
from camscan.observe.firmware.unpack import block
from camscan.observe.firmware.watch import NoLibraryError, PartialError, Watch

META = 8192
DIRECTORY, FILE, LINK = (1, 8), (2, 9), (3, 10)
NO_FRAGMENT = 0xFFFFFFFF
STORED = 1 << 24
"""In the size of a data block: it lies there as it is."""
_LISTING = 1 << 24
"""Bytes of one folder's list; 16 MiB hold half a million names."""
_HOPELESS = 16
"""Blocks of a file that cannot be read one after the other, until the rest is given up."""


class Inode:
    """A file, folder or link; `blocks` are sizes as the data blocks of squashfs 2 to 4 state them."""

    __slots__ = (
        "blocks",
        "fragment",
        "kind",
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
        self.fragment = NO_FRAGMENT
        self.target = b""
        self.blocks: tuple[int, ...] = ()


class Reader(ABC):
    """One filesystem: `view` begins at its superblock and ends where it ends."""

    version: str
    order: str
    """`<` or `>`, as `struct` writes it."""
    view: memoryview
    used: int
    created: int
    block_size: int
    fragments: int
    root: int
    inode_table: int
    directories: int
    fragment_table: int
    compressor: str
    meta_head = 2
    """Bytes before a metadata block."""
    entry = "Q"
    """How a place of the fragment table is written."""

    def __init__(self) -> None:
        self._metas: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    @abstractmethod
    def inode(self, reference: int) -> Inode:
        """The record a reference (block << 16 | byte) points to."""

    @abstractmethod
    def listing(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        """(name, reference of the inode) of a folder."""

    @abstractmethod
    def fragment_at(self, index: int) -> tuple[int, int]:
        """(place, size) of a block of fragments."""

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
        (head,) = struct.unpack_from(f"{self.order}H", self.view, at)
        size = head & 0x7FFF
        begin = at + self.meta_head
        raw = self.view[begin : begin + size]
        if not size or len(raw) < size or size > META:
            raise DecodeError("squashfs: metadata block out of range")
        made = (bytes(raw) if head & 0x8000 else self.expand(raw, META), begin + size)
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

    def data_block(self, at: int, size: int, limit: int) -> bytes:
        raw = self.view[at : at + (size & 0xFFFFFF)]
        if len(raw) < size & 0xFFFFFF:
            raise DecodeError("squashfs: data block out of range")
        return bytes(raw) if size & STORED else self.expand(raw, limit)

    def fragment(self, index: int) -> bytes:
        known = self._blocks.get(index)
        if known is None:
            if index >= self.fragments:
                raise DecodeError("squashfs: fragment out of range")
            start, size = self.fragment_at(index)
            known = self.data_block(start, size, self.block_size)
            self._blocks[index] = known
            if len(self._blocks) > 8:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(index)
        return known

    def content(self, inode: Inode, watch: Watch) -> bytes:
        out = bytearray()
        at = inode.start
        wrong = in_a_row = 0
        said = ""
        for size in inode.blocks:
            want = min(self.block_size, inode.size - len(out))
            try:
                if size & 0xFFFFFF:
                    out += self.data_block(at, size, self.block_size)[:want]
                else:
                    out += bytes(want)
                in_a_row = 0
            except NoLibraryError:
                raise
            except BROKEN as error:
                # Where the next block lies is known, so one that is damaged costs itself alone.
                said = said or str(error)
                wrong, in_a_row = wrong + 1, in_a_row + 1
                if in_a_row > _HOPELESS or at >= self.used:
                    raise PartialError(f"squashfs: {error}", bytes(out)) from None
                out += bytes(want)
            at += size & 0xFFFFFF
            watch.tick()
        if inode.fragment != NO_FRAGMENT and inode.size > len(out):
            want = inode.size - len(out)
            try:
                out += self.fragment(inode.fragment)[inode.within : inode.within + want]
            except NoLibraryError:
                raise
            except BROKEN as error:
                raise PartialError(f"squashfs: {error}", bytes(out)) from None
        if wrong:
            text = f"squashfs: {wrong} of {len(inode.blocks)} blocks are zeros here: {said}"
            raise PartialError(text, bytes(out))
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
        if inode.kind in DIRECTORY:
            return Member(path, "directory", nothing, 0, inode.mode), True
        if inode.kind in FILE:
            read = partial(self.content, inode, watch)
            return Member(path, "file", read, inode.size, inode.mode), False
        if inode.kind in LINK:
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
