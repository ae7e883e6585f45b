"""How fast are images opened, what does it cost, and how many of their files come out, beside unblob and binwalk?

Images are made from programs and libraries of this machine: a flash dump of 8 MiB (boot loader, kernel as
uImage with lzma, squashfs with xz, jffs2, stale bytes), and a tree of 128 MiB. What came out is compared by
SHA-256 with what was packed.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import random
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.firmware_contents import write
from benchmarks.firmware_truth import Tree, make
from camscan.observe.firmware.opening import open_image

MIB = 1 << 20
SOURCES = ("/usr/lib", "/usr/bin", "/usr/share")
KERNEL, ROOT, CONFIG, STALE, FLASH = 0x40000, 0x240000, 0x700000, 0x6E0000, 8 * MIB
TREE = 128 * MIB
LIMIT = 300


def sources(seed: int) -> Iterator[Path]:
    """Regular files of this machine in an order of the seed."""
    found = [
        path
        for source in SOURCES
        for path in sorted(Path(source).rglob("*"))
        if path.is_file() and not path.is_symlink() and 0 < path.stat().st_size < 4 * MIB
    ]
    random.Random(seed).shuffle(found)
    yield from found


def fill(folder: Path, size: int, seed: int) -> set[str]:
    """Copy files until `size` bytes lie there; their SHA-256."""
    folder.mkdir(parents=True)
    total, sums = 0, set()
    for i, path in enumerate(sources(seed)):
        data = path.read_bytes()
        if total + len(data) > size:
            break
        place = folder / f"{i % 40}" / f"{i}-{path.name}"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        sums.add(hashlib.sha256(data).hexdigest())
        total += len(data)
    return sums


def uimage(data: bytes) -> bytes:
    head = bytearray(
        struct.pack(">7I4B32s", 0x27051956, 0, 1_600_000_000, len(data), 0, 0, zlib.crc32(data), 5, 2, 2, 3, b"Linux-4.9.37")
    )  # fmt: skip
    struct.pack_into(">I", head, 4, zlib.crc32(head))
    return bytes(head) + data


def flash(folder: Path, seed: int) -> tuple[Path, set[str]]:
    """One dump of 8 MiB, and the sums of its files."""
    work = folder / f"flash{seed}"
    chosen = random.Random(seed)
    boot = next(sources(seed + 1)).read_bytes()[: KERNEL // 2].ljust(KERNEL, b"\xff")
    kernel = b"".join(p.read_bytes() for p, _ in zip(sources(seed + 2), range(60), strict=False))
    packed = uimage(lzma.compress(kernel[: 4 * MIB], lzma.FORMAT_ALONE))[: ROOT - KERNEL]
    sums = fill(work / "root", 11 * MIB, seed)
    squash = work / "root.squashfs"
    for share in (11, 9, 7, 5, 4):
        shutil.rmtree(work / "root")
        sums = fill(work / "root", share * MIB, seed)
        command: list[str | Path] = [
            "mksquashfs",
            work / "root",
            squash,
            "-comp",
            "xz",
            "-noappend",
            "-quiet",
            "-b",
            "131072",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if squash.stat().st_size < STALE - ROOT:
            break
    sums |= fill(work / "config", MIB // 2, seed + 3)
    jffs = work / "config.jffs2"
    command = ["mkfs.jffs2", "-l", "-e", "0x10000", "-r", work / "config", "-o", jffs]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    image = bytearray(b"\xff" * FLASH)
    image[:KERNEL] = boot
    image[KERNEL : KERNEL + len(packed)] = packed
    image[ROOT : ROOT + squash.stat().st_size] = squash.read_bytes()
    image[STALE : STALE + 40_000] = bytes(squash.read_bytes()[96:40_096])
    image[CONFIG : CONFIG + jffs.stat().st_size] = jffs.read_bytes()[: FLASH - CONFIG]
    path = folder / f"flash{seed}.bin"
    path.write_bytes(image[:FLASH])
    shutil.rmtree(work)
    chosen.random()
    return path, sums


def opened(path: Path) -> dict[str, object]:
    """Files, bytes, sums and seconds of one image: what the child of a measurement runs."""
    begin = time.perf_counter()
    opening = open_image(path)
    files = size = 0
    sums = []
    for entry in opening.entries():
        if entry.kind == "file":
            files += 1
            size += len(entry.data)
            sums.append(hashlib.sha256(entry.data).hexdigest())
    seconds = time.perf_counter() - begin
    return {"files": files, "bytes": size, "seconds": seconds, "sums": sums}


LAUNCHER = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
done = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], "wb"), stderr=subprocess.DEVNULL)
wall = time.perf_counter() - begin
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, use.ru_utime + use.ru_stime, use.ru_maxrss / 1000]))
"""
"""A small process in between: Linux counts the memory of whoever forks as the child's own."""


