"""Where does a jffs2 filesystem begin and end in a flash dump, and what lies in it?

Layout: Linux include/uapi/linux/jffs2.h. A log of nodes: of every file the nodes with the highest version
win, an entry with inode 0 deletes a name. Two partitions that follow each other are told apart by their
versions: within one filesystem an inode has one node of each version.
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
    pattern,
    text_of,
)
from camscan.observe.firmware.forms.folders import walk
from camscan.observe.firmware.unpack import block, raw_lzma
from camscan.observe.firmware.watch import NoLibraryError, PartialError, Watch

_DIRENT, _INODE, _MARK = 0xE001, 0xE002, 0x2003
_KNOWN = {_DIRENT, _INODE, _MARK, 0x2004, 0x2006, 0xE008, 0xE009}
_COMPRESSIONS = {0: "none", 2: "rtime", 4: "none", 6: "zlib", 7: "lzo"}
_ZERO, _LZMA = 1, 8
_NODE = 1 << 18
"""Bytes of the longest node: one erase block."""
_DATA = 1 << 17
"""Expanded bytes of one node; Linux writes one page."""
_LOST = 1 << 16
"""Bytes that may follow a node without being nodes: one erase block that was being written."""
_ERASED = 1 << 22
"""Erased bytes that may lie between two nodes."""
_GAP = 1 << 12
"""Bytes without nodes after which an erase block begins, where nothing marks it."""
_ROOT = 1
_EVERY = {
    "<": pattern(r"\x85\x19(?:\x01\xe0|\x02\xe0|\x03\x20|\x04\x20|\x06\x20|\x08\xe0|\x09\xe0)"),
    ">": pattern(r"\x19\x85(?:\xe0\x01|\xe0\x02|\x20\x03|\x20\x04|\x20\x06|\xe0\x08|\xe0\x09)"),
}


class _Entry(NamedTuple):
    version: int
    inode: int
    kind: int


class _Log:
    """The nodes of one partition."""

    def __init__(self, view: memoryview, order: str) -> None:
        self.view = view
        self.order = order
        self.names: dict[tuple[int, bytes], _Entry] = {}
        self.nodes: dict[int, list[tuple[int, int]]] = {}
        self.seen: dict[tuple[int, int, int], int] = {}
        self.broken = 0

    def take(self, kind: int, at: int, size: int) -> bool:
        """Keep a node; False if it belongs to another partition."""
        if kind == _DIRENT and size >= 40:
            return self._dirent(at, size)
        if kind == _INODE and size >= 68:
            return self._inode(at)
        return True

    def _unique(self, key: tuple[int, int, int], checksum: int) -> bool:
        return self.seen.setdefault(key, checksum) == checksum

    def _dirent(self, at: int, size: int) -> bool:
        parent, version, inode, _, name_size, kind = struct.unpack_from(
            f"{self.order}IIIIBB", self.view, at + 12
        )
        node_sum, name_sum = struct.unpack_from(f"{self.order}II", self.view, at + 32)
        name = bytes(self.view[at + 40 : at + 40 + name_size])
        if _sum(self.view[at : at + 32]) != node_sum or 40 + name_size > size:
            self.broken += 1
            return True
        if _sum(name) != name_sum:
            self.broken += 1
            return True
        if not self._unique((_DIRENT, parent, version), node_sum):
            return False
        known = self.names.get((parent, name))
        if known is None or version >= known.version:
            self.names[parent, name] = _Entry(version, inode, kind)
        return True

    def _inode(self, at: int) -> bool:
        inode, version = struct.unpack_from(f"{self.order}II", self.view, at + 12)
        (node_sum,) = struct.unpack_from(f"{self.order}I", self.view, at + 64)
        if _sum(self.view[at : at + 60]) != node_sum:
            self.broken += 1
            return True
        if not self._unique((_INODE, inode, version), node_sum):
            return False
        self.nodes.setdefault(inode, []).append((version, at))
        return True

    def content(self, inode: int, watch: Watch) -> tuple[bytes, int]:
        """(bytes, mode) of a file: its nodes laid over each other in the order of their versions."""
        out = bytearray()
        mode = 0
        damage = ""
        for _, at in sorted(self.nodes.get(inode, ())):
            watch.tick()
            mode, _, _, size = struct.unpack_from(f"{self.order}IHHI", self.view, at + 20)
            offset, packed, plain, how = struct.unpack_from(f"{self.order}IIIB", self.view, at + 44)
            (data_sum,) = struct.unpack_from(f"{self.order}I", self.view, at + 60)
            watch.fits(max(size, offset + plain))
            if plain > _DATA:
                damage = "a node is longer than an erase block"
                continue
            raw = self.view[at + 68 : at + 68 + packed]
            if _sum(raw) != data_sum:
                damage = "the checksum of a node is wrong"
                continue
            try:
                data = _expanded(how, raw, plain)
            except NoLibraryError:
                raise
            except BROKEN as error:
                damage = str(error)
                continue
            if offset > len(out):
                out += bytes(offset - len(out))
            out[offset : offset + len(data)] = data
            if size < len(out):
                del out[size:]
            elif size > len(out):
                out += bytes(size - len(out))
        if damage:
            raise PartialError(f"jffs2: {damage}", bytes(out))
        if inode not in self.nodes:
            raise PartialError("jffs2: no node of this file is left", b"")
        return bytes(out), mode

    def mode(self, inode: int) -> int:
        nodes = self.nodes.get(inode)
        if not nodes:
            return 0
        return int(struct.unpack_from(f"{self.order}I", self.view, max(nodes)[1] + 20)[0])

    def size(self, inode: int) -> int:
        nodes = self.nodes.get(inode)
        if not nodes:
            return 0
        return int(struct.unpack_from(f"{self.order}I", self.view, max(nodes)[1] + 28)[0])

    def members(self, watch: Watch) -> Iterator[Member]:
        folders: dict[int, list[tuple[bytes, _Entry]]] = {}
        for (parent, name), entry in self.names.items():
            if entry.inode:
                folders.setdefault(parent, []).append((name, entry))
        children = {e.inode for entries in folders.values() for _, e in entries}
        roots = [(f"#{i}", i) for i in sorted(folders) if i != _ROOT and i not in children]
        walked: set[int] = set()
        for label, root in [("", _ROOT), *roots]:
            yield from walk(label, root, folders, walked, partial(self._member, watch))
        # Folders that contain each other have no root: they are listed from any of them.
        for left in sorted(set(folders) - walked):
            yield from walk(f"#{left}", left, folders, walked, partial(self._member, watch))
        if self.broken:
            raise DecodeError(f"jffs2: {self.broken} nodes with a wrong checksum were left out")

    def _member(self, watch: Watch, inner: str, entry: _Entry) -> tuple[Member, int] | None:
        inode, mode = entry.inode, self.mode(entry.inode)
        if entry.kind == 4:
            return Member(inner, "directory", nothing, 0, mode), inode
        if entry.kind == 8:
            read = partial(self._file, inode, watch)
            return Member(inner, "file", read, self.size(inode), mode), inode
        if entry.kind == 10:
            target = text_of(self._target(inode, watch))
            return Member(inner, "link", nothing, 0, mode, target), inode
        return None

    def _file(self, inode: int, watch: Watch) -> bytes:
        return self.content(inode, watch)[0]

    def _target(self, inode: int, watch: Watch) -> bytes:
        try:
            return self.content(inode, watch)[0][:4096]
        except PartialError as error:
            return bytes(error.data[:4096])


def _sum(data: bytes | memoryview) -> int:
    """CRC-32 as jffs2 has it: begins with 0 and is not inverted."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def _expanded(how: int, raw: memoryview, plain: int) -> bytes:
    if how == _ZERO:
        return bytes(plain)
    if how == _LZMA:  # as OpenWrt and many SDKs patch it in: no header, no literal context
        return raw_lzma(raw, plain, lc=0, lp=0, pb=0, dictionary=0x2000)
    kind = _COMPRESSIONS.get(how)
    if kind is None:
        raise DecodeError(f"compression {how} is not read")
    return block(kind, raw, plain)


