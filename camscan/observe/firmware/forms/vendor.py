"""What lies in the update files camera makers invented: Hikvision, Reolink, VStarcam, Beken?

Layouts: facts on public code (MatrixEditor/hiktools, the kaitai description of Reolink .pak) and, for VStarcam and
Beken, on measured images.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime
from functools import cache, partial

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
from camscan.observe.firmware.forms.pieces import Piece, given_out
from camscan.observe.firmware.watch import Watch

_HIKVISION_KEY = bytes.fromhex("bacdbcfed6caddd3bab9a3abbfcbb5be")
_HIKVISION_MAGIC = 0x484B5753
_HIKVISION_FILES = 256
_REOLINK_SECTIONS = 64
_VSTARCAM = b"www.object-camera.com.by.hongzx."
_BEKEN_BLOCK = 32
_BEKEN_PROVEN = 64
"""Blocks in a row whose checksum must be right: chance is 2^-1024."""


def _hikvision_plain(raw: memoryview) -> bytes:
    return bytes(b ^ _HIKVISION_KEY[(i + (i >> 4)) & 15] for i, b in enumerate(raw))


def _hikvision(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Header of 64 bytes, then 44 for each file: name[32], length, place, checksum; all XORed with one key."""
    del watch
    head = _hikvision_plain(view[at : at + 64])
    magic, _, length, count, language, device_class, oem = struct.unpack_from("<7I", head)
    if magic != _HIKVISION_MAGIC or not 0 < count <= _HIKVISION_FILES:
        return None
    if not 64 + 44 * count <= length <= len(view) - at:
        return None
    plain = _hikvision_plain(view[at : at + 64 + 44 * count])
    pieces: list[Piece] = []
    for i in range(count):
        raw = plain[64 + 44 * i : 108 + 44 * i]
        size, place = struct.unpack_from("<II", raw, 32)
        if not length <= place <= len(view) - at:
            return None
        pieces.append(Piece(inner_path(text_of(zero_ended(raw[:32]))) or f"file{i}", place, size))
    stated = max(p.at + p.size for p in pieces)
    end = min(stated, len(view) - at)
    label = f"language {language}, device class {device_class}, OEM code {oem}"
    created = _decimal_day(struct.unpack_from("<I", head, 0x34)[0])
    damage = "hikvision: the end is missing" if end < stated else ""
    body = view[at : at + end]
    members = partial(given_out, body, tuple(pieces))
    return Found(at, end, members, label, created, "hikvision-dav", damage)


def _decimal_day(value: int) -> int:
    """0x20150315, the digits of a day, as Unix time; 0 where it is no day (public dumps of headers)."""
    try:
        day = datetime.strptime(f"{value:08x} +0000", "%Y%m%d %z")
    except ValueError:
        return 0
    return int(day.timestamp()) if 2000 < day.year < 2100 else 0


