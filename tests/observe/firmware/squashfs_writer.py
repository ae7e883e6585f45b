"""How is a squashfs of version 1, 2 or 3, or a big-endian 4 written? No tool of today makes one; `unsquashfs` proves most. No test in here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

META = 8192
Tree = dict[str, "bytes | str | Tree"]
"""Name -> bytes of a file, text of a link, or a folder."""


def packed(order: str, *fields: tuple[int, int]) -> bytes:
    """(value, bits) as a C compiler lays bit fields out: from the lowest bit, or from the highest."""
    total = sum(width for _, width in fields)
    value = place = 0
    for field, width in fields:
        value |= field << (place if order == "<" else total - place - width)
        place += width
    return value.to_bytes(total // 8, "little" if order == "<" else "big")


class Table:
    """Metadata blocks, each compressed as soon as it is full, so that the place of the next byte is known."""

    def __init__(self, order: str, pack: Callable[[bytes], bytes], mark: bytes) -> None:
        self.order, self.pack, self.mark = order, pack, mark
        self.out, self.open = b"", b""

    def place(self) -> tuple[int, int]:
        return len(self.out), len(self.open)

    def add(self, data: bytes) -> tuple[int, int]:
        place = self.place()
        self.open += data
        while len(self.open) >= META:
            self._flush(self.open[:META])
            self.open = self.open[META:]
        return place

    def done(self) -> bytes:
        if self.open:
            self._flush(self.open)
            self.open = b""
        return self.out

    def _flush(self, data: bytes) -> None:
        small = self.pack(data)
        stored = len(small) >= len(data)
        body = data if stored else small
        head = (len(body) & 0x7FFF) | (0x8000 if stored else 0)
        self.out += struct.pack(f"{self.order}H", head) + self.mark + body


def squashfs(
    tree: Tree,
    major: int,
    order: str = "<",
    *,
    magic: bytes | None = None,
    block_log: int = 16,
    checked: bool = False,
    pack: Callable[[bytes], bytes] = zlib.compress,
) -> bytes:
    return _Writer(tree, major, order, magic, block_log, checked, pack).image


class _Writer:
    def __init__(self, tree, major, order, magic, block_log, checked, pack) -> None:
        self.major, self.order, self.pack = major, order, pack
        self.block = 1 << block_log
        mark = b"\xff" if checked else b""
        head = {1: 51, 2: 63, 3: 119, 4: 96}[major]
        self.data = bytearray(head)
        self.inodes = Table(order, pack, mark)
        self.folders = Table(order, pack, mark)
        self.fragments: list[tuple[int, int]] = []
        self.tail = b""
        self.count = 0
        root = self._folder(tree, 0)
        self._flush_tail()
        inode_at = len(self.data)
        self.data += self.inodes.done()
        folder_at = len(self.data)
        self.data += self.folders.done()
        fragment_at = self._fragment_table(mark)
        uid_at = len(self.data)
        if major < 4:
            self.data += struct.pack(f"{order}I", 0)
        guid_at = len(self.data)
        if major < 4:
            self.data += struct.pack(f"{order}I", 0)
        used = len(self.data)
        o = order
        flags = (1 << 2) if checked else 0
        small = self.block & 0xFFFF if major != 1 else self.block
        low = (used, uid_at, guid_at, inode_at, folder_at) if major < 3 else (0, 0, 0, 0, 0)
        if major == 4:
            table = struct.pack(f"{o}H", 0x8004) + struct.pack(f"{o}I", 0)
            self.data += table + struct.pack(f"{o}Q", used)
            id_at, none = len(self.data) - 8, (1 << 64) - 1
            used = len(self.data)
            raw = (magic or (b"hsqs" if o == "<" else b"sqsh")) + struct.pack(
                f"{o}4I6H8Q", self.count, 1_300_000_000, self.block, len(self.fragments), 1, block_log, 0, 1, 4, 0,
                root, used, id_at, none, inode_at, folder_at, fragment_at if self.fragments else none, none,
            )  # fmt: skip
            self.data[:head] = raw
            self.image = bytes(self.data).ljust((used + 4095) // 4096 * 4096, b"\0")
            return
        raw = (magic or (b"hsqs" if o == "<" else b"sqsh")) + struct.pack(f"{o}I", self.count)
        raw += struct.pack(f"{o}5IHHHH", *low, major, 1 if major == 3 else 0, small, block_log)
        raw += struct.pack(f"{o}BBBIQ", flags, 1, 1, 1_300_000_000, root)
        if major >= 2:
            raw += struct.pack(
                f"{o}3I", self.block, len(self.fragments), fragment_at if major == 2 else 0
            )
        if major == 3:
            raw += struct.pack(
                f"{o}7Q", used, uid_at, guid_at, inode_at, folder_at, fragment_at, (1 << 64) - 1
            )
        assert len(raw) == head
        self.data[:head] = raw
        self.image = bytes(self.data).ljust((used + 4095) // 4096 * 4096, b"\0")

    def _number(self) -> int:
        self.count += 1
        return self.count

    def _base(self, kind: int, mode: int, number: int) -> bytes:
        o = self.order
        if self.major == 4:
            return struct.pack(f"{o}4HII", kind, mode, 0, 0, 1_300_000_000, number)
        if self.major == 1:
            return packed(o, (kind, 4), (mode, 12), (0, 4), (0, 4))
        base = packed(o, (kind, 4), (mode, 12), (0, 8), (0, 8))
        return base + (struct.pack(f"{o}II", 1_300_000_000, number) if self.major == 3 else b"")

    def _folder(self, tree, parent: int) -> int:
        """Writes everything below, then the list, then the inode; returns its reference."""
        number = self._number()
        entries: list[tuple[bytes, int, int, int]] = []
        for name, what in sorted(tree.items(), key=lambda item: item[0].encode()):
            if isinstance(what, dict):
                kind, reference, own = 1, *self._child(self._folder, what, number)
            elif isinstance(what, str):
                kind, reference, own = 3, *self._child(self._link, what, number)
            else:
                kind, reference, own = 2, *self._child(self._file, what, number)
            entries.append((name.encode(), kind, reference, own))
        place = self.folders.place()
        size = 0
        o = self.order
        while entries:
            block, first = entries[0][2] >> 16, entries[0][3]
            group = []
            while entries and entries[0][2] >> 16 == block and len(group) < 256:
                group.append(entries.pop(0))
            if self.major == 4:
                raw = struct.pack(f"{o}III", len(group) - 1, block, first)
            elif self.major == 3:
                raw = struct.pack(f"{o}BII", len(group) - 1, block, first)
            else:
                raw = packed(o, (len(group) - 1, 8), (block, 24))
            for name, kind, reference, own in group:
                if self.major == 4:
                    raw += (
                        struct.pack(
                            f"{o}HhHH", reference & 0xFFFF, own - first, kind, len(name) - 1
                        )
                        + name
                    )
                    continue
                raw += packed(o, (reference & 0xFFFF, 13), (kind, 3), (len(name) - 1, 8))
                raw += struct.pack(f"{o}h", own - first) if self.major == 3 else b""
                raw += name
            size += len(raw)
            self.folders.add(raw)
        size += 3 if self.major >= 3 else 0
        if self.major == 4:
            assert size < 1 << 16
            raw = self._base(1, 0o755, number)
            return self._add(
                raw + struct.pack(f"{o}IIHHI", place[0], 2, size, place[1], parent or number)
            )
        large = size >= 1 << 19
        raw = self._base(8 if large else 1, 0o755, number)
        bits = packed(o, (size, 27 if large else 19), (place[1], 13))
        if self.major == 3:
            raw += struct.pack(f"{o}I", 2) + bits + struct.pack(f"{o}I", place[0])
            raw += struct.pack(
                f"{o}HI" if large else f"{o}I", *((0,) if large else ()), parent or number
            )
        else:
            raw += bits + struct.pack(f"{o}I", 1_300_000_000) + packed(o, (place[0], 24))
            raw += struct.pack(f"{o}H", 0) if large else b""
        return self._add(raw)

    def _child(self, write, what, parent: int) -> tuple[int, int]:
        before = self.count
        reference = write(what, parent) if write == self._folder else write(what)
        return reference, before + 1

    def _add(self, raw: bytes) -> int:
        block, within = self.inodes.add(raw)
        return block << 16 | within

    def _link(self, target: str) -> int:
        raw = self._base(3, 0o777, self._number())
        if self.major == 4:
            return self._add(raw + struct.pack(f"{self.order}II", 1, len(target)) + target.encode())
        raw += struct.pack(f"{self.order}I", 1) if self.major == 3 else b""
        return self._add(raw + struct.pack(f"{self.order}H", len(target)) + target.encode())

    def _file(self, content: bytes) -> int:
        o = self.order
        start = len(self.data)
        whole = len(content) // self.block
        tail = content[whole * self.block :]
        fragment, within = 0xFFFFFFFF, 0
        pieces = [content[i * self.block : (i + 1) * self.block] for i in range(whole)]
        if tail and self.major > 1:
            if len(self.tail) + len(tail) > self.block:
                self._flush_tail()
                start = len(self.data)
            fragment, within = len(self.fragments), len(self.tail)
            self.tail += tail
        elif tail:
            pieces.append(tail)
        sizes = []
        for piece in pieces:
            if self.major >= 3 and not piece.strip(b"\0"):
                sizes.append((0, False))
                continue
            small = self.pack(piece)
            stored = len(small) >= len(piece)
            self.data += piece if stored else small
            sizes.append((len(piece) if stored else len(small), stored))
        raw = self._base(2, 0o755, self._number())
        if self.major == 4:
            raw += struct.pack(f"{o}4I", start, fragment, within, len(content))
        elif self.major == 3:
            raw += struct.pack(f"{o}QIII", start, fragment, within, len(content))
        elif self.major == 2:
            raw += struct.pack(f"{o}5I", 1_300_000_000, start, fragment, within, len(content))
        else:
            raw += struct.pack(f"{o}III", 1_300_000_000, start, len(content))
        for size, stored in sizes:
            if self.major == 1:
                raw += struct.pack(f"{o}H", (size & 0x7FFF) | (0x8000 if stored else 0))
            else:
                raw += struct.pack(f"{o}I", size | (1 << 24 if stored else 0))
        return self._add(raw)

    def _flush_tail(self) -> None:
        if self.tail:
            small = self.pack(self.tail)
            stored = len(small) >= len(self.tail)
            body = self.tail if stored else small
            self.fragments.append((len(self.data), len(body) | (1 << 24 if stored else 0)))
            self.data += body
            self.tail = b""

    def _fragment_table(self, mark: bytes) -> int:
        wide = self.major >= 3
        raw = b"".join(
            struct.pack(f"{self.order}QII", at, size, 0)
            if wide
            else struct.pack(f"{self.order}II", at, size)
            for at, size in self.fragments
        )
        places = []
        for i in range(0, len(raw), META):
            table = Table(self.order, self.pack, mark)
            table.add(raw[i : i + META])
            places.append(len(self.data))
            self.data += table.done()
        at = len(self.data)
        self.data += b"".join(struct.pack(f"{self.order}{'Q' if wide else 'I'}", p) for p in places)
        return at


def nested(files: dict[str, bytes], links: dict[str, str]) -> Tree:
    """Paths -> folders inside folders."""
    tree: Tree = {}
    for path, what in {**files, **links}.items():
        *folders, name = path.split("/")
        here = tree
        for folder in folders:
            here = here.setdefault(folder, {})
        here[name] = what
    return tree
