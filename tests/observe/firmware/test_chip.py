"""Are the images of chips without Linux, hexadecimal texts, ar archives and U-Boot's settings read?"""

from __future__ import annotations

import gzip
import struct
import zlib

import pytest
from firmware_images import cpio, files_of, noise, opened, reasons, run, text
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.firmware.entry import Budget

CODE = text(8192, 51)


def esp(data: bytes = CODE) -> bytes:
    described = struct.pack(
        "<II8x32s32s16s16s32s32s80x",
        0xABCD5432,
        0,
        b"2.4.1",
        b"door-cam",
        b"10:11:12",
        b"Mar  4 2022",
        b"v4.4",
        b"",
    )
    segments = [(0x3F400020, described + data), (0x400D0020, text(400, 52))]
    out = (
        struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x20, 0x40081000)
        + bytes(4)
        + struct.pack("<H9xB", 0, 1)
    )
    total = 0xEF
    for address, part in segments:
        part = part.ljust((len(part) + 3) // 4 * 4, b"\0")
        out += struct.pack("<II", address, len(part)) + part
        for byte in part:
            total ^= byte
    out += bytes(15 - len(out) % 16) + bytes([total])
    return out + noise(32)


def rbl(body: bytes, kind: int, plain: int) -> bytes:
    head = struct.pack("<4sII16s24s24s", b"RBL\0", kind, 1_600_000_000, b"app", b"1.0.7", b"0")
    head += struct.pack("<4I", zlib.crc32(body), 0, plain, len(body))
    return head + struct.pack("<I", zlib.crc32(head)) + body


def environment(
    values: dict[str, str], size: int, *, order: str = "<", copies: bool = False
) -> bytes:
    text_ = b"".join(f"{k}={v}".encode() + b"\0" for k, v in values.items()) + b"\0"
    skip = 5 if copies else 4
    text_ = text_.ljust(size - skip, b"\xff" if copies else b"\0")
    return struct.pack(f"{order}I", zlib.crc32(text_)) + (b"\1" if copies else b"") + text_


VALUES = {
    "baudrate": "115200",
    "bootargs": "console=ttyAMA0 mtdparts=hi_sfc:256k(boot),64k(env),2M(kernel),-(rootfs)",
    "hwver": "IPC-7",
    "server": "cloud.example.net",
}


def intel_hex(data: bytes, base: int = 0) -> bytes:
    def line(kind: int, address: int, body: bytes) -> bytes:
        raw = bytes([len(body)]) + struct.pack(">HB", address, kind) + body
        return b":" + (raw + bytes([-sum(raw) & 0xFF])).hex().upper().encode() + b"\r\n"

    out = b""
    for i in range(0, len(data), 16):
        if i % 0x10000 == 0:
            out += line(4, 0, struct.pack(">H", (base + i) >> 16))
        out += line(0, (base + i) & 0xFFFF, data[i : i + 16])
    return out + line(1, 0, b"")


def s_record(data: bytes) -> bytes:
    def line(kind: bytes, address: bytes, body: bytes) -> bytes:
        raw = bytes([len(address) + len(body) + 1]) + address + body
        return b"S" + kind + (raw + bytes([~sum(raw) & 0xFF])).hex().upper().encode() + b"\n"

    out = line(b"0", b"\0\0", b"cam")
    for i in range(0, len(data), 32):
        out += line(b"3", struct.pack(">I", 0x80000000 + i), data[i : i + 32])
    return out + line(b"7", struct.pack(">I", 0x80000000), b"")


def test_esp_application_says_what_it_is():
    image = bytes(0x10000).replace(b"\0", b"\xff") + esp() + b"\xff" * 5000
    entries, opening = opened(image)
    (container,) = opening.opened
    assert (container.form, container.offset) == ("esp-image", 0x10000)
    assert container.label == "ESP32, project door-cam, version 2.4.1, SDK v4.4"
    assert container.created == "2022-03-04T10:11:12.000Z"
    found = files_of(entries, container.path)
    assert list(found) == ["segment-3f400020", "segment-400d0020"]
    assert CODE in found["segment-3f400020"]
    assert opening.unopened == []


def test_an_esp_image_with_a_wrong_sum_is_none():
    image = bytearray(esp())
    image[500] ^= 1
    _, opening = opened(bytes(image))
    assert opening.opened == []


def test_rbl():
    body = gzip.compress(CODE)
    entries, opening = opened(rbl(body, 0x100, len(CODE)))
    assert files_of(entries)["app"] == CODE
    assert opening.opened[0].label == "app, version 1.0.7"
    entries, opening = opened(rbl(noise(5000), 0x102, len(CODE)))
    assert files_of(entries) == {}
    assert reasons(opening)[0] == ("app", "encrypted")


@pytest.mark.parametrize(
    ("size", "order", "copies"),
    [(0x10000, "<", False), (0x4000, ">", False), (0x2000, "<", True), (0x40000, "<", True)],
)
def test_the_environment_of_u_boot(size, order, copies):
    image = text(0x8000, 53).ljust(0x40000, b"\xff") + environment(
        VALUES, size, order=order, copies=copies
    )
    image = image.ljust(0x100000, b"\xff")
    entries, opening = opened(image)
    (container,) = opening.opened
    assert (container.form, container.offset, container.size) == ("u-boot-env", 0x40000, size)
    settings = files_of(entries, container.path)["u-boot.env"]
    assert settings.decode().splitlines() == [f"{k}={v}" for k, v in VALUES.items()]
    at = image.find(b"cloud.example.net") - container.offset - (5 if copies else 4)
    assert settings[at : at + 17] == b"cloud.example.net"


def test_settings_without_a_checksum_are_no_environment():
    image = bytearray(environment(VALUES, 0x1000))
    image[0] ^= 1
    _, opening = opened(bytes(image))
    assert opening.opened == []


def test_hexadecimal_texts():
    entries, opening = opened(intel_hex(CODE * 20))
    assert files_of(entries) == {"0x00000000": CODE * 20}
    assert opening.opened[0].form == "intel-hex"
    entries, opening = opened(s_record(CODE))
    assert files_of(entries) == {"0x80000000": CODE}
    assert opening.opened[0].form == "s-record"
    _, opening = opened(intel_hex(CODE) + b"\nrubbish\n")
    assert opening.unopened[0].detail.startswith("intel-hex: 9 bytes behind")


def test_a_hexadecimal_text_that_jumps_stays_within_the_budget():
    jumps = b"".join(
        b":" + (raw + bytes([-sum(raw) & 0xFF])).hex().encode() + b"\n"
        for i in range(4000)
        for raw in [bytes([1]) + struct.pack(">HB", i * 4096 & 0xFFFF, 0) + b"x"]
    )
    entries, _ = opened(jumps, Budget(one=1 << 20, expanded=1 << 21))
    assert 0 < sum(len(e.data) for e in entries if e.kind == "file") <= 1 << 21


@pytest.mark.needs("ar")
def test_ar(tmp_path):
    names = {
        "control.tar": text(900),
        "a very long name of a member.txt": b"long",
        "data.cpio": cpio({"etc/x": b"y" * 80}),
    }
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    run("ar", "rc", "out.a", *names, cwd=tmp_path)
    entries, opening = opened((tmp_path / "out.a").read_bytes())
    found = files_of(entries)
    assert {k: v for k, v in found.items() if "!/" not in k} == names
    assert found["data.cpio!/etc/x"] == b"y" * 80
    assert opening.opened[0].form == "ar"


SEEDS = [
    esp(),
    rbl(gzip.compress(CODE), 0x100, len(CODE)),
    environment(VALUES, 0x1000),
    intel_hex(CODE[:600]),
    s_record(CODE[:600]),
    b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"a/", 0, 0, 0, 0o644, 70) + bytes(70),
]


@given(st.sampled_from(SEEDS), st.data())
@settings(deadline=None)
def test_changed_images_end_in_a_report(seed, data):
    image = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        image[data.draw(st.integers(0, min(200, len(image) - 1)))] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image[: data.draw(st.integers(60, len(image)))]))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries) < 1 << 22
