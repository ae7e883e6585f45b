"""Are the images of chip makers and boot loaders opened, with what they say of themselves?"""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from firmware_images import cpio, files_of, noise, opened, reasons, text
from hypothesis import given
from hypothesis import strategies as st

KERNEL = text(9000, 41)
RAMDISK = cpio({"init": b"#!/bin/sh\necho p2p.example.net\n"})
INNER = b"#!/bin/sh\necho p2p.example.net\n"


def trx(*parts: bytes) -> bytes:
    head = 28
    places, body = [], b""
    for part in parts:
        places.append(head + len(body))
        body += part + bytes(-len(part) % 4)
    rest = struct.pack("<I3I", 1 << 16, *[*places, 0, 0, 0][:3]) + body
    length = 12 + len(rest)
    return struct.pack("<4sII", b"HDR0", length, zlib.crc32(rest) ^ 0xFFFFFFFF) + rest


def android(kernel: bytes, ramdisk: bytes, page: int = 2048) -> bytes:
    head = struct.pack("<8s10I", b"ANDROID!", len(kernel), 0, len(ramdisk), 0, 0, 0, 0, page, 0, 0)
    head += struct.pack("<16s512s32s1024s", b"board", b"console=ttyS0", b"", b"")
    out = head.ljust(page, b"\0")
    for part in (kernel, ramdisk):
        out += part + bytes(-len(part) % page)
    return out


def rockchip(parts: dict[str, bytes]) -> bytes:
    begin = 2048
    table, body = b"", b""
    for name, data in parts.items():
        table += struct.pack(
            "<32s60s5I", name.encode(), name.encode(), 0, begin + len(body), 0, len(data), len(data)
        )
        body += data + bytes(-len(data) % 2048)
    head = struct.pack(
        "<4sI34s30s56sIII",
        b"RKAF",
        begin + len(body) - 4,
        b"RV1126",
        b"7",
        b"MAKER",
        0,
        0x01020003,
        len(parts),
    )
    inner = (head + table).ljust(begin, b"\0") + body
    outer = struct.pack(
        "<4sHIIH5BIIIII",
        b"RKFW",
        0x66,
        0x01000000,
        1,
        2021,
        5,
        6,
        7,
        8,
        9,
        0x32,
        0x66,
        64,
        0x66 + 64,
        len(inner),
    )
    return outer.ljust(0x66, b"\0") + noise(64) + inner + hashlib.md5(inner).hexdigest().encode()


def allwinner(parts: dict[str, bytes], version: int) -> bytes:
    wide = version != 0x100
    head = struct.pack("<8s6I", b"IMAGEWTY", version, 0x60, 0, 0, 0, 1024) + (
        b"\0" * 4 if wide else b""
    )
    head += struct.pack("<8I", 0, 0, 0, 0, 1, 1024, len(parts), 1024)
    out = head.ljust(1024, b"\0")
    place = 1024 * (len(parts) + 1)
    body = b""
    for name, data in parts.items():
        stored = (len(data) + 511) // 512 * 512
        raw = struct.pack("<II8s16s", 256, 1024, b"12345678", b"1234567890ABCDEF")
        if wide:
            raw += struct.pack(
                "<I256s5I", 0, name.encode(), stored, 0, len(data), 0, place + len(body)
            )
        else:
            raw += struct.pack(
                "<IIIII256s", 0, stored, len(data), place + len(body), 0, name.encode()
            )
        out += raw.ljust(1024, b"\0")
        body += data.ljust(stored, b"\0")
    return out + body


def amlogic(parts: dict[str, bytes], width: int = 32) -> bytes:
    table, body = b"", b""
    begin = 64 + (64 + 2 * width) * len(parts)
    for name, data in parts.items():
        table += struct.pack(
            f"<IIQQQ{width}s{width}sIHH24x",
            0,
            0,
            0,
            begin + len(body),
            len(data),
            b"PARTITION",
            name.encode(),
            0,
            0,
            0,
        )
        body += data
    rest = struct.pack("<IIQII36x", 1, 0x27B51956, begin + len(body), 4, len(parts)) + table + body
    return struct.pack("<I", zlib.crc32(rest) ^ 0xFFFFFFFF) + rest


