"""Does every file of squashfs 1 to 3 and of a big-endian 4 come out, also with the LZMA of vendors?"""

from __future__ import annotations

import lzma
import random
import struct

import pytest
from firmware_images import FILES, LINKS, files_of, links_of, noise, opened, reasons, run
from hypothesis import given
from hypothesis import strategies as st
from squashfs_writer import nested, squashfs

TREE = nested(FILES, LINKS)
LOGS = {1: 15, 2: 16, 3: 17, 4: 17}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("major", [1, 2, 3, 4])
def test_every_version_and_byte_order(major, order):
    entries, opening = opened(squashfs(TREE, major, order, block_log=LOGS[major]))
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert opening.unopened == []
    (container,) = opening.opened
    assert container.form == "squashfs"
    assert container.label.startswith(f"squashfs {major}.")
    assert ("big-endian" in container.label) == (order == ">")
    assert container.created == "2011-03-13T07:06:40.000Z"
    assert {e.path: oct(e.mode) for e in entries}["bin/app"] == "0o755"


@pytest.mark.needs("unsquashfs")
@pytest.mark.parametrize(
    ("major", "order"), [(1, "<"), (1, ">"), (2, "<"), (2, ">"), (3, "<"), (3, ">"), (4, "<")]
)
def test_the_writer_of_these_tests_writes_what_unsquashfs_reads(tmp_path, major, order):
    image = tmp_path / "image"
    image.write_bytes(squashfs(TREE, major, order, block_log=LOGS[major]))
    run("unsquashfs", "-no-progress", "-dest", tmp_path / "out", image)
    found = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes()
        for p in (tmp_path / "out").rglob("*")
        if p.is_file() and not p.is_symlink()
    }
    assert found == FILES


@pytest.mark.parametrize("major", [1, 2, 3])
def test_thousands_of_files(major):
    sizes = random.Random(8)
    files = {f"{i % 5}/{'n' * (i % 9)}{i}": noise(sizes.randrange(200), i) for i in range(2500)}
    entries, opening = opened(squashfs(nested(files, {}), major, ">", block_log=12))
    assert files_of(entries) == files
    assert opening.unopened == []


def _alone(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE, preset=6)


def _raw(data: bytes, lc: int, lp: int, pb: int) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": 1 << 16}]
    return lzma.compress(data, lzma.FORMAT_RAW, filters=chain)


@pytest.mark.parametrize(
    ("major", "order", "magic", "pack"),
    [
        (3, "<", b"shsq", _alone),
        (3, ">", b"qshs", _alone),
        (3, ">", b"sqlz", lambda d: _alone(d)[:5] + _alone(d)[13:]),
        (2, "<", b"hsqs", lambda d: _raw(d, 3, 0, 2)),
        (3, "<", b"hsqt", lambda d: b"7zip" + _raw(d, 0, 0, 0)),
        (3, ">", b"tqsh", lambda d: b"\x6d\0\0\x80\0\x12\x34\x56\x78" + _raw(d, 1, 2, 2)),
        (2, ">", b"sqsh", lambda d: b"\x00" + _raw(d, 0, 2, 2)),
    ],
)
def test_the_lzma_of_vendors(major, order, magic, pack):
    image = squashfs(TREE, major, order, magic=magic, pack=pack)
    entries, opening = opened(image)
    assert files_of(entries) == FILES
    assert opening.unopened == []
    assert "lzma" in opening.opened[0].label


def test_metadata_behind_a_check_byte():
    entries, _ = opened(squashfs(TREE, 2, "<", checked=True))
    assert files_of(entries) == FILES


def test_three_in_a_row_each_ends_where_it_ends():
    images = [
        squashfs(nested({f"only{i}": noise(5000, i)}, {}), i, "<>"[i % 2], block_log=12)
        for i in (1, 2, 3)
    ]
    entries, opening = opened(b"".join(images))
    assert [o.label.split(",")[0] for o in opening.opened] == [
        "squashfs 1.0",
        "squashfs 2.0",
        "squashfs 3.1",
    ]
    assert {p.rpartition("/")[2] for p in files_of(entries)} == {"only1", "only2", "only3"}
    assert opening.unopened == []


SEEDS = [
    squashfs(TREE, major, order, block_log=LOGS[major]) for major in (1, 2, 3) for order in "<>"
]


@given(st.sampled_from(SEEDS), st.data())
def test_changed_tables_end_in_a_report(seed, data):
    image = bytearray(seed)
    inodes = len(image) - 8192
    for _ in range(data.draw(st.integers(1, 8))):
        low = data.draw(st.sampled_from([0, inodes]))
        place = low + data.draw(st.integers(0, 118 if not low else 8191))
        image[place] = data.draw(st.integers(0, 255))
    entries, opening = opened(bytes(image[: data.draw(st.integers(200, len(image)))]))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries if e.kind == "file") < 1 << 26
    assert all(
        reason in {"damaged", "unknown-format", "budget", "encrypted", "no-library"}
        for _, reason in reasons(opening)
    )


def test_a_folder_that_contains_itself_ends():
    tree = nested({"a/b/c": b"x" * 50}, {})
    image = bytearray(squashfs(tree, 3, "<", pack=lambda d: d))
    # The folder `a` lists `b`; its entry is made to point at the inode of `a` itself.
    entries, _ = opened(bytes(image))
    assert files_of(entries) == {"a/b/c": b"x" * 50}
    (folders,) = struct.unpack_from("<Q", image, 95)
    at = image.find(b"b", folders + 11)
    (inodes,) = struct.unpack_from("<Q", image, 87)
    for within in range(0, 120, 4):
        struct.pack_into("<H", image, at - 5, within)
        entries, _ = opened(bytes(image))
        assert len(entries) < 2000
    assert inodes < folders
