"""Several processes that read parts of one file find what one process finds, wherever it is cut."""

from __future__ import annotations

import os
import random
import signal
import sys
from bisect import bisect_left

import msgspec
import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_traffic_engine import packets, timed

from camscan.knowledge import load
from camscan.observe.traffic import filling, joining, split
from camscan.observe.traffic.sizes import Sizes
from camscan.observe.traffic.take import TakeOptions, Taking

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform != "linux", reason="needs fork, and files in windows"
)
SERVICES = load().services
CAMERA, SERVER, RESOLVER, RECORDER = "10.0.0.3", "198.51.100.7", "10.0.0.1", "10.0.0.50"
DER = wire.certificate("cert.example.net")
STUN = bytes.fromhex("000100002112a442000102030405060708090a0b")
PAGE = b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Type: text/html\r\nContent-Length: 900\r\n\r\n"
DEVICE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 120\r\n\r\n"
    + b"<DeviceInfo><model>DS-2CD</model>".ljust(107)
    + b"</DeviceInfo>"
)


def up(port, payload, *, dport=443, seq=1, flags=0x18):
    return f.ip4(CAMERA, SERVER, 6, f.tcp(port, dport, payload, seq=seq, flags=flags))


def down(port, payload, *, dport=443, seq=1, flags=0x18):
    return f.ip4(SERVER, CAMERA, 6, f.tcp(dport, port, payload, seq=seq, flags=flags))


def datagram(port, payload, *, dport, src=CAMERA, dst=SERVER):
    return f.ip4(src, dst, 17, f.udp(port, dport, payload))


def pieces(data, size):
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def talk(number: int) -> list[list[bytes]]:
    """Conversations, each a list of packets in order; several go on over packets of the others."""
    port, host = 30_000 + number * 20, f"dev{number % 5}.example.net"
    hello = wire.records(wire.hello(host, alpn=("h2", "http/1.1")[number % 2 :], pad=900))
    flight = wire.server_flight(DER)
    quic = wire.hello(f"quic{number % 3}.example.net", pad=1500)
    cid = number.to_bytes(8, "big")
    rtp = [
        b"\x80\x60" + (100 + i).to_bytes(2, "big") + (900 * i).to_bytes(4, "big") + b"srcA" + bytes(60)
        for i in range(12)
    ]  # fmt: skip
    ask = wire.dns_query(host, txid=number)
    answer = wire.dns_answer(
        host, ("CNAME", f"c{number % 4}.example.org"), ("A", f"203.0.113.{number}")
    )
    big = f.udp(port + 9, 5004, bytes(1200))
    return [
        [
            up(port, b"", flags=2),
            down(port, b"", flags=0x12),
            *(up(port, part, seq=2 + at) for at, part in pieces(hello, 500)),
            *(down(port, part, seq=2 + at) for at, part in pieces(flight, 300)),
            up(port, b"", seq=9000, flags=0x11),
        ],
        [
            datagram(port + 1, ask, dport=53, dst=RESOLVER),
            datagram(53, answer, dport=port + 1, src=RESOLVER, dst=CAMERA),
            datagram(port + 1, b"\xff" * 40, dport=53, dst=RESOLVER),
        ],
        [
            datagram(port + 2, wire.quic_initial([(0, quic[:700])], cid), dport=443),
            datagram(port + 2, wire.quic_initial([(700, quic[700:])], cid, number=1), dport=443),
            datagram(port + 2, wire.quic_initial([(0, b"")], cid, number=2, named=b"server01"), dport=443),
        ],
        [
            datagram(port + 3, STUN, dport=50_001),
            *(datagram(port + 3, one, dport=50_001) for one in rtp[:4]),
            datagram(port + 3, STUN, dport=50_001),
            *(datagram(port + 3, one, dport=50_001) for one in rtp[4:]),
            datagram(port + 3, STUN, dport=50_001),
        ],
        [datagram(40_000 + number % 3, bytes.fromhex("f1e00000"), dport=32_100) for _ in range(5)],
        *(
            [
                f.ip4(RECORDER, CAMERA, 6, f.tcp(own, 80, b"GET /x HTTP/1.1\r\nHost: cam%d\r\n\r\n" % number)),
                *(
                    f.ip4(CAMERA, RECORDER, 6, f.tcp(80, own, part, seq=1 + at))
                    for at, part in pieces(told, 90)
                ),
            ]
            for own, told in ((port + 4, PAGE + b"p" * 300), (port + 8, DEVICE.replace(b"2CD", b"%03d" % (number % 9))))
        ),
        [
            f.ip4(CAMERA, SERVER, 17, big[:800], ident=number, frag=0x2000),
            f.ip4(CAMERA, SERVER, 17, big[800:], ident=number, frag=100),
        ],
        [
            f.ip6("fd00::3", "2001:db8::7", 17, f.udp(port, 53, ask)),
            f.ip6(f"fd00::{number + 9:x}", "2001:db8::9", 6, f.tcp(port, 8883, bytes(30))),
        ],
        [up(port + 5, b"GET /a HTTP/1.1\r\nHo", dport=80), up(port + 5, b"st: split.example.net\r\n\r\n", dport=80, seq=20)],
        [up(port + 6, hello[:300])],  # never goes on
        [up(port + 7, part, dport=53, seq=1 + at) for at, part in pieces(len(ask).to_bytes(2, "big") + ask, 30)],
    ]  # fmt: skip


