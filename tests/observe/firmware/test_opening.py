"""Does a flash dump come apart at the right places, is a tree read safely, and is what was not opened said?"""

from __future__ import annotations

import hashlib
import lzma
import os
import socket
import struct
from itertools import pairwise
from pathlib import Path

import pytest
from firmware_images import (
    FILES,
    LINKS,
    cpio,
    files_of,
    jffs2,
    links_of,
    noise,
    opened,
    reasons,
    run,
    sparse_file,
    squashfs,
    text,
    uimage,
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st

from camscan.observe.firmware.entry import Budget
from camscan.observe.firmware.opening import open_image

BOOT = b"\x27\xea\x00\x00" + text(90_000, 40) + b"U-Boot 2013.07 (Mar 03 2021 - 10:00:00)\0"
CONFIG = {"wifi.conf": b"ssid=x\n", "update.zip": b""}


def padded(data: bytes, size: int, fill: bytes = b"\xff") -> bytes:
    assert len(data) <= size, len(data)
    return data + fill * (size - len(data))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    base = tmp_path_factory.mktemp("flash")
    return {
        "boot": BOOT,
        "kernel": uimage(lzma.compress(text(500_000, 41), lzma.FORMAT_ALONE), compression=3),
        "root": squashfs(write_tree(base / "root"), "xz", "-b", "131072"),
        "config": jffs2(write_tree(base / "config", {"wifi.conf": b"ssid=x\n" * 20}, {})),
        "stale": squashfs(write_tree(base / "old", {"old": text(30_000, 42)}, {}), "xz"),
    }


@pytest.mark.needs("mksquashfs", "mkfs.jffs2")
@pytest.mark.parametrize(
    "order", ["boot kernel root config", "config root boot kernel", "boot root config kernel"]
)
def test_a_flash_dump_with_its_partitions_in_any_order(parts, order):
    # The stale squashfs lost its head: only pieces of xz are left of it in the slack behind the real one.
    slack = parts["stale"][96:]
    image = b""
    for name in order.split():
        size = (len(parts[name]) + 0x20000) // 0x10000 * 0x10000
        if name == "root":
            at_root = len(image)
            image += padded(parts["root"] + b"\xff" * 3 + slack, size)
        else:
            image += padded(parts[name], size)
    image = padded(image, 8 << 20)
    entries, opening = opened(image)
    forms = {o.form for o in opening.opened if "!/" not in o.path}
    assert forms >= {"uimage", "squashfs", "jffs2"}
    assert files_of(entries, f"squashfs@0x{at_root:x}") == FILES
    assert links_of(entries, f"squashfs@0x{at_root:x}") == LINKS
    kernel = next(o for o in opening.opened if o.form == "uimage")
    assert files_of(entries, kernel.path) == {"kernel": text(500_000, 41)}
    config = next(o for o in opening.opened if o.form == "jffs2")
    assert files_of(entries, config.path) == {"wifi.conf": b"ssid=x\n" * 20}
    # What no container covers is given out as it is, and padding is not.
    gaps = [e for e in entries if e.kind == "gap"]
    assert any(BOOT in e.data for e in gaps)
    assert all(e.data == image[e.offset : e.offset + e.size] for e in gaps)
    assert all(e.path == f"gap@0x{e.offset:x}" for e in gaps)
    assert sum(e.size for e in gaps) < len(BOOT) + len(slack) + 5 * 4096
    assert [u for u in opening.unopened if u.path == "" and u.reason == "encrypted"] == []


@pytest.mark.needs("mksquashfs")
def test_a_validated_superblock_outranks_what_lies_inside_it(parts):
    """The blocks of a squashfs are whole xz streams: none of them is a container of its own."""
    entries, opening = opened(parts["boot"] + parts["root"])
    assert [o.form for o in opening.opened] == ["squashfs"]
    assert files_of(entries, opening.opened[0].path) == FILES


@pytest.mark.needs("mksquashfs")
def test_an_outer_stream_does_not_run_into_a_filesystem(parts):
    cut = lzma.compress(text(200_000, 43))[:-3000]
    entries, opening = opened(text(100) + cut + parts["root"])
    assert files_of(entries, opening.opened[-1].path) == FILES
    assert opening.opened[-1].offset == 100 + len(cut)


def test_an_encrypted_part_beside_a_container_inside_a_file_is_named():
    inner = padded(cpio({"etc/x": text(900)}), 0x1000) + noise(200_000, 9)
    _, opening = opened(uimage(inner, kind=5))
    (note,) = opening.unopened
    assert (note.path, note.reason) == ("firmware", "encrypted")
    assert 0x1000 <= note.offset < 0x1000 + (1 << 16) + 4096  # to a window


def test_sockets_pipes_and_loops_of_a_tree_are_left_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(b"server=x.example.net\n")
    (tmp_path / "a/b").symlink_to("../a")
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "a/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "s"))
        entries, opening = opened(tmp_path)
    assert files_of(entries) == {"a/file": b"server=x.example.net\n"}
    assert opening.unopened == []


@pytest.mark.needs("mksquashfs")
def test_an_image_in_an_image_in_a_tree(parts, tmp_path):
    dump = padded(BOOT, 0x20000) + parts["root"]
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/flash.bin").write_bytes(dump)
    (tmp_path / "readme").write_bytes(b"text\n")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "out").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    entries, opening = opened(tmp_path)
    found = files_of(entries)
    assert found["readme"] == b"text\n"
    assert found["vendor/flash.bin"] == dump
    assert files_of(entries, "vendor/flash.bin!/squashfs@0x20000") == FILES
    assert {n: t for n, t in links_of(entries).items() if "!/" not in n} == {
        "loop": ".",
        "out": "/etc/passwd",
    }
    assert opening.unopened == []
    assert {e.kind for e in entries} == {"file", "link", "directory"}


