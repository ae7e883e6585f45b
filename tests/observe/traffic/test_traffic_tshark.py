"""Flows and bytes agree with tshark, which nobody here wrote."""

from __future__ import annotations

import subprocess
from collections import defaultdict

import pytest
import traffic_frames as f
from programs import program
from test_traffic_engine import WRAPPERS, engine_of, packets, timed

pytestmark = pytest.mark.needs("tshark")

# What tshark, without options, takes apart the same way. Its own conversation bytes are outer ones.
PLAIN = ("ethernet", "vlan", "qinq", "pppoe", "mpls", "snap", "cooked", "cooked2", "raw", "null")


def by_tshark(path) -> dict[tuple, tuple[int, int]]:
    """(source, destination, source port, destination port) -> packets and frame bytes."""
    fields = [
        "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport",
        "udp.dstport", "frame.len",
    ]  # fmt: skip
    command = [program("tshark"), "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=l"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[tuple, list[int]] = defaultdict(lambda: [0, 0])
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        source, target = cells[0] or cells[2], cells[1] or cells[3]
        ports = (cells[4] or cells[6], cells[5] or cells[7])
        if ports[0]:
            one = found[source, target, int(ports[0]), int(ports[1])]
            one[0] += 1
            one[1] += int(cells[8])
    return {key: (count, size) for key, (count, size) in found.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_five_tuples_are_those_of_tshark(name, tmp_path):
    link, wrap = WRAPPERS[name]
    data = f.pcap(timed([wrap(p) for p in packets(51, 300)], link=link), link=link)
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    engine = engine_of(data)
    tuples, places = engine.tuples.tuples(), engine.places
    ours = {}
    for a, b, count, size in zip(
        tuples.a.tolist(),
        tuples.b.tolist(),
        tuples.packets.tolist(),
        tuples.size.tolist(),
        strict=True,
    ):
        if b >> 32 & 0xFF in (6, 17):
            six = b >> 40 & 1 == 1
            ends = places.text(a >> 32, six=six), places.text(a & 0xFFFFFFFF, six=six)
            # The generator uses the same ports for TCP and UDP.
            key = (*ends, b >> 16 & 0xFFFF, b & 0xFFFF)
            before = ours.get(key, (0, 0))
            ours[key] = (before[0] + count, before[1] + size)
    assert ours == by_tshark(path)
    assert len(ours) > 50


def test_names_fed_are_those_tshark_sees(tmp_path):
    """Every DNS question, TLS hello and HTTP head that tshark dissects is handed to the feed."""

    def dns(n: int) -> bytes:
        name = b"\x05cam%02d\x07example\x03net\x00" % n
        body = n.to_bytes(2, "big") + b"\x01\x00\x00\x01" + bytes(6) + name + b"\x00\x01\x00\x01"
        return f.udp(40000 + n, 53, body)

    frames = [f.ether(f.ip4("10.0.0.2", "10.0.0.1", 17, dns(n))) for n in range(20)]
    frames += [
        f.ether(
            f.ip4(
                "10.0.0.2",
                "93.184.216.1",
                6,
                f.tcp(41000 + n, 80, b"GET /%d HTTP/1.1\r\nHost: h%d.example\r\n\r\n" % (n, n)),
            )
        )
        for n in range(20)
    ]
    path = tmp_path / "x.pcap"
    path.write_bytes(f.pcap(timed(frames)))
    done = subprocess.run(
        [program("tshark"), "-n", "-r", str(path), "-T", "fields", "-e", "dns.qry.name", "-e", "http.host"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = {cell for line in done.stdout.splitlines() for cell in line.split("\t") if cell}
    fed = []
    engine_of(path.read_bytes(), feed=lambda p: fed.append(p.payload) or False)
    assert len(seen) == len(fed) == 40
    for name in seen:
        label = name.split(".")[0].encode()
        assert any(label in payload for payload in fed), name
