"""Are the parts of a flash image named as the image itself names them, and only where that is certain?"""

from __future__ import annotations

import struct
import zlib

import pytest
from firmware_images import opened, text, uimage
from hypothesis import given
from hypothesis import strategies as st
from squashfs_writer import nested, squashfs
from test_nand import dumped

from camscan.observe.firmware.partitions import Partition, find, named

MTD = b"\0bootargs=console=ttyAMA0 mtdparts=hi_sfc:256k(boot),64k(env),0x100000(kernel)ro,640k@0x200000(rootfs),-(data)\0"


def test_mtdparts():
    table = find(memoryview(MTD.ljust(1 << 22, b"\xff")))
    assert table == (
        Partition("boot", 0, 0x40000),
        Partition("env", 0x40000, 0x10000),
        Partition("kernel", 0x50000, 0x100000),
        Partition("rootfs", 0x200000, 0xA0000),
        Partition("data", 0x2A0000, (1 << 22) - 0x2A0000),
    )
    assert named(table, 0x50010) == "kernel"
    assert named(table, 0x150000) == ""


@pytest.mark.parametrize(
    "other",
    [
        b"mtdparts=hi_sfc:64k(boot),-(all)\0",  # another table: which one holds is not known
        b"",
    ],
)
def test_two_tables_that_differ_name_nothing(other):
    table = find(memoryview((MTD + other).ljust(1 << 22, b"\xff")))
    assert (table == ()) == bool(other)


def test_tables_that_do_not_fit_or_are_templates_name_nothing():
    assert find(memoryview(MTD.ljust(1 << 20, b"\xff"))) == ()
    assert find(memoryview(b"mtdparts=spi0.0:${boot_size}k(boot),-(rest)\0" * 3)) == ()
    assert find(memoryview(b"")) == ()


def test_lines_of_a_boot_loader():
    lines = (
        b"partition fs-uboot base 0x00000 size 0x10000\n"
        b"partition os-image base 0x10000 size 0xf0000\n\0"
    )
    assert find(memoryview(lines.ljust(1 << 20, b"\xff"))) == (
        Partition("fs-uboot", 0, 0x10000),
        Partition("os-image", 0x10000, 0xF0000),
    )


def test_the_table_of_an_esp():
    rows = [(b"nvs", 0x9000, 0x6000), (b"app0", 0x10000, 0x100000)]
    raw = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", i, 2, at, size, name, 0)
        for i, (name, at, size) in enumerate(rows)
    )
    image = (b"\xff" * 0x8000 + raw).ljust(1 << 21, b"\xff")
    assert find(memoryview(image)) == (
        Partition("nvs", 0x9000, 0x6000),
        Partition("app0", 0x10000, 0x100000),
    )


def _disk(name: str) -> bytes:
    row = (
        bytes(range(1, 17))
        + bytes(16)
        + struct.pack("<QQQ72s", 64, 127, 0, name.encode("utf-16-le"))
    )
    head = struct.pack(
        "<8sIII4xQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 1, 255, 34, 222, b"", 2, 128, 128, 0
    )
    head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
    return bytes(512) + head.ljust(512, b"\0") + row.ljust(128 * 4, b"\0")


def test_the_partition_table_of_a_disk():
    image = _disk("rootfs").ljust(64 * 512, b"\0") + squashfs(nested({"etc/x": text(900)}, {}), 3)
    image = image.ljust(1 << 17, b"\0")
    assert find(memoryview(image)) == (Partition("rootfs", 64 * 512, 64 * 512),)
    _, opening = opened(image)
    assert [o.label for o in opening.opened] == ["squashfs 3.1, gzip, partition rootfs"]
    wrong = bytearray(image)
    wrong[512 + 40] ^= 1
    assert find(memoryview(wrong)) == ()


def test_a_container_says_in_which_partition_it_lies():
    root = squashfs(nested({"etc/x": text(900)}, {}), 3)
    image = MTD.ljust(0x50000, b"\xff") + uimage(text(9000)).ljust(0x1B0000, b"\xff")
    image = (image + root).ljust(1 << 22, b"\xff")
    _, opening = opened(image)
    assert [(o.form, o.label.rpartition(", ")[2]) for o in opening.opened] == [
        ("uimage", "partition kernel"),
        ("squashfs", "partition rootfs"),
    ]


def test_parts_are_named_in_a_dump_with_spare_bytes_too():
    root = squashfs(nested({"etc/x": text(900)}, {}), 3)
    plain = (MTD + text(120_000)).ljust(0x200000, b"\xff") + root
    _, opening = opened(dumped(plain.ljust(1 << 22, b"\xff")))
    assert [(o.form, o.label.rpartition(", ")[2]) for o in opening.opened] == [
        ("nand-dump", "pages of 2048 bytes and 64 spare ones"),
        ("squashfs", "partition rootfs"),
    ]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_end(data, at):
    raw = (data[:at] + MTD[: at % len(MTD)] + data[at:]).ljust(1 << 16, b"\0")
    for part in find(memoryview(raw)):
        assert part.at + part.size <= len(raw)
