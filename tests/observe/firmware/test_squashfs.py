"""Does every file of a squashfs come out as it went in, whatever compressed it?"""

from __future__ import annotations

import lzma
import random
import struct

import pytest
from firmware_images import (
    FILES,
    LINKS,
    cpio,
    files_of,
    links_of,
    noise,
    opened,
    reasons,
    squashfs,
    text,
    write_tree,
)

pytestmark = pytest.mark.needs("mksquashfs")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("squashfs") / "root")


@pytest.mark.parametrize("compressor", ["gzip", "lzma", "lzo", "lz4", "xz", "zstd"])
def test_every_compressor(tree, compressor):
    image = squashfs(tree, compressor, "-b", "131072")
    entries, opening = opened(image)
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert opening.unopened == []
    (container,) = opening.opened
    assert (container.form, container.offset, container.files) == ("squashfs", 0, len(FILES))
    assert container.label == f"squashfs 4.0, {compressor}"
    assert container.created.startswith("20")


@pytest.mark.parametrize(
    "options",
    [
        ("-noI", "-noD", "-noF"),
        ("-no-fragments",),
        ("-b", "4096"),
        ("-b", "1M"),
        ("-Xbcj", "arm,x86,armthumb,powerpc,sparc,ia64", "-Xdict-size", "50%"),
        ("-always-use-fragments", "-no-exports", "-no-xattrs"),
    ],
)
def test_other_layouts(tree, options):
    entries, opening = opened(squashfs(tree, "xz", *options))
    assert files_of(entries) == FILES
    assert opening.unopened == []


@pytest.mark.parametrize("options", [(), ("-noI",)])
def test_thousands_of_files_whose_records_cross_the_blocks_of_the_tables(tmp_path, options):
    sizes = random.Random(6)
    files = {
        f"{i % 7}/{'n' * (i % 11)}{i}": noise(sizes.randrange(400_000 if not i % 200 else 300), i)
        for i in range(3000)
    }
    root = write_tree(
        tmp_path / "root", files, {f"links/{i}": "x" * (i % 60 + 1) for i in range(300)}
    )
    entries, opening = opened(squashfs(root, "gzip", "-b", "4096", *options))
    assert files_of(entries) == files
    assert len(links_of(entries)) == 300
    assert {u.reason for u in opening.unopened} <= {"encrypted"}  # the noise of the large ones


def test_modes_are_kept(tree):
    (tree / "bin/app").chmod(0o4755)
    entries, _ = opened(squashfs(tree, "gzip"))
    assert {e.path: oct(e.mode) for e in entries}["bin/app"] == "0o4755"


def test_a_wrong_compressor_in_the_superblock_is_seen_through(tree):
    image = bytearray(squashfs(tree, "xz"))
    struct.pack_into("<H", image, 20, 1)  # a vendor writes gzip and means xz
    entries, _ = opened(bytes(image))
    assert files_of(entries) == FILES


def test_a_damaged_data_block_costs_its_file_alone(tree):
    image = bytearray(squashfs(tree, "gzip"))
    image[200:260] = b"\xa5" * 60  # data blocks come first
    entries, opening = opened(bytes(image))
    found = files_of(entries)
    wrong = {name for name in FILES if found.get(name) != FILES[name]}
    assert 0 < len(wrong) < len(FILES)
    assert {path for path, reason in reasons(opening) if reason == "damaged"} == wrong


