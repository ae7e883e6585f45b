"""Do cramfs, romfs, ubi, ubifs, ext and FAT give every file as it went in?"""

from __future__ import annotations

import random
import struct

import pytest
from firmware_images import (
    FILES,
    LINKS,
    files_of,
    links_of,
    noise,
    opened,
    reasons,
    run,
    text,
    write_tree,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camscan.observe.firmware.entry import Budget


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("filesystems") / "root")


@pytest.mark.needs("mkfs.cramfs")
@pytest.mark.parametrize("options", [("-N", "little"), ("-N", "big"), ("-N", "little", "-p")])
def test_cramfs(tree, tmp_path, options):
    run("mkfs.cramfs", *options, "-n", "camera", tree, tmp_path / "image")
    entries, opening = opened((tmp_path / "image").read_bytes())
    (container,) = opening.opened
    assert (container.form, container.label) == ("cramfs", "camera")
    assert files_of(entries, container.path) == FILES
    assert links_of(entries, container.path) == LINKS
    assert opening.unopened == []


@pytest.mark.needs("mkfs.cramfs")
def test_cramfs_with_a_wrong_checksum_is_read_and_said(tree, tmp_path):
    run("mkfs.cramfs", "-n", "camera", tree, tmp_path / "image")
    image = bytearray((tmp_path / "image").read_bytes())
    image[-2] ^= 0xFF
    entries, opening = opened(bytes(image))
    assert len(files_of(entries)) == len(FILES)
    assert ("", "damaged") in reasons(opening)


@pytest.mark.needs("genromfs")
def test_romfs(tree, tmp_path):
    run("genromfs", "-d", tree, "-f", tmp_path / "image", "-V", "rom")
    entries, opening = opened((tmp_path / "image").read_bytes())
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert [(o.form, o.label) for o in opening.opened] == [("romfs", "rom")]


@pytest.mark.needs("mkfs.ubifs")
@pytest.mark.parametrize("compressor", ["none", "lzo", "zlib", "zstd"])
def test_ubifs(tree, tmp_path, compressor):
    image = tmp_path / "image"
    run(
        "mkfs.ubifs", "-r", tree, "-m", 2048, "-e", 126976, "-c", 200, "-x", compressor, "-o", image
    )
    entries, opening = opened(image.read_bytes())
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert opening.unopened == []
    assert [o.form for o in opening.opened] == ["ubifs"]


@pytest.mark.needs("mkfs.ubifs")
def test_ubifs_without_its_superblock_and_masters_is_read_and_said(tree, tmp_path):
    image = tmp_path / "image"
    run("mkfs.ubifs", "-r", tree, "-m", 2048, "-e", 126976, "-c", 200, "-x", "lzo", "-o", image)
    left = image.read_bytes()[3 * 126976 :]
    for lost in (b"", b"\xff" * 126976, noise(126976)):
        entries, opening = opened(lost + left)
        (container,) = [o for o in opening.opened if o.form == "ubifs"]
        assert files_of(entries, container.path) == FILES
        assert "ubifs: the superblock is missing" in {u.detail for u in opening.unopened}


@pytest.mark.needs("mkfs.ubifs", "ubinize")
def test_ubi_blocks_without_a_volume_header_are_counted(tree, tmp_path):
    inner = tmp_path / "ubifs"
    run("mkfs.ubifs", "-r", tree, "-m", 2048, "-e", 126976, "-c", 200, "-x", "lzo", "-o", inner)
    plan = tmp_path / "plan"
    plan.write_text(
        f"[a]\nmode=ubi\nimage={inner}\nvol_id=0\nvol_type=dynamic\nvol_name=rootfs\nvol_size=20MiB\n"
    )
    run("ubinize", "-o", tmp_path / "image", "-m", 2048, "-p", "128KiB", plan)
    image = bytearray((tmp_path / "image").read_bytes())
    blocks = [at for at in range(0, len(image), 1 << 17) if image[at : at + 4] == b"UBI#"]
    # Of the first block of the volume (its superblock) the header is lost, of the last one the erase counter.
    first = next(at for at in blocks if image[at + 2048 + 8 : at + 2048 + 16] == bytes(8))
    image[first + 2048 : first + 2048 + 64] = bytes(64)
    entries, opening = opened(bytes(image))
    assert files_of(entries, "rootfs!/ubifs@0x1f000") == FILES
    said = {u.detail for u in opening.unopened}
    assert any(d.startswith("ubi: 1 erase blocks have no VID header") for d in said)


