"""What lies in a FAT12, FAT16 or FAT32 filesystem?

Layout: Microsoft FAT32 File System Specification 1.03. Own reader: pyfatfs wants a file object and writes.
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
)
from camscan.observe.firmware.watch import BudgetError, PartialError, Watch

_LISTING = 1 << 22
_LONG, _LABEL, _FOLDER = 0x0F, 0x08, 0x10


class _Item(NamedTuple):
    name: str
    folder: bool
    cluster: int
    size: int


class _Reader:
    def __init__(self, view: memoryview) -> None:
        (
            self.sector,
            per_cluster,
            reserved,
            tables,
            self.root_entries,
            total,
            media,
            table_size,
        ) = struct.unpack_from("<HBHBHHBH", view, 11)
        if self.sector not in {512, 1024, 2048, 4096} or per_cluster & (per_cluster - 1):
            raise DecodeError("fat: no boot sector")
        if not per_cluster or not reserved or tables not in {1, 2} or media < 0xF0:
            raise DecodeError("fat: no boot sector")
        total = total or struct.unpack_from("<I", view, 32)[0]
        wide = not table_size
        table_size = table_size or struct.unpack_from("<I", view, 36)[0]
        self.cluster = self.sector * per_cluster
        self.root_at = (reserved + tables * table_size) * self.sector
        root_bytes = self.root_entries * 32
        self.data_at = self.root_at + (root_bytes + self.sector - 1) // self.sector * self.sector
        self.size = total * self.sector
        if not table_size or self.data_at >= self.size:
            raise DecodeError("fat: no room for data")
        self.count = (self.size - self.data_at) // self.cluster
        self.bits = 12 if self.count < 4085 else 16 if self.count < 65525 else 32
        if wide != (self.bits == 32) and wide:
            self.bits = 32
        self.root = struct.unpack_from("<I", view, 44)[0] if self.bits == 32 else 0
        self.table = view[reserved * self.sector : (reserved + table_size) * self.sector]
        self.view = view[: self.size]
        place = 71 if self.bits == 32 else 43
        self.label = text_of(bytes(view[place : place + 11])).strip()
        if self.table[0] != media:
            raise DecodeError("fat: table does not begin with the medium")

    def after(self, cluster: int) -> int:
        if self.bits == 12:
            (pair,) = struct.unpack_from("<H", self.table, cluster * 3 // 2)
            return int(pair >> 4 if cluster & 1 else pair & 0xFFF)
        if self.bits == 16:
            return int(struct.unpack_from("<H", self.table, cluster * 2)[0])
        return int(struct.unpack_from("<I", self.table, cluster * 4)[0] & 0x0FFFFFFF)

    def chain(self, cluster: int, size: int, watch: Watch) -> bytes:
        """The bytes of a chain, at most `size`; a chain that comes back to itself ends by its size."""
        out = bytearray()
        try:
            while len(out) < size:
                if not 2 <= cluster < self.count + 2:
                    raise DecodeError("chain ends early")
                at = self.data_at + (cluster - 2) * self.cluster
                raw = self.view[at : at + self.cluster]
                out += raw
                if len(raw) < self.cluster and len(out) < size:
                    raise DecodeError("cluster out of range")
                watch.tick()
                cluster = self.after(cluster)
        except BudgetError:
            raise
        except BROKEN as error:
            raise PartialError(f"fat: {error}", bytes(out[:size])) from None
        return bytes(out[:size])

    def folder(self, cluster: int, watch: Watch) -> bytes:
        if not cluster:
            return bytes(self.view[self.root_at : self.root_at + self.root_entries * 32])
        try:
            return self.chain(cluster, _LISTING, watch)
        except PartialError as error:
            return bytes(error.data)  # a folder has no size: it ends with its chain

    def items(self, data: bytes) -> Iterator[_Item]:
        long: dict[int, bytes] = {}
        for at in range(0, len(data) - 31, 32):
            raw = data[at : at + 32]
            if not raw[0]:
                return
            if raw[0] == 0xE5:
                long.clear()
                continue
            flags = raw[11]
            if flags & 0x3F == _LONG:
                long[raw[0] & 0x1F] = raw[1:11] + raw[14:26] + raw[28:32]
                continue
            if flags & _LABEL:
                long.clear()
                continue
            high, low, size = struct.unpack_from("<H4xHI", raw, 20)
            cluster = low | (high << 16 if self.bits == 32 else 0)
            name = _long_name(long) or _short_name(raw)
            long.clear()
            if name not in {".", ".."}:
                yield _Item(name, bool(flags & _FOLDER), cluster, size)

    def members(self, watch: Watch) -> Iterator[Member]:
        stack: list[tuple[str, int, int]] = [("", self.root, 0)]
        walked: set[int] = set()
        while stack:
            path, cluster, depth = stack.pop()
            if cluster in walked:
                continue
            walked.add(cluster)
            below = []
            for item in self.items(self.folder(cluster, watch)):
                inner = inner_path(f"{path}/{item.name.replace('/', '_')}")
                if item.folder:
                    yield Member(inner, "directory", nothing)
                    if depth >= DEEPEST:
                        yield Member(inner, "file", too_deep)
                    elif item.cluster:
                        below.append((inner, item.cluster, depth + 1))
                else:
                    read = partial(self._file, item, watch)
                    yield Member(inner, "file", read, item.size)
            stack.extend(reversed(below))

    def _file(self, item: _Item, watch: Watch) -> bytes:
        return self.chain(item.cluster, item.size, watch) if item.size else b""


def _long_name(parts: dict[int, bytes]) -> str:
    raw = b"".join(parts[i] for i in sorted(parts))
    text = raw.decode("utf-16-le", "replace").split("\0", 1)[0]
    return text_of(text.encode("utf-8", "replace"))


def _short_name(raw: bytes) -> str:
    stem = (b"\xe5" if raw[0] == 5 else raw[:1]) + raw[1:8]
    stem, extension = stem.rstrip(), raw[8:11].rstrip()
    # Byte 12: the parts that are written in small letters.
    stem = stem.lower() if raw[12] & 8 else stem
    extension = extension.lower() if raw[12] & 16 else extension
    return text_of(stem + b"." + extension if extension else stem)


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    if bytes(view[at + 510 : at + 512]) != b"\x55\xaa":
        return None
    reader = _Reader(view[at:])
    size = min(reader.size, len(view) - at)
    damage = "fat: the end is missing" if size < reader.size else ""
    return Found(
        at, size, reader.members, f"FAT{reader.bits} {reader.label}".strip(), 0, "fat", damage
    )


FAT = Form("fat", FILESYSTEM, ((r"\xeb[\x00-\x7f]\x90[ -~]{8}\x00[\x02\x04\x08\x10]", 0),), _probe)
