"""A port is judged in words, the filter compiles, a mirror by datagrams arrives, loopback is captured whole."""

from __future__ import annotations

import io
import socket
import subprocess
import threading
import time

import msgspec
import pytest
import traffic_frames as f
from programs import program
from test_traffic_engine import CLIENTS, flows_of, packets, timed
from traffic_frames import Record
from traffic_reference import count

from camscan.clock import SystemClock
from camscan.errors import UsageError
from camscan.observe.packet.client import PacketHelper
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.check import PortCheck
from camscan.observe.traffic.collected import LIMITS
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.kernel_filter import explained, kernel_filter
from camscan.observe.traffic.live import InterfaceTap, LiveOptions, LiveSummary, Watch
from camscan.observe.traffic.live import readers as live_readers
from camscan.observe.traffic.source import Source, open_descriptor
from camscan.observe.wire.listen import TzspListener, listening

FINE = LiveSummary(packets=100, lost=0, promiscuous=True, complete=True)


def checked(records: list[Record], live: LiveSummary = FINE, own: tuple[str, ...] = ()) -> dict:
    check = PortCheck(own)
    engine = Engine()
    engine.on_batch = check.on_batch
    engine.read(Source("x", io.BytesIO(f.pcap(records))))
    flows = list(engine.flows())
    return {a.question: a for a in check.answers(engine, flows, live)}


def exchange(
    client: str, remote: str, port: int, *, n: int, both: bool = True, size: int = 100
) -> list[bytes]:
    frames = []
    for i in range(n):
        frames.append(f.ip4(client, remote, 6, f.tcp(40000, port, b"x" * size), ident=2 * i + 1))
        if both:
            frames.append(f.ip4(remote, client, 6, f.tcp(port, 40000, b"y" * 10), ident=2 * i + 2))
    return frames


def question() -> list[bytes]:
    return [
        f.ip4("10.0.0.2", "10.0.0.1", 17, f.udp(40000, 53, bytes(30)), ident=7),
        f.ip4("10.0.0.1", "10.0.0.2", 17, f.udp(53, 40000, bytes(40)), ident=8),
    ]


def test_a_good_mirror_gets_yes_everywhere():
    frames = question()
    for client in CLIENTS[:3]:
        frames += exchange(client, "93.184.216.1", 443, n=20)
    answers = checked(timed([f.ether(p, tags=((0x8100, 5),)) for p in frames]))
    assert {q: a.good for q, a in answers.items() if a.good is not True} == {
        "Is every packet seen once?": None,
    }
    answers = checked(timed([f.ether(p) for p in frames]))
    assert all(a.good for a in answers.values())
    assert all(not a.fix for a in answers.values())
    assert "VLAN" in answers["Are there VLAN tags?"].text


def test_each_fault_of_a_port_is_named_with_its_fix():
    frames = exchange("10.0.0.2", "93.184.216.1", 443, n=20, both=False)
    lossy = LiveSummary(packets=100, lost=7, promiscuous=False, complete=False)
    answers = checked(timed([f.ether(p) for p in frames]), lossy, ("02:11:22:33:44:55",))
    for text in (
        "Is traffic of other hosts seen?",
        "Are both directions seen?",
        "Are clients seen one by one?",
        "Is DNS seen?",
        "Does the card show frames to others?",
        "Is the machine fast enough?",
    ):
        assert answers[text].good is False, text
        assert answers[text].fix, text
    assert answers["Is every packet seen once?"].good is True


def test_a_doubled_mirror_is_found_and_a_repeating_sender_is_not():
    frames = [f.ether(p) for p in exchange("10.0.0.2", "93.184.216.1", 443, n=200)]
    twice = [
        Record(1_700_000_000 + i * 0.05 + d, x) for i, x in enumerate(frames) for d in (0, 0.0004)
    ]
    assert checked(twice)["Is every packet seen once?"].good is False
    again = [Record(1_700_000_000 + i * 0.05, x) for i, x in enumerate([*frames, *frames])]
    assert checked(again)["Is every packet seen once?"].good is True


def test_local_video_is_told_in_terabytes_a_day():
    frames = exchange("10.0.0.9", "10.0.0.2", 554, n=500, size=1300)
    answer = checked(timed([f.ether(p) for p in frames], step=0.001))[
        "How much local video passes here?"
    ]
    assert answer.good is None
    assert "1 flows" in answer.text
    assert "0.06 TB a day" in answer.text
    assert "--show-filter" in answer.fix


def test_no_packet_at_all():
    answers = checked([])
    answer = answers["Is traffic of other hosts seen?"]
    assert [a.good for a in answers.values()] == [
        True,
        False,
    ]  # nothing is said of packets that were not seen
    assert answer.good is False
    assert "no packet" in answer.text


