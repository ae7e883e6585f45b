"""Does every file of a squashfs come out as it went in, whatever compressed it?"""

from __future__ import annotations

import struct

import pytest
from firmware_images import FILES, LINKS, files_of, links_of, opened, reasons, squashfs, write_tree

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
    "options", [("-noI", "-noD", "-noF"), ("-no-fragments",), ("-b", "4096"), ("-b", "1M")]
)
def test_other_layouts(tree, options):
    entries, opening = opened(squashfs(tree, "xz", *options))
    assert files_of(entries) == FILES
    assert opening.unopened == []


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


def test_of_a_truncated_image_the_blocks_that_are_left_are_still_read(tree):
    image = squashfs(tree, "xz", "-b", "131072")
    entries, opening = opened(image[: len(image) // 2])
    assert "squashfs" not in {o.form for o in opening.opened}
    assert ("squashfs@0x0", "damaged") in reasons(opening)
    assert f"{len(image[: len(image) // 2])} are here" in opening.unopened[0].detail
    found = files_of(entries)
    assert any(data in FILES["bin/app"] for data in found.values() if len(data) == 131_072)


def test_version_3_is_said_to_be_not_read():
    head = bytearray(4096)
    head[:4] = b"hsqs"
    struct.pack_into("<HH", head, 28, 3, 1)
    struct.pack_into("<H", head, 34, 17)
    struct.pack_into("<Q", head, 63, 4096)
    _, opening = opened(bytes(head))
    assert reasons(opening) == [("", "no-library")]
    assert "squashfs 3.1" in opening.unopened[0].detail


def test_a_lying_size_of_a_file_does_not_take_the_memory(tree, tmp_path):
    image = bytearray(squashfs(tree, "gzip", "-noI"))
    # Basic file inodes of an uncompressed table: set every size that is that of `exact` to 4 GiB - 1.
    at = image.find(struct.pack("<I", len(FILES["usr/share/exact"])))
    assert at > 0
    struct.pack_into("<I", image, at, 0xFFFFFFFF)
    entries, opening = opened(bytes(image))
    assert "usr/share/exact" not in files_of(entries) or opening.unopened
    assert sum(len(e.data) for e in entries if e.kind == "file") < 1 << 24