@pytest.mark.needs("mkfs.ubifs", "ubinize", "mksquashfs")
def test_volumes_of_ubi_are_opened(tree, tmp_path):
    inner, flat = tmp_path / "ubifs", tmp_path / "squashfs"
    run("mkfs.ubifs", "-r", tree, "-m", 2048, "-e", 126976, "-c", 200, "-x", "zlib", "-o", inner)
    run("mksquashfs", tree, flat, "-comp", "xz", "-noappend", "-quiet")
    plan = tmp_path / "plan.ini"
    plan.write_text(
        f"[a]\nmode=ubi\nimage={inner}\nvol_id=0\nvol_type=dynamic\nvol_name=rootfs\nvol_size=20MiB\n"
        f"[b]\nmode=ubi\nimage={flat}\nvol_id=1\nvol_type=static\nvol_name=app\n"
    )
    image = tmp_path / "image"
    run("ubinize", "-o", image, "-m", 2048, "-p", "128KiB", plan)
    entries, opening = opened(image.read_bytes())
    assert [o.form for o in opening.opened] == ["ubi", "ubifs", "squashfs"]
    assert files_of(entries, "rootfs") == FILES
    assert files_of(entries, "app") == FILES
    assert opening.unopened == []
    # Erase blocks in another order, as wear levelling leaves them, and one erased.
    raw = image.read_bytes()
    blocks = [raw[i : i + 131072] for i in range(0, len(raw), 131072)]
    head, rest = blocks[:1], blocks[1:]
    random.Random(4).shuffle(rest)
    shuffled = b"".join([*head, *rest[:2], b"\xff" * 131072, *rest[2:]])
    again, _ = opened(shuffled)
    assert files_of(again, "rootfs") == FILES
    assert files_of(again, "app") == FILES


@pytest.mark.needs("mke2fs")
@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ext2", "-b", "1024"),
        ("-t", "ext2", "-b", "4096"),
        ("-t", "ext3"),
        ("-t", "ext4", "-b", "1024"),
        ("-t", "ext4", "-b", "4096", "-O", "64bit,metadata_csum"),
        ("-t", "ext4", "-b", "1024", "-g", "512", "-O", "meta_bg,^resize_inode"),
        (
            "-t",
            "ext4",
            "-b",
            "1024",
            "-g",
            "512",
            "-O",
            "meta_bg,^resize_inode,^sparse_super,64bit",
        ),
        ("-t", "ext4", "-O", "inline_data"),
    ],
)
def test_ext(tmp_path, options):
    # 3 MB in one file: three levels of pointers at 1 KiB blocks need more, two are passed.
    files = FILES | {"big": text(3_000_000, 12), "many/x" * 20: b"deep path"}
    files |= {f"folder/{i:04}": b"%d" % i for i in range(700)}
    links = LINKS | {"long": "x/" * 100}
    tree = write_tree(tmp_path / "root", files, links)
    image = tmp_path / "image"
    run("mke2fs", "-q", "-F", *options, "-d", tree, "-L", "camera", image, "24M")
    entries, opening = opened(image.read_bytes())
    found = files_of(entries)
    assert {n: found.get(n) for n in files} == files
    assert links_of(entries) == links
    assert opening.unopened == []
    assert [(o.form, o.label) for o in opening.opened] == [("ext", "camera")]


@pytest.mark.needs("mke2fs")
def test_an_ext_image_without_its_end_gives_what_is_left(tree, tmp_path):
    image = tmp_path / "image"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image, "8M")
    data = image.read_bytes()
    entries, opening = opened(data[: 5 << 20])
    assert ("", "damaged") in reasons(opening)
    found = files_of(entries)
    assert found["etc/config.ini"] == FILES["etc/config.ini"]


@pytest.mark.needs("mkfs.vfat", "mcopy")
@pytest.mark.parametrize(("bits", "blocks"), [("12", 4096), ("16", 20480), ("32", 70000)])
def test_fat(tree, tmp_path, bits, blocks):
    image = tmp_path / "image"
    run("mkfs.vfat", "-C", "-F", bits, "-n", "CAMERA", image, blocks)
    files = FILES
    for name in ("bin", "etc", "lib", "usr"):
        folder = tmp_path / "copy" / name
        write_tree(tmp_path / "copy", {n: d for n, d in files.items() if n.startswith(name)}, {})
        run("mcopy", "-i", image, "-s", "-Q", folder, "::")
    entries, opening = opened(image.read_bytes())
    assert files_of(entries) == files
    assert opening.unopened == []
    (container,) = opening.opened
    assert (container.form, container.label) == ("fat", f"FAT{bits} CAMERA")


@pytest.mark.needs("mke2fs", "img2simg")
def test_the_sparse_files_of_android(tree, tmp_path):
    plain, image = tmp_path / "plain", tmp_path / "image"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", tree, plain, "24M")
    run("img2simg", plain, image)
    entries, opening = opened(image.read_bytes())
    assert files_of(entries)["image"] == plain.read_bytes()
    assert files_of(entries, "image") == FILES
    assert [o.form for o in opening.opened] == ["android-sparse", "ext"]
    assert opening.unopened == []
    lie = bytearray(image.read_bytes())
    struct.pack_into("<I", lie, 16, 0xFFFFFFFF)  # blocks in all
    entries, opening = opened(bytes(lie))
    assert ("image", "budget") in reasons(opening)
    entries, opening = opened(image.read_bytes()[:200_000])
    assert "damaged" in {r for _, r in reasons(opening)}
    assert links_of(entries, "image")["linuxrc"] == "bin/app"


