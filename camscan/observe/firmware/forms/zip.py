"""What lies in a ZIP archive, also in one whose first bytes a maker changed?

Layout: PKWARE APPNOTE 6.3.9. Dahua writes `DH` for the first `PK` (facts: public mod kits); Xiongmai puts an
`InstallDesc` beside its parts. Where the directory at the end is missing, the local headers are read in turn.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    FILESYSTEM,
    Bytes,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
)
from camscan.observe.firmware.unpack import stream
from camscan.observe.firmware.watch import (
    BudgetError,
    EncryptedError,
    NoLibraryError,
    PartialError,
    Watch,
)

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_SEARCHED = 64 << 20
"""Bytes in which the end record of one archive is looked for at once."""
_METHODS = {8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}


class _Item(NamedTuple):
    name: bytes
    flags: int
    method: int
    packed: int
    plain: int
    local_at: int
    mode: int


def _central(view: memoryview, base: int, watch: Watch) -> tuple[int, int, int] | None:
    """(place of the directory, entries, end of the archive) of the archive that begins at `base`."""
    whole = view.obj if isinstance(view.obj, bytes) and len(view.obj) == len(view) else None
    at = base
    while True:
        watch.tick()
        at = _find(view, whole, b"PK\5\6", at)
        if at < 0 or at + _END.size > len(view):
            return None
        _, _, _, _, count, size, offset, comment = _END.unpack_from(view, at)
        wide = offset == 0xFFFFFFFF or count == 0xFFFF or size == 0xFFFFFFFF
        if wide and at - 20 > base and bytes(view[at - 20 : at - 16]) == b"PK\6\7":
            (wide_at,) = struct.unpack_from("<Q", view, at - 12)
            if bytes(view[base + wide_at : base + wide_at + 4]) == b"PK\6\6":
                count, size, offset = struct.unpack_from("<QQQ", view, base + wide_at + 32)
        place = base + offset
        if place + size <= at and (not count or bytes(view[place : place + 4]) == b"PK\1\2"):
            return place, count, min(at + _END.size + comment, len(view))
        at += 4


def _find(view: memoryview, whole: bytes | None, what: bytes, at: int) -> int:
    if whole is not None:
        return whole.find(what, at)
    while at < len(view):
        piece = bytes(view[at : at + _SEARCHED])
        hit = piece.find(what)
        if hit >= 0:
            return at + hit
        at += _SEARCHED - len(what)
    return -1


def _items(view: memoryview, base: int, place: int, count: int, watch: Watch) -> Iterator[_Item]:
    for _ in range(count):
        watch.tick()
        fields = _CENTRAL.unpack_from(view, place)
        if fields[0] != b"PK\1\2":
            raise DecodeError("zip: directory ends early")
        flags, method, packed, plain = fields[3], fields[4], fields[8], fields[9]
        name_size, extra_size, comment_size = fields[10:13]
        mode = fields[15] >> 16 if fields[1] >> 8 == 3 else 0
        name = bytes(view[place + 46 : place + 46 + name_size])
        extra = bytes(view[place + 46 + name_size : place + 46 + name_size + extra_size])
        plain, packed, offset = _wide(extra, plain, packed, fields[16])
        yield _Item(name, flags, method, packed, plain, base + offset, mode)
        place += 46 + name_size + extra_size + comment_size


def _wide(extra: bytes, *values: int) -> tuple[int, int, int]:
    """ZIP64: sizes of 0xFFFFFFFF stand in the extra field 1."""
    found = list(values)
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            place = at + 4
            for i, value in enumerate(found):
                if value == 0xFFFFFFFF and place + 8 <= at + 4 + size:
                    (found[i],) = struct.unpack_from("<Q", extra, place)
                    place += 8
        at += 4 + size
    return found[0], found[1], found[2]


def _locals(view: memoryview, at: int, watch: Watch) -> Iterator[tuple[_Item, int]]:
    """Local headers in turn, with the place of the next one."""
    first = True
    while at + _LOCAL.size <= len(view):
        watch.tick()
        magic, _, flags, method, _, _, _, packed, plain, name_size, extra_size = _LOCAL.unpack_from(
            view, at
        )
        if magic != b"PK\3\4" and not (first and magic == b"DH\3\4"):
            return
        first = False
        name = bytes(view[at + 30 : at + 30 + name_size])
        begin = at + 30 + name_size + extra_size
        if begin > len(view):
            return
        if flags & 8 and not packed:
            size = _streamed(view, begin, method, watch)
            if size is None:
                return
            packed = size
            after = begin + packed
            after += 16 if bytes(view[after : after + 4]) == b"PK\7\x08" else 12
        else:
            after = begin + packed
        yield _Item(name, flags, method, packed, plain, at, 0), after
        at = after


def _streamed(view: memoryview, begin: int, method: int, watch: Watch) -> int | None:
    """Length of data whose size was not known when its header was written: it follows the data."""
    if method == 8:
        return stream("deflate", view[begin:], watch.room(), watch.tick).taken
    at = begin
    while method == 0:
        watch.tick()
        at = _find(view, None, b"PK\7\x08", at)
        if at < 0 or at + 16 > len(view):
            return None
        if struct.unpack_from("<I", view, at + 8)[0] == at - begin:
            return at - begin
        at += 4
    return None


def _member(view: memoryview, item: _Item, watch: Watch) -> Member | None:
    name = inner_path(text_of(item.name).replace("\\", "/"))
    if not name:
        return None
    kind = item.mode >> 12
    if item.name.endswith(b"/") or kind == 0o4:
        return Member(name, "directory", nothing, 0, item.mode)
    if kind == 0o12 and item.plain <= 4096:
        target = text_of(_content(view, item, watch))
        return Member(name, "link", nothing, 0, item.mode, target)
    return Member(name, "file", partial(_content, view, item, watch), item.plain, item.mode)


def _content(view: memoryview, item: _Item, watch: Watch) -> Bytes:
    head = _LOCAL.unpack_from(view, item.local_at)
    if head[0] not in {b"PK\3\4", b"DH\3\4"}:
        raise DecodeError("zip: no local header")
    if item.flags & 1:
        raise EncryptedError("zip: encrypted with a password")
    begin = item.local_at + 30 + head[9] + head[10]
    data = view[begin : begin + item.packed]
    if len(data) < item.packed:
        left = _expanded(data, item, watch, cut=True)
        if not left:
            raise DecodeError("zip: cut off")
        raise PartialError("zip: cut off", left)
    return _expanded(data, item, watch, cut=False)


def _expanded(data: memoryview, item: _Item, watch: Watch, *, cut: bool) -> Bytes:
    if item.method == 0:
        return data
    if (
        item.method == 14
    ):  # LZMA: version, size of the properties, the properties, then a raw stream
        head = bytes(data[4:9]) + struct.pack("<q", item.plain or -1)
        made = stream("lzma", memoryview(head + bytes(data[9:])), watch.room(), watch.tick)
    elif item.method in _METHODS:
        made = stream(_METHODS[item.method], data, watch.room(), watch.tick)
    else:
        raise NoLibraryError(f"zip: method {item.method} is not read")
    if made.damage and not cut:
        raise PartialError(made.damage, made.data)
    return made.data


def _members(
    view: memoryview, base: int, directory: tuple[int, int, int] | None, watch: Watch
) -> Iterator[Member]:
    if directory is not None:
        items = _items(view, base, directory[0], directory[1], watch)
    else:
        items = (item for item, _ in _locals(view, base, watch))
    for item in items:
        try:
            member = _member(view, item, watch)
        except BudgetError:
            raise
        except DecodeError:
            continue
        if member is not None:
            yield member


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    head = _LOCAL.unpack_from(view, at)
    if head[3] not in {0, 1, 6, 8, 9, 12, 14, 93, 95, 98, 99} or not 0 < head[9] <= 4096:
        return None
    directory = _central(view, at, watch)
    damage = ""
    end = at
    if directory is not None:
        end = directory[2]
    else:
        for _, after in _locals(view, at, watch):
            end = min(after, len(view))
        damage = "zip: the directory at the end is missing"
    if end == at:
        return None
    names = {i.name for i in _first(view, at, directory, watch)}
    form = "dahua-zip" if head[0] == b"DH\3\4" else "zip"
    if b"InstallDesc" in names:
        form = "xiongmai-zip"
    return Found(at, end - at, partial(_members, view, at, directory), "", 0, form, damage)


def _first(
    view: memoryview, at: int, directory: tuple[int, int, int] | None, watch: Watch
) -> Iterator[_Item]:
    if directory is not None:
        try:
            yield from _items(view, at, directory[0], min(directory[1], 64), watch)
        except (DecodeError, struct.error):
            return


ZIP = Form("zip", FILESYSTEM, ((r"(?:PK|DH)\x03\x04[\x00-\x3f]\x00", 0),), _probe)
