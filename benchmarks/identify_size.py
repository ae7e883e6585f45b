"""How many recorded answers does `camscan identify` name in a second, on one processor and on all?

`python -m benchmarks identify-size`. Both mixes of identify_data.py, a million records each, through the
command itself: starting, reading, dealing into parts, naming, merging, writing. Measured apart:
`--workers 1` bound to one processor, and one process per processor. Also: the first 20,000 records of
each mix with every device resolved in full, as an audit does it; that these lines are the same; and the
time to load all signatures, with and without the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from tabulate import tabulate

from benchmarks.identify_data import write
from camscan import knowledge
from camscan.decode.exchange import bounded, read
from camscan.identify.devices import Identifier
from camscan.identify.stream import devices
from camscan.model.identity import identity
from camscan.worker import available

OBSERVATIONS = 1_000_000
PLAIN = 20_000
MIXES = ("own", "fleet")


def run(observations: int = OBSERVATIONS) -> None:
    with tempfile.TemporaryDirectory(prefix="camscan-bench-") as folder:
        _loading(Path(folder))
        for mix in MIXES:
            _mix(Path(folder), mix, observations)


def _loading(folder: Path) -> None:
    code = (
        "import time; from camscan import knowledge; a = time.perf_counter(); knowledge.load(); "
        "print(time.perf_counter() - a)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    times = [
        float(subprocess.check_output([sys.executable, "-c", code], env=environment))
        for _ in range(4)
    ]
    print(f"  loading all signatures: {times[0]:.3f} s from TOML, {min(times[1:]):.3f} s cached")


def _mix(folder: Path, mix: str, observations: int) -> None:
    file = folder / f"{mix}.ndjson"
    facts = write(file, observations, mix)
    kinds = {k.removeprefix("kind "): v for k, v in facts.items() if k.startswith("kind ")}
    print(
        f"  mix {mix}: {facts['observations']:.0f} observations of {facts['devices']:.0f} devices, "
        f"{facts['megabytes']:.0f} MB, {facts['distinct']:.0%} of the answers distinct"
    )
    ranked = sorted(kinds.items(), key=lambda k: -k[1])
    print("  " + ", ".join(f"{kind} {share:.1%}" for kind, share in ranked))
    rows = []
    count = int(facts["observations"])
    for workers, name in ((1, "one processor"), (available(), f"{available()} processes")):
        wall, cpu, peak = _command(folder, file, workers)
        rows.append((name, f"{wall:.1f}", f"{cpu:.1f}", f"{count / wall:,.0f}", f"{peak:.0f}"))
    rows.append(("each device in full", *_plain(file, folder / "out.json")))
    headers = ("", "wall s", "CPU s", "observations/s", "peak MB of one process")
    print(tabulate(rows, headers=headers, disable_numparse=True), flush=True)
    file.unlink()


def _command(folder: Path, file: Path, workers: int) -> tuple[float, float, float]:
    timing, out = folder / "timing.json", folder / "out.json"
    command = [
        sys.executable, "-m", "benchmarks.timed", str(timing), "--",
        sys.executable, "-m", "camscan", "identify", str(file), "--json", "-o", str(out),
        "--workers", str(workers),
    ]  # fmt: skip
    if workers == 1 and hasattr(os, "sched_getaffinity"):
        one = min(os.sched_getaffinity(0))
        command = ["taskset", "-c", str(one), *command]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    found = json.loads(timing.read_text())
    assert found["code"] == 0, found
    return found["wall"], found["cpu"], found["peak_mb"]


def _plain(file: Path, out: Path) -> tuple[str, str, str, str]:
    """Every device in full, as an audit does it; the lines are compared."""
    identifier = Identifier(knowledge.load())
    lines = []
    with file.open("rb") as opened:
        for line in bounded(opened):
            lines.append(line)
            if len(lines) == PLAIN:
                break
    begun, used = time.perf_counter(), time.process_time()
    made = [msgspec.json.encode(identity(d)) for d in devices(read(lines), identifier)]
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    with out.open("rb") as opened:
        # The last device may go on beyond the records that were read.
        for ours, theirs in zip(made[:-1], opened, strict=False):
            assert ours == theirs.rstrip(b"\n"), (ours, theirs)
    return f"{wall:.1f}", f"{cpu:.1f}", f"{PLAIN / wall:,.0f}", ""


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else OBSERVATIONS)