@pytest.mark.needs("tcpdump")
@pytest.mark.parametrize("scope", [(), ("10.20.0.0/16", "fd00:1::/48"), ("192.0.2.0/24",)])
def test_the_filter_compiles_and_keeps_what_it_says(scope, tmp_path):
    text = kernel_filter(scope)
    tcpdump = program("tcpdump")
    done = subprocess.run([tcpdump, "-y", "EN10MB", "-d", text], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert explained(scope).startswith(text)
    if scope:
        return
    local = [
        f.ip4("10.0.0.2", "10.0.0.9", 17, f.udp(5004, 5004, b"video")),
        f.ip4("10.0.0.2", "239.1.1.1", 17, f.udp(5004, 5004, b"video")),
        f.ip4("10.0.0.2", "10.0.0.9", 6, f.tcp(554, 40000, b"video")),
        f.ip6("fd00::2", "fd00::3", 17, f.udp(5004, 5004, b"video")),
    ]
    kept = [
        f.ip4("10.0.0.2", "10.0.0.1", 17, f.udp(40000, 53, b"q")),
        f.ip4("10.0.0.2", "224.0.0.251", 17, f.udp(5353, 5353, b"q")),
        f.ip4("10.0.0.2", "239.255.255.250", 17, f.udp(40000, 1900, b"q")),
        f.ip4("10.0.0.2", "10.0.0.9", 6, f.tcp(554, 40000, flags=2)),
        f.ip4("10.0.0.2", "93.184.216.1", 17, f.udp(5004, 5004, b"video")),
        f.ip6("fd00::2", "2606:2800::1", 17, f.udp(5004, 5004, b"video")),
    ]
    for tags in ((), ((0x8100, 5),)):
        path, out = tmp_path / "all.pcap", tmp_path / "kept.pcap"
        path.write_bytes(f.pcap(timed([f.ether(p, tags=tags) for p in local + kept])))
        subprocess.run([tcpdump, "-r", path, "-w", out, text], capture_output=True, check=True)
        engine = Engine()
        engine.read(Source("kept", io.BytesIO(out.read_bytes())))
        assert engine.packets == len(kept)


def test_a_wrong_range_is_wrong_use():
    with pytest.raises(UsageError):
        kernel_filter(["10.0.0.0/33"])


def test_a_mirror_by_datagrams_arrives_as_if_captured():
    frames = [f.ether(p) for p in packets(31, 60)]
    listener = TzspListener("127.0.0.1", 0, SystemClock())
    engine = Engine()
    reading = threading.Thread(
        target=engine.read, args=(open_descriptor(listener.fd, "tzsp"),), kwargs={"live": True}
    )
    reading.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for frame in frames:
            sender.sendto(b"\x01\x00\x00\x01\x01" + frame, listener.address)
    while listener.datagrams < len(frames):
        time.sleep(0.01)
    listener.close()
    reading.join()
    plain = count(timed(frames), set(CLIENTS))
    assert {k: v[:4] for k, v in flows_of(engine).items()} == {k: v[:4] for k, v in plain.items()}
    assert dict(engine.summary().encapsulations) == {"tzsp": len(frames)}


@pytest.mark.parametrize(
    "text", ["tzsp:", "tzsp:1.2.3.4", "erspan:1.2.3.4:1", "tzsp:host:37008", "tzsp:1.2.3.4:0", "x"]
)
def test_what_cannot_be_listened_to(text):
    with pytest.raises(UsageError):
        listening(text)


def test_where_to_listen():
    assert listening("tzsp:127.0.0.1:37008") == ("127.0.0.1", 37008)
    assert listening("tzsp:[::1]:37008") == ("::1", 37008)


@pytest.mark.lab
def test_loopback_is_captured_whole_and_stops_cleanly():
    allowed, why = PacketHelper.available()
    if not allowed:
        pytest.skip(why)
    states, counts, sent = [], [], 2000
    job = m.TakeJob(services=(), resolvers={}, stream="lo", live=True, every=0.05)
    watch = Watch(
        InterfaceTap(LiveOptions(interface="lo")),
        lambda saved: msgspec.msgpack.encode(msgspec.structs.replace(job, state=saved.state)),
        SystemClock(),
        duration=20.0,
        every=0.05,
        on_count=lambda count, lost: counts.append((count.packets, lost)),
        on_state=lambda saved, until, lost: states.append((saved.packets, until)) or "",
    )

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind(("127.0.0.1", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(400):
                    if any(packets for packets, _ in states):
                        break
                    sender.sendto(b"first", ("127.0.0.1", 9))
                    time.sleep(0.02)
                sender.connect(sink.getsockname())
                for _ in range(sent):
                    sender.send(b"loopback" * 4)
                time.sleep(0.3)
        watch.stop("enough")

    thread = threading.Thread(target=send)
    readers = live_readers(LIMITS)
    thread.start()
    try:
        summary = watch.run(readers)
    finally:
        thread.join()
        for reader in readers:
            reader.close()
    captured = watch.collected.outcome(job).captured
    # Both ports are high: the rule may take either side for the client.
    totals = [w.packets_up + w.packets_down for w in captured.flows if w.transport == "udp"]
    assert sent in totals
    assert (summary.lost, summary.why, summary.complete) == (0, "enough", False)
    assert summary.packets == captured.summary.packets
    assert watch.gaps == []
    assert [until for _, until in states] == sorted(until for _, until in states)
    assert states[-1][0] <= summary.packets