def _reolink(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Header, sections of name[32], version[24], place, length, then a partition table for each."""
    del watch
    wide = not struct.unpack_from("<I", view, at + 4)[0]
    begin, step, numbers = (24, 72, "<QQ") if wide else (12, 64, "<II")
    pieces: list[Piece] = []
    versions: list[str] = []
    first: int | None = None
    for i in range(_REOLINK_SECTIONS):
        place = at + begin + i * step
        if first is not None and place + step > at + first:
            break
        raw = view[place : place + step]
        where, size = struct.unpack_from(numbers, raw, 56)
        if not begin + step <= where <= len(view) - at or where + size > len(view) - at:
            break
        first = where if first is None else min(first, where)
        name = inner_path(text_of(zero_ended(raw[:32])))
        if name and size:
            pieces.append(Piece(name, where, size))
            versions.append(f"{name} {text_of(zero_ended(raw[32:56]))}".strip())
    if not pieces:
        return None
    end = max(p.at + p.size for p in pieces)
    label = ", ".join(versions)[:200]
    return Found(
        at, end, partial(given_out, view[at : at + end], tuple(pieces)), label, 0, "reolink-pak"
    )


def _vstarcam(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Records of folder[64], name[64], size, tag, 0 and a ZIP, between the magic and its mirror image."""
    pieces: list[Piece] = []
    place = at + 32
    while bytes(view[place : place + 32]) != _VSTARCAM[::-1]:
        watch.tick()
        raw = view[place : place + 140]
        if len(raw) < 140 or len(pieces) >= 4096:
            break
        (size,) = struct.unpack_from("<I", raw, 128)
        if bytes(raw[132:136]) != b"hH50" or place + 140 + size > len(view):
            break
        folder, name = text_of(zero_ended(raw[:64])), text_of(zero_ended(raw[64:128]))
        pieces.append(Piece(inner_path(f"{folder}/{name}"), place + 140 - at, size))
        place += 140 + size
    if not pieces:
        return None
    ended = bytes(view[place : place + 32]) == _VSTARCAM[::-1]
    end = place + (32 if ended else 0) - at
    damage = "" if ended else "vstarcam: the end mark is missing"
    members = partial(given_out, view[at : at + end], tuple(pieces))
    return Found(at, end, members, "", 0, "vstarcam-update", damage)


@cache
def _crc16_table() -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    table = np.zeros(256, np.uint16)
    for i in range(256):
        value = i << 8
        for _ in range(8):
            value = (value << 1 ^ 0x8005 if value & 0x8000 else value << 1) & 0xFFFF
        table[i] = value
    return table


def _beken_first(view: memoryview) -> bool:
    """Whether the first block is right: cheap, since it is asked of every file."""
    value = 0xFFFF
    table = _crc16_list()
    for byte in view[:_BEKEN_BLOCK]:
        value = (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
    return value == view[32] << 8 | view[33]


@cache
def _crc16_list() -> list[int]:
    return _crc16_table().tolist()


def _beken_right(view: memoryview, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the blocks have a right CRC-16 (poly 0x8005, begins with 0xFFFF, big-endian)."""
    blocks = np.frombuffer(view[: count * 34], np.uint8).reshape(count, 34)
    table = _crc16_table()
    value = np.full(count, 0xFFFF, np.uint16)
    for i in range(_BEKEN_BLOCK):
        value = (value << 8) ^ table[(value >> 8) ^ blocks[:, i]]
    stated = blocks[:, 32].astype(np.uint16) << 8 | blocks[:, 33]
    return np.asarray(value == stated)


def _beken(view: memoryview, at: int, watch: Watch) -> Found | None:
    if at or len(view) < 34 * _BEKEN_PROVEN or not _beken_first(view):
        return None
    if not _beken_right(view, _BEKEN_PROVEN).all():
        return None
    if view[: 34 * _BEKEN_PROVEN] == bytes(34 * _BEKEN_PROVEN):
        return None
    count = len(view) // 34
    watch.fits(count * _BEKEN_BLOCK)
    wrong = 0
    for begin in range(0, count, 1 << 16):
        watch.tick()
        part = view[begin * 34 : min(begin + (1 << 16), count) * 34]
        blocks = np.frombuffer(part, np.uint8).reshape(-1, 34)
        right = _beken_right(part, len(blocks))
        wrong += int((~right & (blocks.min(1) != 0xFF)).sum())
    damage = f"beken: {wrong} of {count} blocks with a wrong checksum" if wrong else ""
    return Found(at, len(view), partial(_stripped, view, count), "", 0, "beken-crc", damage)


def _stripped(view: memoryview, count: int, watch: Watch) -> Iterator[Member]:
    del watch
    yield Member("image", "file", partial(_without_sums, view, count), count * _BEKEN_BLOCK)


def _without_sums(view: memoryview, count: int) -> bytes:
    blocks = np.frombuffer(view[: count * 34], np.uint8).reshape(count, 34)
    return blocks[:, :_BEKEN_BLOCK].tobytes() + bytes(view[count * 34 :])


def _masked(value: int) -> str:
    raw = struct.pack("<I", value)
    return "".join(f"\\x{b ^ k:02x}" for b, k in zip(raw, _HIKVISION_KEY, strict=False))


HIKVISION = Form("hikvision-dav", FILESYSTEM, ((_masked(_HIKVISION_MAGIC), 0),), _hikvision)
REOLINK = Form("reolink-pak", FILESYSTEM, ((r"\x13\x59\x72\x32", 0),), _reolink)
VSTARCAM = Form(
    "vstarcam-update", FILESYSTEM, ((r"www\.object-camera\.com\.by\.hongzx\.", 0),), _vstarcam
)
BEKEN = Form("beken-crc", FILESYSTEM, (), _beken)