def shuffled(seed: int, numbers: range) -> list[bytes]:
    """All conversations at once, each in its own order."""
    rng = random.Random(seed)
    found: list[bytes] = []
    waiting: list[list[bytes]] = []
    for number in numbers:
        waiting += [list(one) for one in talk(number)]
        while len(waiting) > 14:
            one = rng.choice(waiting)
            found.append(one.pop(0))
            if not one:
                waiting.remove(one)
    while waiting:
        one = rng.choice(waiting)
        found.append(one.pop(0))
        waiting = [w for w in waiting if w]
    return found


class Capture:
    """A file and the places of its records."""

    def __init__(self, path, bodies, *, step=0.05):
        self.path = path
        records = timed([f.ether(p) for p in bodies], step=step)
        path.write_bytes(f.pcap(records))
        self.places = [24]
        for record in records:
            self.places.append(self.places[-1] + 16 + len(record.frame))

    def next(self, path, place):
        """In place of `cut_near`: the record itself, instead of a guess."""
        return self.places[bisect_left(self.places, place)]


class InProcess:
    """In place of a fork: the same reading, its answers through the same encoding."""

    made = 0

    def __init__(self, part, asked, gates, every):
        InProcess.made += 1
        self.part = part
        self._reading = split.PartReading(part, asked, gates, every=every)
        found = self._reading.read()
        self.found = found and self._as_told(found)

    def _as_told(self, value):
        return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))

    def more(self, wanted):
        for came in self._reading.more(self._as_told_ways(wanted)):
            if not came.last:
                yield self._as_told(came)

    def _as_told_ways(self, wanted):
        return msgspec.msgpack.decode(msgspec.msgpack.encode(wanted), type=list[split.ways.Way])

    def segments(self, count):
        return [self._as_told(self._reading.segment(n)) for n in range(count)]

    def close(self):
        """Nothing to end."""


def read(capture, processes, every, **sizes):
    one = Taking(
        SERVICES,
        {"dev1.example.net": "Example"},
        TakeOptions(),
        processes=processes,
        sizes=Sizes(worth=0, every=every, **sizes),
    )
    one.read(capture.path)
    again = one.again
    return one.done(), again


def same(found, expected):
    """As a whole, and if not: what differs."""
    if found == expected:
        return True
    for name in type(found[0]).__struct_fields__:
        assert getattr(found[0], name) == getattr(expected[0], name)
    return found[1] == expected[1]


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(filling, "_FIRST", 1 << 12)


@pytest.fixture
def in_process(monkeypatch, small_windows):
    monkeypatch.setattr(joining, "_Other", InProcess)
    monkeypatch.setattr(InProcess, "made", 0)


@pytest.fixture(scope="module")
def talking(tmp_path_factory):
    bodies = shuffled(5, range(6))
    return Capture(tmp_path_factory.mktemp("joining") / "all.pcap", bodies)


def test_the_sample_holds_something_of_everything(talking, small_windows):
    (captured, problems), _ = read(talking, 1, 1 << 20)
    assert {n.proto for n in captured.names} >= {"dns", "tls", "quic", "tls-cert", "http"}
    assert {s.service for s in captured.services} >= {"stun", "srtp"}
    assert {fact.kind for fact in captured.facts} >= {"http", "isapi"}
    missed = dict(captured.summary.not_examined)
    assert missed["DNS messages that could not be read"]
    assert missed["TLS handshakes that were not whole"]
    assert captured.summary.encrypted_resolvers
    assert problems == ()


