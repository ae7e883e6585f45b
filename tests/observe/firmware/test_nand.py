"""Are dumps of NAND flash read although spare bytes stand between the pages, and is yaffs read by them?"""

from __future__ import annotations

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
    run,
    text,
    uimage,
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st
from squashfs_writer import nested, squashfs

LIMIT = 0xFFFFFFFF


def dumped(data: bytes, page: int = 2048, spare: int = 64, *, seed: int = 3) -> bytes:
    """As a chip programmer reads it: marks of good blocks, free bytes, checksums; erased pages are erased."""
    out = bytearray()
    ecc = noise(len(data) // page * spare + spare, seed)
    for i in range(0, len(data), page):
        part = data[i : i + page].ljust(page, b"\xff")
        if part == b"\xff" * page:
            out += part + b"\xff" * spare
        else:
            begin = i // page * spare
            out += (
                part
                + b"\xff\xff"
                + b"\xff" * (spare // 4)
                + ecc[begin : begin + spare - 2 - spare // 4]
            )
    return bytes(out)


def yaffs(
    files: dict[str, bytes],
    links: dict[str, str],
    *,
    page: int = 2048,
    spare: int = 64,
    place: int = 0,
    order: str = "<",
    extra: bool = False,
) -> bytes:
    """Pages with tags: of version 2, or (`place` -1) of version 1."""
    out = bytearray()

    def tags(number: int, chunk: int, size: int) -> bytes:
        if place < 0:
            fields = (chunk, 20), (1, 2), (size & 0x3FF, 10), (number, 18), (0, 12), (0, 2)
            value = at = 0
            for field, width in fields:
                if order == "<":
                    value |= field << at
                else:  # two words, each from its highest bit
                    value |= field << (64 - at - width)
                at += width
            raw = value.to_bytes(8, "little" if order == "<" else "big")
            return raw[:4] + b"\xff\xff" + raw[4:6] + b"\1\2\3" + raw[6:8] + b"\4\5\6"
        body = struct.pack(
            f"{order}4I", 0x1000 + len(out) // ((page + spare) * 64), number, chunk, size
        )
        return (b"\xff" * place + body).ljust(spare, b"\xff")

    def write(data: bytes, number: int, chunk: int, size: int) -> None:
        out.extend(data.ljust(page, b"\xff") + tags(number, chunk, size))

    def header(number: int, kind: int, parent: int, name: str, size: int, target: str = "") -> None:
        raw = struct.pack(f"{order}IIH256s2x", kind, parent, 0xFFFF, name.encode())
        raw += struct.pack(f"{order}8I", 0o755, 0, 0, 1, 1, 1, size, LIMIT)
        raw += target.encode().ljust(160, b"\0")
        chunk = (1 << 31 | parent) if extra else 0
        write(
            raw.ljust(512, b"\xff"),
            number | (kind << 28 if extra else 0),
            chunk,
            0xFFFF if not extra and place >= 0 else 0,
        )

    numbers = {"": 1}
    header(1, 3, 1, "", LIMIT)
    for path, what in {**files, **links}.items():
        parent = ""
        for folder in path.split("/")[:-1]:
            here = f"{parent}/{folder}".strip("/")
            if here not in numbers:
                numbers[here] = 256 + len(numbers)
                header(numbers[here], 3, numbers[parent], folder, LIMIT)
            parent = here
        number = numbers[path] = 256 + len(numbers)
        if isinstance(what, str):
            header(number, 2, numbers[parent], path.split("/")[-1], LIMIT, what)
            continue
        header(number, 1, numbers[parent], path.split("/")[-1], len(what))
        for chunk, begin in enumerate(range(0, len(what), page), 1):
            part = what[begin : begin + page]
            write(part, number, chunk, len(part))
    return bytes(out)


ROOT = squashfs(nested(FILES, LINKS), 3, block_log=16)


@pytest.mark.parametrize(("page", "spare"), [(2048, 64), (512, 16), (4096, 224), (2048, 128)])
def test_spare_bytes_are_taken_out(page, spare):
    boot = text(40_000) + bytes(24_000)
    plain = boot.ljust(1 << 17, b"\xff") + uimage(cpio({"init": b"#!/bin/sh\n"})).ljust(
        1 << 17, b"\xff"
    )
    plain += ROOT.ljust(1 << 20, b"\xff")
    entries, opening = opened(dumped(plain, page, spare))
    assert opening.opened[0].form == "nand-dump"
    assert opening.opened[0].label == f"pages of {page} bytes and {spare} spare ones"
    assert files_of(entries)["pages"] == plain.ljust(-(-len(plain) // page) * page, b"\xff")
    found = files_of(entries, "pages!/squashfs@0x40000")
    assert found == FILES
    assert links_of(entries, "pages!/squashfs@0x40000") == LINKS


def test_a_dump_without_spare_bytes_is_none():
    plain = text(1 << 17).ljust(1 << 18, b"\xff") + ROOT.ljust(1 << 20, b"\xff")
    _, opening = opened(plain + bytes(-len(plain) % 2112))
    assert [o.form for o in opening.opened] == ["squashfs"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"place": 2},
        {"place": 30, "extra": True},
        {"order": ">"},
        {"page": 4096, "spare": 128, "place": 4},
        {"page": 512, "spare": 16, "place": -1},
        {"page": 512, "spare": 16, "place": -1, "order": ">"},
    ],
)
def test_yaffs(options):
    entries, opening = opened(yaffs(FILES, LINKS, **options))
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert opening.unopened == []
    (container,) = opening.opened
    assert container.form == "yaffs"
    assert container.label.startswith("yaffs1" if options.get("place") == -1 else "yaffs2")


@pytest.mark.needs("mkfs.ubifs", "ubinize")
def test_ubi_in_a_dump_with_spare_bytes(tmp_path):
    tree, inner, plan = write_tree(tmp_path / "root"), tmp_path / "ubifs", tmp_path / "plan"
    run("mkfs.ubifs", "-r", tree, "-m", 2048, "-e", 126976, "-c", 100, "-x", "lzo", "-o", inner)
    plan.write_text(
        f"[a]\nmode=ubi\nimage={inner}\nvol_id=0\nvol_type=dynamic\nvol_name=rootfs\nvol_size=10MiB\n"
    )
    run("ubinize", "-o", tmp_path / "ubi", "-m", 2048, "-p", "128KiB", plan)
    flash = text(90_000).ljust(1 << 17, b"\xff") + (tmp_path / "ubi").read_bytes()
    entries, opening = opened(dumped(flash, 2048, 128))
    assert [o.form for o in opening.opened] == ["nand-dump", "ubi", "ubifs"]
    assert files_of(entries, "pages!/ubi@0x20000!/rootfs") == FILES


@pytest.mark.parametrize("options", [{}, {"page": 512, "spare": 16, "place": -1}])
def test_what_follows_a_yaffs_is_not_swallowed(options):
    image = yaffs({"a": text(9000), "b": b"x"}, {}, **options)
    after = noise(600_000, 12) + cpio({"etc/x": text(900)})
    entries, opening = opened(image + after)
    container = opening.opened[0]
    assert (container.form, container.size) == ("yaffs", len(image))
    assert text(900) in files_of(entries).values()


def test_of_a_file_written_twice_the_later_one_counts():
    first, second = yaffs({"a": b"old" * 900}, {}), yaffs({"a": b"new" * 700}, {})
    entries, _ = opened(first + second)
    assert files_of(entries) == {"a": b"new" * 700}


def test_yaffs_inside_a_dump_of_the_whole_flash():
    plain = text(30_000).ljust(1 << 17, b"\xff") + ROOT.ljust(1 << 19, b"\xff")
    data = yaffs({"etc/config.ini": b"server=iot.example.net\n"}, {}, place=2)
    image = dumped(plain) + data.ljust((2112 * 64) * 2, b"\xff")
    entries, opening = opened(image)
    found = files_of(entries)
    assert found["pages!/squashfs@0x20000!/etc/config.ini"] == FILES["etc/config.ini"]
    assert [v for p, v in found.items() if p.startswith("yaffs@") and p.endswith("config.ini")] == [
        b"server=iot.example.net\n"
    ]
    assert {"nand-dump", "squashfs", "yaffs"} == {o.form for o in opening.opened}


SEEDS = [
    yaffs({"etc/a": text(9000), "b": b"x"}, {"l": "b"}, **o)
    for o in ({}, {"place": -1, "page": 512, "spare": 16}, {"order": ">"})
]


@given(st.sampled_from(SEEDS), st.data())
def test_changed_pages_end_in_a_report(seed, data):
    image = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    entries, opening = opened(bytes(image[: data.draw(st.integers(100, len(image)))]))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries if e.kind == "file") < 1 << 24
    assert {reason for _, reason in reasons(opening)} <= {
        "damaged",
        "unknown-format",
        "budget",
        "encrypted",
    }