def test_what_may_not_be_read_in_a_tree_is_said(tmp_path, monkeypatch):
    (tmp_path / "ok").write_bytes(b"fine")
    (tmp_path / "closed").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    scandir, opens = os.scandir, os.open

    def refusing(path):
        if str(path).find("folder") >= 0:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def closed(path, *args):
        if b"closed" in os.fsencode(path):
            raise PermissionError(13, "Permission denied")
        return opens(path, *args)

    monkeypatch.setattr("camscan.observe.firmware.source.os.scandir", refusing)
    monkeypatch.setattr("camscan.observe.firmware.source.os.open", closed)
    entries, opening = opened(tmp_path)
    assert files_of(entries) == {"ok": b"fine"}
    assert sorted(reasons(opening)) == [("closed", "permission"), ("folder", "permission")]


def test_empty_and_tiny_files():
    entries, opening = opened(b"")
    assert [e.kind for e in entries] == ["image"]
    assert reasons(opening) == [("", "unknown-format")]
    entries, opening = opened(b"x")
    assert [(e.kind, e.data) for e in entries] == [("image", b"x"), ("gap", b"x")]
    assert reasons(opening) == [("", "unknown-format")]


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(open_image(tmp_path / "absent").entries())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="regular"):
        list(open_image(tmp_path / "pipe").entries())


def test_a_sparse_file_of_fifty_gigabytes(tmp_path):
    ramfs = cpio({"etc/config": text(4000, 44)})
    path = sparse_file(tmp_path / "big", 50 << 30, {12 << 30: ramfs, (30 << 30) + 512: BOOT})
    opening = open_image(path, budget=Budget(seconds=60))
    seen = [(e.path, e.kind, bytes(e.data)) for e in opening.entries() if e.kind != "image"]
    found = {p: d for p, k, d in seen if k == "file"}
    assert found == {f"cpio@0x{12 << 30:x}!/etc/config": text(4000, 44)}
    assert any(BOOT in d for _, k, d in seen if k == "gap")
    assert sum(len(d) for _, k, d in seen if k == "gap") < 1 << 20
    assert opening.unopened == []


def test_the_hash_of_a_sparse_file_is_that_of_its_bytes(tmp_path):
    path = sparse_file(tmp_path / "image", 40 << 20, {10 << 20: BOOT, (30 << 20) + 77: b"x"})
    opening = open_image(path)
    assert opening.sha256() == ""  # nothing is mapped yet
    next(opening.entries())
    assert opening.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
    late = open_image(path, budget=Budget(seconds=-1))
    assert {e.kind for e in late.entries()} == {"image"}
    assert late.sha256() == ""
    assert late.unopened[-1].reason == "budget"
    tree = open_image(tmp_path)
    assert list(tree.entries())
    assert tree.sha256() == ""


def test_padding_is_not_unknown_and_encrypted_parts_are_named():
    image = padded(BOOT, 0x20000) + bytes(0x30000) + noise(0x40000, 5) + b"\xff" * 0x20000
    entries, opening = opened(image)
    # The entropy is taken over 64 KiB from where the padding ends.
    (part,) = [u for u in opening.unopened if u.reason == "encrypted"]
    assert (part.path, part.offset, part.size) == ("", 0x50000, 0x40000)
    assert part.entropy is not None
    assert part.entropy > 7.95
    assert [e.offset for e in entries if e.kind == "gap"] == [0, 0x50000]


