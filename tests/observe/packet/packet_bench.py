"""Runs inside a namespace of its own (see test_packet_lab.py): what do the verbs find and send?

Prints one JSON document. Never started on a network that the test did not make.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

from camscan.errors import CamscanError
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire import netlink
from camscan.observe.wire.interfaces import segments
from camscan.scope import build_scope

HOSTS = [f"10.20.0.{n}" for n in range(10, 50)]
ROUTED = [f"10.30.0.{n}" for n in range(10, 20)]
PORTS = (80, 81, 554, 8000, 37777)
OPEN = (80, 554)
OUT: dict = {}

FAR = f"""
import socket, sys, time
held = [socket.create_server(("0.0.0.0", port)) for port in {OPEN!r}]
held.append(socket.create_server(("::", 8080), family=socket.AF_INET6))
print("up", flush=True)
sys.stdin.read()
"""


def run(*command):
    subprocess.run(command, check=True)


def raise_network():
    """vs (here) -- vl (other namespace): devices are AnyIP routes, 10.30.0.0/24 lies behind."""
    run("ip", "link", "set", "lo", "up")
    far = subprocess.Popen(
        ["unshare", "-n", sys.executable, "-c", FAR],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert far.stdout.readline().strip() == "up"
    run("ip", "link", "add", "vs", "type", "veth", "peer", "name", "vl", "netns", str(far.pid))
    run("ip", "addr", "add", "10.20.0.1/24", "dev", "vs")
    run("ip", "addr", "add", "fd00::1/64", "dev", "vs", "nodad")
    run("ip", "link", "set", "vs", "up")
    lines = ["link set lo up", "addr add 10.20.0.254/24 dev vl", "addr add fd00::254/64 dev vl nodad",
             "link set vl up", "route add blackhole 10.30.0.0/24"]  # fmt: skip
    lines += [f"route add local {address} dev lo" for address in (*HOSTS, *ROUTED)]
    batch = "\n".join(lines) + "\n"
    command = ["nsenter", "-t", str(far.pid), "-n", "ip", "-batch", "-"]
    subprocess.run(command, input=batch, text=True, check=True)
    run("ip", "route", "add", "10.30.0.0/24", "via", "10.20.0.254")
    return far


def status(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {
        line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines() if ":" in line
    }


async def refusal(work):
    try:
        if hasattr(work, "__aiter__"):
            async for _ in work:
                pass
        else:
            await work
    except CamscanError as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def pcap_records(data):
    at, records = 24, []
    while at + 16 <= len(data):
        seconds, nano, kept, _ = struct.unpack_from("=IIII", data, at)
        records.append((seconds + nano / 1e9, data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return records


async def captured(helper, sweep, filter_text):
    """The sweep's results, and every frame that was on the wire meanwhile."""
    stream = await helper.capture("vs")
    await asyncio.sleep(0.2)
    kept = bytearray()

    def read():
        while data := os.read(stream.fd, 1 << 16):
            kept.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    items = [item async for item in sweep]
    await stream.stop()
    await asyncio.to_thread(reader.join, 10)
    os.close(stream.fd)
    return items, pcap_records(bytes(kept))