@pytest.mark.parametrize("compressor", ["xz", "gzip", "lzma"])
def test_of_a_truncated_image_the_blocks_that_are_left_are_still_read(tree, compressor):
    image = squashfs(tree, compressor, "-b", "131072")
    entries, opening = opened(image[: len(image) // 2])
    assert ("squashfs@0x0", "damaged") in reasons(opening)
    assert f"{len(image) // 2} are here" in opening.unopened[0].detail
    found = files_of(entries)
    assert any(FILES["bin/app"][:131_072] in data for data in found.values())


def test_a_stale_superblock_hides_nothing_behind_it(tree):
    stale = squashfs(tree, "gzip", "-b", "131072")[:5000]
    ramfs = cpio({"etc/config": text(4000, 46)})
    image = stale + text(4000) + ramfs + b"\xff" * 8192
    entries, opening = opened(image)
    assert ("squashfs@0x0", "damaged") in reasons(opening)
    assert text(4000, 46) in files_of(entries).values()


def test_without_its_last_bytes_an_image_is_read_and_said(tree):
    image = squashfs(tree, "xz")
    (used,) = struct.unpack_from("<Q", image, 40)
    entries, opening = opened(image[: used - 6])  # the table of owners
    assert files_of(entries) == FILES
    assert reasons(opening) == [("", "damaged")]


def test_a_lying_size_of_a_file_does_not_take_the_memory(tree, tmp_path):
    image = bytearray(squashfs(tree, "gzip", "-noI"))
    # Basic file inodes of an uncompressed table: set every size that is that of `exact` to 4 GiB - 1.
    at = image.find(struct.pack("<I", len(FILES["usr/share/exact"])))
    assert at > 0
    struct.pack_into("<I", image, at, 0xFFFFFFFF)
    entries, opening = opened(bytes(image))
    assert "usr/share/exact" not in files_of(entries) or opening.unopened
    assert sum(len(e.data) for e in entries if e.kind == "file") < 1 << 24


def _short(data: bytes) -> bytes:
    packed = lzma.compress(
        data,
        lzma.FORMAT_ALONE,
        filters=[{"id": lzma.FILTER_LZMA1, "preset": 6, "dict_size": 1 << 17}],
    )
    return packed[:5] + packed[13:]


def _bare(data: bytes) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 17}]
    return lzma.compress(data, lzma.FORMAT_RAW, filters=chain)


@pytest.mark.parametrize(("name", "pack"), [("lzma-short", _short), ("lzma-bare", _bare)])
def test_the_lzma_of_chip_makers(tmp_path, name, pack):
    """The tables and blocks of an uncompressed image are packed again in place, each shorter than before."""
    content = text(60_000, 61)
    root = write_tree(tmp_path / "root", {f"file{i}": content + b"%d" % i for i in range(3)}, {})
    image = bytearray(
        squashfs(
            root,
            "lzma",
            "-noI",
            "-noD",
            "-noF",
            "-no-fragments",
            "-no-xattrs",
            "-b",
            "131072",
            "-nopad",
        )
    )
    inodes, folders = struct.unpack_from("<QQ", image, 64)
    for i in range(3):
        data = content + b"%d" % i
        at = image.find(data)
        packed = pack(data)
        image[at : at + len(packed)] = packed
        entry = image.find(struct.pack("<I", 0x1000000 | len(data)), inodes)
        struct.pack_into("<I", image, entry, len(packed))
    # The folder table stays as it is; of the inode table the only block is packed, and the rest moves nowhere.
    (head,) = struct.unpack_from("<H", image, inodes)
    table = bytes(image[inodes + 2 : inodes + 2 + (head & 0x7FFF)])
    packed = pack(table)
    assert len(packed) < len(table)
    struct.pack_into("<H", image, inodes, len(packed))
    image[inodes + 2 : inodes + 2 + len(packed)] = packed
    entries, opening = opened(bytes(image))
    assert opening.opened[0].label == f"squashfs 4.0, {name}"
    assert files_of(entries) == {f"file{i}": content + b"%d" % i for i in range(3)}
    assert folders > inodes


def test_tables_that_cannot_be_read_are_said_and_blocks_are_still_found(tree):
    image = bytearray(squashfs(tree, "xz", "-b", "131072"))
    (folders,) = struct.unpack_from("<Q", image, 72)
    image[folders + 2 : folders + 40] = bytes(38)
    entries, opening = opened(bytes(image))
    assert ("squashfs@0x0", "damaged") in reasons(opening)
    assert any(FILES["bin/app"][:131_072] in data for data in files_of(entries).values())