@pytest.mark.parametrize("processes", [2, 3])
def test_cut_at_any_record_parts_give_the_result_of_the_whole(
    talking, monkeypatch, in_process, processes
):
    monkeypatch.setattr(split, "cut_near", talking.next)
    joined = cuts = 0
    size = talking.path.stat().st_size
    step = 1 if processes == 2 else 7
    for every in talking.places[1:-1:step]:
        if every < size // 5 * 2:
            continue
        before = InProcess.made
        expected, _ = read(talking, 1, every)
        found, again = read(talking, processes, every)
        assert same(found, expected), every
        cuts += InProcess.made - before
        joined += InProcess.made - before - again
    assert cuts > 20
    # The others lie in a question over TCP, between fragments, or before an answer.
    assert joined > cuts * 0.4


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 16),
    st.integers(2, 4),
    st.floats(0.05, 0.5),
    st.sampled_from((0.01, 0.2, 9.0)),
)
def test_whatever_talks_at_once(tmp_path_factory, seed, processes, part, step):
    rng = random.Random(seed)
    first = rng.randrange(100)
    bodies = shuffled(seed, range(first, first + 4))
    mixed = packets(seed, len(bodies))
    bodies = [p for pair in zip(bodies, mixed, strict=True) for p in pair]
    capture = Capture(tmp_path_factory.mktemp("talk") / "x.pcap", bodies, step=step)
    every = int(capture.path.stat().st_size * part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filling, "_FIRST", 1 << 12)
        patch.setattr(joining, "_Other", InProcess)
        patch.setattr(split, "cut_near", capture.next)
        expected, _ = read(capture, 1, every)
        found, _ = read(capture, processes, every)
    assert same(found, expected)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Large enough for cuts that are guessed."""
    filler = [
        f.ip6(
            f"fd00::{n % 9 + 1:x}", "2001:db8::9", 6, f.tcp(40_000 + n % 40, 8883, bytes(n % 300))
        )
        if n % 3
        else datagram(40_100 + n % 50, bytes(200 + n % 7), dport=9000 + n % 20)
        for n in range(9000)
    ]
    bodies = [
        p
        for i in range(30)
        for p in (*shuffled(i, range(i, i + 1)), *filler[i * 300 : i * 300 + 300])
    ]
    return Capture(tmp_path_factory.mktemp("large") / "all.pcap", bodies, step=0.02)


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_forks_find_what_one_process_finds(large, small_windows, processes):
    every = 1 << 16
    expected, _ = read(large, 1, every)
    found, again = read(large, processes, every)
    assert same(found, expected)
    assert again < processes - 1
    rounds, again = read(large, processes, every, most=1 << 17)
    assert same(rounds, expected)


def taking(processes, **sizes):
    return Taking(
        SERVICES,
        {},
        TakeOptions(),
        processes=processes,
        sizes=Sizes(worth=0, every=1 << 16, **sizes),
    )


def test_two_files_and_what_is_remembered(large, talking, small_windows):
    found = []
    for processes in (1, 2):
        one = taking(processes)
        one.read(talking.path)
        one.read(large.path)
        written = one.remember()
        again = taking(1)
        again.take_up(written)
        assert again.names == one.names > 10
        found.append((one.done(), again.done()))
    assert found[0] == found[1]


def test_a_process_that_dies_is_not_missed(large, monkeypatch, small_windows):
    class Dying(joining._Other):
        def __init__(self, *given):
            super().__init__(*given)
            os.kill(self._child.pid, signal.SIGKILL)

    monkeypatch.setattr(joining, "_Other", Dying)
    found, again = read(large, 2, 1 << 16)
    assert again == 1
    assert same(found, read(large, 1, 1 << 16)[0])


@pytest.mark.parametrize("where", [0.2, 0.8])
def test_damage_is_told_as_by_one_process(tmp_path, large, small_windows, where):
    data = bytearray(large.path.read_bytes())
    at = large.places[int(len(large.places) * where)]
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    capture = Capture.__new__(Capture)
    capture.path = tmp_path / "x.pcap"
    capture.path.write_bytes(data)
    expected, _ = read(capture, 1, 1 << 16)
    found, again = read(capture, 2, 1 << 16)
    assert same(found, expected)
    assert again == (where > 0.5)
    assert len(expected[1]) == 2


def test_a_file_that_ends_within_a_record_is_no_damage(tmp_path, large, small_windows):
    capture = Capture.__new__(Capture)
    capture.path = tmp_path / "x.pcap"
    capture.path.write_bytes(large.path.read_bytes()[:-9])
    expected, _ = read(capture, 1, 1 << 16)
    found, again = read(capture, 2, 1 << 16)
    assert same(found, expected)
    assert again == 0
    assert "ends within a record" in expected[1][0].what


def test_a_cut_that_is_none_is_noticed(large, monkeypatch, in_process):
    monkeypatch.setattr(split, "cut_near", lambda path, place: large.next(path, place) + 7)
    found, again = read(large, 3, 1 << 16)
    assert again == 2
    assert same(found, read(large, 1, 1 << 16)[0])


def test_a_scan_is_left_to_one_process(tmp_path, monkeypatch, in_process):
    monkeypatch.setattr(split, "_MOST_TUPLES", 40)
    bodies = [f.ip4(CAMERA, f"198.51.100.{i % 250}", 17, f.udp(i, 9, b"x")) for i in range(3000)]
    capture = Capture(tmp_path / "x.pcap", bodies)
    monkeypatch.setattr(split, "cut_near", capture.next)
    found, again = read(capture, 2, 1 << 16)
    assert again == 1
    assert same(found, read(capture, 1, 1 << 16)[0])


def test_limits_hold_for_the_whole(talking, monkeypatch, in_process):
    from camscan.observe.traffic import register

    monkeypatch.setattr(split, "cut_near", talking.next)
    every = talking.places[len(talking.places) // 2]
    for most in (3, 9, 14):
        monkeypatch.setattr(register, "MAX_NAMES", most)
        expected, _ = read(talking, 1, every)
        found, _ = read(talking, 2, every)
        assert same(found, expected)
        assert len(found[0].names) == most
        assert dict(found[0].summary.not_examined)["names beyond the limit"] > 0


def test_texts_beyond_the_limit_of_a_device_are_bounded_and_said(tmp_path, monkeypatch, in_process):
    """Their count is of each part: the one thing in which the result may be another."""
    heads = [
        b"HTTP/1.1 200 OK\r\nServer: s%d\r\nContent-Length: 0\r\n\r\n" % (i % 60)
        for i in range(600)
    ]
    bodies = [
        f.ip4(CAMERA, RECORDER, 6, f.tcp(80, 50_000 + i, head)) for i, head in enumerate(heads)
    ]
    capture = Capture(tmp_path / "x.pcap", bodies)
    monkeypatch.setattr(split, "cut_near", capture.next)
    every = capture.places[300]
    (expected, _), _ = read(capture, 1, every)
    (found, _), again = read(capture, 2, every)
    assert again == 0
    assert found.facts == expected.facts
    assert len(found.facts) == 24
    bare = [replace(one.summary, not_examined=()) for one in (found, expected)]
    assert bare[0] == bare[1]
    assert 0 < dict(found.summary.not_examined)["answers of devices beyond the limit"] <= 600


def test_small_files_and_kept_packets_need_one_process(large, monkeypatch, small_windows):
    monkeypatch.setattr(joining, "_Other", InProcess)
    monkeypatch.setattr(InProcess, "made", 0)
    one = Taking(SERVICES, {}, TakeOptions(), processes=2)
    one.read(large.path)
    kept = taking(2)
    kept.engine.keeper = type("Keeper", (), {"add": lambda *_: None})()
    kept.read(large.path)
    assert InProcess.made == 0


def test_what_cannot_be_cut_is_read_by_one(tmp_path):
    path = tmp_path / "x"
    records = timed([f.ether(p) for p in packets(3, 200)])
    path.write_bytes(f.pcap(records))
    assert split.cut_near(path, 24) == 24
    assert split.cut_near(path, 30) == 24 + 16 + len(records[0].frame)
    path.write_bytes(f.pcapng(records))
    assert split.cut_near(path, 24) is None
    path.write_bytes(b"GIF89a")
    assert split.cut_near(path, 0) is None
    assert split.cut_near(tmp_path / "none", 0) is None


def test_offsets_in_a_part_are_those_of_the_file(talking):
    from camscan.observe.traffic.engine import Engine

    middle = talking.places[len(talking.places) // 2]
    found = []
    engine = Engine(feed=lambda p: found.append(p.input_offset) or False)
    engine.read(split.open_part(split.Part(str(talking.path), middle, talking.places[-1])))
    assert found
    assert set(found) <= {place for place in talking.places if place >= middle}