def _header(view: memoryview, at: int, order: str) -> tuple[int, int] | None:
    """(kind, length) of a node whose header checksum is right."""
    if at + 12 > len(view):
        return None
    magic, kind, size, stated = struct.unpack_from(f"{order}HHII", view, at)
    if magic != 0x1985 or kind not in _KNOWN or not 12 <= size <= _NODE:
        return None
    return (kind, size) if _sum(view[at : at + 8]) == stated else None


def _next(view: memoryview, end: int, order: str) -> tuple[int, tuple[int, int]] | None:
    """The next node of the same partition behind `end`."""
    at = (end + 3) // 4 * 4
    header = _header(view, at, order)
    if header is not None:
        return at, header
    stop = min(at + _ERASED, len(view))
    while True:
        hit = _EVERY[order].search(view, at, stop)
        if hit is None:
            return None
        at = hit.start()
        header = _header(view, at, order) if not at % 4 else None
        if header is not None:
            break
        at += 1
    if at - end > _LOST and not _erased(view[end:at]):
        return None
    return at, header


def _erased(view: memoryview) -> bool:
    return bool(np.frombuffer(view, np.uint8).min() == 0xFF)


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    order = "<" if view[at] == 0x85 else ">"
    header = _header(view, at, order)
    if header is None:
        return None
    log = _Log(view, order)
    place: int | None = at
    end = start = at
    most = watch.budget.files * 8
    damage = ""
    while place is not None and header is not None:
        kind, size = header
        if len(log.seen) > most:
            damage = "jffs2: more nodes than the budget"
            break
        if place + size > len(view):
            damage = "jffs2: the last node is cut off"
            break
        if kind == _MARK or place - end > _GAP:
            start = place
        if not log.take(kind, place, size):
            # Another partition: it began with this erase block, or, if that is the first one, here.
            end = start if start > at else place
            log = _again(view, order, at, end)
            break
        end = place + size
        watch.tick()
        step = _next(view, end, order)
        if step is None:
            break
        place, header = step
    if not log.names and not log.nodes:
        if end - at < 24 or _erased(view[at + 12 : end]):
            return None if header[0] != _MARK else Found(at, end - at, _empty, "", 0, "jffs2")
        return None
    log.seen.clear()
    label = "little-endian" if order == "<" else "big-endian"
    return Found(at, end - at, log.members, label, 0, "jffs2", damage)


def _again(view: memoryview, order: str, at: int, end: int) -> _Log:
    """The nodes of [at, end)."""
    log = _Log(view, order)
    header = _header(view, at, order)
    while header is not None and at + header[1] <= end:
        log.take(header[0], at, header[1])
        step = _next(view[:end], at + header[1], order)
        if step is None:
            break
        at, header = step
    return log


def _empty(watch: Watch) -> Iterator[Member]:
    del watch
    yield from ()


JFFS2 = Form(
    "jffs2",
    FILESYSTEM,
    (
        (r"\x85\x19[\x01-\x03][\xe0\x20]", 0),
        (r"\x19\x85[\xe0\x20][\x01-\x03]", 0),
    ),
    _probe,
)
