"""Are the update files of camera makers opened? The writers here follow the documented layouts."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from firmware_images import cpio, files_of, noise, opened, reasons, text, uimage
from hypothesis import given
from hypothesis import strategies as st

KEY = bytes.fromhex("bacdbcfed6caddd3bab9a3abbfcbb5be")
CONTENT = {"app.img": text(9000, 31), "web.img": cpio({"index.html": b"<html>x</html>\n" * 9})}


def hikvision(files: dict[str, bytes], day: int = 0) -> bytes:
    length = 64 + 44 * len(files)
    place = length
    entries = b""
    for name, data in files.items():
        entries += struct.pack("<32sIII", name.encode(), len(data), place, sum(data) & 0xFFFFFFFF)
        place += len(data)
    plain = struct.pack("<7I24xI8x", 0x484B5753, 0, length, len(files), 1, 2, 1, day) + entries
    head = bytes(b ^ KEY[(i + (i >> 4)) & 15] for i, b in enumerate(plain))
    return head + b"".join(files.values())


def reolink(files: dict[str, bytes], *, wide: bool) -> bytes:
    begin, section, part, numbers = (24, 72, 76, "<QQ") if wide else (12, 64, 76, "<II")
    place = begin + (section + part) * len(files)
    table = b""
    for name, data in files.items():
        table += struct.pack("<32s24s", name.encode(), b"v1.0.0.1") + struct.pack(
            numbers, place, len(data)
        )
        place += len(data)
    head = struct.pack("<QQQ" if wide else "<III", 0x32725913, 0 if wide else 0x1234567, 7)
    return head + table + bytes(part * len(files)) + b"".join(files.values())


def vstarcam(files: dict[str, bytes]) -> bytes:
    magic = b"www.object-camera.com.by.hongzx."
    out = magic
    for name, data in files.items():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        raw = packed.getvalue()
        out += struct.pack(
            "<64s64sI4sI", b"/system/system/bin", name.encode() + b".zip", len(raw), b"hH50", 0
        )
        out += raw
    return out + magic[::-1]


def crc16(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x8005 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def beken(data: bytes) -> bytes:
    blocks = [data[i : i + 32].ljust(32, b"\xff") for i in range(0, len(data), 32)]
    return b"".join(b + struct.pack(">H", crc16(b)) for b in blocks)


def dahua(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return b"DH" + out.getvalue()[2:]


def test_hikvision():
    entries, opening = opened(hikvision(CONTENT))
    found = files_of(entries)
    assert found["app.img"] == CONTENT["app.img"]
    assert found["web.img!/index.html"] == b"<html>x</html>\n" * 9
    assert opening.opened[0].form == "hikvision-dav"
    assert opening.opened[0].label == "language 1, device class 2, OEM code 1"
    assert opening.unopened == []


def test_an_encrypted_update_is_said_to_be_not_examined():
    entries, opening = opened(noise(300_000))
    assert [e.kind for e in entries] == ["image", "gap"]
    encrypted = [u for u in opening.unopened if u.reason == "encrypted"]
    assert [(u.offset, u.size) for u in encrypted] == [(0, 300_000)]
    assert encrypted[0].entropy is not None
    assert encrypted[0].entropy > 7.99
    assert "not examined" in encrypted[0].detail


@pytest.mark.parametrize("wide", [False, True])
def test_reolink(wide):
    entries, opening = opened(reolink(CONTENT, wide=wide))
    found = files_of(entries)
    assert found["app.img"] == CONTENT["app.img"]
    assert found["web.img!/index.html"] == b"<html>x</html>\n" * 9
    assert opening.opened[0].form == "reolink-pak"
    assert opening.opened[0].label == "app.img v1.0.0.1, web.img v1.0.0.1"
    assert opening.unopened == []


def test_vstarcam():
    entries, opening = opened(vstarcam(CONTENT))
    found = files_of(entries)
    assert found["system/system/bin/app.img.zip!/app.img"] == CONTENT["app.img"]
    assert opening.opened[0].form == "vstarcam-update"
    assert opening.unopened == []
    entries, opening = opened(vstarcam(CONTENT)[:-40])
    found = files_of(entries, opening.opened[0].path)
    assert found["system/system/bin/app.img.zip!/app.img"] == CONTENT["app.img"]
    assert "vstarcam: the end mark is missing" in {u.detail for u in opening.unopened}


def test_dahua_and_xiongmai():
    files = {
        "Install": b'{"x": 1}',
        "user-x.squashfs.img": uimage(text(5000), kind=7),
        "hwid": b"IPC",
    }
    entries, opening = opened(dahua(files))
    found = files_of(entries)
    assert found["user-x.squashfs.img!/filesystem"] == text(5000)
    assert [o.form for o in opening.opened] == ["dahua-zip", "uimage"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("InstallDesc", '{"UpgradeCommand": []}')
        archive.writestr("web-x.cramfs.img", uimage(text(5000), kind=7))
    _, opening = opened(out.getvalue())
    assert [o.form for o in opening.opened] == ["xiongmai-zip", "uimage"]


def test_beken_checksums_are_taken_out():
    content = text(40_000, 33) + b"server=iot.example.net"
    entries, opening = opened(beken(content) + b"\xff" * 34 * 20)
    data = files_of(entries)["image"]
    assert data[: len(content)] == content
    assert opening.opened[0].form == "beken-crc"
    assert opening.unopened == []
    wrong = bytearray(beken(content))
    wrong[34 * 200 + 5] ^= 1
    _, opening = opened(bytes(wrong))
    assert reasons(opening) == [("", "damaged")]
    assert "1 of " in opening.unopened[0].detail


SEEDS = [
    hikvision(CONTENT),
    reolink(CONTENT, wide=False),
    reolink(CONTENT, wide=True),
    vstarcam(CONTENT),
]


@given(st.sampled_from(SEEDS), st.data())
def test_changed_updates_end_in_a_report(seed, data):
    image = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        image[data.draw(st.integers(0, 300))] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image[: data.draw(st.integers(300, len(image)))]))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries) < 1 << 20
