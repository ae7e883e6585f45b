"""Which volumes lie in a UBI image?

Layout: Linux drivers/mtd/ubi/ubi-media.h. Every erase block has an EC and a VID header with checksums; the blocks of
a volume are put in order by their logical number, of two with one number the later written wins.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from camscan.observe.firmware.form import (
    FILESYSTEM,
    Form,
    Found,
    Member,
    inner_path,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.watch import Watch

_LAYOUT = 0x7FFFEFFF
_RECORD = 172
_SMALLEST, _LARGEST = 1 << 12, 1 << 22
_DYNAMIC = 1
_BLOCKS = 1 << 17


class _Block(NamedTuple):
    volume: int
    number: int
    sequence: int
    data_at: int
    data_size: int
    kind: int
    pad: int


def _sum(data: memoryview) -> int:
    return zlib.crc32(data) ^ 0xFFFFFFFF


def _erase_counter(view: memoryview, at: int) -> tuple[int, int] | None:
    """(place of the VID header, of the data) of a block with a valid EC header."""
    if at + 64 > len(view) or bytes(view[at : at + 4]) != b"UBI#":
        return None
    (stated,) = struct.unpack_from(">I", view, at + 60)
    if _sum(view[at : at + 60]) != stated:
        return None
    vid, data = struct.unpack_from(">II", view, at + 16)
    return (vid, data) if 64 <= vid < data <= _LARGEST else None


def _block_size(view: memoryview, at: int) -> int:
    """Distance to the next EC header, else what the file leaves."""
    size = _SMALLEST
    while size <= _LARGEST:
        if _erase_counter(view, at + size) is not None:
            return size
        size += _SMALLEST if size < 1 << 14 else size // 2 if size & (size - 1) == 0 else size // 3
    rest = len(view) - at
    return rest if rest <= _LARGEST else 1 << 17


def _volume_block(view: memoryview, at: int, heads: tuple[int, int], size: int) -> _Block | None:
    vid = view[at + heads[0] : at + heads[0] + 64]
    if bytes(vid[:4]) != b"UBI!" or _sum(vid[:60]) != struct.unpack_from(">I", vid, 60)[0]:
        return None
    volume, number = struct.unpack_from(">II", vid, 8)
    data_size, _, pad = struct.unpack_from(">III", vid, 20)
    (sequence,) = struct.unpack_from(">Q", vid, 40)
    room = size - heads[1] - pad
    if room <= 0 or number > _BLOCKS:
        return None
    length = room if vid[5] == _DYNAMIC else min(data_size, room)
    return _Block(volume, number, sequence, at + heads[1], length, vid[5], room)


def _names(view: memoryview, block: _Block) -> dict[int, str]:
    found = {}
    for i in range(min(128, block.data_size // _RECORD)):
        record = view[block.data_at + i * _RECORD : block.data_at + (i + 1) * _RECORD]
        if len(record) < _RECORD or _sum(record[:168]) != struct.unpack_from(">I", record, 168)[0]:
            break
        (size,) = struct.unpack_from(">H", record, 14)
        if size:
            found[i] = inner_path(text_of(zero_ended(record[16 : 16 + min(size, 127)])))
    return found


def _volume(view: memoryview, blocks: dict[int, _Block], watch: Watch) -> bytes:
    room = max(b.pad for b in blocks.values())
    last = max(blocks)
    watch.fits((last + 1) * room)
    out = bytearray()
    for number in range(last + 1):
        watch.tick()
        block = blocks.get(number)
        if block is None:
            out += b"\xff" * room
        else:
            out += view[block.data_at : block.data_at + block.data_size]
    return bytes(out)


def _members(
    view: memoryview, volumes: dict[int, dict[int, _Block]], names: dict[int, str], watch: Watch
) -> Iterator[Member]:
    for volume, blocks in sorted(volumes.items()):
        if volume >= _LAYOUT:
            continue
        name = names.get(volume) or f"volume{volume}"
        read = partial(_volume, view, blocks, watch)
        yield Member(name, "file", read, sum(b.data_size for b in blocks.values()))


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    if _erase_counter(view, at) is None:
        return None
    size = _block_size(view, at)
    volumes: dict[int, dict[int, _Block]] = {}
    names: dict[int, str] = {}
    place = end = at
    missing = lost = 0
    while place < len(view) and missing < 16:
        watch.tick()
        heads = _erase_counter(view, place)
        if heads is None:
            missing += 1  # a bad or erased block
            place += size
            continue
        missing = 0
        block = _volume_block(view, place, heads, size)
        if block is not None:
            known = volumes.setdefault(block.volume, {}).get(block.number)
            if known is None or block.sequence > known.sequence:
                volumes[block.volume][block.number] = block
            if block.volume == _LAYOUT:
                names.update(_names(view, block))
        elif not _blank(view[place + heads[0] : place + size]):
            lost += 1
        place += size
        end = min(place, len(view))
    if not any(v < _LAYOUT for v in volumes):
        return None
    label = ", ".join(names.get(v, str(v)) for v in sorted(volumes) if v < _LAYOUT)[:200]
    holes = sum(max(blocks) + 1 - len(blocks) for v, blocks in volumes.items() if v < _LAYOUT)
    damage = ""
    if lost:
        damage = f"ubi: {lost} erase blocks have no VID header that can be read, {holes} blocks of volumes are missing"
    return Found(at, end - at, partial(_members, view, volumes, names), label, 0, "ubi", damage)


def _blank(data: memoryview) -> bool:
    return not len(data) or int(np.frombuffer(data, np.uint8).min()) == 0xFF


UBI = Form("ubi", FILESYSTEM, ((r"UBI#\x01", 0),), _probe)
