"""Payloads that many send are told in bulk, with the outcome of reading every packet."""

from __future__ import annotations

import io

import numpy as np
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.knowledge import load
from camscan.observe.traffic import contents as module
from camscan.observe.traffic.alike import Alike
from camscan.observe.traffic.batch import PAD
from camscan.observe.traffic.contents import LONGEST, Contents
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import Source

SERVICES = load().services
ALL_GATES = (*GATES, *service_gates(SERVICES))
HOSTS = (
    "10.20.0.9", "10.20.0.10", "10.20.0.11", "10.20.0.255", "203.0.113.7", "198.51.100.9", "224.0.0.251",
)  # fmt: skip
PORTS = (32100, 32108, 5000, 53, 67, 123, 161, 1900, 3478, 3702, 5353, 40000, 40001)
MACS = (wire.CAMERA_MAC, "02:00:00:00:00:07")
UID, OTHER_UID = (
    bytes.fromhex("f1100014") + b"ABCD\0\0\0\0" + number.to_bytes(4, "big") + b"XYZXY\0\0\0"
    for number in (123456, 654321)
)
STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
PAYLOADS = (
    b"\xf1\xe0\x00\x00",
    b"\xf1\xe1\x00\x00",
    b"\xf1\xe0\x00\x00\x00",
    b"\xf1\x00\x00\x00",
    UID,
    OTHER_UID,
    b"\x23" + bytes(47),
    b"\x24" + bytes(47),
    b"\x1b\x00" + bytes(38) + b"\x01" * 8,
    b"\x23\x00" + bytes(38) + b"\x02" * 8,
    STUN,
    b"\x80\x60\x00\x01" + bytes(20),
    b"NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\n\r\n",
    b"<?xml?><Probe/>",
    b"REGISTER sip:34020000001320000001@1.2.3.4 SIP/2.0\r\n",
    bytes(LONGEST),
    bytes(LONGEST + 1),
)
TALK = st.lists(
    st.tuples(
        st.sampled_from(PAYLOADS),
        st.sampled_from(HOSTS),
        st.sampled_from(HOSTS),
        st.sampled_from(PORTS),
        st.sampled_from(PORTS),
        st.integers(0, 1),
    ),
    max_size=60,
)


class OneByOne(Namer):
    """A namer that says of no payload what it means."""

    def meaning(self, packet):
        return None


