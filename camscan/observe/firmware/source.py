"""How are the bytes of an image or of an extracted tree reached without copying them?

Files are mapped, so a large image costs address space and not memory. The holes of a sparse file are known from
the file system (SEEK_DATA) and never read. Links are records: neither a link nor a device of a tree is opened.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from camscan.observe.firmware.form import Bytes, Member, nothing, text_of
from camscan.observe.firmware.form import inner_path as cleaned

_MAPPED = 1 << 26
"""Bytes from which a file of a tree is mapped instead of read: a map has a cost for each page that is touched."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_ZEROS = memoryview(bytes(1 << 22))
_DEEPEST = 256
"""Folders inside folders of a tree."""


class Source:
    """Bytes, and which parts of them hold data."""

    __slots__ = ("extents", "view")

    def __init__(
        self, view: memoryview, extents: tuple[tuple[int, int], ...] | None = None
    ) -> None:
        self.view = view
        self.extents = ((0, len(view)),) if extents is None else extents

    def pieces(self) -> Iterator[Bytes]:
        """All bytes in order, a few megabytes at a time; holes are not read from disk."""
        at = 0
        for low, high in (*self.extents, (len(self.view), len(self.view))):
            while at < low:
                size = min(low - at, len(_ZEROS))
                yield _ZEROS[:size]
                at += size
            while at < high:
                size = min(high - at, len(_ZEROS))
                yield self.view[at : at + size]
                at += size

    def parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What of [start, end) holds data."""
        for low, high in self.extents:
            if low < end and high > start:
                yield max(low, start), min(high, end)


def map_file(path: Path) -> Source:
    """The file as it lies on disk; OSError where it cannot be read."""
    descriptor = os.open(path, _FLAGS)  # not blocking: a pipe without a writer would wait for ever
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if not status.st_size:
            return Source(memoryview(b""))
        extents = tuple(_extents(descriptor, status.st_size))
        mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    return Source(memoryview(mapped), extents)


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # ENXIO: only a hole follows
                yield at, size
            return
        yield start, end
        at = end


def walk_tree(root: Path, refused: Callable[[str, OSError], None], most: int) -> Iterator[Member]:
    """Everything below a folder, sorted by name; what may not be read is handed to `refused`.

    Of one folder no more than `most` + 1 names are taken: enough for the budget to end it.
    """
    stack: list[tuple[bytes, str, int]] = [(os.fsencode(root), "", 0)]
    while stack:
        folder, inner, depth = stack.pop()
        try:
            with os.scandir(folder) as listing:
                children = sorted(islice(listing, most + 1), key=lambda child: child.name)
        except OSError as error:
            refused(inner, error)
            continue
        below = []
        for child in children:
            name = cleaned(text_of(child.name))
            path = f"{inner}/{name}" if inner else name
            try:
                status = child.stat(follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    target = text_of(os.fsencode(Path(os.fsdecode(child.path)).readlink()))
                    yield Member(path, "link", nothing, 0, status.st_mode, target)
                elif stat.S_ISDIR(status.st_mode):
                    yield Member(path, "directory", nothing, 0, status.st_mode)
                    if depth + 1 >= _DEEPEST:
                        refused(path, OSError(errno.ELOOP, f"deeper than {_DEEPEST} folders"))
                    else:
                        below.append((child.path, path, depth + 1))
                elif stat.S_ISREG(status.st_mode):
                    read = partial(_read, child.path)
                    yield Member(path, "file", read, status.st_size, status.st_mode)
            except OSError as error:
                refused(path, error)
        stack.extend(reversed(below))


def _read(path: bytes) -> Bytes:
    descriptor = os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if status.st_size >= _MAPPED:
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        return os.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)
