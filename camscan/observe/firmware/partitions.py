"""Which names does a flash image itself give to its parts?

Sources: the GUID partition table of a disk (UEFI specification 5.3), `mtdparts=` of the kernel's command line (Linux
drivers/mtd/parsers/cmdlinepart.c), the partition lines of TP-Link's boot loader (OpenWrt wiki, SafeLoader), the partition
table of ESP-IDF (Espressif documentation). A table counts when all of it fits into the image; of two that differ none does.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import re2

from camscan.observe.firmware.form import pattern, text_of, zero_ended

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MOST = 64
"""Tables that are looked at, and parts of one table."""
_FLASH = 1 << 29
"""Bytes of the largest flash; a disk names its parts otherwise."""
_MTD = re.compile(
    r"(?P<size>-|(?:0x[0-9a-f]+|\d+)[kmg]?)(?:@(?P<at>(?:0x[0-9a-f]+|\d+)[kmg]?))?(?:\((?P<name>[^()]{1,64})\))?(?:ro|lk|slc)*",
    re.IGNORECASE,
)
_LINE = re.compile(
    rb"partition ([\w.-]{1,32}) base 0x([0-9a-fA-F]{1,8}) size 0x([0-9a-fA-F]{1,8})\s"
)
_ESP = struct.Struct("<2sBBII16sI")


class Partition(NamedTuple):
    name: str
    at: int
    size: int


Table = tuple[Partition, ...]


def find(view: memoryview) -> Table:
    """The one table that fits, empty where there is none or where several differ."""
    end = len(view)
    if end > 1024 and (disk := _disk(view)):
        return disk
    if end > _FLASH:
        return ()
    for tables in (_mtdparts(view), _lines(view), _esp(view)):
        fitting = {
            table
            for table in islice(tables, _MOST)
            if table and max(p.at + p.size for p in table) <= end and _in_order(table)
        }
        if len(fitting) == 1:
            return fitting.pop()
    return ()


def named(table: Table, at: int) -> str:
    """Name of the smallest partition the place lies in, "" where there is none."""
    holds = [p for p in table if p.at <= at < p.at + p.size]
    return min(holds, key=lambda p: p.size).name if holds else ""


def _disk(view: memoryview) -> Table:
    """The GUID partition table in the second sector; its header has a checksum."""
    head = bytes(view[512:604])
    if head[:8] != b"EFI PART":
        return ()
    (stated,) = struct.unpack_from("<I", head, 16)
    if zlib.crc32(head[:16] + bytes(4) + head[20:]) != stated:
        return ()
    place, count, step = struct.unpack_from("<QII", head, 72)
    parts: list[Partition] = []
    for i in range(min(count, 2 * _MOST)):
        raw = bytes(view[place * 512 + i * step : place * 512 + i * step + 128])
        if len(raw) < 128 or not any(raw[:16]):
            continue
        first, last = struct.unpack_from("<QQ", raw, 32)
        name = text_of(raw[56:128].decode("utf-16-le", "replace").split("\0", 1)[0].encode())
        if first <= last:
            parts.append(Partition(name, first * 512, (last - first + 1) * 512))
    return tuple(parts)


def _in_order(table: Table) -> bool:
    """Whether it says something: two parts or more, none without size."""
    return len(table) > 1 and all(p.size > 0 for p in table)


def _number(text: str) -> int:
    match = re.fullmatch(r"(0x[0-9a-f]+|\d+)([kmg]?)", text.lower())
    if match is None:
        return 0
    return int(match[1], 0 if match[1].startswith("0x") else 10) * _UNITS[match[2]]


def _hits(view: memoryview, magic: re2._Regexp) -> Iterator[int]:
    at = 0
    for _ in range(_MOST):
        hit = magic.search(view, at)
        if hit is None:
            return
        yield hit.start()
        at = hit.end()


_MTDPARTS = pattern("mtdparts=")
_LINES = pattern(r"partition [0-9A-Za-z_.-]{1,32} base 0x")
_ESP_MAGIC = pattern(r"\xaa\x50[\x00\x01][\x00-\xff]{9}")


def _mtdparts(view: memoryview) -> Iterator[Table]:
    for at in _hits(view, _MTDPARTS):
        raw = bytes(view[at + 9 : at + 9 + 2048])
        text = re.split(rb"[\x00\s\"']", raw, maxsplit=1)[0].decode("latin-1")
        for device in text.split(";"):
            _, colon, rest = device.rpartition(":")
            if colon and "$" not in device:
                yield _mtd_table(rest, len(view))


def _mtd_table(text: str, end: int) -> Table:
    parts: list[Partition] = []
    place = 0
    for item in text.split(",")[:_MOST]:
        match = _MTD.fullmatch(item)
        if match is None:
            return ()
        at = _number(match["at"]) if match["at"] else place
        size = end - at if match["size"] == "-" else _number(match["size"])
        parts.append(Partition(text_of((match["name"] or "").encode()), at, size))
        place = at + size
        if match["size"] == "-":
            break
    return tuple(parts)


def _lines(view: memoryview) -> Iterator[Table]:
    at = next(_hits(view, _LINES), None)
    if at is not None:
        raw = bytes(view[at : at + 8192]).split(b"\0", 1)[0]
        yield tuple(
            Partition(text_of(m[1]), int(m[2], 16), int(m[3], 16))
            for m in islice(_LINE.finditer(raw), _MOST)
        )


def _esp(view: memoryview) -> Iterator[Table]:
    """Records of 32 bytes: magic, kind, place, size, label; at multiples of 4 KiB."""
    for at in _hits(view, _ESP_MAGIC):
        parts: list[Partition] = []
        for i in range(_MOST):
            raw = bytes(view[at + 32 * i : at + 32 * (i + 1)])
            if len(raw) < 32 or raw[:2] != b"\xaa\x50":
                break
            _, _, _, place, size, label, _ = _ESP.unpack(raw)
            parts.append(Partition(text_of(zero_ended(label)), place, size))
        if at % 0x1000 == 0:
            yield tuple(parts)
