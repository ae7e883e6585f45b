"""Do the files of 7z archives come out, and are those that cannot be read named?"""

from __future__ import annotations

import struct
import zlib

import pytest
from firmware_images import (
    FILES,
    LINKS,
    files_of,
    links_of,
    opened,
    reasons,
    run,
    text,
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st

from camscan.observe.firmware.entry import Budget

pytestmark = pytest.mark.needs("7z")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("sevenzip") / "root")


def packed(tree, *options: str) -> bytes:
    out = tree.parent / "out.7z"
    out.unlink(missing_ok=True)
    run("7z", "a", "-bd", "-snl", *options, out, ".", cwd=tree)
    return out.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-m0=lzma",),
        ("-m0=lzma2", "-ms=off"),
        ("-m0=copy",),
        ("-m0=deflate",),
        ("-m0=bzip2",),
        ("-m0=bcj", "-m1=lzma"),
        ("-m0=arm", "-m1=lzma2"),
        ("-m0=delta:4", "-m1=lzma"),
        ("-mhc=off",),
    ],
)
def test_every_file_comes_out(tree, options):
    entries, opening = opened(packed(tree, *options))
    assert files_of(entries) == FILES
    assert set(links_of(entries)) == set(LINKS)
    assert opening.unopened == []
    (container,) = opening.opened
    assert container.form == "7z"
    assert {e.path for e in entries if e.kind == "directory"} >= {"bin", "etc/init.d"}


def test_archives_inside_a_dump(tree):
    image = text(50_000).ljust(0x10000, b"\xff") + packed(tree) + b"\xff" * 5000
    entries, _ = opened(image)
    assert files_of(entries, "7z@0x10000") == FILES


@pytest.mark.parametrize(
    ("options", "reason"), [(("-psecret",), "encrypted"), (("-m0=ppmd",), "no-library")]
)
def test_what_cannot_be_read_is_named_file_by_file(tree, options, reason):
    entries, opening = opened(packed(tree, *options))
    assert {n for n, d in files_of(entries).items() if d} == set()
    assert {p for p, r in reasons(opening) if r == reason} >= {n for n, d in FILES.items() if d}


def test_an_encrypted_list_of_files_is_said(tree):
    entries, opening = opened(packed(tree, "-psecret", "-mhe=on"))
    assert files_of(entries) == {}
    assert reasons(opening)[0] == ("", "encrypted")


def test_a_damaged_folder_is_said(tree):
    image = bytearray(packed(tree, "-ms=off"))
    image[2000] ^= 0xFF
    entries, opening = opened(bytes(image))
    assert {r for _, r in reasons(opening)} == {"damaged"}
    assert sum(files_of(entries).get(n) == d for n, d in FILES.items()) >= len(FILES) - 2


def test_a_bomb_stays_within_the_budget(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/zeros").write_bytes(bytes(30 << 20))
    image = packed(tmp_path / "in")
    assert len(image) < 10_000
    entries, opening = opened(image, Budget(one=1 << 20))
    assert files_of(entries) == {}
    assert ("zeros", "budget") in reasons(opening)


@pytest.fixture(scope="module")
def seeds(tree):
    return [packed(tree), packed(tree, "-mhc=off"), packed(tree, "-m0=bcj", "-m1=lzma")]


@given(data=st.data())
def test_changed_archives_end_in_a_report(seeds, data):
    image = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.one_of(st.integers(0, 40), st.integers(len(image) - 400, len(image) - 1)))
        image[at] = data.draw(st.integers(0, 255))
    # The checksums are made right again, so that the parser meets what was changed.
    place, size = struct.unpack_from("<QQ", image, 12)
    if 32 + place + size <= len(image):
        struct.pack_into("<I", image, 28, zlib.crc32(image[32 + place : 32 + place + size]))
    struct.pack_into("<I", image, 8, zlib.crc32(image[12:32]))
    entries, _ = opened(bytes(image), Budget(one=1 << 22, expanded=1 << 24))
    assert sum(len(e.data) for e in entries if e.kind == "file") <= 1 << 24
