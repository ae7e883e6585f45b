"""What lies in the images of camera chips that run no Linux: ESP applications, RBL updates of RT-Thread?

Layouts: Espressif documentation "App Image Format" and esp_app_desc_t; the RT-Thread OTA package format (header of 96
bytes, "RBL"), which update files of Beken chips have. The tags of Beken's own checksums are in `vendor`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import numpy as np

from camscan.observe.firmware.form import (
    FILESYSTEM,
    Bytes,
    Form,
    Found,
    Member,
    inner_path,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.forms.pieces import Piece, given_out
from camscan.observe.firmware.forms.stream import payload
from camscan.observe.firmware.watch import EncryptedError, NoLibraryError, PartialError, Watch

_CHIPS = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
}
_ESP_HEAD = 24
_DESCRIPTION = b"\x32\x54\xcd\xab"
_CRYPT, _PACK = 0xFF, 0xFF00
_GZIP = 0x100


def _esp(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Header, segments with address and length, then a byte that is 0xEF XOR all bytes of the segments."""
    count = view[at + 1]
    chip = _CHIPS.get(struct.unpack_from("<H", view, at + 12)[0])
    if chip is None:
        return None
    place = at + _ESP_HEAD
    total = 0xEF
    segments = []
    for _ in range(count):
        watch.tick()
        address, size = struct.unpack_from("<II", view, place)
        data = view[place + 8 : place + 8 + size]
        if size % 4 or len(data) < size or (address and address < 0x1000):
            return None
        if size:
            total ^= int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8)))
        segments.append(Piece(f"segment-{address:08x}", place + 8 - at, size))
        place += 8 + size
    place = at + (place - at) // 16 * 16 + 15
    if place >= len(view) or view[place] != total or not any(s.size for s in segments):
        return None
    end = place + 1 + (32 if view[at + 23] == 1 else 0) - at
    label, created = _described(view, segments, at)
    body = view[at : at + end]
    parts = tuple(s for s in segments if s.size)
    members = partial(given_out, body, parts)
    return Found(at, len(body), members, f"{chip}{label}", created, "esp-image")


def _described(view: memoryview, segments: list[Piece], at: int) -> tuple[str, int]:
    """What the application says of itself in its first segment: project, version, time of the build, SDK."""
    begin = at + segments[0].at
    raw = view[begin : begin + 256]
    if bytes(raw[:4]) != _DESCRIPTION:
        return "", 0
    version, project = text_of(zero_ended(raw[16:48])), text_of(zero_ended(raw[48:80]))
    time, day = text_of(zero_ended(raw[80:96])), text_of(zero_ended(raw[96:112]))
    sdk = text_of(zero_ended(raw[112:144]))
    try:
        stated = f"{' '.join(day.split())} {time} +0000"
        created = int(datetime.strptime(stated, "%b %d %Y %H:%M:%S %z").timestamp())
    except ValueError:
        created = 0
    return f", project {project}, version {version}, SDK {sdk}", created


def _rbl(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Kind, time, part, version, serial number, sums and sizes, and a checksum of these."""
    del watch
    head = view[at : at + 96]
    kind, created = struct.unpack_from("<II", head, 4)
    _, _, plain, packed, stated = struct.unpack_from("<5I", head, 76)
    if zlib.crc32(head[:92]) != stated:
        return None
    body = view[at + 96 : at + 96 + packed]
    damage = "rbl: the end is missing" if len(body) < packed else ""
    name = inner_path(text_of(zero_ended(head[12:28]))) or "part"
    label = f"{name}, version {text_of(zero_ended(head[28:52]))}"
    members = partial(_rbl_members, name, body, (kind, plain))
    return Found(at, 96 + len(body), members, label, created, "rbl", damage)


def _rbl_members(
    name: str, body: memoryview, stated: tuple[int, int], watch: Watch
) -> Iterator[Member]:
    kind, plain = stated
    yield Member(name, "file", partial(_rbl_content, body, kind, watch), plain)


def _rbl_content(body: memoryview, kind: int, watch: Watch) -> Bytes:
    if kind & _CRYPT:
        raise EncryptedError("rbl: encrypted, as its header says")
    if not kind & _PACK:
        return body
    if kind & _PACK != _GZIP:
        raise NoLibraryError("rbl: packed in a form that is not read")
    made = payload("gzip", body, watch)
    if made.damage:
        raise PartialError(made.damage, made.data)
    return made.data


CHIP = (
    # segments, mode, speed, entry point in the instruction memory
    Form("esp-image", FILESYSTEM, ((r"\xe9[\x01-\x10][\x00-\x05][\x00-\xff]{4}\x40", 0),), _esp),
    Form("rbl", FILESYSTEM, ((r"RBL\x00", 0),), _rbl),
)
