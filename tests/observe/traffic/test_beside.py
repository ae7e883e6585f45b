"""Names read by a process beside the one that counts are the names one process reads."""

from __future__ import annotations

import os
import signal

import pytest
import traffic_frames as f
import wire_messages as wire
from test_traffic_engine import packets, timed

from camscan.errors import RunError
from camscan.knowledge import load
from camscan.observe.traffic import filling, take
from camscan.observe.traffic.flows import AT_ONCE
from camscan.observe.traffic.take import TakeOptions, Taking

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
SERVICES = load().services
CAMERA, SERVER, RESOLVER = "10.0.0.3", "198.51.100.7", "10.0.0.1"


def conversation(number: int) -> list[bytes]:
    """A question, a keep-alive, a hello in two segments with other packets between them, and one in fragments."""
    host = f"dev{number % 40}.example.net"
    port = 30_000 + number
    hello = wire.records(wire.hello(host, pad=900))
    torn = f.tcp(port, 444, wire.records(wire.hello(f"torn{number % 30}.example.net", pad=900)))
    ask = f.udp(port, 53, wire.dns_query(host))
    alive = f.udp(40_000, 32_100, bytes.fromhex("f1e00000"))
    return [
        f.ip4(CAMERA, RESOLVER, 17, ask),
        f.ip4(CAMERA, SERVER, 17, alive),
        f.ip4(CAMERA, SERVER, 6, f.tcp(port, 443, hello[:500])),
        f.ip6("fd00::3", "2001:db8::7", 17, f.udp(port, 53, wire.dns_query(host))),
        f.ip4(CAMERA, SERVER, 6, f.tcp(port, 443, hello[500:], seq=501)),
        *(
            f.ip4(CAMERA, SERVER, 6, torn[at : at + 800], ident=number, frag=more | at // 8)
            for at, more in ((0, 0x2000), (800, 0))
        ),
    ]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    mixed = packets(51, 3000)
    bodies = [p for i in range(600) for p in (*conversation(i), *mixed[i * 5 : i * 5 + 5])]
    path = tmp_path_factory.mktemp("beside") / "all.pcap"
    path.write_bytes(f.pcap(timed([f.ether(p) for p in bodies], step=0.05)))
    return path


def taking(processes: int, *, settle: bool = False) -> Taking:
    one = Taking(SERVICES, {}, TakeOptions(), processes=processes)
    if settle:
        one.engine.tuples.table.most = AT_ONCE + 40
    return one


@pytest.mark.parametrize("settle", [False, True])
@pytest.mark.parametrize("windows", [False, True])
def test_two_processes_find_what_one_finds(capture, monkeypatch, windows, settle):
    monkeypatch.setattr(take, "WORTH", 0)
    monkeypatch.setattr(filling, "_FIRST", 1 << 15 if windows else 1 << 40)
    found = []
    for processes in (1, 2):
        one = taking(processes, settle=settle)
        # Two inputs: the second is read by the process that is there already.
        one.read(capture)
        one.read(capture)
        assert (one._beside is not None) == (processes == 2)
        found.append(one.done())
    assert found[0] == found[1]
    captured, problems = found[0]
    assert problems == ()
    assert {n.proto for n in captured.names} >= {"dns", "tls"}
    assert len({n.name for n in captured.names if n.proto == "tls"}) == 40 + 30
    assert captured.services


def test_what_was_named_beside_is_remembered(capture, monkeypatch):
    monkeypatch.setattr(take, "WORTH", 0)
    remembered = []
    for processes in (1, 2):
        one = taking(processes)
        one.read(capture)
        data = one.remember()
        again = taking(1)
        again.take_up(data)
        assert again.names == one.names > 0
        remembered.append(again.done())
        one.done()
    assert remembered[0] == remembered[1]


def test_the_death_of_the_other_process_ends_the_reading(capture, monkeypatch):
    monkeypatch.setattr(take, "WORTH", 0)
    one = taking(2)
    one.read(capture)
    os.kill(one._beside._child.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="signal 9"):
        one.done()
    one._beside.close()


def test_small_files_and_kept_packets_need_one_process(capture):
    one = taking(2)
    one.read(capture)
    assert one._beside is None
    one.done()