async def main():
    far = raise_network()
    # As ranges: a network as CIDR leaves out its edges, and the sweeps below name whole networks.
    scope = build_scope(
        ["10.20.0.0-10.20.0.255", "10.30.0.0-10.30.0.255", "fd00::254", "fd00::77"],
        authority="test",
    )
    OUT["segments"] = [s.text for s in segments(scope)]
    helper = PacketHelper()
    ready = await helper.start(scope)
    way = {"interface": "vs", "source": "10.20.0.1"}
    state = status(helper.pid)
    OUT["status"] = {k: state[k] for k in ("CapEff", "CapPrm", "CapBnd", "CapInh", "NoNewPrivs")}

    sweep = helper.arp_sweep(["10.20.0.0/24"], rate=2000, seed=7, **way)
    found, frames = await captured(helper, sweep, "arp")
    macs = {n.address: n.mac for n in found}
    asked = [t for t, f in frames if f[12:14] == b"\x08\x06" and f[21] == 1]
    OUT["arp"] = {
        "found": sorted(macs), "rounds": [n.round for n in found], "sent": sweep.summary.sent,
        "skipped": sweep.summary.skipped, "on_wire": len(asked),
        "rate": (254 - 2) / (asked[251] - asked[0]) if len(asked) > 252 else 0,
    }  # fmt: skip

    live = {address: macs[address] for address in HOSTS if address in macs}
    sweep = helper.syn_sweep(live, PORTS, rate=400, per_host_rate=25, macs=live, **way)
    answers, frames = await captured(helper, sweep, "tcp")
    syn = [(t, f) for t, f in frames if f[12:14] == b"\x08\x00" and f[23] == 6 and f[47] == 2]
    per_host: dict = {}
    for t, f in syn:
        per_host.setdefault(f[30:34], []).append(t)
    resets = [f for _, f in frames if f[12:14] == b"\x08\x00" and f[23] == 6 and f[47] & 4
              and f[26:30] == bytes([10, 20, 0, 1])]  # fmt: skip
    OUT["syn"] = {
        "answers": sorted((a.address, a.port, a.state) for a in answers),
        "sent": sweep.summary.sent, "on_wire": len(syn), "loss": sweep.summary.loss,
        "rate": (len(syn) - 1) / (syn[-1][0] - syn[0][0]),
        "least_gap": min(b - a for times in per_host.values() for a, b in pairwise(times)),
        "targets": sorted({".".join(map(str, f[30:34])) for _, f in syn}),
        "kernel_resets": len(resets),
        "source_ports": len({f[34:36] for _, f in syn}),
    }  # fmt: skip

    sweep = helper.syn_sweep(
        ["10.30.0.0/25"], PORTS, rate=5000, per_host_rate=40, liveness=(554, 8000), **way
    )
    routed = [a async for a in sweep]
    OUT["routed"] = {
        "answers": sorted((a.address, a.port, a.state) for a in routed),
        "sent": sweep.summary.sent, "asked": sweep.summary.asked,
    }  # fmt: skip

    six = {"interface": "vs", "source": "fd00::1"}
    OUT["nd"] = [
        n.address async for n in helper.nd_sweep(["fd00::254", "fd00::77"], rate=100, **six)
    ]
    OUT["syn6"] = sorted(
        [
            (a.port, a.state)
            async for a in helper.syn_sweep(
                ["fd00::254"], (8080, 81), rate=100, per_host_rate=40, **six
            )
        ]
    )

    OUT["refused"] = {
        "arp": await refusal(helper.arp_sweep(["10.21.0.1"], rate=10, **way)),
        "syn": await refusal(helper.syn_sweep(["10.31.0.1"], (80,), rate=1, per_host_rate=1, **way)),
        "wide": await refusal(helper.arp_sweep(["10.0.0.0/8"], rate=10, **way)),
        "port": await refusal(helper.syn_sweep(["10.20.0.9"], (9100,), rate=1, per_host_rate=1, **way)),
        "liveness": await refusal(helper.syn_sweep(
            ["10.20.0.9"], (80,), rate=1, per_host_rate=1, liveness=(502,), **way)),
        "source": await refusal(helper.arp_sweep(
            ["10.20.0.9"], rate=10, interface="vs", source="10.20.0.77")),
        "neighbour": await refusal(helper.add_neighbours([("10.21.0.1", "02:00:00:00:00:09")], interface="vs")),
        "mac": await refusal(helper.add_neighbours([("10.20.0.9", "ff:ff:ff:ff:ff:ff")], interface="vs")),
        "interface": await refusal(helper.arp_sweep(["10.20.0.9"], rate=1, interface="nope0", source="10.20.0.1")),
        "scope": await refusal(helper.start(scope)),
    }  # fmt: skip

    def permanent():
        return sorted(n.address for n in netlink.neighbours() if n.state & netlink.NUD_PERMANENT
                      and n.address.startswith("10."))  # fmt: skip

    entries = [
        (address, "02:00:00:00:00:09") for address in ("10.20.0.60", "10.20.0.61", "10.20.0.62")
    ]
    await helper.add_neighbours(entries, interface="vs")
    OUT["permanent"] = [permanent()]
    await helper.remove_neighbours(entries[:1], interface="vs")
    OUT["permanent"].append(permanent())
    slow = helper.arp_sweep(["10.20.0.0/24"], rate=20, **way)
    asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(slow.stop()))
    _ = [n async for n in slow]
    OUT["stopped"] = {"sent": slow.summary.sent, "complete": slow.summary.complete}
    await helper.close()
    OUT["permanent"].append(permanent())

    os.environ.update(SUDO_UID="65534", SUDO_GID="65534")
    again = PacketHelper()
    ready = await again.start(scope, neighbours=False)
    state = status(again.pid)
    OUT["sudo"] = {"uid": state["Uid"], "groups": state["Groups"], "CapEff": state["CapEff"],
                   "notes": ready.notes,
                   "found": len([n async for n in again.arp_sweep(HOSTS, rate=2000, **way)]),
                   "neighbours": await refusal(again.add_neighbours(entries, interface="vs"))}  # fmt: skip
    os.kill(again.pid, signal.SIGKILL)
    OUT["killed"] = await refusal(again.arp_sweep(HOSTS, rate=2000, **way))
    await again.close()
    far.stdin.close()
    far.wait(5)
    sys.stdout.write(json.dumps(OUT))


asyncio.run(main())
