"""Which trees and images do the firmware tests make, and how is what came out compared? No test in here."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from pathlib import Path

from programs import program

from camscan.observe.firmware.entry import Budget, Entry
from camscan.observe.firmware.opening import Opening, open_image


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 2) -> bytes:
    """Compressible bytes: words of a configuration, repeated in no order."""
    words = [b"server", b"=", b"p2p.example.net", b"\n", b"port", b"443", b" ", b"[cloud]\n"]
    chosen = random.Random(seed)
    out = bytearray()
    while len(out) < size:
        out += chosen.choice(words)
    return bytes(out[:size])


FILES: dict[str, bytes] = {
    "bin/app": text(300_000) + noise(70_000) + text(5_001),
    "etc/empty": b"",
    "etc/config.ini": b"server=p2p.example.net\n",
    "etc/init.d/rcS": b"#!/bin/sh\n/bin/app &\n",
    "lib/zeros.bin": bytes(200_000),
    "lib/small.so": noise(777, 7),
    "usr/share/a name with spaces.txt": b"spaces\n",
    "usr/share/deep/er/and/deeper/file": text(4096, 9),
    "usr/share/exact": text(131_072, 10),
}
LINKS = {
    "linuxrc": "bin/app",
    "etc/absolute": "/etc/passwd",
    "etc/outside": "../../../../etc/shadow",
    "etc/loop": "loop",
}


def write_tree(root: Path, files: dict[str, bytes] = FILES, links: dict[str, str] = LINKS) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name, target in links.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return root


def run(*command: object, data: bytes | None = None, cwd: Path | None = None) -> bytes:
    words = [str(c) for c in command]
    found = program(words[0])
    assert found is not None, words[0]
    done = subprocess.run(
        [found, *words[1:]], input=data, capture_output=True, check=False, cwd=cwd, timeout=120
    )
    assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-500:])
    return done.stdout


def opened(what: bytes | Path, budget: Budget | None = None) -> tuple[list[Entry], Opening]:
    """All entries, their data copied: an entry's data is only valid until the next."""
    opening = open_image(what, budget=budget)
    return [e._replace(data=bytes(e.data)) for e in opening.entries()], opening


def files_of(entries: list[Entry], below: str = "") -> dict[str, bytes]:
    """Path below a container -> bytes."""
    prefix = f"{below}!/" if below else ""
    return {
        e.path.removeprefix(prefix): bytes(e.data)
        for e in entries
        if e.kind == "file" and e.path.startswith(prefix)
    }


def links_of(entries: list[Entry], below: str = "") -> dict[str, str]:
    prefix = f"{below}!/" if below else ""
    return {
        e.path.removeprefix(prefix): e.target
        for e in entries
        if e.kind == "link" and e.path.startswith(prefix)
    }


def reasons(opening: Opening) -> list[tuple[str, str]]:
    return [(u.path, u.reason) for u in opening.unopened]


def squashfs(root: Path, compressor: str = "xz", *options: str) -> bytes:
    out = root.parent / f"{root.name}-{compressor}.squashfs"
    out.unlink(missing_ok=True)
    run("mksquashfs", root, out, "-comp", compressor, "-noappend", "-quiet", "-all-root", *options)
    return out.read_bytes()


def jffs2(root: Path, *options: str) -> bytes:
    out = root.parent / f"{root.name}.jffs2"
    run("mkfs.jffs2", "-r", root, "-o", out, "-e", "0x10000", *(options or ("-l",)))
    return out.read_bytes()


def uimage(
    data: bytes, compression: int = 0, kind: int = 2, name: bytes = b"Linux-3.10.14"
) -> bytes:
    """A legacy U-Boot image (include/image.h), written here so that tests need no mkimage."""
    head = bytearray(
        struct.pack(
            ">7I4B32s",
            0x27051956,
            0,
            1_400_000_000,
            len(data),
            0x80008000,
            0x80008000,
            zlib.crc32(data),
            5,
            5,
            kind,
            compression,
            name,
        )
    )
    struct.pack_into(">I", head, 4, zlib.crc32(head))
    return bytes(head) + data


def cpio(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A newc archive."""
    out = bytearray()

    def add(name: str, mode: int, data: bytes) -> None:
        raw = name.encode() + b"\0"
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        out.extend(b"070701" + b"".join(b"%08x" % f for f in fields) + raw)
        out.extend(bytes(-len(out) % 4) + data)
        out.extend(bytes(-len(out) % 4))

    for name, data in files.items():
        add(name, 0o100755, data)
    for name, target in (links or {}).items():
        add(name, 0o120777, target.encode())
    add("TRAILER!!!", 0, b"")
    return bytes(out)


def sparse_file(path: Path, size: int, parts: dict[int, bytes]) -> Path:
    with path.open("wb") as file:
        for at, data in parts.items():
            file.seek(at)
            file.write(data)
        file.truncate(size)
    assert path.stat().st_size == size
    return path
