"""What is left of a squashfs whose tables are missing or damaged?

Its data blocks lie one after the other in front of the tables. Blocks of xz, lzma and zstd are found by the carver as
the streams they are; zlib has no magic number, so its blocks are followed from the superblock on: no names and no files,
but the bytes of them. Nothing behind the superblock is claimed, since a stale one stands in front of other things.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import Member
from camscan.observe.firmware.watch import Watch

_BEGINS = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_STORED = 8
"""Blocks in a row that may be stored as they are."""


def blocks(view: memoryview, block_size: int, watch: Watch) -> bytes:
    """The blocks of zlib from the beginning on, as far as they follow each other."""
    out = bytearray()
    room = watch.room()
    at = end = 0
    while at < len(view) and len(out) < room and at - end <= _STORED * block_size:
        watch.tick()
        hit = _BEGINS.search(view[at : at + block_size])
        if hit is None:
            at += block_size - 1
            continue
        at += hit.start()
        made, taken = _block(view[at : at + 2 * block_size], block_size)
        if made:
            out += made
            at = end = at + taken
        else:
            at += 1
    return bytes(out[:room])


def _block(data: memoryview, limit: int) -> tuple[bytes, int]:
    """(what came out, bytes it took) of a stream that ends with its own checksum within a block."""
    inflate = zlib.decompressobj()
    try:
        made = inflate.decompress(data, limit + 1)
    except zlib.error:
        return b"", 0
    if not inflate.eof or len(made) > limit:
        return b"", 0
    return made, len(data) - len(inflate.unused_data)


def members(
    view: memoryview, compressor: str, block_size: int, why: str, watch: Watch
) -> Iterator[Member]:
    """One file with the data blocks, then DecodeError that says what is wrong."""
    data = blocks(view, block_size, watch) if compressor == "zlib" else b""
    if data:
        yield Member("data-blocks", "file", partial(bytes, data), len(data))
        why = f"{why}; {len(data)} bytes of data blocks were read without their names"
    raise DecodeError(why)
