"""Do cpio, tar, zip and the streams give every file as it went in, and do they end on hostile bytes?"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard
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
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st
from programs import program

from camscan.observe.firmware.entry import Budget


def tar(files=FILES, links=LINKS, form=tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


def zipped(files=FILES, method=zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def find_names(root: Path) -> bytes:
    return "\n".join(sorted(str(p.relative_to(root)) for p in root.rglob("*"))).encode() + b"\n"


@pytest.mark.needs("cpio")
@pytest.mark.parametrize("form", ["newc", "crc", "odc"])
def test_what_cpio_writes(tmp_path, form):
    root = write_tree(tmp_path / "root")
    done = subprocess.run(
        [str(program("cpio")), "-o", "-H", form, "--quiet"],
        input=find_names(root),
        cwd=root,
        capture_output=True,
        check=True,
    )
    entries, opening = opened(done.stdout)
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    assert [o.form for o in opening.opened] == ["cpio"]
    assert opening.unopened == []


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(form):
    long = {"x/" * 90 + "file": b"deep"} | ({} if form == 0 else {"y" * 180: b"long"})
    entries, opening = opened(tar(FILES | long, form=form))
    assert files_of(entries) == FILES | long
    assert links_of(entries) == LINKS
    assert opening.unopened == []


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip(method):
    entries, opening = opened(zipped(method=method))
    assert files_of(entries) == FILES
    assert [o.form for o in opening.opened] == ["zip"]
    assert opening.unopened == []


@pytest.mark.needs("zip")
def test_what_the_program_zip_streams(tmp_path):
    root = write_tree(tmp_path / "root")
    run("zip", "-q", "-r", "-y", tmp_path / "a.zip", ".", cwd=root)
    entries, opening = opened((tmp_path / "a.zip").read_bytes())
    assert files_of(entries) == FILES
    assert links_of(entries) == LINKS
    for name in LINKS:
        (root / name).unlink()
    data = run("zip", "-q", "-r", "-", ".", cwd=root)
    entries, opening = opened(data)
    assert files_of(entries) == FILES
    # Without its directory at the end the local headers are read one after the other.
    entries, opening = opened(data[: data.find(b"PK\1\2")])
    assert files_of(entries).items() >= {n: d for n, d in FILES.items() if d}.items()
    assert "directory at the end is missing" in opening.unopened[0].detail


@pytest.mark.needs("zip")
def test_an_encrypted_member_is_said_to_be_encrypted(tmp_path):
    (tmp_path / "secret").write_bytes(text(2000))
    (tmp_path / "open").write_bytes(b"plain")
    run("zip", "-q", "-P", "x", "a.zip", "secret", cwd=tmp_path)
    run("zip", "-q", "a.zip", "open", cwd=tmp_path)
    entries, opening = opened((tmp_path / "a.zip").read_bytes())
    assert files_of(entries) == {"open": b"plain"}
    assert reasons(opening) == [("secret", "encrypted")]


def lz4_frame(data: bytes) -> bytes:
    import lz4.frame

    return lz4.frame.compress(data)


PACKERS = {
    "gzip": lambda d: gzip.compress(d, mtime=1_500_000_000),
    "xz": lzma.compress,
    "lzma": lambda d: lzma.compress(d, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": lambda d: zstandard.ZstdCompressor().compress(d),
    "lz4": lz4_frame,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_stream_between_other_bytes_ends_where_it_ends(kind):
    content = text(90_000)
    before, after = text(5000, 3), text(7000, 4)
    packed = PACKERS[kind](content)
    entries, opening = opened(before + packed + after)
    (container,) = opening.opened
    assert (container.form, container.offset, container.size) == (kind, 5000, len(packed))
    assert files_of(entries, container.path) == {"data": content}
    gaps = [e.data for e in entries if e.kind == "gap"]
    assert gaps == [before, after]
    assert opening.unopened == []


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd", "lz4"])
def test_streams_that_were_joined_are_one_file(kind):
    first, second = text(9000, 51), text(7000, 52)
    packed = PACKERS[kind](first) + PACKERS[kind](second)
    entries, opening = opened(packed + text(500))
    (container,) = opening.opened
    assert container.size == len(packed)
    assert files_of(entries, container.path) == {"data": first + second}


def test_a_dictionary_larger_than_allowed_is_said_and_not_passed_over():
    # The dictionary size of LZMA2 is one byte of the block header: 38 is 2 GiB.
    packed = bytearray(
        lzma.compress(text(5000), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
    )
    size = (packed[12] + 1) * 4
    place = packed.index(b"\x21\x01", 12) + 2
    packed[place] = 38
    packed[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(packed[12 : 12 + size - 4]))
    _, opening = opened(bytes(packed))
    assert ("", "budget") in reasons(opening)
    assert "dictionary" in opening.unopened[0].detail


def test_parts_without_number_are_summed_up(monkeypatch):
    monkeypatch.setattr("camscan.observe.firmware.opening.MOST_NOTES", 10)
    raw = bytearray(zipped({f"f{i}": text(100, i) for i in range(25)}))
    at = 0
    while (at := raw.find(b"PK\1\2", at)) >= 0:
        raw[at + 8] |= 1  # encrypted, says the directory
        at += 4
    _, opening = opened(bytes(raw))
    assert len(opening.unopened) == 11
    assert opening.unopened[-1].detail == "15 more parts were not examined"


@pytest.mark.needs("lzop", "lz4")
def test_lzop_and_the_lz4_of_the_kernel(tmp_path):
    content = text(300_000)
    packed = run("lzop", "-c", data=content)
    entries, opening = opened(packed)
    assert files_of(entries) == {"data": content}
    assert opening.unopened == []
    packed = run("lz4", "-l", "-c", data=content)
    entries, opening = opened(b"kernel stub " * 9 + packed + struct.pack("<I", len(content)))
    assert files_of(entries, opening.opened[0].path) == {"data": content}


def test_archives_inside_archives():
    inner = zipped({"etc/app.conf": b"server=inner.example\n"})
    middle = tar({"update/app.zip": inner}, {})
    outer = gzip.compress(middle)
    entries, opening = opened(zipped({"fw.tar.gz": outer}))
    found = files_of(entries)
    assert found["fw.tar.gz!/data!/update/app.zip!/etc/app.conf"] == b"server=inner.example\n"
    assert [o.form for o in opening.opened] == ["zip", "gzip", "tar", "zip"]


def test_names_that_lead_outside_stay_inside():
    names = [
        "../../etc/passwd",
        "/etc/shadow",
        "a/../../b",
        "..",
        "C:\\x\\..\\y",
        "x!/y",
        "\x1b[31mred\u202e",
    ]
    files = {n: b"data of %d" % i for i, n in enumerate(names)}
    for image in (tar(files, {}), zipped(files), cpio(files)):
        entries, _ = opened(image)
        paths = [e.path for e in entries if e.kind == "file"]
        assert "etc/passwd" in paths
        assert "etc/shadow" in paths
        assert not any(p.startswith("/") or ".." in p.split("/") for p in paths)
        assert all(p.isprintable() for p in paths)
        assert "x\\x21/y" in paths


def test_bombs_are_bounded_and_the_rest_is_kept():
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(8)) + bomb.flush()
    budget = Budget(one=4 << 20)
    image = zipped({"bomb.gz": packed, "after": b"still there"})
    entries, opening = opened(image, budget)
    assert files_of(entries)["after"] == b"still there"
    assert [(p, r) for p, r in reasons(opening) if r == "budget"] == [("bomb.gz", "budget")]
    for pack in (lzma.compress, bz2.compress, PACKERS["zstd"], PACKERS["lz4"], PACKERS["lzma"]):
        entries, opening = opened(pack(bytes(8 << 20)), budget)
        assert next(r for _, r in reasons(opening)) == "budget"
        assert files_of(entries) == {}
    entries, opening = opened(zipped({"big": bytes(8 << 20), "after": b"x"}), budget)
    assert files_of(entries) == {"after": b"x"}
    assert reasons(opening) == [("big", "budget")]


def test_all_files_together_are_bounded():
    files = {f"{i}": noise(1 << 16, i) for i in range(40)}
    entries, opening = opened(zipped(files), Budget(expanded=1 << 20))
    assert sum(len(d) for d in files_of(entries).values()) <= 1 << 20
    assert opening.unopened[-1].reason == "budget"
    entries, opening = opened(tar({f"{i}": b"" for i in range(3000)}, {}), Budget(files=1000))
    assert len(files_of(entries)) == 1000
    assert opening.unopened[-1].reason == "budget"


def test_nesting_ends_at_the_depth_of_the_budget():
    data = b"innermost"
    for _ in range(40):
        data = zipped({"n": data}, zipfile.ZIP_STORED)
    entries, opening = opened(data)
    assert max(e.path.count("!/") for e in entries) == 11
    assert opening.unopened[-1].reason == "budget"
    assert "inside 12 containers" in opening.unopened[-1].detail


def test_a_path_a_hundred_thousand_folders_deep():
    image = cpio({"d/" * 1500 + "f": b"deep", "flat": b"x"})
    entries, _ = opened(image)
    assert files_of(entries)["flat"] == b"x"
    header = b"070701" + b"0" * 8 + b"000081a4" + b"0" * 72 + b"00030d41" + b"0" * 8
    entries, opening = opened(header + b"d/" * 100_000 + b"\0" + image)
    assert files_of(entries, opening.opened[-1].path)["flat"] == b"x"
    assert max(len(e.path) for e in entries) < 10_000


def test_cut_off_archives_give_what_is_whole():
    files = {"one": text(3000), "two": text(3000, 5), "three": text(3000, 6)}
    for image, cut in ((tar(files, {}), 6000), (cpio(files), 6000), (zipped(files), 800)):
        entries, opening = opened(image[:cut])
        assert files_of(entries, opening.opened[0].path if opening.opened else "").get(
            "one"
        ) or any(d == files["one"] for d in files_of(entries).values())
        assert "damaged" in {r for _, r in reasons(opening)}


SEEDS = [
    tar({"a": text(700), "b": noise(90)}, {"l": "a"}),
    zipped({"a": text(700), "b": noise(90)}),
    cpio({"a": text(700), "b": noise(90)}, {"l": "a"}),
    *(pack(text(3000)) for pack in PACKERS.values()),
]


@given(st.sampled_from(SEEDS), st.data())
def test_changed_archives_end_in_a_report(seed, data):
    image = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    image = image[: data.draw(st.integers(len(image) // 2, len(image)))]
    entries, _ = opened(bytes(image), Budget(one=1 << 20, expanded=1 << 24))
    assert entries[0].kind == "image"
    assert sum(len(e.data) for e in entries) < 1 << 24
