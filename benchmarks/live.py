"""How many packets a second does a live capture of loopback take without loss, and what does it cost?

`python -m benchmarks.live [RATE...]` sends UDP datagrams over the loopback of a network namespace of its own, at each
rate for SECONDS, while `camscan traffic --interface lo` watches, with names, and a checkpoint every five seconds.
Loopback shows a packet twice (out and in); each counts once. RATE is a number, for few flows that last, or `NUMBERs`
for SPREAD remote addresses in turn, as many flows as a small town has. Prints packets sent, seen, lost by the kernel,
and processor seconds of sender, packet helper, reader and parent.
"""

from __future__ import annotations

import json
import os
import random
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
RATES = ("50000", "100000", "200000", "250000", "100000s")
SPREAD = 50_000
"""Remote addresses of a rate that ends in s; nobody listens there, so the kernel's answers are seen as well."""
SENDERS = 40
_SIZES = (60, 60, 60, 120, 120, 300, 1000)
"""Payloads in turn, as if encrypted: mostly small packets, 246 bytes on average."""
_TARGET = "127.0.0.9"


def send(rate: int, seconds: float) -> tuple[int, float]:
    """Datagrams sent, and seconds it took: bursts of a millisecond, from `SENDERS` ports to as many."""
    sockets = []
    for number in range(SENDERS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((_TARGET, 20_000 + number))
        sockets.append(sock.send)
    payloads = [random.Random(n).randbytes(n) for n in _SIZES]
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


def send_spread(rate: int, seconds: float) -> tuple[int, float]:
    """The same to SPREAD addresses in turn."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    give = sock.sendto
    places = [(f"127.{1 + n // 65_536}.{n // 256 % 256}.{n % 256}", 30_000) for n in range(SPREAD)]
    payloads = [random.Random(n).randbytes(n) for n in _SIZES]
    count = rate // 1000
    begin = time.perf_counter()
    sent = 0
    for tick in range(int(seconds * 1000)):
        for _ in range(count):
            give(payloads[sent % 7], places[sent % SPREAD])
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


def watch(asked: str, folder: Path) -> dict[str, float]:
    """One rate: start the capture, send, end it, compare."""
    rate, spread = int(asked.rstrip("s")), asked.endswith("s")
    run = folder / f"run-{asked}"
    process = subprocess.Popen(
        [sys.executable, "-m", "camscan", "traffic", "--interface", "lo", "--local", "127.0.0.0/8",
         "--checkpoint", "5", "-o", str(run), "--json", "--quiet"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    time.sleep(2.5)
    held = receivers()
    before = resource.getrusage(resource.RUSAGE_SELF)
    sent, took = (send_spread if spread else send)(rate, SECONDS)
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
        if record["type"] == "flow" and record["transport"] == "udp":
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


def inside(rates: list[str]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="camscan-live-") as name:
        for rate in rates:
            r = watch(rate, Path(name))
            rows.append(
                (rate, f"{r['rate']:.0f}", f"{r['sent']}", f"{r['seen']}", f"{r['lost']}",
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


def live(rates: tuple[str, ...] = RATES) -> int:
    """In a network namespace of its own; nothing else can be seen or reached there."""
    print(f"\n== live: loopback, {SECONDS:.0f} s each, {os.cpu_count()} processors")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    command = [*unshare, sys.executable, "-m", "benchmarks.live", "--inside", *rates]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--inside"]:
        sys.exit(inside(given[1:]))
    sys.exit(live(tuple(given) or RATES))
