"""Which parts lie in the images boot loaders and chip makers defined?

Layouts: OpenWrt documentation (TRX), AOSP system/tools/mkbootimg/include/bootimg (boot images 0 to 4), the public
unpackers of Rockchip (afptool, RKAF and RKFW) and Allwinner images (awimage, IMAGEWTY), pyamlboot AML-IMAGE-FORMAT.md
(Amlogic), and a forum's description of Ambarella's partitions (dashcamtalk.com, "A7 R&D thread").
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from camscan.observe.firmware.form import (
    FILESYSTEM,
    Form,
    Found,
    inner_path,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.forms.pieces import Piece, given_out
from camscan.observe.firmware.watch import Watch

_FILES = 256


def _found(
    view: memoryview, at: int, pieces: list[Piece], form: str, *, label: str = "", created: int = 0
) -> Found | None:
    if not pieces:
        return None
    stated = max(p.at + p.size for p in pieces)
    end = min(stated, len(view) - at)
    damage = f"{form}: the end is missing" if end < stated else ""
    members = partial(given_out, view[at : at + end], tuple(pieces))
    return Found(at, end, members, label[:200], created, form, damage)


def _trx(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Magic, length, checksum of all behind it (not inverted), version, then where the parts begin."""
    del watch
    length, stated, version = struct.unpack_from("<III", view, at + 4)
    count = 4 if version >> 16 == 2 else 3
    head = 16 + 4 * count
    if not head < length <= len(view) - at or version >> 16 not in {1, 2}:
        return None
    if zlib.crc32(view[at + 12 : at + length]) ^ 0xFFFFFFFF != stated:
        return None
    begins = [b for b in struct.unpack_from(f"<{count}I", view, at + 16) if head <= b < length]
    ends = [*sorted(begins)[1:], length]
    pieces = [
        Piece(f"part{i}", begin, end - begin)
        for i, (begin, end) in enumerate(zip(sorted(begins), ends, strict=True))
    ]
    found = _found(view, at, pieces, "trx", label=f"TRX {version >> 16}")
    return found and found._replace(size=length)