def read(talk, namer, buffer):
    engine = Engine(gates=ALL_GATES, feed=namer, buffer=buffer)
    file = io.BytesIO()
    file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    for number, (payload, src, dst, sport, dport, mac) in enumerate(talk):
        packet = wire.datagram(payload, src=src, sport=sport, dst=dst, dport=dport)
        frame = wire.frame(packet._replace(src_mac=MACS[mac]))
        stamp = (1000 + number // 2, number % 2 * 500_000, len(frame), len(frame))
        file.write(b"".join(n.to_bytes(4, "little") for n in stamp) + frame)
    file.seek(0)
    engine.read(Source("x.pcap", file))
    assert engine.packets == len(talk)
    flows = tuple(engine.flows())
    names, services = namer.parts().register.records()
    return (
        engine.candidates.fed, flows, sorted(map(repr, names)), sorted(map(repr, services)),
        namer.facts(), namer.not_examined(), namer.dns_visible, namer.wanted,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(TALK, st.sampled_from((1 << 11, 1 << 16)))
def test_telling_in_bulk_is_the_same_as_reading_every_packet(talk, buffer):
    assert read(talk, Namer(SERVICES), buffer) == read(talk, OneByOne(SERVICES), buffer)


def test_payloads_without_room_have_no_meaning_in_common(monkeypatch):
    monkeypatch.setattr(module, "MOST", 8)
    contents = Contents(Alike().sums)
    data = np.frombuffer(bytes(range(100)) * 2 + bytes(PAD), np.uint8)
    places, sizes = np.arange(200), np.ones(200, np.int64)
    numbers, new = contents.numbers(data, places, sizes, np.zeros(200, np.uint64))
    crowded = np.flatnonzero(numbers == 0)
    assert len(crowded) > 100
    assert not set(new.tolist()) & set(crowded.tolist())
    for place in new.tolist():
        contents.learn(int(numbers[place]), lambda ends: [() for _ in ends])
    assert contents.told(numbers).any()
    assert not contents.told(numbers)[crowded].any()


def test_requests_for_the_time_differ_and_are_told_by_their_gates():
    read_packets = []

    class Counting(Namer):
        def feed(self, packet):
            read_packets.append(packet)
            return super().feed(packet)

    talk = [
        (b"\x23" + bytes(39) + n.to_bytes(8, "big"), f"10.20.1.{n}", "203.0.113.7", 40000, 123, 0)
        for n in range(200)
    ]
    namer = Counting(SERVICES)
    assert read(talk, namer, 1 << 16)[0] == 200
    assert read_packets == []
    assert [(s.service, s.packets) for s in namer.services()] == [("ntp", 1)] * 200


def test_keep_alives_of_many_clients_are_told_without_being_read():
    read_packets = []

    class Counting(Namer):
        def feed(self, packet):
            read_packets.append(packet)
            return super().feed(packet)

    talk = [(PAYLOADS[0], f"10.20.1.{n}", "203.0.113.7", 40000, 32100, 0) for n in range(200)]
    namer = Counting(SERVICES)
    assert read(talk, namer, 1 << 16)[0] == 200
    assert read_packets == []
    assert [s.packets for s in namer.services()] == [1] * 200
    assert {s.client for s in namer.services()} == {client for _, client, *_ in talk}


def test_between_ports_where_more_may_be_said_every_packet_is_read():
    read_packets = []

    class Counting(Namer):
        def feed(self, packet):
            read_packets.append(packet)
            return super().feed(packet)

    ports = [40000 if n % 4 else 32108 for n in range(80)]
    talk = [(PAYLOADS[0], f"10.20.1.{n}", "203.0.113.7", p, 32100, 0) for n, p in enumerate(ports)]
    namer = Counting(SERVICES)
    read(talk, namer, 1 << 16)
    assert [p.sport for p in read_packets] == [32108] * 20
    assert len(namer.services()) == 80


def test_a_keep_alive_ends_the_run_of_its_direction_as_if_it_was_read():
    media = [b"\x80\x60" + n.to_bytes(2, "big") + bytes(7) + b"\x01" + bytes(20) for n in range(20)]
    others = [(PAYLOADS[0], f"10.20.1.{n}", HOSTS[4], 40000, 32100, 0) for n in range(9)]

    def direction(*payloads):
        return [(payload, HOSTS[0], HOSTS[5], 40000, 40001, 0) for payload in payloads]

    through = [*others, *direction(STUN, *media)]
    ended = [*others, *direction(STUN, PAYLOADS[0], *media)]
    found = []
    for talk in (through, ended):
        namer = Namer(SERVICES)
        assert read(talk, namer, 1 << 16) == read(talk, OneByOne(SERVICES), 1 << 16)
        found.append({s.service for s in namer.services() if s.client == HOSTS[0]})
    assert found[0] - found[1]


def test_of_two_announced_ids_the_first_stays():
    ends = (HOSTS[4], 40000, 32100, 0)
    talk = [(UID, HOSTS[0], *ends), (OTHER_UID, HOSTS[0], *ends), (OTHER_UID, HOSTS[1], *ends), (UID, HOSTS[1], *ends)]  # fmt: skip
    namer = Namer(SERVICES)
    read(talk, namer, 1 << 16)
    announced = {s.client: s.announced for s in namer.services()}
    assert announced == {HOSTS[0]: "ABCD-123456-XYZXY", HOSTS[1]: "ABCD-654321-XYZXY"}


@given(st.lists(st.binary(max_size=4).map(lambda b: b.ljust(len(b) * 16, b"\0")), max_size=30))
def test_payloads_have_the_same_number_where_they_are_the_same(payloads):
    contents = Contents(Alike().sums)
    sizes = np.array([len(p) for p in payloads], np.int64)
    places = np.cumsum(sizes) - sizes
    data = np.frombuffer(b"".join(payloads) + bytes(PAD), np.uint8)
    gates = np.zeros(len(payloads), np.uint64)
    numbers, new = contents.numbers(data, places, sizes, gates)
    assert len(set(zip(numbers.tolist(), payloads, strict=True))) == len(set(payloads))
    assert len(set(numbers.tolist())) == len(set(payloads))
    twice = {p for p in payloads if payloads.count(p) > 1}
    assert {payloads[n] for n in new.tolist()} == twice
    assert len(new) == len(twice)
    again, new = contents.numbers(data, places, sizes, gates)
    assert again.tolist() == numbers.tolist()
    assert {payloads[n] for n in new.tolist()} == set(payloads)
    told, _ = contents.numbers(data, places, sizes, gates + np.uint64(5))
    assert len(set(told.tolist())) == min(
        len(payloads), 1
    )  # where gates say all, the payload says nothing
    assert not set(told.tolist()) & set(numbers.tolist())


def test_what_was_learned_is_told_until_the_memory_begins_anew(monkeypatch):
    monkeypatch.setattr(module, "MOST", 16)
    contents = Contents(Alike().sums)
    data = np.frombuffer(bytes(range(1, 101)) + bytes(PAD), np.uint8)
    one, none = np.array([1], np.int64), np.zeros(1, np.uint64)
    (number,), new = contents.numbers(data, one * 0, one, none)
    assert not len(new)
    assert not contents.told(np.array([number]))[0]

    def meaning(ends):
        return [() for _ in ends]

    contents.learn(int(number), meaning)
    assert contents.told(np.array([number]))[0]
    assert contents.meaning(int(number)) is meaning
    (other,), _ = contents.numbers(data, one * 1, one, none)
    contents.learn(int(other), None)
    (same,), new = contents.numbers(data, one * 1, one, none)
    assert same == other
    assert not len(new)
    assert not contents.told(np.array([other]))[0]
    for place in range(2, 50):
        numbers, _ = contents.numbers(data, one * place, one, none)
        assert 0 < numbers[0] <= 16
    (number,), _ = contents.numbers(data, one * 0, one, none)
    assert not contents.told(np.array([number]))[0]
