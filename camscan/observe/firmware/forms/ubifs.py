"""What lies in a ubifs filesystem?

Layout: Linux fs/ubifs/ubifs-media.h. Like jffs2 a log: every node is read, of each key the one with the highest
sequence number wins. That needs no index and reads a filesystem that was not unmounted; a name whose deletion was
already cleaned away may appear again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    BROKEN,
    FILESYSTEM,
    Form,
    Found,
    Member,
    nothing,
    text_of,
)
from camscan.observe.firmware.forms.folders import walk
from camscan.observe.firmware.unpack import block
from camscan.observe.firmware.watch import NoLibraryError, PartialError, Watch

_MAGIC = b"\x31\x18\x10\x06"
_INO, _DATA, _DENT, _TRUN, _SUPER = 0, 1, 2, 4, 6
_COMPRESSIONS = {0: "none", 1: "lzo", 2: "deflate", 3: "zstd"}
_BLOCK = 4096
_ROOT = 1
_PROVEN = 3
"""Nodes with a right checksum that make a filesystem without its superblock."""
_LOST, _ERASED = 1 << 18, 1 << 22
"""Bytes without nodes, and erased bytes, behind which such a filesystem ends."""
_ENCRYPTED = 1 << 7
"""UBIFS_CRYPT_FL is 0x80 in the flags of an inode."""


class _Ino(NamedTuple):
    sequence: int
    size: int
    mode: int
    links: int
    flags: int
    data: bytes


class _Dent(NamedTuple):
    sequence: int
    inode: int
    kind: int


class _Nodes:
    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.inodes: dict[int, _Ino] = {}
        self.names: dict[tuple[int, bytes], _Dent] = {}
        self.blocks: dict[int, dict[int, tuple[int, int]]] = {}
        self.cuts: dict[int, list[tuple[int, int]]] = {}

    def scan(self, watch: Watch) -> None:
        at = 0
        most = watch.budget.files * 64
        count = 0
        while at + 24 <= len(self.view):
            size = _node_size(self.view, at)
            if size is None:
                at = self.following(at + 8, 0, watch)
                continue
            self._take(at, size)
            count += 1
            if count > most:
                raise DecodeError("ubifs: more nodes than the budget")
            watch.tick()
            at += (size + 7) // 8 * 8

    def following(self, at: int, base: int, watch: Watch) -> int:
        """The next place at which a node may begin: a multiple of 8 from `base`, counted from there."""
        while at < len(self.view):
            watch.tick()
            piece = bytes(self.view[at : at + (1 << 16) + 3])
            hit = piece.find(_MAGIC)
            while hit >= 0 and (at + hit - base) % 8:
                hit = piece.find(_MAGIC, hit + 1)
            if hit >= 0:
                return at + hit - base
            at += 1 << 16
        return at - base

    def _take(self, at: int, size: int) -> None:
        (sequence,) = struct.unpack_from("<Q", self.view, at + 8)
        kind = self.view[at + 20]
        if size < 32:
            return  # padding has no key
        inode, rest = struct.unpack_from("<II", self.view, at + 24)
        if kind == _INO and size >= 160:
            known = self.inodes.get(inode)
            if known is None or sequence > known.sequence:
                (length,) = struct.unpack_from("<Q", self.view, at + 48)
                links, _, _, mode, flags, extra = struct.unpack_from("<6I", self.view, at + 92)
                data = bytes(self.view[at + 160 : at + 160 + min(extra, size - 160, _BLOCK)])
                self.inodes[inode] = _Ino(sequence, length, mode, links, flags, data)
        elif kind == _DENT and size >= 57:
            target, _, what, name_size = struct.unpack_from("<QBBH", self.view, at + 40)
            name = bytes(self.view[at + 56 : at + min(56 + name_size, size)])
            entry = self.names.get((inode, name))
            if entry is None or sequence > entry.sequence:
                self.names[inode, name] = _Dent(sequence, target, what)
        elif kind == _DATA and size >= 48:
            blocks = self.blocks.setdefault(inode, {})
            number = rest & 0x1FFFFFFF
            if number not in blocks or sequence > blocks[number][0]:
                blocks[number] = (sequence, at)
        elif kind == _TRUN and size >= 56:
            (length,) = struct.unpack_from("<Q", self.view, at + 48)
            self.cuts.setdefault(inode, []).append((sequence, length))

    def content(self, number: int, watch: Watch) -> bytes:
        inode = self.inodes.get(number)
        if inode is None:
            raise PartialError("ubifs: no inode of this file is left", b"")
        if inode.flags & _ENCRYPTED:
            raise DecodeError("ubifs: encrypted file")
        watch.fits(inode.size)
        out = bytearray(inode.size)
        damage = ""
        cuts = self.cuts.get(number, [])
        for index, (sequence, at) in sorted(self.blocks.get(number, {}).items()):
            watch.tick()
            begin = index * _BLOCK
            if begin >= inode.size or any(s > sequence and begin >= cut for s, cut in cuts):
                continue
            (size,) = struct.unpack_from("<I", self.view, at + 16)
            plain, how = struct.unpack_from("<IH", self.view, at + 40)
            try:
                data = block(_COMPRESSIONS[how], self.view[at + 48 : at + size], min(plain, _BLOCK))
            except NoLibraryError:
                raise
            except BROKEN as error:
                damage = str(error)
                continue
            end = min(begin + len(data), inode.size)
            out[begin:end] = data[: end - begin]
        if damage:
            raise PartialError(f"ubifs: {damage}", bytes(out))
        return bytes(out)

    def members(self, watch: Watch) -> Iterator[Member]:
        self.scan(watch)
        folders: dict[int, list[tuple[bytes, _Dent]]] = {}
        for (parent, name), entry in self.names.items():
            if entry.inode:
                folders.setdefault(parent, []).append((name, entry))
        walked: set[int] = set()
        yield from walk("", _ROOT, folders, walked, partial(self._member, watch))
        # Folders whose own name is lost, or that contain each other.
        for left in sorted(set(folders) - walked):
            yield from walk(f"#{left}", left, folders, walked, partial(self._member, watch))

    def _member(self, watch: Watch, inner: str, entry: _Dent) -> tuple[Member, int] | None:
        inode = self.inodes.get(entry.inode)
        mode = inode.mode if inode else 0
        if entry.kind == 1:
            return Member(inner, "directory", nothing, 0, mode), entry.inode
        if entry.kind == 0:
            read = partial(self.content, entry.inode, watch)
            return Member(inner, "file", read, inode.size if inode else 0, mode), entry.inode
        if entry.kind == 2:
            target = text_of(inode.data if inode else b"")
            return Member(inner, "link", nothing, 0, mode, target), entry.inode
        return None


def _node_size(view: memoryview, at: int) -> int | None:
    """Length of a node whose checksum is right."""
    if bytes(view[at : at + 4]) != _MAGIC:
        return None
    (stated,) = struct.unpack_from("<I", view, at + 4)
    (size,) = struct.unpack_from("<I", view, at + 16)
    if not 24 <= size <= min(1 << 20, len(view) - at):
        return None
    return int(size) if zlib.crc32(view[at + 8 : at + size]) ^ 0xFFFFFFFF == stated else None


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    length = _node_size(view, at)
    if length is None:
        return None
    if view[at + 20] != _SUPER:
        return _without_super(view, at, length, watch)
    _, leb_size, leb_count = struct.unpack_from("<III", view, at + 32)
    size = leb_size * leb_count
    if not 1 << 12 <= leb_size <= 1 << 22 or not leb_count:
        return None
    size = min(size, len(view) - at)
    nodes = _Nodes(view[at : at + size])
    return Found(at, size, nodes.members, "", 0, "ubifs")


def _without_super(view: memoryview, at: int, length: int, watch: Watch) -> Found | None:
    """A log whose first block is lost: its nodes follow each other, erased or padded in between."""
    end = place = at
    count = 0
    nodes = _Nodes(view)
    while place + 24 <= len(view) and place - end <= _ERASED:
        size = _node_size(view, place)
        if size is None:
            place = at + nodes.following(place + 8, at, watch)
            continue
        if place - end > _LOST and not _sparse(view[end:place]):
            break
        watch.tick()
        count += 1
        end = place + size
        place = at + (end - at + 7) // 8 * 8
    if count < _PROVEN or length > end - at:
        return None
    nodes.view = view[at:end]
    damage = "ubifs: the superblock is missing"
    return Found(at, end - at, nodes.members, "", 0, "ubifs", damage)


def _sparse(gap: memoryview) -> bool:
    """Whether most of it is erased: the blocks of the space map hold little and no nodes."""
    return float((np.frombuffer(gap, np.uint8) == 0xFF).mean()) > 0.5


UBIFS = Form("ubifs", FILESYSTEM, ((r"\x31\x18\x10\x06", 0),), _probe)