def test_an_encrypted_file_in_an_archive_is_named_and_a_picture_is_not():
    entries, opening = opened(
        cpio(
            {
                "model.bin": noise(200_000),
                "photo.jpg": b"\xff\xd8\xff" + noise(200_000),
                "a": text(99),
            }
        )
    )
    assert len(files_of(entries)) == 3
    assert reasons(opening) == [("model.bin", "encrypted")]


@pytest.mark.needs("mksquashfs")
def test_the_time_of_the_budget_ends_it_and_says_where(parts, monkeypatch):
    clock = iter(range(100_000))
    monkeypatch.setattr("camscan.observe.firmware.watch.time.monotonic", lambda: float(next(clock)))
    entries, opening = opened(parts["boot"] + parts["root"], Budget(seconds=8))
    assert entries[0].kind == "image"
    assert (opening.unopened[-1].path, opening.unopened[-1].reason) == ("", "budget")
    assert opening.unopened[-1].size > 0


@pytest.mark.needs("mksquashfs")
def test_two_filesystems_that_overlap_the_first_counts(parts):
    image = bytearray(parts["root"])
    other = parts["stale"]
    place = (
        struct.unpack_from("<Q", image, 40)[0] - 3000
    )  # bytes_used: over the tables of the first
    image[place : place + len(other)] = other
    entries, opening = opened(bytes(image))
    places = [(o.offset, o.offset + o.size) for o in opening.opened if "!/" not in o.path]
    assert all(a[1] <= b[0] for a, b in pairwise(places))
    assert "damaged" in {r for _, r in reasons(opening)}
    assert entries


def test_superblocks_that_lie():
    lies = [
        b"hsqs"
        + struct.pack("<IIIIHHHHHH", 9, 9, 131072, 1, 4, 17, 0, 1, 4, 0)
        + struct.pack("<8Q", *[0xFFFFFFFFFF] * 8),
        b"\x45\x3d\xcd\x28"
        + struct.pack("<III", 0xFFFFFFFF, 3, 0)
        + b"Compressed ROMFS"
        + bytes(60),
        b"-rom1fs-" + struct.pack(">II", 0xFFFFFFFF, 0) + bytes(100),
        b"\xd0\x0d\xfe\xed"
        + struct.pack(">9I", 0x00FFFFFF, 56, 60, 40, 17, 16, 0, 9, 9)
        + bytes(99),
        b"PK\3\4"
        + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 4, 0)
        + b"name",
        b"UBI#\x01" + bytes(300),
        b"\x31\x18\x10\x06" + bytes(4100),
        b"7z\xbc\xaf\x27\x1c" + bytes(40),
    ]
    for lie in lies:
        entries, opening = opened(BOOT + lie + text(5000, 45))
        assert BOOT in b"".join(e.data for e in entries if e.kind == "gap")
        assert all(o.files == 0 for o in opening.opened)


@pytest.mark.parametrize(
    "magic", [b"hsqs", b"\x27\x05\x19\x56", b"\x1f\x8b\x08\0" + bytes(6), b"UBI#\1"]
)
def test_a_flood_of_one_magic_number_hides_nothing_else(magic):
    files = {"etc/config": text(4000, 46)}
    entries, opening = opened(magic * 30_000 + bytes(600) + cpio(files))
    assert files_of(entries, opening.opened[-1].path) == files
    assert magic * 30_000 in b"".join(e.data for e in entries if e.kind == "gap")
    (note,) = [u for u in opening.unopened if u.reason == "budget"]
    assert "at more than 20000 places" in note.detail


@given(st.binary(max_size=3000))
def test_any_bytes_end_in_a_report(data):
    entries, opening = opened(data, Budget(one=1 << 20, expanded=1 << 22))
    assert entries[0].data == data
    assert opening.unopened or opening.opened


