"""How many packets a second does a live capture of loopback take without loss, and what does it cost?

`python -m benchmarks.live [RATE...]` sends UDP datagrams over the loopback of a network namespace of its own, at each
rate for SECONDS, while `camscan traffic --interface lo` watches, with names, checkpoints and all. Loopback shows a
packet twice (out and in); each counts once. Prints packets sent, seen, lost by the kernel, and processor seconds of
sender, packet helper, reader and parent.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

SECONDS = 10.0
RATES = (50_000, 100_000, 200_000, 250_000)
SENDERS = 40
_SIZES = (60, 60, 60, 120, 120, 300, 1000)
"""Payloads in turn: mostly small packets, 246 bytes on average."""
_TARGET = "127.0.0.9"


def send(rate: int, seconds: float) -> tuple[int, float]:
    """Datagrams sent, and seconds it took: bursts of a millisecond, from `SENDERS` ports to as many."""
    sockets = []
    for number in range(SENDERS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((_TARGET, 20_000 + number))
        sockets.append(sock.send)
    payloads = [bytes(n) for n in _SIZES]
    burst = [(sockets[n % SENDERS], payloads[n % len(payloads)]) for n in range(rate // 1000)]
    begin = time.perf_counter()
    sent = 0
    for tick in range(int(seconds * 1000)):
        for give, payload in burst:
            try:
                give(payload)
            except ConnectionRefusedError:
                give(payload)
            sent += 1
        late = begin + (tick + 1) / 1000 - time.perf_counter()
        if late > 0:
            time.sleep(late)
    return sent, time.perf_counter() - begin


def receivers() -> list[socket.socket]:
    """So that no port answers with an error; what they hold is never read."""
    found = []
    for number in range(SENDERS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.bind((_TARGET, 20_000 + number))
        found.append(sock)
    return found


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def watch(rate: int, folder: Path) -> dict[str, float]:
    """One rate: start the capture, send, end it, compare."""
    run = folder / f"run-{rate}"
    process = subprocess.Popen(
        [sys.executable, "-m", "camscan", "traffic", "--interface", "lo", "--local", "127.0.0.0/8",
         "--checkpoint", "5", "-o", str(run), "--json", "--quiet"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    time.sleep(2.5)
    held = receivers()
    before = resource.getrusage(resource.RUSAGE_SELF)
    sent, took = send(rate, SECONDS)
    after = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(1.0)
    costs = {"helper": 0.0, "reader": 0.0}
    for pid in children(process.pid):
        is_helper = b"camscan.observe.packet" in Path(f"/proc/{pid}/cmdline").read_bytes()
        costs["helper" if is_helper else "reader"] += cpu_of(pid)
    costs["parent"] = cpu_of(process.pid)
    process.send_signal(2)
    out, _ = process.communicate(timeout=60)
    for sock in held:
        sock.close()
    seen = 0
    for line in out.splitlines():
        record = json.loads(line)
        if record["type"] == "flow" and 20_000 <= record["port"] < 20_000 + SENDERS:
            seen += record["packets"]
    (observations,) = run.glob("intakes/*/observations.ndjson")
    lost = -1
    for line in observations.read_text().splitlines():
        record = json.loads(line)
        if record["kind"] == "capture":
            name = record["sha256"]
            lost = json.loads((run / "raw" / name[:2] / name).read_text())["lost"]
    shutil.rmtree(run)
    sender = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "sent": sent,
        "rate": sent / took,
        "seen": seen,
        "lost": lost,
        "sender": sender,
        **costs,
    }


def inside(rates: list[int]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="camscan-live-") as name:
        for rate in rates:
            r = watch(rate, Path(name))
            rows.append(
                (f"{rate}", f"{r['rate']:.0f}", f"{r['sent']}", f"{r['seen']}", f"{r['lost']}",
                 *(f"{r[who]:.2f}" for who in ("sender", "helper", "reader", "parent")))
            )  # fmt: skip
    header = (
        "asked/s",
        "sent/s",
        "sent",
        "seen",
        "lost",
        "sender s",
        "helper s",
        "reader s",
        "parent s",
    )
    print(tabulate(rows, headers=header, tablefmt="simple", disable_numparse=True))
    return 0


def live(rates: list[int] | None = None) -> int:
    """In a network namespace of its own; nothing else can be seen or reached there."""
    chosen = [str(rate) for rate in rates or RATES]
    print(f"\n== live: loopback, {SECONDS:.0f} s each, {os.cpu_count()} processors")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    command = [*unshare, sys.executable, "-m", "benchmarks.live", "--inside", *chosen]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--inside"]:
        sys.exit(inside([int(rate) for rate in given[1:]]))
    sys.exit(live([int(rate) for rate in given]))
