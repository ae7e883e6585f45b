"""What lies in a cpio archive (newc, newc with checksum, portable ASCII)?

Layout: Linux Documentation/driver-api/early-userspace/buffer-format.rst and cpio(5). An initramfs in a kernel is
one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    FILESYSTEM,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
)
from camscan.observe.firmware.watch import Watch

_TRAILER = b"TRAILER!!!"
_NAME = 4096


class _Header(NamedTuple):
    mode: int
    name: bytes
    data_at: int
    size: int
    next_at: int
    links: int


def _newc(view: memoryview, base: int, at: int) -> _Header:
    raw = bytes(view[at : at + 110])
    fields = [int(raw[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
    size, name_size = fields[6], fields[11]
    if not 1 < name_size <= _NAME or len(raw) < 110:
        raise DecodeError("cpio: no name")
    name_at = at + 110
    data_at = base + (name_at + name_size - base + 3) // 4 * 4
    next_at = base + (data_at + size - base + 3) // 4 * 4
    return _Header(fields[1], _named(view, name_at, name_size), data_at, size, next_at, fields[4])


def _odc(view: memoryview, base: int, at: int) -> _Header:
    del base
    raw = bytes(view[at : at + 76])
    if len(raw) < 76:
        raise DecodeError("cpio: header ends early")
    mode, links = int(raw[18:24], 8), int(raw[36:42], 8)
    name_size, size = int(raw[59:65], 8), int(raw[65:76], 8)
    if not 1 < name_size <= _NAME:
        raise DecodeError("cpio: no name")
    data_at = at + 76 + name_size
    return _Header(mode, _named(view, at + 76, name_size), data_at, size, data_at + size, links)


def _named(view: memoryview, at: int, size: int) -> bytes:
    raw = bytes(view[at : at + size])
    if len(raw) < size or raw[-1]:
        raise DecodeError("cpio: name without end")
    return raw[:-1]


def _header(view: memoryview, base: int, at: int) -> _Header:
    magic = bytes(view[at : at + 6])
    if magic in {b"070701", b"070702"}:
        return _newc(view, base, at)
    if magic == b"070707":
        return _odc(view, base, at)
    raise DecodeError("cpio: no header")


def _members(view: memoryview, base: int, watch: Watch) -> Iterator[Member]:
    at = base
    while True:
        watch.tick()
        header = _header(view, base, at)
        if header.name == _TRAILER:
            return
        name = inner_path(text_of(header.name))
        kind = header.mode >> 12
        if header.data_at + header.size > len(view):
            raise DecodeError(f"cpio: {name} is longer than the archive")
        data = view[header.data_at : header.data_at + header.size]
        if name and kind == 0o10:
            yield Member(name, "file", partial(_whole, data), header.size, header.mode)
        elif name and kind == 0o4:
            yield Member(name, "directory", nothing, 0, header.mode)
        elif name and kind == 0o12:
            yield Member(name, "link", nothing, 0, header.mode, text_of(data[:4096]))
        at = header.next_at


def _whole(data: memoryview) -> memoryview:
    return data


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    place = at
    count = 0
    damage = ""
    while True:
        if not count & 0x3F:
            watch.tick()
        try:
            header = _header(view, at, place)
        except (DecodeError, ValueError):
            damage = "cpio: the archive ends without its trailer"
            break
        if header.next_at > len(view) + 3:
            damage = "cpio: the archive is cut off"
            break
        place = header.next_at
        count += 1
        if header.name == _TRAILER:
            break
        if count > watch.budget.files:
            damage = "cpio: more files than the budget"
            break
    if not count:
        return None
    size = min(place, len(view)) - at
    return Found(at, size, partial(_members, view[: max(place, at)], at), "", 0, "cpio", damage)


CPIO = Form("cpio", FILESYSTEM, ((r"07070[12][0-9a-fA-F]{8}", 0), (r"070707[0-7]{18}", 0)), _probe)