def _all_magics() -> list[bytes]:
    return [
        b"hsqs", b"sqsh", b"\x85\x19\x03\x20", b"\x19\x85\x20\x03", b"\x45\x3d\xcd\x28", b"\x28\xcd\x3d\x45",
        b"-rom1fs-", b"UBI#\x01", b"\x31\x18\x10\x06", b"070701", b"070707", b"ustar\x00", b"PK\x03\x04",
        b"DH\x03\x04", b"\x27\x05\x19\x56", b"\xd0\x0d\xfe\xed", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x5d\0\0",
        b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\x89LZO\0\r\n\x1a\n",
        b"\x13\x59\x72\x32", b"www.object-camera.com.by.hongzx.", b"\xe9\x9a\xf7\xb6", b"7z\xbc\xaf\x27\x1c",
        b"LUKS\xba\xbe\0\1", b"Salted__", b"shsq", b"sqlz", b"HDR0", b"ANDROID!", b"RKFW\x66\0", b"RKAF", b"IMAGEWTY",
        b"\xe9\2\0\x20\0\0\0\x40", b"RBL\0", b"!<arch>\n", b"\0bootcmd=run x\0bootargs=y\0", b":10000000", b"S00600004844521B\n",
        b"\1\0\0\0\1\0\0\0\xff\xffname\0", b"mtdparts=x:1k(a),-(b)\0", b"\xaa\x50\0\1", b"\xeb\x3c\x90MSDOS5.0\0\2", b"\x53\xef\1\0\1\0",
    ]  # fmt: skip


@given(st.data())
def test_magics_before_any_bytes_end_in_a_report(data):
    image = b"".join(
        data.draw(st.binary(max_size=40))
        + data.draw(st.sampled_from(_all_magics()))
        + data.draw(st.binary(max_size=300))
        for _ in range(data.draw(st.integers(1, 5)))
    )
    entries, _ = opened(image, Budget(one=1 << 20, expanded=1 << 22))
    assert entries[0].data == image


@pytest.mark.needs("mksquashfs", "mkfs.jffs2")
@given(data=st.data())
def test_changed_dumps_end_in_a_report(parts, data):
    image = bytearray(parts["config"] + b"\xff" * 4096 + parts["stale"])
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image), Budget(one=1 << 22, expanded=1 << 24))
    assert entries[0].kind == "image"


def test_nothing_is_written(tmp_path, monkeypatch):
    """No inner path touches the disk: opening an archive opens no file for writing."""
    import builtins

    image = tmp_path / "a.cpio"
    image.write_bytes(cpio({"etc/passwd": b"root::0:0\n"}, {"l": "/etc/shadow"}))
    before = sorted(p.name for p in tmp_path.iterdir())
    modes = []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda *a, **k: modes.append(a) or real(*a, **k))
    monkeypatch.chdir(tmp_path)
    assert files_of(opened(Path(image))[0]) == {"etc/passwd": b"root::0:0\n"}
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert [m for m in modes if len(m) > 1 and "w" in str(m[1])] == []


@pytest.mark.needs("mke2fs", "mkfs.vfat", "mcopy")
def test_a_disk_with_partitions(tmp_path):
    """An image of an SD card or eMMC: partition table, FAT, ext4."""
    boot, root = tmp_path / "boot", tmp_path / "root"
    (tmp_path / "uEnv.txt").write_bytes(b"bootargs=console=ttyS0\n")
    run("mkfs.vfat", "-C", "-F", "12", boot, "8192")
    run("mcopy", "-i", boot, tmp_path / "uEnv.txt", "::")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", write_tree(tmp_path / "tree"), root, "8M")
    table = bytearray(512)
    struct.pack_into("<B3xB3xII", table, 446, 0x80, 0x0C, 2048, 16384)
    struct.pack_into("<B3xB3xII", table, 462, 0, 0x83, 2048 + 16384, 16384)
    table[510:] = b"\x55\xaa"
    disk = bytes(table).ljust(1 << 20, b"\0") + boot.read_bytes() + root.read_bytes()
    entries, opening = opened(disk)
    assert [(o.form, o.offset) for o in opening.opened] == [("fat", 1 << 20), ("ext", 9 << 20)]
    assert files_of(entries, f"fat@0x{1 << 20:x}") == {"uEnv.txt": b"bootargs=console=ttyS0\n"}
    assert files_of(entries, f"ext@0x{9 << 20:x}") == FILES
    assert opening.unopened == []


@pytest.mark.needs("mksquashfs")
def test_folders_deeper_than_the_limit_are_said_and_the_rest_is_kept(tmp_path):
    root = write_tree(tmp_path / "root", {"a/" * 300 + "deep": b"deep", "flat": b"flat"}, {})
    entries, opening = opened(squashfs(root, "gzip"))
    assert files_of(entries) == {"flat": b"flat"}
    assert [u.reason for u in opening.unopened] == ["budget"]
    assert "deeper than 256 folders" in opening.unopened[0].detail
