"""What lies in a tar archive (v7, ustar, GNU, pax)?

Layout: POSIX.1-2017 pax, and the GNU tar manual for long names. Sparse files are given as they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    FILESYSTEM,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.watch import Watch

_BLOCK = 512
_LONG = 1 << 16
"""Bytes of a long name or a pax header."""


def _number(raw: bytes) -> int:
    if raw[0] & 0x80:  # GNU: base 256
        return int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
    text = raw.strip(b" \0")
    return int(text, 8) if text else 0


def _checked(head: bytes) -> bool:
    if len(head) < _BLOCK:
        return False
    try:
        stated = _number(head[148:156])
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 32 + sum(head[156:])


def _padded(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


def _members(view: memoryview, watch: Watch) -> Iterator[Member]:
    at = 0
    long_name = long_link = ""
    while at + _BLOCK <= len(view):
        watch.tick()
        head = bytes(view[at : at + _BLOCK])
        if not head.strip(b"\0"):
            return
        if not _checked(head):
            raise DecodeError("tar: header checksum is wrong")
        size, mode, kind = _number(head[124:136]), _number(head[100:108]), head[156:157]
        at += _BLOCK
        if at + size > len(view):
            raise DecodeError("tar: a file is longer than the archive")
        data = view[at : at + size]
        at += _padded(size)
        if kind in {b"L", b"K"}:
            text = text_of(zero_ended(data[:_LONG]))
            long_name, long_link = (text, long_link) if kind == b"L" else (long_name, text)
            continue
        if kind in {b"x", b"g"}:
            pax = _pax(bytes(data[:_LONG])) if kind == b"x" else {}
            long_name = pax.get("path", long_name)
            long_link = pax.get("linkpath", long_link)
            continue
        name = long_name or _short_name(head)
        target = long_link or text_of(zero_ended(head[157:257]))
        long_name = long_link = ""
        name = inner_path(name)
        if not name:
            continue
        if kind == b"5":
            yield Member(name, "directory", nothing, 0, mode)
        elif kind in {b"1", b"2"}:
            yield Member(name, "link", nothing, 0, mode, target)
        elif kind in {b"0", b"\0", b"7", b"S"}:
            yield Member(name, "file", partial(_whole, data), size, mode)


def _whole(data: memoryview) -> memoryview:
    return data


def _short_name(head: bytes) -> str:
    name = zero_ended(head[:100])
    prefix = zero_ended(head[345:500]) if head[257:263] == b"ustar\0" else b""
    return text_of(prefix + b"/" + name if prefix else name)


def _pax(raw: bytes) -> dict[str, str]:
    found = {}
    at = 0
    while at < len(raw):
        digits, _, rest = raw[at : at + 12].partition(b" ")
        if not digits.isdigit() or not rest:
            break
        size = int(digits)
        key, _, value = raw[at + len(digits) + 1 : at + size - 1].partition(b"=")
        found[text_of(key)] = text_of(value)
        at += max(size, 1)
    return found


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    place = at
    count = 0
    damage = ""
    while True:
        if not count & 0x3F:
            watch.tick()
        head = bytes(view[place : place + _BLOCK])
        if len(head) == _BLOCK and not head.strip(b"\0"):
            place += _BLOCK
            if not bytes(view[place : place + _BLOCK]).strip(b"\0"):
                place = min(place + _BLOCK, len(view))
            break
        if not _checked(head):
            damage = "tar: the archive ends without its end mark" if head else ""
            break
        count += 1
        place += _BLOCK + _padded(_number(head[124:136]))
        if place > len(view):
            damage = "tar: the archive is cut off"
            break
        if count > watch.budget.files:
            damage = "tar: more files than the budget"
            break
    if not count:
        return None
    size = min(place, len(view)) - at
    return Found(at, size, partial(_members, view[at : at + size]), "", 0, "tar", damage)


TAR = Form("tar", FILESYSTEM, ((r"ustar[\x00 ][0 ]", 257),), _probe)
