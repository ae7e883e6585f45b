"""Which filesystems of disks are recognised, searched as bytes, and said to be not read file by file?

Layouts of the superblocks: Linux Documentation/filesystems (erofs, f2fs, btrfs, xfs) and ECMA-119 (ISO 9660). Cameras
with cards and recorders have them; their names and addresses are still found, without the path of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member, text_of, zero_ended
from camscan.observe.firmware.watch import NoLibraryError, Watch


def _members(view: memoryview, name: str, watch: Watch) -> Iterator[Member]:
    del watch
    yield Member("content", "file", partial(_whole, view), len(view))
    raise NoLibraryError(f"{name}: not read file by file; searched as bytes")


def _whole(view: memoryview) -> memoryview:
    return view


def _found(view: memoryview, at: int, size: int, name: str, label: str = "") -> Found | None:
    here = min(size, len(view) - at)
    if here <= 4096:
        return None
    damage = f"{name}: the end is missing" if here < size else ""
    return Found(at, here, partial(_members, view[at : at + here], name), label, 0, name, damage)


def _erofs(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    log, slots = view[at + 1036], view[at + 1037]
    built, _, blocks, meta = struct.unpack_from("<QIII", view, at + 1024 + 24)
    if not 9 <= log <= 16 or slots > 16 or not blocks > 0 or meta >= blocks:
        return None
    label = text_of(zero_ended(view[at + 1088 : at + 1104]))
    found = _found(view, at, blocks << log, "erofs", label)
    return found and found._replace(created=built if built < 1 << 32 else 0)


def _f2fs(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    major, _, sector, per_block, block = struct.unpack_from("<HHIII", view, at + 1028)
    (blocks,) = struct.unpack_from("<Q", view, at + 1024 + 36)
    if major != 1 or not 9 <= sector <= 12 or sector + per_block != block or block != 12:
        return None
    return _found(view, at, blocks << block, "f2fs")


def _btrfs(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    base = at + 0x10000
    (place,) = struct.unpack_from("<Q", view, base + 0x30)
    (total,) = struct.unpack_from("<Q", view, base + 0x70)
    sector, node = struct.unpack_from("<II", view, base + 0x90)
    if place != 0x10000 or sector not in {4096, 16384, 65536} or not sector <= node <= 65536:
        return None
    return _found(view, at, total, "btrfs")


def _xfs(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    block, blocks = struct.unpack_from(">IQ", view, at + 4)
    sector, inode = struct.unpack_from(">HH", view, at + 102)
    sound = 512 <= block <= 65536 and not block & (block - 1)
    if not sound or sector not in {512, 1024, 2048, 4096} or inode not in {256, 512, 1024, 2048}:
        return None
    return _found(view, at, block * blocks, "xfs", text_of(zero_ended(view[at + 108 : at + 120])))


def _iso(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Numbers stand there in both byte orders, which proves them."""
    del watch
    base = at + 0x8000
    little, big = (
        struct.unpack_from("<I", view, base + 80)[0],
        struct.unpack_from(">I", view, base + 84)[0],
    )
    block, again = (
        struct.unpack_from("<H", view, base + 128)[0],
        struct.unpack_from(">H", view, base + 130)[0],
    )
    if little != big or block != again or block not in {512, 1024, 2048}:
        return None
    label = text_of(bytes(view[base + 40 : base + 72]).rstrip())
    return _found(view, at, little * block, "iso9660", label)


UNREAD = (
    Form("erofs", FILESYSTEM, ((r"\xe2\xe1\xf5\xe0", 1024),), _erofs),
    Form("f2fs", FILESYSTEM, ((r"\x10\x20\xf5\xf2\x01\x00", 1024),), _f2fs),
    Form("btrfs", FILESYSTEM, ((r"_BHRfS_M", 0x10040),), _btrfs),
    Form("xfs", FILESYSTEM, ((r"XFSB\x00[\x00\x01][\x00-\xff]\x00", 0),), _xfs),
    Form("iso9660", FILESYSTEM, ((r"\x01CD001\x01\x00", 0x8000),), _iso),
)
