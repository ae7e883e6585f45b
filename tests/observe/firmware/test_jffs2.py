"""Does a jffs2 log of either byte order give its newest files, and where does one partition end?"""

from __future__ import annotations

import struct
import zlib

import pytest
from firmware_images import (
    FILES,
    LINKS,
    files_of,
    jffs2,
    links_of,
    noise,
    opened,
    reasons,
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st


def node_sum(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def header(kind: int, size: int, order: str = "<") -> bytes:
    head = struct.pack(f"{order}HHI", 0x1985, kind, size)
    return head + struct.pack(f"{order}I", node_sum(head))


def dirent(parent, version, inode, name: bytes, kind=8, order="<") -> bytes:
    head = header(0xE001, 40 + len(name), order)
    head += struct.pack(f"{order}IIIIBBH", parent, version, inode, 0, len(name), kind, 0)
    raw = head + struct.pack(f"{order}II", node_sum(head), node_sum(name)) + name
    return raw + b"\xff" * (-len(raw) % 4)


def inode(
    number,
    version,
    data: bytes,
    *,
    offset=0,
    size=None,
    how=0,
    packed=None,
    mode=0o100644,
    order="<",
) -> bytes:
    packed = data if packed is None else packed
    size = offset + len(data) if size is None else size
    head = header(0xE002, 68 + len(packed), order)
    head += struct.pack(f"{order}IIIHHIIII", number, version, mode, 0, 0, size, 0, 0, 0)
    head += struct.pack(f"{order}IIIBBH", offset, len(packed), len(data), how, 0, 0)
    raw = head + struct.pack(f"{order}II", node_sum(packed), node_sum(head)) + packed
    return raw + b"\xff" * (-len(raw) % 4)


@pytest.mark.needs("mkfs.jffs2")
@pytest.mark.parametrize(
    "options",
    [
        ("-l",),
        ("-b",),
        ("-l", "-n"),
        ("-l", "-p"),
        ("-l", "-m", "none"),
        ("-l", "-m", "size", "-X", "rtime"),
        ("-b", "-m", "priority", "-X", "lzo", "-y", "100:lzo"),
        ("-l", "-x", "zlib", "-x", "lzo", "-X", "rtime"),
    ],
)
def test_what_mkfs_writes_comes_out(tmp_path, options):
    image = jffs2(write_tree(tmp_path / "root"), *options)
    entries, opening = opened(image)
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert opening.unopened == []
    assert [o.form for o in opening.opened] == ["jffs2"]


@pytest.mark.needs("mkfs.jffs2")
def test_two_partitions_in_a_row_stay_apart(tmp_path):
    first = jffs2(write_tree(tmp_path / "a", {"etc/name": b"first" * 30, "etc/one": b"1" * 99}, {}))
    second = jffs2(write_tree(tmp_path / "b", {"etc/name": b"second" * 30}, {}))
    erased = b"\xff" * 0x10000
    image = first + b"\xff" * (-len(first) % 0x10000) + erased + second
    entries, opening = opened(image)
    assert [o.form for o in opening.opened] == ["jffs2", "jffs2"]
    one, two = (o.path for o in opening.opened)
    assert files_of(entries, one)["etc/name"] == b"first" * 30
    assert files_of(entries, two) == {"etc/name": b"second" * 30}


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_latest_version_wins_and_deleted_names_stay_away(order):
    image = b"".join(
        (
            dirent(1, 1, 2, b"kept", order=order),
            dirent(1, 2, 3, b"gone", order=order),
            inode(3, 1, b"deleted content", order=order),
            inode(2, 1, b"old old old", order=order),
            inode(2, 3, b"new", order=order, size=3),
            inode(2, 2, b"between", order=order),
            dirent(1, 3, 0, b"gone", order=order),
        )
    )
    entries, opening = opened(image)
    assert files_of(entries) == {"kept": b"new"}
    assert opening.unopened == []


def test_nodes_lie_over_each_other_and_holes_are_zero():
    image = b"".join(
        (
            dirent(1, 1, 2, b"f"),
            inode(2, 1, b"A" * 10),
            inode(2, 2, b"B" * 4, offset=3, size=10),
            inode(2, 3, b"C" * 2, offset=14, size=16),
        )
    )
    assert files_of(opened(image)[0]) == {"f": b"AAABBBBAAA\0\0\0\0CC"}


def test_rtime_of_the_kernel():
    # "abcabcabc" as compr_rtime.c packs it: every literal with the length of what repeats after it.
    packed = b"a\0b\0c\0a\5" + b"c\0"
    image = dirent(1, 1, 2, b"f") + inode(2, 1, b"abcabcabcc", how=2, packed=packed)
    assert files_of(opened(image)[0]) == {"f": b"abcabcabcc"}


def test_folders_that_contain_each_other_end():
    image = b"".join(
        (
            dirent(1, 1, 2, b"ok"),
            inode(2, 1, b"fine"),
            dirent(10, 1, 11, b"a", kind=4),
            dirent(11, 1, 10, b"b", kind=4),
            dirent(11, 2, 12, b"file"),
            inode(12, 1, b"in the circle"),
            dirent(1, 2, 1, b"self", kind=4),
        )
    )
    found = files_of(opened(image)[0])
    assert found["ok"] == b"fine"
    assert b"in the circle" in found.values()


def test_a_wrong_checksum_is_said_and_costs_one_node():
    wrong = bytearray(inode(3, 1, b"x" * 40))
    wrong[70] ^= 1
    image = dirent(1, 1, 2, b"a") + inode(2, 1, b"fine") + dirent(1, 2, 3, b"b") + bytes(wrong)
    entries, opening = opened(image)
    assert files_of(entries) == {"a": b"fine", "b": b""}
    assert reasons(opening) == [("b", "damaged")]


def test_a_file_that_states_four_gigabytes_is_refused():
    image = dirent(1, 1, 2, b"a") + inode(2, 1, b"x", offset=0xFFFFFF00, size=0xFFFFFFFF)
    entries, opening = opened(image + dirent(1, 2, 3, b"b") + inode(3, 1, b"fine"))
    assert files_of(entries) == {"b": b"fine"}
    assert reasons(opening) == [("a", "budget")]


@given(st.data())
def test_any_bytes_in_a_log_end_in_a_report(data):
    image = bytearray(
        dirent(1, 1, 2, b"d", kind=4)
        + dirent(2, 1, 3, b"f")
        + inode(3, 1, noise(200))
        + inode(3, 2, b"z" * 400, how=6, packed=zlib.compress(b"z" * 400))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries) < 1 << 20


def test_a_hundred_thousand_folders_in_each_other():
    deep = b"".join(dirent(i, 1, i + 1, b"d", kind=4) for i in range(1, 100_001))
    image = deep + dirent(1, 2, 200_001, b"flat") + inode(200_001, 1, b"fine")
    entries, opening = opened(image)
    assert files_of(entries) == {"flat": b"fine"}
    assert sum(e.kind == "directory" for e in entries) == 100_000
    assert max(len(e.path) for e in entries) < 2000
    assert {u.reason for u in opening.unopened} == {"budget"}
