"""Runs inside namespaces of its own (see test_cli_traffic_live.py): live captures of loopback that are broken off.

Prints one JSON document. Never started on a network that the test did not make.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import wire_messages as wire

from camscan.clock import SystemClock
from camscan.observe.traffic import checkpoint

ROOT = Path(sys.argv[1])
CAMSCAN = [sys.executable, "-m", "camscan", "traffic"]
WATCHED = "127.0.0.9"
LOCAL = ["--local", "127.0.0.0/8"]
NAME = "cloud.example.net"
OUT: dict = {}


def start(*arguments, stdin=subprocess.DEVNULL, quiet=("--quiet",)):
    return subprocess.Popen(
        [*CAMSCAN, *arguments, *quiet, "--json"],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def send(port, count, *, payload=b"x" * 100):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(count):
            sender.sendto(payload, (WATCHED, port))
            if number % 50 == 49:
                time.sleep(0.002)


def until(what, seconds=90.0):
    for _ in range(int(seconds / 0.02)):
        if what():
            return True
        time.sleep(0.02)
    return False


def folder(run):
    (found,) = (run / "intakes").iterdir()
    return found


def checkpoints(run):
    """When the last checkpoint was written; 0 = not yet."""
    try:
        return (folder(run) / "capture.state").stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def ready(run):
    """Packets arrive: a checkpoint that holds some."""

    def one():
        send(9, 1)
        time.sleep(0.1)
        return packets_of(run) > 0

    return until(one)


def packets_of(run):
    try:
        found = checkpoint.load(folder(run))
    except (OSError, ValueError):
        return 0
    return found.packets if found is not None else 0


def another(run, times=2):
    """Wait until everything sent by now is in a checkpoint."""
    for _ in range(times):
        before = checkpoints(run)
        assert until(lambda before=before: checkpoints(run) > before), "no checkpoint"


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pids):
    return [
        p
        for p in pids
        if Path(f"/proc/{p}").exists()
        and "Z" not in Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[0]
    ]


def ended(process):
    out, err = process.communicate(timeout=180)
    flows = {}
    names = []
    for line in out.splitlines():
        record = json.loads(line)
        if record["type"] == "flow":
            flows[record["port"]] = flows.get(record["port"], 0) + record["packets"]
        else:
            names.append(record["name"])
    return {"code": process.returncode, "flows": flows, "names": names, "err": err}


def kept(run):
    intake = folder(run)
    summary = None
    for line in (intake / "observations.ndjson").read_text().splitlines():
        record = json.loads(line)
        if record["kind"] == "capture":
            summary = json.loads(
                (run / "raw" / record["sha256"][:2] / record["sha256"]).read_text()
            )
    verify = subprocess.run(
        [sys.executable, "-m", "camscan", "verify", str(run)], capture_output=True, check=False
    )
    return {
        "files": sorted(p.name for p in intake.iterdir()),
        "summary": summary,
        "verify": verify.returncode,
        "seal": json.loads((intake / "seal.json").read_text())["complete"],
    }


def killed():
    """kill -9 of the command, packets while nobody looks, --resume, SIGTERM."""
    run = ROOT / "killed"
    first = start(
        "--interface", "lo", "--duration", "10m", "--checkpoint", "1", "-o", str(run), *LOCAL
    )
    assert ready(run)
    send(5001, 300)
    send(53, 3, payload=wire.dns_query(NAME))
    another(run)
    pids = children(first.pid)
    first.kill()
    died = SystemClock().now()
    first.wait(10)
    first.stdout.close()
    first.stderr.close()
    result = {
        "readers": len(pids),
        "left": 0 if until(lambda: not alive(pids), 10) else len(alive(pids)),
        "verify_while_open": subprocess.run(
            [sys.executable, "-m", "camscan", "verify", str(run)], capture_output=True, check=False
        ).returncode,
    }
    send(5003, 50)
    time.sleep(1.5)
    again = start("--resume", "-o", str(run))
    resumed = SystemClock().now()
    before = packets_of(run)
    assert until(lambda: send(9, 1) or time.sleep(0.1) or packets_of(run) > before)
    twice = subprocess.run(
        [*CAMSCAN, "--resume", "-o", str(run)], capture_output=True, text=True, check=False
    )
    result["twice"] = (twice.returncode, twice.stderr)
    send(5001, 100)
    send(5004, 200)
    time.sleep(0.5)
    again.terminate()
    return {**result, **ended(again), **kept(run), "died": died, "resumed": resumed}


def reader_dies():
    """The reading process is killed; another one goes on from the last checkpoint."""
    run = ROOT / "reader"
    process = start("--interface", "lo", "--checkpoint", "1", "-o", str(run), *LOCAL)
    assert ready(run)
    send(5001, 300)
    another(run)
    readers = sorted(
        p
        for p in children(process.pid)
        if b"camscan.observe.packet" not in Path(f"/proc/{p}/cmdline").read_bytes()
    )
    os.kill(readers[0], signal.SIGKILL)
    before = packets_of(run)
    assert until(lambda: send(9, 1) or time.sleep(0.1) or packets_of(run) > before)
    send(5002, 200)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    return {**ended(process), **kept(run), "readers": len(readers)}


def marked():
    """Phases by another command and by standard input; Ctrl-C is the end that was asked for."""
    run = ROOT / "marked"
    process = start(
        "--interface",
        "lo",
        "--checkpoint",
        "1",
        "-o",
        str(run),
        *LOCAL,
        "--phase",
        "quiet",
        stdin=subprocess.PIPE,
        quiet=(),
    )
    assert ready(run)
    other = subprocess.run(
        [*CAMSCAN, "--phase", "power-cycle", "-o", str(run)],
        capture_output=True,
        text=True,
        check=False,
    )
    process.stdin.write("login\n")
    process.stdin.flush()
    assert until(lambda: "login" in (folder(run) / "phases.ndjson").read_text())
    ending = subprocess.run(
        [*CAMSCAN, "--phase", "end", "-o", str(run)], capture_output=True, text=True, check=False
    )
    process.send_signal(signal.SIGINT)
    process.stdin.close()
    process.stdin = None
    found = {**ended(process), **kept(run), "mark": (other.returncode, ending.returncode)}
    late = subprocess.run(
        [*CAMSCAN, "--phase", "motion", "-o", str(run)], capture_output=True, text=True, check=False
    )
    return {**found, "late": late.returncode}


def full():
    """A disk that has hardly any room: the capture ends by itself, sealed."""
    disk = ROOT / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=68m", "tmpfs", str(disk)], check=True)
    run = disk / "run"
    process = start(
        "--interface", "lo", "--checkpoint", "1", "-o", str(run), *LOCAL, "--keep", "headers"
    )
    assert until((run / "intakes").is_dir)
    (disk / "others").write_bytes(bytes(6 << 20))
    assert until(lambda: send(5005, 20) or time.sleep(0.1) or process.poll() is not None)
    return {**ended(process), **kept(run)}


def mirrored():
    """A mirror that comes as datagrams, broken off and resumed."""
    run = ROOT / "mirrored"
    place = "tzsp:127.0.0.1:37008"

    def mirror(port, count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(count):
                packet = wire.datagram(bytes(50), at=0.0, dst="198.41.0.4", dport=port)
                sender.sendto(b"\x01\x00\x00\x01\x01" + wire.frame(packet), ("127.0.0.1", 37008))
                if number % 50 == 49:
                    time.sleep(0.005)

    first = start("--listen", place, "--checkpoint", "1", "-o", str(run))
    assert until(lambda: mirror(7000, 1) or time.sleep(0.1) or packets_of(run) > 0)
    mirror(7001, 300)
    another(run)
    first.kill()
    first.wait(10)
    first.stdout.close()
    first.stderr.close()
    again = start("--resume", "-o", str(run))
    before = packets_of(run)
    assert until(lambda: mirror(7000, 1) or time.sleep(0.1) or packets_of(run) > before)
    mirror(7002, 200)
    time.sleep(0.7)
    again.send_signal(signal.SIGINT)
    return {**ended(again), **kept(run)}


def checked():
    """--check by the same ways."""
    process = subprocess.Popen(
        [*CAMSCAN, "--check", "--interface", "lo", "--duration", "3s", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert until(lambda: send(5006, 20) or time.sleep(0.05) or process.poll() is not None)
    out, err = process.communicate()
    return {"code": process.returncode, "answers": json.loads(out or "[]"), "err": err}


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for one in (killed, reader_dies, marked, mirrored, full, checked):
        OUT[one.__name__] = one()
    sys.stdout.write(json.dumps(OUT))


main()