def ambarella(data: bytes) -> bytes:
    head = struct.pack(
        "<IHHBBHIIII", zlib.crc32(data), 2, 1, 7, 9, 2013, len(data), 0xC0000000, 0, 0xA324EB90
    )
    return head.ljust(256, b"\0") + data


@pytest.mark.parametrize("width", [32, 256])
def test_amlogic(width):
    entries, opening = opened(amlogic({"boot": KERNEL, "system": RAMDISK}, width))
    assert files_of(entries)["boot.PARTITION"] == KERNEL
    assert files_of(entries)["system.PARTITION!/init"] == INNER
    assert opening.opened[0].form == "amlogic-image"


def test_partitions_of_ambarella():
    entries, opening = opened(ambarella(KERNEL) + ambarella(RAMDISK))
    found = files_of(entries)
    assert found["ambarella-partition@0x0!/partition"] == KERNEL
    assert found[f"ambarella-partition@0x{256 + len(KERNEL):x}!/partition!/init"] == INNER
    assert (opening.opened[0].label, opening.opened[0].created[:10]) == (
        "version 1.2",
        "2013-09-07",
    )


def test_trx():
    entries, opening = opened(trx(KERNEL, RAMDISK))
    assert files_of(entries)["part0"][: len(KERNEL)] == KERNEL
    assert files_of(entries)["part1!/init"] == INNER
    assert opening.opened[0].form == "trx"
    image = bytearray(trx(KERNEL, RAMDISK))
    image[-1] ^= 1
    _, opening = opened(bytes(image))
    assert "trx" not in {o.form for o in opening.opened}


def test_android_boot():
    entries, opening = opened(android(KERNEL, RAMDISK))
    assert files_of(entries)["kernel"] == KERNEL
    assert files_of(entries)["ramdisk!/init"] == INNER
    assert (opening.opened[0].form, opening.opened[0].label) == (
        "android-boot",
        "board console=ttyS0",
    )


def test_rockchip():
    entries, opening = opened(rockchip({"boot": KERNEL, "rootfs": RAMDISK}))
    found = files_of(entries, "rockchip-rkfw@0x0")  # a checksum follows it
    assert found["update.img!/boot"] == KERNEL
    assert found["update.img!/rootfs!/init"] == INNER
    assert opening.opened[0].created == "2021-05-06T07:08:09.000Z"
    assert opening.opened[1].label == "model RV1126, manufacturer MAKER, version 1.2.3"


@pytest.mark.parametrize("version", [0x100, 0x300])
def test_allwinner(version):
    entries, opening = opened(allwinner({"boot.fex": KERNEL, "rootfs.fex": RAMDISK}, version))
    assert files_of(entries)["boot.fex"] == KERNEL
    assert files_of(entries)["rootfs.fex!/init"] == INNER
    assert opening.opened[0].form == "allwinner-image"


SEEDS = [
    trx(KERNEL, RAMDISK),
    android(KERNEL, RAMDISK),
    rockchip({"boot": KERNEL, "rootfs": RAMDISK}),
    amlogic({"boot": KERNEL}),
    ambarella(KERNEL),
    allwinner({"boot.fex": KERNEL}, 0x100),
    allwinner({"boot.fex": KERNEL}, 0x300),
]


@given(st.sampled_from(SEEDS), st.data())
def test_changed_images_end_in_a_report(seed, data):
    image = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        image[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    entries, opening = opened(bytes(image[: data.draw(st.integers(100, len(image)))]))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries) < 1 << 22
    assert {r for _, r in reasons(opening)} <= {"damaged", "unknown-format", "encrypted", "budget"}
