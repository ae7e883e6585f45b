"""Are containers that nothing here reads named as not examined, and only where they are real?"""

from __future__ import annotations

import struct
import zlib

from firmware_images import files_of, noise, opened, reasons, text


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
        (seven_zip(4000), "no-library", "7z"),
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