def measured(command: list[str], folder: Path) -> tuple[float, float, float, bytes]:
    """Wall seconds, CPU seconds, peak MB (of the largest process) of a command, and what it said."""
    said = folder / "said"
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, said, *command], check=True, capture_output=True
    )
    wall, cpu, peak = json.loads(done.stdout)
    return wall, cpu, peak, said.read_bytes()


def sums_below(folder: Path) -> set[str]:
    return {
        hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


def others(image: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, command that extracts into folder / name); with which helpers is theirs to say."""
    yield "unblob", ["unblob", "-p", "1", "-e", str(folder / "unblob"), str(image)]
    yield (
        "binwalk",
        ["binwalk", "-e", "-M", "--run-as=root", "-C", str(folder / "binwalk"), str(image)],
    )


def helpers() -> None:
    """What the others cannot open here for lack of a program of their own choice."""
    if shutil.which("unblob") is not None:
        command = ["unblob", "--show-external-dependencies"]
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        missing = [
            line.split()[0] for line in said.splitlines() if line.rstrip().endswith("\u2717")
        ]
        print(f"unblob runs without {', '.join(missing) or 'nothing missing'}", flush=True)


def compare() -> None:
    """One flash dump of 8 MiB: camscan's opening, unblob, binwalk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, truth = flash(folder, 1)
        rows: list[tuple[str, ...]] = []
        command = [sys.executable, "-m", "benchmarks.firmware", str(image)]
        wall, cpu, peak, said = measured(command, folder)
        result = json.loads(said)
        right = len(set(result["sums"]) & truth)
        rows.append(("camscan, opening and SHA-256", f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}", f"{right} of {len(truth)}"))  # fmt: skip
        rows.append(("  of that without the start of Python", f"{result['seconds']:.2f}", "", "", f"{result['bytes'] / 1e6:.1f} MB expanded"))  # fmt: skip
        for other, extract in others(image, folder):
            if shutil.which(other) is None:
                rows.append((other, "not installed", "", "", ""))
                continue
            place = folder / other
            place.mkdir()
            wall, cpu, peak, _ = measured(extract, folder)
            right = len(sums_below(place) & truth)
            rows.append(
                (other, f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}", f"{right} of {len(truth)}")
            )
            shutil.rmtree(place)
        header = ("8 MiB flash dump", "wall s", "CPU s", "peak MB", "files right")
        print(tabulate(rows, headers=header, tablefmt="simple", disable_numparse=True), flush=True)


GREP = r"[A-Za-z0-9_*%][A-Za-z0-9_*%.-]*\.[A-Za-z]{2,}|([0-9]{1,3}\.){3}[0-9]{1,3}"
"""What a reader would give grep: all that is built like a host name or an IPv4 address."""
SEARCH = "find {0} -type f -print0 | xargs -0 strings -a -n 6 | grep -oE '{1}' | sort -u"


def names_image(folder: Path) -> tuple[Path, Tree]:
    """A dump whose root holds a generated tree alone, so that every endpoint in it is known."""
    tree = make(1, megabytes=5)
    write(tree, folder / "root")
    squash = folder / "names.squashfs"
    command = ["mksquashfs", folder / "root", squash, "-comp", "xz", "-noappend", "-quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    path = folder / "names.bin"
    image = b"\xff" * KERNEL + squash.read_bytes()
    path.write_bytes(image.ljust(FLASH, b"\xff"))
    return path, tree


def compare_names() -> None:
    """Endpoints of one dump: the whole command, and what others extract, with strings and grep after it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, tree = names_image(folder)
        truth = tree.live | tree.decoded | tree.wide
        rows: list[tuple[str, ...]] = []

        def row(title: str, cost: tuple[float, float, float], named: set[str]) -> None:
            wall, cpu, peak = cost
            found = f"{len(truth & named)} of {len(truth)}"
            rows.append((title, f"{wall:.2f}", f"{cpu:.2f}", f"{peak:.0f}", found, str(len(named))))

        run = ["firmware", str(image), "--json", "-o", str(folder / "run")]
        *cost, said = measured([sys.executable, "-m", "camscan", *run], folder)
        named = {e["host"] for e in json.loads(said)["endpoints"] if e["live"]}
        row("camscan firmware", (cost[0], cost[1], cost[2]), named)
        for other, extract in (*others(image, folder), ("strings alone", ["true"])):
            place = image if other == "strings alone" else folder / other
            if shutil.which(extract[0]) is None:
                rows.append((f"{other} + strings + grep", "not installed", "", "", "", ""))
                continue
            if place != image:
                place.mkdir()
            search = f"{shlex.join(extract)} >/dev/null 2>&1; " + SEARCH.format(place, GREP)
            *cost, said = measured(["sh", "-c", search], folder)
            named = {line.lower() for line in said.decode("utf-8", "replace").splitlines()}
            row(f"{other} + grep", (cost[0], cost[1], cost[2]), named)
        header = ("8 MiB dump, endpoints known", "wall s", "CPU s", "peak MB", "found", "offered")
        print(tabulate(rows, headers=header, tablefmt="simple", disable_numparse=True), flush=True)


def tree() -> None:
    """A tree of 128 MiB: opening alone, without reading what is in the files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tree"
        fill(folder, TREE, 5)
        list(open_image(folder).entries())  # the files are in the cache of the kernel afterwards
        begin, cpu = time.perf_counter(), time.process_time()
        count = size = nested = 0
        opening = open_image(folder)
        for entry in opening.entries():
            count += entry.kind == "file"
            nested += "!/" in entry.path
            size += 0 if "!/" in entry.path else len(entry.data)
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        print(
            f"tree of {size / 1e6:.0f} MB, {count} files ({nested} in archives in it): "
            f"{wall:.2f} s, {cpu:.2f} s CPU, {size / 1e6 / cpu:.0f} MB/s per core"
        )


def scaling() -> None:
    """Eight dumps by the command itself: one worker, and one per processor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = []
        for seed in range(10, 14):
            images.append(flash(folder, seed)[0])
            images.append(folder / f"again{seed}.bin")
            shutil.copy(images[-2], images[-1])
        walls = {}
        for count in sorted({1, os.cpu_count() or 1}):
            run = ["--json", "--workers", str(count), "-o", str(folder / f"run{count}")]
            command = [sys.executable, "-m", "camscan", "firmware", *map(str, images), *run]
            walls[count], _, _, said = measured(command, folder)
            assert len(said.splitlines()) == len(images)
            print(
                f"{len(images)} dumps of 8 MiB, camscan firmware --workers {count}: {walls[count]:.2f} s"
                f" ({walls[1] / walls[count]:.2f} times one worker)"
            )


def firmware() -> None:
    helpers()
    compare()
    compare_names()
    tree()
    scaling()


if __name__ == "__main__":
    json.dump(opened(Path(sys.argv[1])), sys.stdout)
