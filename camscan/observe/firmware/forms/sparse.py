"""What image does an Android sparse file stand for?

Layout: AOSP system/core/libsparse/sparse_format.h. Update files of cameras with eMMC and of recorders hold partitions
in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member
from camscan.observe.firmware.watch import BudgetError, PartialError, Watch

_RAW, _FILL, _SKIP, _SUM = 0xCAC1, 0xCAC2, 0xCAC3, 0xCAC4
_HEAD = struct.Struct("<IHHHHIIII")
_CHUNK = struct.Struct("<HHII")


def _chunks(view: memoryview, at: int, watch: Watch) -> Iterator[tuple[int, int, int, int]]:
    """(kind, blocks, place of the data, place of the next chunk)."""
    head = _HEAD.unpack_from(view, at)
    place = at + head[3]
    for _ in range(head[7]):
        watch.tick()
        kind, _, blocks, size = _CHUNK.unpack_from(view, place)
        if kind not in {_RAW, _FILL, _SKIP, _SUM} or size < head[4]:
            raise DecodeError("no chunk")
        yield kind, blocks, place + head[4], place + size
        place += size


def _content(view: memoryview, at: int, size: int, watch: Watch) -> bytes:
    out = bytearray(size)
    try:
        _fill_in(out, view, at, watch)
    except (DecodeError, struct.error) as error:
        if isinstance(error, BudgetError):
            raise
        raise PartialError(f"sparse: {error}", bytes(out)) from None
    return bytes(out)


def _fill_in(out: bytearray, view: memoryview, at: int, watch: Watch) -> None:
    block = _HEAD.unpack_from(view, at)[5]
    to = 0
    for kind, blocks, begin, end in _chunks(view, at, watch):
        length = blocks * block if kind != _SUM else 0
        if to + length > len(out):
            raise DecodeError("more blocks than stated")
        if kind == _RAW:
            raw = view[begin : min(end, begin + length)]
            out[to : to + len(raw)] = raw
            if len(raw) < length:
                raise DecodeError("the end is missing")
        elif kind == _FILL:
            out[to : to + length] = bytes(view[begin : begin + 4]).ljust(4, b"\0") * (length // 4)
        to += length


def _members(view: memoryview, at: int, size: int, watch: Watch) -> Iterator[Member]:
    yield Member("image", "file", partial(_content, view, at, size, watch), size)


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    _, major, _, head, chunk, block, blocks, count, _ = _HEAD.unpack_from(view, at)
    if (major, head, chunk) != (1, 28, 12) or not block or block % 4 or block > 1 << 24:
        return None
    if not blocks or not count or count > blocks + 1:
        return None
    end = at
    damage = ""
    try:
        for _, _, _, following in _chunks(view, at, watch):
            end = following
    except (DecodeError, struct.error):
        damage = "sparse: the end is missing"
    if end > len(view):
        end, damage = len(view), "sparse: the end is missing"
    if end == at:
        return None
    members = partial(_members, view, at, block * blocks)
    return Found(at, end - at, members, "", 0, "android-sparse", damage)


SPARSE = Form("android-sparse", FILESYSTEM, ((r"\x3a\xff\x26\xed\x01\x00", 0),), _probe)
