"""Names and per-flow bytes of the same captures by camscan, ndpiReader, tshark, suricata and nfstream.

`python -m benchmarks traffic [small|mixed|video]...`: one core, CPU seconds (user and system), peak memory, all in
one run on captures made here; then the wall time of one and of two processes on a capture four times as large. tshark and nfstream get the first tenth of the packets and are shown per packet.
A tool that is not installed is said to be missing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.captures import SHARES, make

PACKETS = {"small": 2_500_000, "mixed": 2_500_000, "video": 2_000_000}
LARGE = {kind: 4 * count for kind, count in PACKETS.items()}
"""Of the capture that two processes read."""
FIRST_FILE = 7_000
LIMIT = 600
TURNS = 3
"""Of camscan and of tools that get the whole capture; the median is shown."""

NFSTREAM = """
import sys
from nfstream import NFStreamer
for flow in NFStreamer(source=sys.argv[1], statistical_analysis=False, n_meters=1):
    print(flow.src_ip, flow.dst_ip, flow.bidirectional_bytes, flow.requested_server_name)
"""


class Cost(NamedTuple):
    cpu: float
    wall: float
    peak_mb: float


class Tool(NamedTuple):
    name: str
    command: list[str]
    share: float
    """Of the packets it is given."""


def tools(capture: Path, tenth: Path, folder: Path) -> list[Tool | str]:
    """What is there; a text for what is not."""
    found: list[Tool | str] = [
        Tool("camscan", [sys.executable, "-m", "benchmarks.traffic_job", str(capture)], 1.0)
    ]
    commands = {
        "ndpiReader": (["-q", "-i", str(capture)], 1.0),
        "tshark": (
            ["-r", str(tenth), "-n", "-T", "fields", "-e", "dns.qry.name", "-e",
             "tls.handshake.extensions_server_name", "-e", "http.host", "-z", "conv,tcp", "-z",
             "conv,udp"],
            0.1,
        ),
        "suricata": (
            ["-r", str(capture), "-l", str(folder), "-k", "none", "--runmode", "single", "-S",
             "/dev/null"],
            1.0,
        ),
    }  # fmt: skip
    for name, (arguments, share) in commands.items():
        path = shutil.which(name)
        found.append(
            Tool(name, [path, *arguments], share) if path else f"{name}: not installed here"
        )
    if importlib.util.find_spec("nfstream") is None:
        found.append("nfstream: not installed here")
    else:
        found.append(Tool("nfstream", [sys.executable, "-c", NFSTREAM, str(tenth)], 0.1))
    return found


def measure(command: list[str], *, cores: str = "0") -> Cost | None:
    """CPU, wall time and peak memory of one command on `cores`; None where it failed."""
    code = (
        "import os, resource, subprocess, sys, time; t = time.perf_counter();"
        f"c = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout={LIMIT});"
        "w = time.perf_counter() - t; u = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(c, u.ru_utime + u.ru_stime, w, u.ru_maxrss / 1024)"
    )
    # Without it, Python would compile every module at every start where the folders are not written to.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    prefix = ["taskset", "-c", cores] if shutil.which("taskset") else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code, *command],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        return None
    code_, cpu, wall, peak = done.stdout.split()
    return None if int(code_) else Cost(float(cpu), float(wall), float(peak))


def first_packets(capture: Path, count: int, out: Path) -> None:
    """The first `count` packets as a file of their own."""
    data = capture.open("rb")
    with data, out.open("wb") as target:
        target.write(data.read(24))
        for _ in range(count):
            head = data.read(16)
            if len(head) < 16:
                break
            target.write(head + data.read(struct.unpack_from("<I", head, 8)[0]))


def warm(path: Path) -> None:
    """Into the page cache, so that no tool pays for the disk."""
    with path.open("rb", buffering=0) as data:
        while data.read(1 << 24):
            pass


def compare(kind: str, folder: Path) -> None:
    capture, tenth, few = (folder / f"{kind}{part}.pcap" for part in ("", "-tenth", "-first"))
    packets = make(kind, PACKETS[kind], capture)
    first_packets(capture, packets // 10, tenth)
    first_packets(capture, FIRST_FILE, few)
    size = capture.stat().st_size
    print(
        f"\n== traffic {kind}: {packets} packets, {size / 1e6:.0f} MB, {size / packets:.0f} bytes each"
    )
    rows, missing, ours = [], [], None
    given = tools(capture, tenth, folder)
    missing += [tool for tool in given if isinstance(tool, str)]
    there = [tool for tool in given if isinstance(tool, Tool)]
    costs: dict[str, list[Cost | None]] = {}
    for turn in range(TURNS):
        # By turns, so that a busy minute hits everybody.
        for tool in there:
            if turn and tool.share < 1.0:
                continue
            warm(capture if tool.share == 1.0 else tenth)
            costs.setdefault(tool.name, []).append(measure(tool.command))
    for tool in there:
        done = sorted(c for c in costs[tool.name] if c is not None)
        if len(done) < len(costs[tool.name]):
            missing.append(f"{tool.name}: failed or took more than {LIMIT} s")
            continue
        cost = done[len(done) // 2]
        cpu = cost.cpu / tool.share
        ours = ours or cpu
        name = tool.name if tool.share == 1.0 else f"{tool.name} (of a tenth)"
        rows.append(
            (
                name,
                f"{cpu:.2f}",
                f"{packets / cpu / 1e3:.0f}",
                f"{cost.peak_mb:.0f}",
                f"{cpu / ours:.2f}",
            )
        )
    header = ("", "CPU s", "kpackets/s", "peak MB", "camscan = 1")
    print(tabulate(rows, headers=header, tablefmt="simple", disable_numparse=True))
    for text in missing:
        print(f"  {text}")
    warm(few)
    job = [sys.executable, "-m", "benchmarks.traffic_job"]
    one = measure([*job, str(few)])
    if one is not None:
        print(f"  {FIRST_FILE} packets: {one.wall:.2f} s in all, {one.peak_mb:.0f} MB")
    for path in (capture, tenth, few):
        path.unlink()
    several(kind, folder)


def several(kind: str, folder: Path) -> None:
    """Two processes against one, by the clock: they share neither start-up nor closing, so on a large file."""
    capture = folder / f"{kind}-large.pcap"
    packets = make(kind, LARGE[kind], capture)
    size = capture.stat().st_size
    warm(capture)
    job = [sys.executable, "-m", "benchmarks.traffic_job", str(capture)]
    turns = [[measure([*job, str(n)], cores="0,1") for n in (1, 2)] for _ in range(TURNS)]
    walls = [sorted(c.wall for c in costs if c is not None) for costs in zip(*turns, strict=True)]
    if all(len(each) == TURNS for each in walls):
        one, two = (each[TURNS // 2] for each in walls)
        print(
            f"  {packets} packets, {size / 1e6:.0f} MB: one process {one:.2f} s, two {two:.2f} s: {one / two:.2f}x"
        )
    else:
        print("  two processes: a job failed")
    capture.unlink()


def traffic(kinds: tuple[str, ...] = ()) -> None:
    with tempfile.TemporaryDirectory(prefix="camscan-bench-") as name:
        for kind in kinds or tuple(SHARES):
            compare(kind, Path(name))
