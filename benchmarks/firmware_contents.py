"""How many of the names in firmware are found, how many of the live ones are right, and how fast?

`python -m benchmarks firmware-contents`: trees of benchmarks/firmware_truth.py, each read by the command
itself (`camscan firmware --json`), and one large tree for the speed of one core.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.firmware_truth import Tree, make

SEEDS = range(40)
LARGE = 128


def write(tree: Tree, folder: Path) -> None:
    for name, data in tree.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read(folders: list[Path], run: Path) -> list[dict]:
    command = [
        sys.executable,
        "-m",
        "camscan",
        "firmware",
        *map(str, folders),
        "--json",
        "-o",
        str(run),
    ]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode in {0, 2}, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def same_bytes(tree: Tree, endpoint: dict) -> bool:
    """Whether the bytes at path and offset are the name (or, for an encoded one, letters that hold it)."""
    data = tree.files[endpoint["path"]]
    span = data[endpoint["offset"] : endpoint["offset"] + endpoint["length"]]
    if len(span) != endpoint["length"]:
        return False
    if endpoint["basis"] == "utf16":
        forms = {
            span.decode("utf-16-le", "replace").lower(),
            span.decode("utf-16-be", "replace").lower(),
        }
        return endpoint["host"] in forms
    if endpoint["basis"].startswith("decoded"):
        return set(span) <= set(b"ABCDEFGHIJKLMNOP") or endpoint["basis"] != "decoded:ppcs"
    return span.decode("latin-1").lower() == endpoint["host"].removeprefix("*").lower()


def contents() -> None:
    trees = [make(seed, megabytes=0.5) for seed in SEEDS]
    with tempfile.TemporaryDirectory(prefix="camscan-bench-") as name:
        folders = []
        for number, tree in enumerate(trees):
            folder = Path(name) / f"tree-{number:02d}"
            write(tree, folder)
            folders.append(folder)
        lines = read(folders, Path(name) / "run")
    known = found = right = live = reread = total = keys = 0
    missed: list[str] = []
    wrong: list[str] = []
    for tree, line in zip(trees, lines, strict=True):
        truth = tree.live | tree.decoded | tree.wide
        named = {e["host"] for e in line["endpoints"] if e["live"]}
        known += len(truth)
        found += len(truth & named)
        live += len(named)
        right += len(named & truth)
        missed += [f"{tree.seed}: {h}" for h in sorted(truth - named)]
        wrong += [
            f"{tree.seed}: {e['host']} ({e['class']}, {e['path']}: {e['context'][:60]})"
            for e in line["endpoints"]
            if e["live"] and e["host"] not in truth
        ]
        total += len(line["endpoints"])
        reread += sum(same_bytes(tree, e) for e in line["endpoints"])
        keys += sum(k["what"] == "private-key" for k in line["keys"])
    print(f"  {len(trees)} trees, {known} endpoints in truth")
    print(f"  recall {found / known:.4f}   precision of live classes {right / live:.4f}")
    print(f"  offsets that re-read to the same bytes: {reread} of {total}")
    print(f"  private keys: {keys} of {sum(t.keys for t in trees)}")
    for title, entries in (("missed", missed), ("wrongly live", wrong)):
        for entry in entries[:25]:
            print(f"  {title} {entry}")


def speed() -> None:
    """One core over one large tree: searching alone, then the whole command."""
    from camscan import knowledge
    from camscan.observe.firmware.examine import Searcher, Tables, examine
    from camscan.observe.firmware.opening import open_image

    known = knowledge.load()
    searcher = Searcher(
        Tables(
            digest="x", vocabulary=known.vocabulary, names=known.endpoints, firmware=known.firmware
        )
    )
    with tempfile.TemporaryDirectory(prefix="camscan-bench-") as name:
        folder = Path(name) / "large"
        for seed in range(8):
            write(make(1000 + seed, megabytes=LARGE * 1.048576 / 8), folder / str(seed))
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        began = time.perf_counter()
        report = examine(open_image(folder), "large", searcher)
        inside = time.perf_counter() - began
        began = time.perf_counter()
        read([folder], Path(name) / "run")
        whole = time.perf_counter() - began
    print(
        f"  {size / 1e6:.0f} MB, {report.files} files: opened and searched {size / 1e6 / inside:.0f} MB/s on one core; whole command {whole:.1f} s"
    )


def main() -> None:
    contents()
    speed()
