"""Is a U-Boot image of either form opened, and is a wrong checksum said?"""

from __future__ import annotations

import gzip
import lzma
import struct

import pytest
from firmware_images import (
    FILES,
    cpio,
    files_of,
    noise,
    opened,
    reasons,
    run,
    squashfs,
    text,
    uimage,
    write_tree,
)
from hypothesis import given
from hypothesis import strategies as st

KERNEL = text(400_000, 21)


@pytest.mark.needs("mkimage")
@pytest.mark.parametrize("compression", ["none", "gzip", "lzma", "bzip2"])
def test_what_mkimage_writes(tmp_path, compression):
    import bz2

    packers = {
        "none": bytes,
        "gzip": gzip.compress,
        "lzma": lambda d: lzma.compress(d, lzma.FORMAT_ALONE),
        "bzip2": bz2.compress,
    }
    (tmp_path / "data").write_bytes(packers[compression](KERNEL))
    run(
        "mkimage", "-A", "mips", "-O", "linux", "-T", "kernel", "-C", compression,
        "-a", "0x80008000", "-e", "0x80008000", "-n", "Linux-3.10.14", "-d", tmp_path / "data",
        tmp_path / "image",
    )  # fmt: skip
    entries, opening = opened((tmp_path / "image").read_bytes())
    assert files_of(entries) == {"kernel": KERNEL}
    (container,) = opening.opened
    assert (container.form, container.label) == ("uimage", "Linux-3.10.14")
    assert container.created
    assert opening.unopened == []


@pytest.mark.needs("mkimage")
def test_several_parts(tmp_path):
    (tmp_path / "a").write_bytes(KERNEL)
    (tmp_path / "b").write_bytes(cpio({"init": b"#!/bin/sh\n"}))
    run(
        "mkimage", "-A", "arm", "-T", "multi", "-C", "none",
        "-d", f"{tmp_path / 'a'}:{tmp_path / 'b'}", tmp_path / "image",
    )  # fmt: skip
    entries, opening = opened((tmp_path / "image").read_bytes())
    found = files_of(entries)
    assert found["part0"] == KERNEL
    assert found["part1!/init"] == b"#!/bin/sh\n"
    assert opening.unopened == []


TREE = """/dts-v1/;
/ {{
  description = "camera firmware 1.2";
  images {{
    kernel {{ description = "k"; data = /incbin/("{0}"); type = "kernel"; arch = "arm"; os = "linux";
             compression = "gzip"; load = <0x80008000>; entry = <0x80008000>; }};
    rootfs {{ data = /incbin/("{1}"); type = "ramdisk"; arch = "arm"; os = "linux"; compression = "none"; }};
  }};
  configurations {{ default = "c"; c {{ kernel = "kernel"; ramdisk = "rootfs"; }}; }};
}};
"""


@pytest.mark.needs("mkimage", "dtc")
@pytest.mark.parametrize("external", [False, True])
def test_flattened_image_tree(tmp_path, external):
    kernel, root, source = tmp_path / "kernel.gz", tmp_path / "root.cpio", tmp_path / "image.its"
    kernel.write_bytes(gzip.compress(KERNEL))
    root.write_bytes(cpio({"etc/hosts": b"127.0.0.1 localhost\n"}))
    source.write_text(TREE.format(kernel, root))
    run("mkimage", *(("-E",) if external else ()), "-f", source, tmp_path / "image")
    entries, opening = opened((tmp_path / "image").read_bytes())
    found = files_of(entries)
    assert found["kernel"] == KERNEL
    assert found["rootfs!/etc/hosts"] == b"127.0.0.1 localhost\n"
    assert next((o.form, o.label) for o in opening.opened) == ("fit", "camera firmware 1.2")
    assert opening.unopened == []


def test_a_wrong_checksum_of_the_data_is_said_and_the_data_is_opened():
    image = bytearray(uimage(KERNEL))
    image[100] ^= 1
    entries, opening = opened(bytes(image))
    assert len(files_of(entries)["kernel"]) == len(KERNEL)
    assert reasons(opening) == [("", "damaged")]


def test_a_wrong_checksum_of_the_header_is_no_image():
    image = bytearray(uimage(KERNEL))
    image[40] ^= 1
    _, opening = opened(bytes(image))
    assert opening.opened == []
    assert reasons(opening) == [("", "unknown-format")]


def test_a_stream_that_is_not_what_the_header_says_is_given_as_it_is():
    data = text(3000)
    entries, opening = opened(uimage(data, compression=1))
    assert files_of(entries) == {"kernel": data}
    assert reasons(opening) == [("kernel", "damaged")]


def test_a_header_that_names_the_wrong_compression_hides_nothing():
    entries, opening = opened(uimage(lzma.compress(KERNEL), compression=1))
    assert files_of(entries)["kernel!/data"] == KERNEL
    assert opening.unopened == []


@pytest.mark.needs("mksquashfs")
def test_an_initramfs_and_a_filesystem_inside_a_kernel(tmp_path):
    flat = squashfs(write_tree(tmp_path / "root"), "xz")
    ramfs = cpio({"init": b"#!/bin/sh\n", "etc/inner.squashfs": flat})
    kernel = noise(9000) + text(20_000) + ramfs + text(500)
    image = uimage(lzma.compress(kernel, lzma.FORMAT_ALONE), compression=3)
    entries, opening = opened(image)
    found = files_of(entries)
    place = f"kernel!/cpio@0x{29_000:x}"
    assert found[f"{place}!/init"] == b"#!/bin/sh\n"
    assert files_of(entries, f"{place}!/etc/inner.squashfs") == FILES
    assert [o.form for o in opening.opened] == ["uimage", "cpio", "squashfs"]


def test_a_compressed_kernel_inside_a_stub():
    """zImage: code that is not compressed, then the kernel that is, then the expanded size."""
    stub = text(6000, 3)
    image = uimage(stub + gzip.compress(KERNEL) + struct.pack("<I", len(KERNEL)))
    entries, _ = opened(image)
    assert KERNEL in files_of(entries).values()


@given(st.data())
def test_changed_images_end_in_a_report(data):
    image = bytearray(uimage(gzip.compress(text(900)), compression=1))
    for _ in range(data.draw(st.integers(1, 5))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    entries, _ = opened(bytes(image))
    assert entries[0].kind == "image"


@given(st.binary(max_size=400))
def test_any_device_tree_ends_in_a_report(body):
    head = struct.pack(
        ">10I", 0xD00DFEED, 56 + len(body), 56, 56, 40, 17, 16, 0, len(body), len(body)
    )
    entries, _ = opened(head + bytes(16) + body)
    assert entries[0].kind == "image"
