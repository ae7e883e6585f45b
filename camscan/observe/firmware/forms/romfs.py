"""What lies in a romfs filesystem?

Layout: Linux Documentation/filesystems/romfs.rst: big-endian, every header and file padded to 16 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from camscan.observe.firmware.form import (
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
from camscan.observe.firmware.watch import PartialError, Watch

_DIRECTORY, _FILE, _LINK = 1, 2, 3
_NAME = 1024


def _padded(size: int) -> int:
    return (size + 15) // 16 * 16


def _name(view: memoryview, at: int) -> tuple[bytes, int]:
    """(name, where the data begins)."""
    raw = zero_ended(view[at : at + _NAME])
    return raw, at + _padded(len(raw) + 1)


def _members(view: memoryview, first: int, watch: Watch) -> Iterator[Member]:
    stack = [("", first, 0)]
    seen: set[int] = set()
    while stack:
        path, at, depth = stack.pop()
        while at:
            watch.tick()
            if at in seen:
                break
            seen.add(at)
            link, spec, size, _ = struct.unpack_from(">IIII", view, at)
            raw, data_at = _name(view, at + 16)
            kind = link & 7
            if raw not in {b".", b".."}:
                inner = inner_path(f"{path}/{text_of(raw).replace('/', '_')}")
                mode = 0o755 if link & 8 else 0o644
                data = view[data_at : data_at + size]
                if kind == _DIRECTORY:
                    yield Member(inner, "directory", nothing, 0, mode)
                    if depth < DEEPEST:
                        stack.append((inner, spec, depth + 1))
                    else:
                        yield Member(inner, "file", too_deep)
                elif kind == _FILE:
                    yield Member(inner, "file", partial(_whole, data, size), size, mode)
                elif kind == _LINK:
                    yield Member(inner, "link", nothing, 0, mode, text_of(data[:4096]))
            at = link & ~15


def _whole(data: memoryview, size: int) -> memoryview:
    if len(data) < size:
        raise PartialError("romfs: file out of range", bytes(data))
    return data


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    (size,) = struct.unpack_from(">I", view, at + 8)
    head = bytes(view[at : at + min(size, 512)])
    if not 32 <= size <= len(view) - at or len(head) % 4:
        return None
    if sum(struct.unpack(f">{len(head) // 4}I", head)) & 0xFFFFFFFF:
        return None
    label, first = _name(view[at : at + size], 16)
    members = partial(_members, view[at : at + size], first)
    return Found(at, size, members, text_of(label), 0, "romfs")


ROMFS = Form("romfs", FILESYSTEM, ((r"-rom1fs-", 0),), _probe)