def test_a_fat_chain_that_comes_back_to_itself_ends():
    image = bytearray(512 * 64)
    image[:3] = b"\xeb\x3c\x90"
    image[3:11] = b"MSDOS5.0"
    struct.pack_into("<HBHBHHBH", image, 11, 512, 1, 1, 1, 16, 64, 0xF8, 1)
    image[510:512] = b"\x55\xaa"
    image[512:517] = b"\xf8\xff\xff\x02\x20"  # cluster 2 is followed by cluster 2
    root = 1024
    image[root : root + 11] = b"LOOP    TXT"
    image[root + 11] = 0x20
    struct.pack_into("<HI", image, root + 26, 2, 4000)
    image[1536:2048] = noise(512)
    entries, opening = opened(bytes(image))
    assert len(files_of(entries)["LOOP.TXT"]) == 4000
    assert opening.opened[0].form == "fat"


SMALL = {"etc/config": text(900), "bin/app": noise(300, 8) + text(5000, 9), "empty": b""}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """One small image of every filesystem."""
    base = tmp_path_factory.mktemp("seeds")
    root = write_tree(base / "root", SMALL, {"l": "etc/config", "loop": "loop"})
    run("mkfs.cramfs", "-N", "little", root, base / "cramfs-le")
    run("mkfs.cramfs", "-N", "big", root, base / "cramfs-be")
    run("genromfs", "-d", root, "-f", base / "romfs")
    run("mksquashfs", root, base / "squashfs", "-comp", "gzip", "-noappend", "-quiet", "-nopad")
    run(
        "mksquashfs",
        root,
        base / "squashfs-plain",
        "-noI",
        "-noD",
        "-noF",
        "-noappend",
        "-quiet",
        "-nopad",
    )
    run(
        "mkfs.ubifs",
        "-r",
        root,
        "-m",
        512,
        "-e",
        15872,
        "-c",
        40,
        "-j",
        "64KiB",
        "-o",
        base / "ubifs",
    )
    plan = base / "plan"
    plan.write_text(
        f"[a]\nmode=ubi\nimage={base / 'squashfs'}\nvol_id=0\nvol_type=static\nvol_name=a\n"
    )
    run("ubinize", "-o", base / "ubi", "-m", 512, "-p", "16KiB", plan)
    plan.unlink()
    for kind in ("ext2", "ext4"):
        run(
            "mke2fs",
            "-q",
            "-F",
            "-t",
            kind,
            "-b",
            "1024",
            "-N",
            "32",
            "-O",
            "^has_journal",
            "-d",
            root,
            base / kind,
            "256K",
        )
    run("mkfs.vfat", "-C", "-F", "12", base / "fat", "256")
    run("mcopy", "-i", base / "fat", "-s", root / "etc", root / "bin", "::")
    return {p.name: p.read_bytes() for p in base.iterdir() if p.is_file()}


NAMES = (
    "cramfs-le",
    "cramfs-be",
    "romfs",
    "squashfs",
    "squashfs-plain",
    "ubifs",
    "ubi",
    "ext2",
    "ext4",
    "fat",
)


@pytest.mark.needs(
    "mkfs.cramfs", "genromfs", "mksquashfs", "mkfs.ubifs", "ubinize", "mke2fs", "mkfs.vfat", "mcopy"
)
@pytest.mark.parametrize("name", NAMES)
def test_changed_filesystems_end_in_a_report(seeds, name):
    """Bytes where the tables are, changed: every outcome is bounded, and no exception leaves `entries`."""
    seed = seeds[name]
    assert SMALL["etc/config"] in files_of(opened(seed)[0]).values()
    filled = [i for i, b in enumerate(seed) if b not in {0, 255}]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attempt(data):
        image = bytearray(seed)
        for _ in range(data.draw(st.integers(1, 8))):
            near = filled[data.draw(st.integers(0, len(filled) - 1))]
            place = min(len(image) - 1, near + data.draw(st.integers(0, 3)))
            image[place] = data.draw(st.sampled_from((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, 0x40, 0x10)))
        image = image[: data.draw(st.integers(len(image) // 2, len(image)))]
        entries, _ = opened(
            bytes(image), Budget(one=1 << 20, expanded=1 << 24, files=5000, seconds=20)
        )
        assert entries[0].kind == "image"
        assert sum(len(e.data) for e in entries) < 1 << 25

    attempt()