def _android(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Kernel, ramdisk and what else there is, each begins with a page."""
    del watch
    version = struct.unpack_from("<I", view, at + 40)[0]
    names: tuple[str, ...] = ("kernel", "ramdisk")
    if version in {3, 4}:
        page = 4096
        sizes = list(struct.unpack_from("<II", view, at + 8))
        line = zero_ended(view[at + 44 : at + 44 + 1536])
        label = text_of(line)
    else:
        kernel, _, ramdisk, _, second, _, _, page, extra = struct.unpack_from("<9I", view, at + 8)
        names, sizes = ("kernel", "ramdisk", "second"), [kernel, ramdisk, second]
        if extra in {1, 2}:
            names, sizes = (
                (*names, "recovery-dtbo"),
                [*sizes, struct.unpack_from("<I", view, at + 1632)[0]],
            )
        if extra == 2:
            names, sizes = (*names, "dtb"), [*sizes, struct.unpack_from("<I", view, at + 1648)[0]]
        label = text_of(zero_ended(view[at + 48 : at + 64]))
        label = f"{label} {text_of(zero_ended(view[at + 64 : at + 576]))}".strip()
    if page not in {2048, 4096, 8192, 16384} or not sizes[0] or sum(sizes) > len(view) - at:
        return None
    pieces: list[Piece] = []
    place = page
    for name, size in zip(names, sizes, strict=True):
        if size:
            pieces.append(Piece(name, place, size))
        place += -(-size // page) * page
    return _found(view, at, pieces, "android-boot", label=label)


def _rockchip(view: memoryview, at: int, watch: Watch) -> Found | None:
    """RKFW: a date, then a loader and an RKAF image."""
    del watch
    size = struct.unpack_from("<H", view, at + 4)[0]
    if size not in {0x66, 0x67}:
        return None
    year, month, day, hour, minute, second = struct.unpack_from("<H5B", view, at + 14)
    boot, boot_size, image, image_size = struct.unpack_from("<IIII", view, at + 25)
    if not (size <= boot < image) or bytes(view[at + image : at + image + 4]) != b"RKAF":
        return None
    try:
        created = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        created = 0
    pieces = [Piece("loader", boot, boot_size), Piece("update.img", image, image_size)]
    return _found(view, at, pieces, "rockchip-rkfw", created=created)


def _rockchip_parts(view: memoryview, at: int, watch: Watch) -> Found | None:
    """RKAF: model, maker, version, then up to 16 parts by name."""
    del watch
    (length,) = struct.unpack_from("<I", view, at + 4)
    version, count = struct.unpack_from("<II", view, at + 0x84)
    if not 0 < count <= 16 or length < 0x8C + 112 * count:
        return None
    pieces: list[Piece] = []
    for i in range(count):
        raw = view[at + 0x8C + 112 * i : at + 0x8C + 112 * (i + 1)]
        _, place, _, _, size = struct.unpack_from("<5I", raw, 92)
        name = inner_path(text_of(zero_ended(raw[:32])))
        if name and size and place >= 0x8C and place + size <= length + 4:
            pieces.append(Piece(name, place, size))
    model = text_of(zero_ended(view[at + 8 : at + 0x2A]))
    maker = text_of(zero_ended(view[at + 0x48 : at + 0x80]))
    numbers = f"{version >> 24}.{version >> 16 & 0xFF}.{version & 0xFFFF}"
    label = f"model {model}, manufacturer {maker}, version {numbers}"
    return _found(view, at, pieces, "rockchip-rkaf", label=label)


def _allwinner(view: memoryview, at: int, watch: Watch) -> Found | None:
    """IMAGEWTY: 1 KiB of header, then 1 KiB for each file."""
    del watch
    (version,) = struct.unpack_from("<I", view, at + 8)
    if version not in {0x100, 0x300, 0x403}:
        return None
    wide = version != 0x100
    (count,) = struct.unpack_from("<I", view, at + (60 if wide else 56))
    if not 0 < count <= _FILES:
        return None
    pieces: list[Piece] = []
    for i in range(count):
        raw = view[at + 1024 * (i + 1) : at + 1024 * (i + 2)]
        if wide:
            name = text_of(zero_ended(raw[36:292]))
            stored, _, size, _, place = struct.unpack_from("<5I", raw, 292)
        else:
            name = text_of(zero_ended(raw[52:308]))
            stored, size, place = struct.unpack_from("<III", raw, 36)
        if size <= stored and place >= 1024 * (count + 1) and place + size <= len(view) - at:
            pieces.append(Piece(inner_path(name) or f"file{i}", place, size))
    return _found(view, at, pieces, "allwinner-image")


def _amlogic(view: memoryview, at: int, watch: Watch) -> Found | None:
    """A checksum of all behind it (not inverted), version, magic, size; then a record for each part."""
    del watch
    stated, version, _, size, _, count = struct.unpack_from("<IIIQII", view, at)
    if not 0 < count <= _FILES or not 64 < size <= len(view) - at or version not in {0, 1, 2}:
        return None
    if zlib.crc32(view[at + 4 : at + size]) ^ 0xFFFFFFFF != stated:
        return None
    for width in (32, 256):  # of the names in a record; documents differ on which version has which
        pieces = list(_amlogic_records(view[at : at + size], count, width))
        if len(pieces) == count:
            found = _found(view, at, pieces, "amlogic-image")
            return found and found._replace(size=size)
    return None


def _amlogic_records(view: memoryview, count: int, width: int) -> Iterator[Piece]:
    for i in range(count):
        begin = 64 + i * (64 + 2 * width)
        raw = view[begin : begin + 64 + 2 * width]
        place, length = struct.unpack_from("<QQ", raw, 16)
        words = [bytes(raw[32 + width * n : 32 + width * (n + 1)]) for n in (0, 1)]
        kind, name = (text_of(zero_ended(word)) for word in words)
        filled_up = all(not word.split(b"\0", 1)[-1].strip(b"\0") for word in words)
        if kind and name and filled_up and length > 0 and place + length <= len(view):
            yield Piece(inner_path(f"{name}.{kind}") or f"part{i}", place, length)


def _ambarella(view: memoryview, at: int, watch: Watch) -> Found | None:
    """256 bytes before a partition: checksum, version, day, length, address, flag, magic."""
    del watch
    stated, minor, major, day, month, year, size = struct.unpack_from("<IHHBBHI", view, at)
    data = view[at + 256 : at + 256 + size]
    if not size or len(data) < size or stated not in {c := zlib.crc32(data), c ^ 0xFFFFFFFF}:
        return None
    try:
        created = int(datetime(year, month, day, tzinfo=UTC).timestamp())
    except ValueError:
        created = 0
    pieces = [Piece("partition", 256, size)]
    label = f"version {major}.{minor}"
    return _found(view, at, pieces, "ambarella-partition", label=label, created=created)


BOARD = (
    Form("trx", FILESYSTEM, ((r"HDR0", 0),), _trx),
    Form("android-boot", FILESYSTEM, ((r"ANDROID!", 0),), _android),
    Form("rockchip-rkfw", FILESYSTEM, ((r"RKFW[\x66\x67]\x00", 0),), _rockchip),
    Form("rockchip-rkaf", FILESYSTEM, ((r"RKAF", 0),), _rockchip_parts),
    Form("allwinner-image", FILESYSTEM, ((r"IMAGEWTY", 0),), _allwinner),
    Form("amlogic-image", FILESYSTEM, ((r"\x56\x19\xb5\x27", 8),), _amlogic),
    Form("ambarella-partition", FILESYSTEM, ((r"\x90\xeb\x24\xa3", 24),), _ambarella),
)
