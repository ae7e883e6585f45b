"""Are the packets what scapy would build, and the pace what was asked? (no privileges)"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from camscan.observe.packet import bpf, link_sweep, links, privilege, syn_packet, templates
from camscan.observe.packet.batch import SLOTS, Batch
from camscan.observe.packet.capture import file_header, stream
from camscan.observe.packet.messages import AnyRequest, ArpSweep, Capture, SynSweep
from camscan.observe.packet.pace import Aimd, Bucket, Ceiling, RoundTrip

MAC, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"


class Quiet:
    """A socket that sends nothing."""

    def fileno(self):
        return -1

    def close(self):
        pass


@pytest.fixture
def packet(monkeypatch):
    monkeypatch.setattr(links, "sender", lambda interface: Quiet())
    order = SynSweep(
        targets=(), ports=(), interface="x", source="10.0.0.1", rate=1, per_host_rate=1,
        macs={"10.0.0.9": PEER, "10.255.254.253": PEER},
    )  # fmt: skip
    return syn_packet.SynPacket(order, MAC, 61001)


@pytest.mark.parametrize("target", ["10.0.0.9", "10.255.254.253"])
@pytest.mark.parametrize("port", [1, 80, 37777, 65535])
@pytest.mark.parametrize("attempt", [0, 1, 2])
def test_syn_is_scapys_bytes(packet, target, port, attempt):
    number = int.from_bytes(socket.inet_aton(target))
    packet.patch(5, number, port, attempt)
    got = bytes(packet.batch.view[5 * packet.batch.size : 6 * packet.batch.size])
    expected = (
        Ether(dst=PEER, src=MAC)
        / IP(src="10.0.0.1", dst=target, id=0, flags="DF", ttl=64)
        / TCP(sport=61001, dport=port, seq=packet.sequence(number, port, attempt), flags="S",
              window=64240, options=[("MSS", 1460)])
    )  # fmt: skip
    assert got == bytes(expected)


def answer(packet, target, port, flags, attempt=0, shift=1):
    number = int.from_bytes(socket.inet_aton(target))
    ack = (packet.sequence(number, port, attempt) + shift) & 0xFFFFFFFF
    return bytes(
        IP(src=target, dst="10.0.0.1", ttl=63)
        / TCP(sport=port, dport=61001, flags=flags, seq=1, ack=ack)
    )


@pytest.mark.parametrize(("flags", "state"), [("SA", "open"), ("RA", "closed")])
@pytest.mark.parametrize("attempt", [0, 1])
def test_answers_are_tied_to_the_probe(packet, flags, state, attempt):
    read = packet.read(answer(packet, "10.0.0.9", 80, flags, attempt))
    assert (syn_packet.OPEN[read.state], read.port, read.ttl) == (state, 80, 63)
    assert packet.attempt_of(read, 2) == attempt


def test_forged_answers_do_not_count(packet):
    assert packet.attempt_of(packet.read(answer(packet, "10.0.0.9", 80, "SA", 0, 2)), 3) is None
    assert packet.read(answer(packet, "10.0.0.9", 80, "R")) is None
    assert packet.read(answer(packet, "10.0.0.9", 80, "S")) is None
    other = syn_packet.SynPacket.__new__(syn_packet.SynPacket)
    other._key, other._hosts, other._ports = b"k" * 16, {}, {}
    number = int.from_bytes(socket.inet_aton("10.0.0.9"))
    assert other.sequence(number, 80, 0) != packet.sequence(number, 80, 0)


@pytest.mark.parametrize(
    ("sender", "state"),
    [("10.0.0.9", syn_packet.Answer.UNREACHABLE), ("10.0.0.254", syn_packet.Answer.GONE)],
)
def test_unreachable_quotes_our_probe(packet, sender, state):
    number = int.from_bytes(socket.inet_aton("10.0.0.9"))
    inner = IP(src="10.0.0.1", dst="10.0.0.9") / TCP(
        sport=61001, dport=80, seq=packet.sequence(number, 80, 0), flags="S"
    )
    data = bytes(IP(src=sender, dst="10.0.0.1") / ICMP(type=3, code=1) / bytes(inner)[:28])
    read = packet.read(data)
    assert read.state is state
    assert packet.attempt_of(read, 1) == 0


@given(st.binary(max_size=120))
@settings(deadline=None, max_examples=400)
def test_readers_take_any_bytes(data):
    for kind in (syn_packet.SynPacket, syn_packet.SynPacket6):
        reader = kind.__new__(kind)
        reader.source = data[16:20] if kind.version == 4 else data[24:40]
        reader.source_port = 61001
        head = b"\x45" if kind.version == 4 else b"\x60"
        read = reader.read(head + data[1:])
        assert read is None or 0 <= read.port < 65536


def test_arp_template_is_scapys_bytes():
    expected = Ether(dst="ff:ff:ff:ff:ff:ff", src=MAC) / ARP(
        op=1, hwsrc=MAC, psrc="10.0.0.1", hwdst="00:00:00:00:00:00", pdst="10.7.8.9"
    )
    frame = bytearray(templates.arp_request(MAC, "10.0.0.1"))
    frame[38:42] = socket.inet_aton("10.7.8.9")
    assert bytes(frame) == bytes(expected)


@pytest.mark.parametrize("target", ["fd00::1", "fe80::0211:22ff:fe33:4455", "fd00::ffff:ffff:ffff"])
def test_solicitation_is_scapys_bytes(target):
    work = link_sweep._Solicit.__new__(link_sweep._Solicit)
    work.batch = Batch(Quiet(), work.template(MAC, "fd00::99"))
    number = int.from_bytes(socket.inet_pton(socket.AF_INET6, target))
    work.patch(work.batch.size, number)
    low = socket.inet_pton(socket.AF_INET6, target)[13:]
    expected = (
        Ether(dst="33:33:ff:" + low.hex(":"), src=MAC)
        / IPv6(src="fd00::99", dst=f"ff02::1:ff{low[0]:02x}:{low[1]:02x}{low[2]:02x}", hlim=255)
        / ICMPv6ND_NS(tgt=target)
        / ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    )
    assert bytes(work.batch.view[work.batch.size : 2 * work.batch.size]) == bytes(expected)


def run_bpf(program, data):
    """Classic BPF as the kernel runs it, for the few instructions used here."""
    a = x = pc = 0
    while True:
        code, jt, jf, k = program[pc]
        pc += 1
        size = {0x28: 2, 0x48: 2, 0x30: 1, 0x50: 1, 0xB1: 1}.get(code)
        if size:
            at = k + (x if code in {0x48, 0x50} else 0)
            if at + size > len(data):
                return 0
            value = int.from_bytes(data[at : at + size])
            if code == 0xB1:
                x = 4 * (value & 15)
            else:
                a = value
        elif code == 0x15:
            pc += jt if a == k else jf
        elif code == 0x45:
            pc += jt if a & k else jf
        elif code == 0x06:
            return k


def test_filters_choose_what_a_sweep_reads(packet):
    program = bpf.tcp_answers(61001)
    good = answer(packet, "10.0.0.9", 80, "SA")
    assert run_bpf(program, good)
    assert run_bpf(program, answer(packet, "10.0.0.9", 80, "RA"))
    assert not run_bpf(program, answer(packet, "10.0.0.9", 80, "A"))
    assert not run_bpf(program, bytes(IP() / TCP(dport=61002, flags="SA")))
    assert not run_bpf(program, bytes(IP(frag=8) / TCP(dport=61001, flags="SA")))
    assert run_bpf(program, bytes(IP() / ICMP(type=3) / good[:28]))
    assert not run_bpf(program, bytes(IP() / ICMP(type=0)))
    six = bpf.tcp6_answers(61001)
    assert run_bpf(six, bytes(IPv6() / TCP(dport=61001, flags="SA")))
    assert not run_bpf(six, bytes(IPv6() / TCP(dport=61001, flags="A")))
    assert run_bpf(bpf.ARP_REPLIES, bytes(ARP(op=2)))
    assert not run_bpf(bpf.ARP_REPLIES, bytes(ARP(op=1)))
    assert not run_bpf(bpf.ADVERTISEMENTS, bytes(IPv6() / ICMPv6ND_NS()))
    assert not run_bpf(bpf.NOTHING, good)


def test_bucket_never_gives_more_than_rate_and_burst():
    bucket, now, sent = Bucket(100.0, 5, 0.0), 0.0, 0
    while now < 10.0:
        wait = bucket.wait(now)
        if wait > 0:
            now += wait
            continue
        bucket.take()
        sent += 1
    assert 995 <= sent <= 1006


def test_ceiling_holds_sweeps_that_run_side_by_side():
    ceiling = Ceiling(1000, 40)
    turns = [ceiling.turn(7, 10.0) for _ in range(41)]
    assert turns[0] == 10.0
    assert turns[40] >= 11.0 - 1e-9
    ceiling.sent(8, 20.0)
    assert ceiling.turn(8, 20.0) >= 20.025 - 1e-9
    many = [ceiling.turn(100 + host, 30.0) for host in range(1001)]
    assert 30.99 <= many[-1] <= 31.001


def test_aimd_halves_and_recovers():
    pace = Aimd(1600)
    pace.lost()
    assert pace.rate == 800
    for _ in range(20):
        pace.lost()
    assert pace.rate == 100
    for _ in range(20):
        pace.quiet()
    assert pace.rate == 1600
    assert pace.backoffs == 21


def test_waits_follow_the_round_trip():
    trip = RoundTrip()
    assert trip.wait(0.1, 0.6, 1.25) == 0.6
    for _ in range(50):
        trip.add(0.001)
    assert trip.wait(0.1, 0.6, 1.25) == 0.1
    trip.add(0.4)
    assert 0.59 < trip.wait(0.1, 0.6, 1.25) <= 1.25


def test_batch_points_at_its_slots():
    batch = Batch(Quiet(), b"abcd", 16)
    for slot in (0, SLOTS - 1):
        header = batch._headers[slot].header
        assert ctypes.string_at(header.iov.contents.base, 4) == b"abcd"
        assert header.name_length == 16
        assert header.name - batch._headers[0].header.name == 16 * slot


def test_no_verb_takes_raw_bytes():
    for kind in AnyRequest.__args__:
        for field, hint in kind.__annotations__.items():
            assert "bytes" not in str(hint), (kind, field)
    assert issubclass(ArpSweep, AnyRequest.__args__[1])


def test_the_caller_of_sudo():
    assert privilege.caller({"SUDO_UID": "1000", "SUDO_GID": "100"}, 0) == (1000, 100)
    assert privilege.caller({"SUDO_UID": "1000", "SUDO_GID": "100"}, 1000) is None
    assert privilege.caller({"SUDO_UID": "0", "SUDO_GID": "0"}, 0) is None
    assert privilege.caller({"SUDO_UID": "x"}, 0) is None


def test_pcap_header():
    assert struct.unpack("=IHHiIII", file_header(100)) == (0xA1B23C4D, 2, 4, 0, 0, 100, 1)


def test_a_capture_that_cannot_begin_ends_its_pipe():
    class NoLink:
        def listener(self, interface, program):
            raise OSError(19, "No such device")

    reading, writing = os.pipe()
    order = Capture(job=1, interface="absent0")
    with pytest.raises(OSError, match="No such device"):
        stream(order, writing, NoLink(), threading.Event(), lambda packets, dropped: None)
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b""
