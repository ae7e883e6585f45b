"""Are containers that nothing here reads named as not examined, and only where they are real?"""

from __future__ import annotations

import struct
import zlib

import pytest
from firmware_images import files_of, noise, opened, reasons, text
from hypothesis import given
from hypothesis import strategies as st


def seven_zip(size: int) -> bytes:
    start = struct.pack("<QQI", size, 0, 0)
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + noise(size)


def rar4() -> bytes:
    body = struct.pack("<BHH6x", 0x73, 0, 13)
    return b"Rar!\x1a\x07\0" + struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body + noise(3000)


def rar5() -> bytes:
    body = b"\x05\x01\x00\x00\x00\x00"
    return b"Rar!\x1a\x07\x01\0" + struct.pack("<I", zlib.crc32(body)) + body + noise(3000)


def luks() -> bytes:
    return (
        b"LUKS\xba\xbe\0\1"
        + struct.pack("32s32s32s", b"aes", b"xts-plain64", b"sha256")
        + noise(9000)
    )


def test_they_are_named_with_their_reason():
    for image, reason, words in (
        (seven_zip(4000), "damaged", "7z"),
        (rar4(), "no-library", "RAR"),
        (rar5(), "no-library", "RAR"),
        (luks(), "encrypted", "LUKS 1"),
        (b"Salted__" + noise(5000), "encrypted", "openssl"),
    ):
        entries, opening = opened(image)
        assert opening.opened == []
        assert opening.unopened[0].reason == reason
        assert words in opening.unopened[0].detail
        assert opening.unopened[0].size == len(image)
        assert files_of(entries) == {}


def test_a_magic_number_alone_hides_nothing_behind_it():
    for magic in (
        b"Rar!\x1a\x07\0",
        b"Rar!\x1a\x07\1\0",
        b"LUKS\xba\xbe\0\1",
        b"7z\xbc\xaf\x27\x1c",
    ):
        image = text(5000) + magic + text(5000, 3) + b"server=after.example\n"
        entries, opening = opened(image)
        assert [e.data for e in entries if e.kind == "gap"] == [image]
        assert reasons(opening) == [("", "unknown-format")]


def _iso(body: bytes) -> bytes:
    both = lambda f, v: struct.pack(f"<{f}", v) + struct.pack(f">{f}", v)  # noqa: E731 - two lines of a form
    blocks = 20 + -(-len(body) // 2048)
    volume = (
        b"\1CD001\1\0" + b"LINUX".ljust(32) + b"CAMERA".ljust(32) + bytes(8) + both("I", blocks)
    )
    volume = volume.ljust(128, b"\0") + both("H", 2048)
    return (bytes(0x8000) + volume.ljust(2048, b"\0") + bytes(3 * 2048) + body).ljust(
        blocks * 2048, b"\0"
    )


def _superblock(at: int, fields: bytes, size: int, body: bytes) -> bytes:
    return (bytes(at) + fields).ljust(1 << 17, b"\0")[: 1 << 17] + body.ljust(
        size - (1 << 17), b"\0"
    )


BODY = text(9000, 61) + b"server=disk.example.net\n"
DISKS = {
    "erofs": _superblock(
        1024,
        struct.pack(
            "<III BBHQQIII16x16s", 0xE0F5E1E2, 0, 0, 12, 0, 36, 9, 1_600_000_000, 0, 64, 1, b"root"
        ),
        1 << 18,
        BODY,
    ),
    "f2fs": _superblock(
        1024,
        struct.pack("<IHHIIIIIIIQ", 0xF2F52010, 1, 15, 9, 3, 12, 9, 1, 1, 0, 64),
        1 << 18,
        BODY,
    ),
    "btrfs": _superblock(
        0x10000,
        struct.pack("<32x16xQQ8s", 0x10000, 0, b"_BHRfS_M").ljust(0x70, b"\0")
        + struct.pack("<QQQQII", 1 << 18, 0, 0, 0, 4096, 16384),
        1 << 18,
        BODY,
    ),
    "xfs": _superblock(
        0,
        struct.pack(">4sIQ", b"XFSB", 4096, 64).ljust(102, b"\0")
        + struct.pack(">HH2x12s", 512, 512, b"disk"),
        1 << 18,
        BODY,
    ),
    "iso9660": _iso(BODY),
}


@pytest.mark.parametrize("form", sorted(DISKS))
def test_filesystems_of_disks_are_named_and_searched_as_bytes(form):
    image = DISKS[form]
    entries, opening = opened(text(0x3000).ljust(0x4000, b"\xff") + image + b"\xff" * 4096)
    (container,) = opening.opened
    assert (container.form, container.offset, container.size) == (form, 0x4000, len(image))
    assert files_of(entries, container.path) == {"content": image}
    (note,) = opening.unopened
    assert (note.reason, note.size) == ("no-library", len(image))
    assert "searched as bytes" in note.detail


@given(st.sampled_from(sorted(DISKS)), st.data())
def test_changed_disks_end_in_a_report(form, data):
    image = bytearray(DISKS[form])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.sampled_from([0, 1024, 0x8000, 0x10000])) + data.draw(st.integers(0, 160))
        if at < len(image):
            image[at] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image[: data.draw(st.integers(100, len(image)))]))
    assert sum(len(e.data) for e in entries if e.kind == "file") <= len(image)
