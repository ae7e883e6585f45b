"""Does the packet helper find what is there, send no more than it may, and hold nothing else?

Everything runs in two network namespaces made for the test; no route leaves them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.needs("ip", "unshare", "nsenter")]
BENCH = Path(__file__).with_name("packet_bench.py")
HOSTS = [f"10.20.0.{n}" for n in range(10, 50)]


@pytest.fixture(scope="module")
def bench():
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel refuses network namespaces")
    done = subprocess.run(
        [*unshare, sys.executable, str(BENCH)],
        capture_output=True, text=True, timeout=90, check=False, env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_segments(bench):
    assert bench["segments"][0] == "10.20.0.0/24 on-link vs"
    assert "10.30.0.0/24 routed vs via 10.20.0.254" in bench["segments"]


def test_arp_finds_everyone_once(bench):
    arp = bench["arp"]
    assert arp["found"] == sorted([*HOSTS, "10.20.0.254"])
    assert set(arp["rounds"]) == {0}
    assert arp["skipped"] == ["10.20.0.0", "10.20.0.1", "10.20.0.255"]
    # 253 in the first round, the 212 silent ones again
    assert arp["sent"] == arp["on_wire"] == 253 + 212
    assert 500 < arp["rate"] <= 2100


def test_syn_states_and_pace(bench):
    syn = bench["syn"]
    expected = [
        [address, port, "open" if port in (80, 554) else "closed"]
        for address in HOSTS
        for port in (80, 81, 554, 8000, 37777)
    ]
    assert syn["answers"] == sorted(expected)
    assert syn["targets"] == sorted(HOSTS)
    assert syn["sent"] == syn["on_wire"] == 200
    assert syn["loss"] == 0.0
    assert syn["rate"] <= 420
    assert syn["least_gap"] >= 0.035  # 25 per second and device, less the jitter of one batch
    assert syn["source_ports"] == 1
    assert syn["kernel_resets"] >= 80  # one for each SYN/ACK: no connection was opened


def test_routed_asks_the_rest_only_of_the_living(bench):
    routed = bench["routed"]
    assert {a[0] for a in routed["answers"]} == {f"10.30.0.{n}" for n in range(10, 20)}
    assert len(routed["answers"]) == 50
    assert routed["asked"] == 128
    # liveness: two ports to 128, again to the 118 silent ones; then three ports to ten
    assert routed["sent"] == 2 * 128 + 2 * 118 + 3 * 10


def test_ipv6(bench):
    assert bench["nd"] == ["fd00::254"]
    assert bench["syn6"] == [[81, "closed"], [8080, "open"]]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("arp", "10.21.0.1 is outside the scope; nothing was sent"),
        ("syn", "10.31.0.1 is outside the scope; nothing was sent"),
        ("wide", "10.0.0.0/8 is outside the scope"),
        ("port", "port 9100 is on the deny list"),
        ("liveness", "port 502 is on the deny list"),
        ("source", "10.20.0.77 is not an address of vs"),
        ("neighbour", "10.21.0.1 is outside the scope; nothing was set"),
        ("mac", "not the MAC address of a device"),
        ("interface", "packet helper"),
        ("scope", "frozen"),
    ],
)
def test_the_helper_refuses_by_itself(bench, verb, words):
    assert words in bench["refused"][verb]


def test_privileges_are_dropped(bench):
    assert bench["status"] == {
        "CapEff": ["0000000000003000"],  # CAP_NET_RAW, CAP_NET_ADMIN
        "CapPrm": ["0000000000003000"],
        "CapBnd": ["0000000000000000"],
        "CapInh": ["0000000000000000"],
        "NoNewPrivs": ["1"],
    }
    assert bench["sudo"]["CapEff"] == ["0000000000002000"]
    assert bench["sudo"]["found"] == 40
    assert "CAP_NET_ADMIN" in bench["sudo"]["neighbours"]
    if os.geteuid() == 0:
        assert bench["sudo"]["uid"] == ["65534"] * 4
        assert bench["sudo"]["notes"] == []
    else:
        assert "could not become user 65534" in bench["sudo"]["notes"][0]


def test_neighbours_are_taken_away_again(bench):
    assert bench["permanent"] == [
        ["10.20.0.60", "10.20.0.61", "10.20.0.62"],
        ["10.20.0.61", "10.20.0.62"],
        [],
    ]


def test_stop_ends_a_sweep_early(bench):
    assert bench["stopped"]["complete"] is False
    assert 0 < bench["stopped"]["sent"] < 40


def test_a_killed_helper_is_an_error_not_a_hang(bench):
    assert "packet helper ended" in bench["killed"]
