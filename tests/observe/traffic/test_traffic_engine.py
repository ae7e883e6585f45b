"""Captures of every form are counted as the plain reader counts them, to the byte."""

from __future__ import annotations

import gzip
import io
import random

import pytest
import traffic_frames as f
import zstandard
from traffic_frames import Record
from traffic_reference import count

from camscan.errors import InputError
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.packet import Gate
from camscan.observe.traffic.source import Source, open_source

pytestmark = pytest.mark.usefixtures("each_form")

CLIENTS = [f"10.0.0.{i}" for i in range(2, 10)] + [f"fd00::{i}" for i in range(2, 6)]
REMOTES = [f"93.184.216.{i}" for i in range(1, 6)] + [f"2606:2800::{i}" for i in range(1, 4)]


def engine_of(data: bytes, *, name: str = "x.pcap", **options) -> Engine:
    engine = Engine(**{"buffer": 1 << 18} | options)
    engine.read(Source(name, io.BytesIO(data)))
    return engine


def flows_of(engine: Engine) -> dict[tuple, tuple]:
    return {
        (w.client, w.remote, w.port, w.transport): (
            w.packets_up,
            w.packets_down,
            w.bytes_up,
            w.bytes_down,
            round(w.first, 5),
            round(w.last, 5),
        )
        for w in engine.flows()
    }


def packets(seed: int, number: int, *, six: bool = True) -> list[bytes]:
    """IP packets between clients and remotes, both ways, all kinds."""
    rng = random.Random(seed)
    made = []
    for _ in range(number):
        version = 6 if six and rng.random() < 0.3 else 4
        client = rng.choice([c for c in CLIENTS if (":" in c) == (version == 6)])
        remote = rng.choice([r for r in REMOTES if (":" in r) == (version == 6)])
        ends, ports = (client, remote), (rng.randint(40000, 40005), rng.choice((443, 53, 8800)))
        if rng.random() < 0.5:
            ends, ports = ends[::-1], ports[::-1]
        payload = rng.randbytes(rng.choice((0, 1, 5, 40, 600)))
        kind = rng.random()
        if kind < 0.5:
            proto, body = (
                6,
                f.tcp(*ports, payload, seq=rng.getrandbits(32), options=rng.choice((0, 3))),
            )
        elif kind < 0.9:
            proto, body = 17, f.udp(*ports, payload)
        else:
            proto, body = (1 if version == 4 else 58), b"\x08\x00" + payload
        if kind >= 0.9:
            ends = (client, remote)  # without ports the first sender counts as client
        if version == 4:
            made.append(f.ip4(*ends, proto, body, options=rng.choice((0, 0, 0, 2))))
        else:
            extra = rng.choice(
                (
                    (),
                    ((0, b"\x00" * 8),),
                    ((60, b"\x00\x01" + b"\x00" * 14), (51, b"\x00\x04" + b"\x00" * 22)),
                )
            )
            made.append(f.ip6(*ends, proto, body, headers=extra))
    return made


def timed(frames: list[bytes], *, link: int = 1, step: float = 0.013) -> list[Record]:
    return [Record(1_700_000_000 + i * step, frame, link=link) for i, frame in enumerate(frames)]


WRAPPERS = {
    "ethernet": (1, f.ether),
    "vlan": (1, lambda p: f.ether(p, tags=((0x8100, 7),))),
    "qinq": (1, lambda p: f.ether(p, tags=((0x88A8, 7), (0x8100, 9)))),
    "pppoe": (1, f.pppoe),
    "mpls": (1, f.mpls),
    "pseudowire": (1, lambda p: f.mpls(f.ether(p), pseudowire=True)),
    "snap": (1, f.snap),
    "cooked": (113, f.cooked),
    "cooked2": (276, f.cooked2),
    "raw": (101, bytes),
    "null": (0, f.null),
    "loop": (108, f.null),
    "nflog": (239, f.nflog),
    "tzsp": (1, lambda p: f.tzsp(f.ether(p))),
    "erspan1": (1, lambda p: f.erspan1(f.ether(p))),
    "erspan2": (1, lambda p: f.erspan2(f.ether(p))),
    "erspan3": (1, lambda p: f.erspan3(f.ether(p))),
    "erspan3-short": (1, lambda p: f.erspan3(f.ether(p), platform=False)),
    "gre": (1, f.gre),
    "gre-plain": (1, lambda p: f.gre(p, flags=0)),
    "vxlan": (1, lambda p: f.vxlan(f.ether(p))),
    "geneve": (1, lambda p: f.geneve(f.ether(p))),
    "ip-in-ip": (1, f.ip_in_ip),
    "tzsp-of-vlan": (1, lambda p: f.tzsp(f.ether(p, tags=((0x8100, 3),)))),
    "vxlan-in-gre": (1, lambda p: f.gre(f.vxlan(f.ether(p))[14:])),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_link_layer_and_tunnel_is_counted_to_the_byte(name):
    link, wrap = WRAPPERS[name]
    records = timed([wrap(p) for p in packets(3, 400)], link=link)
    engine = engine_of(f.pcap(records, link=link))
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert engine.packets == len(records)
    summary = engine.summary()
    assert summary.not_examined == ()
    assert engine.problems == []
    assert bool(summary.encapsulations) == any(
        w in name for w in ("tzsp", "erspan", "gre", "vxlan", "geneve", "ip-in-ip")
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_both_byte_orders_and_resolutions_of_pcap(order, nano):
    records = timed([f.ether(p) for p in packets(5, 1500)])
    engine = engine_of(f.pcap(records, order=order, nano=nano))
    assert flows_of(engine) == count(records, set(CLIENTS))


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_an_interface_per_link_type(order):
    rng = random.Random(8)
    records = []
    for i, packet in enumerate(packets(7, 1200)):
        link, wrap = WRAPPERS[rng.choice(list(WRAPPERS))]
        records.append(Record(1_700_000_000 + i * 0.01, wrap(packet), link=link))
    engine = engine_of(f.pcapng(records, order=order))
    assert flows_of(engine) == count(records, set(CLIENTS))


def test_pcapng_resolution_offset_second_section_and_loss_counters():
    records = timed([f.ether(p) for p in packets(9, 90)])
    third = len(records) // 3
    data = (
        f.section() + f.interface(tsresol=9) + f.interface(tsresol=0x80 | 20, offset=1_600_000_000)
    )
    data += b"".join(f.enhanced(r, 0, ticks=1e9) for r in records[:third])
    data += b"".join(
        f.enhanced(r, 1, ticks=2.0**20, shift=1_600_000_000) for r in records[third : 2 * third]
    )
    data += f.statistics(0, 5) + f.statistics(0, 11) + f.statistics(1, 2)
    data += f.section(">") + f.interface(order=">")
    data += b"".join(f.enhanced(r, 0, order=">") for r in records[2 * third :])
    engine = engine_of(data)
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert engine.lost == 13


def test_packets_of_several_interfaces_stay_in_the_order_of_the_file():
    """A tap has an interface per direction: what is asked comes before what is answered."""
    clocks = ((9, 1e9, 0), (6, 1e6, 0), (0x80 | 20, 2.0**20, 1_600_000_000))
    data = f.section() + b"".join(
        f.interface(tsresol=resolution, offset=shift or None) for resolution, _, shift in clocks
    )
    times = [1_700_000_000 + n * 0.5 for n in range(60)]
    for n, at in enumerate(times):
        number = (0, 1, 0, 2)[n % 4]
        frame = f.ether(f.ip4("10.0.0.2", "10.0.0.1", 17, f.udp(40000 + n, 53, bytes((n,)) * 20)))
        _, ticks, shift = clocks[number]
        data += f.enhanced(Record(at, frame), number, ticks=ticks, shift=shift)
    fed = []
    engine_of(data, feed=lambda p: fed.append((p.sport - 40000, p.at)) or False)
    assert fed == list(enumerate(times))


@pytest.mark.parametrize("scope", [(), ("10.0.0.0/16",), ("10.0.7.0/24",)])
def test_who_speaks_to_a_nets_broadcast_address_is_the_client(scope):
    """Both ports are those of services, and nobody opened anything."""
    frame = f.ether(f.ip4("10.0.7.2", "10.0.7.255", 17, f.udp(5000, 34569, bytes(20))))
    engine = engine_of(f.pcap(timed([frame] * 3)), scope=scope)
    assert [(w.client, w.remote, w.port) for w in engine.flows()] == [
        ("10.0.7.2", "10.0.7.255", 34569)
    ]


def test_times_far_apart_and_jumping_back_do_not_lose_records():
    frames = [f.ether(p) for p in packets(11, 3000)]
    rng = random.Random(1)
    at = 1_500_000_000.0
    records = []
    for frame in frames:
        at += rng.choice((0.001, 0.001, 0.5, 300, 70_000, -90_000, 700_000))
        records.append(Record(round(at, 3), frame))
    engine = engine_of(f.pcap(records))
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert engine.packets == len(records)


def test_payloads_full_of_their_own_time_do_not_mislead():
    rng = random.Random(2)
    records = []
    for i in range(4000):
        at = 1_700_000_000 + i * 0.05
        stamp = int(at).to_bytes(4, "little")
        payload = b"".join(stamp + rng.randbytes(rng.randint(0, 2)) for _ in range(12))
        packet = f.ip4("10.0.0.2", "93.184.216.1", 17, f.udp(40000, 443, payload))
        records.append(Record(round(at, 3), f.ether(packet)))
    engine = engine_of(f.pcap(records))
    assert engine.packets == len(records)
    assert flows_of(engine) == count(records, set(CLIENTS))


def test_a_small_buffer_cuts_nothing():
    records = timed([f.ether(p) for p in packets(13, 3000)])
    for make in (f.pcap, f.pcapng):
        engine = engine_of(make(records), buffer=1 << 16)
        assert flows_of(engine) == count(records, set(CLIENTS))


@pytest.mark.parametrize("squeeze", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_captures_and_their_cut_tails(squeeze):
    records = timed([f.ether(p) for p in packets(15, 3000)])
    data = squeeze(f.pcap(records))
    engine = engine_of(data)
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert engine.problems == []
    cut = engine_of(data[: len(data) * 2 // 3])
    assert cut.problems
    if data[:2] == b"\x1f\x8b":
        assert 0 < cut.packets < len(records)
        done = records[: cut.packets]
        assert flows_of(cut) == count(done, set(CLIENTS))


def test_cut_frames_count_the_bytes_of_the_wire():
    whole = [f.ether(p) for p in packets(17, 800, six=False)]
    records = [
        Record(1_700_000_000 + i, frame[:70], wire=len(frame)) for i, frame in enumerate(whole)
    ]
    engine = engine_of(f.pcap(records))
    assert flows_of(engine) == count(records, set(CLIENTS))


def test_segmentation_offload_leaves_a_total_length_of_zero():
    packet = f.ip4("10.0.0.2", "93.184.216.1", 6, f.tcp(40000, 443, b"x" * 3000), total=0)
    records = timed([f.ether(packet)] * 3)
    engine = engine_of(f.pcap(records))
    assert flows_of(engine) == count(records, set(CLIENTS))


def fragments(packet_ident: int, body: bytes, *, size: int = 64) -> list[bytes]:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return [
        f.ip4(
            "10.0.0.2",
            "9.9.9.9",
            17,
            part,
            ident=packet_ident,
            frag=(i * size // 8) | (0x2000 if i < len(parts) - 1 else 0),
        )
        for i, part in enumerate(parts)
    ]


def test_fragments_belong_to_their_flow_and_a_fragmented_question_is_read_whole():
    question = bytes(range(200))
    datagram = f.udp(40000, 53, question)
    records = timed([f.ether(p) for p in fragments(77, datagram)])
    fed = []
    engine = engine_of(f.pcap(records), feed=lambda p: fed.append(p) or False)
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert [p.payload for p in fed] == [question]
    assert (fed[0].sport, fed[0].dport, fed[0].length) == (40000, 53, 200)


def test_overlapping_and_lost_fragments_are_counted_and_not_put_together():
    parts = fragments(78, f.udp(40000, 53, bytes(200)))
    again = f.ip4("10.0.0.2", "9.9.9.9", 17, b"z" * 64, ident=78, frag=4 | 0x2000)
    late = fragments(79, f.udp(40000, 53, bytes(200)))[1:]
    records = timed([f.ether(p) for p in [*parts[:2], again, *parts[2:], *late]])
    fed = []
    engine = engine_of(f.pcap(records), feed=lambda p: fed.append(p) or False)
    assert flows_of(engine) == count(records, set(CLIENTS))
    assert fed == []
    reasons = dict(engine.summary().not_examined)
    assert reasons == {
        "overlapping fragments: payload not examined": 1,
        "fragment whose first part was not seen: port unknown": len(late),
    }


def test_ipv6_fragments_follow_their_first_part():
    body = f.udp(40000, 53, bytes(100))

    def head(offset: int, more: int) -> tuple[int, bytes]:
        return 44, b"\x11\x00" + (offset | more).to_bytes(2, "big") + b"\x00\x00\x00\x09"

    records = timed(
        [
            f.ether(f.ip6("fd00::2", "2606:2800::1", 17, body[:64], headers=[head(0, 1)])),
            f.ether(f.ip6("fd00::2", "2606:2800::1", 17, body[64:], headers=[head(64, 0)])),
        ]
    )
    engine = engine_of(f.pcap(records))
    assert flows_of(engine) == count(records, set(CLIENTS))


def test_the_feed_gets_what_passes_a_gate_and_what_it_asks_for():
    def segment(n: int, body: bytes, *, port: int = 40000) -> bytes:
        return f.ether(f.ip4("10.0.0.2", "93.184.216.1", 6, f.tcp(port, 443, body, seq=n)))

    hello = b"\x16\x03\x01\x06\x00\x01" + b"h" * 600
    frames = [
        segment(1, hello),
        segment(1, b"other flow", port=40001),
        segment(607, b"second"),
        segment(613, b"third"),
        segment(618, b"fourth"),
        segment(700, hello, port=40001),
    ]
    fed = []

    def feed(packet):
        fed.append((packet.sport, packet.seq, packet.payload[:6]))
        return packet.seq in (1, 607)

    for data in (f.pcap(timed(frames)), f.pcapng(timed(frames))):
        fed.clear()
        engine_of(data, feed=feed)
        assert fed == [
            (40000, 1, hello[:6]),
            (40000, 607, b"second"),
            (40000, 613, b"third"),
            (40001, 700, hello[:6]),
        ]


def test_asked_for_streams_go_on_across_buffers_and_after_the_table_was_emptied():
    frames = []
    for i in range(3000):
        frames.append(
            f.ether(f.ip4("10.0.0.3", "93.184.216.2", 17, f.udp(10_000 + i, 9, b"x" * 20)))
        )
        if i % 500 == 0:
            body = (b"GET / HTTP/1.1" if i == 0 else b"more") + b"y" * 10
            frames.append(
                f.ether(f.ip4("10.0.0.2", "93.184.216.1", 6, f.tcp(40000, 80, body, seq=i)))
            )
    fed = []

    def feed(packet):
        fed.append(packet.seq)
        return packet.seq < 2000

    engine = engine_of(f.pcap(timed(frames)), feed=feed, buffer=1 << 14, most_tuples=40_000)
    assert fed == [0, 500, 1000, 1500, 2000]
    engine = Engine(feed=feed, buffer=1 << 14)
    fed.clear()
    engine.on_batch = lambda batch: engine.settle()
    records = timed(frames)
    engine.read(Source("x", io.BytesIO(f.pcap(records))))
    assert fed == [0, 500, 1000, 1500, 2000]
    assert flows_of(engine) == count(records, set(CLIENTS))


def test_gates_of_signatures_by_bytes_mask_offset_and_port():
    gates = (
        Gate(id="a", transport="udp", pattern=b"\xf1\x00", mask=b"\xff\x0f", shortest=4),
        Gate(id="b", offset=3, pattern=b"\xaa\xbb\xcc", ports=(8800,)),
        Gate(id="c", transport="tcp", ports=(34567,), longest=20),
    )

    def packet(body: bytes, port: int = 9, *, proto: int = 17) -> bytes:
        make = f.udp if proto == 17 else f.tcp
        return f.ether(f.ip4("10.0.0.2", "93.184.216.1", proto, make(40000, port, body)))

    frames = [
        packet(b"\xf1\xe0\x00\x00"),
        packet(b"\xf1\xe0\x00"),
        packet(b"\xf1\xe1\x00\x00"),
        packet(b"\xf1\xe0\x00\x00", proto=6),
        packet(b"123\xaa\xbb\xcc", 8800, proto=6),
        packet(b"123\xaa\xbb\xcc", 8801),
        packet(b"123\xaa\xbb", 8800),
        packet(b"x", 34567, proto=6),
        packet(b"x" * 21, 34567, proto=6),
        packet(b"", 34567, proto=6),
        packet(b"x", 34567),
    ]
    fed = []
    engine_of(f.pcap(timed(frames)), gates=gates, feed=lambda p: fed.append(p.payload) or False)
    assert fed == [b"\xf1\xe0\x00\x00", b"123\xaa\xbb\xcc", b"x"]


def test_a_packet_carries_addresses_macs_and_the_place_of_its_record():
    frame, other = (
        f.ether(f.ip4("10.0.0.2", "9.9.9.9", 17, f.udp(40000, 53, text * 20)))
        for text in (b"q", b"p")
    )
    data = f.pcap(timed([frame, other]))
    fed = []
    engine_of(data, feed=lambda p: fed.append(p) or False)
    first, second = fed
    assert (first.src_mac, first.dst_mac) == ("02:11:22:33:44:55", "02:66:77:88:99:aa")
    assert (first.input_offset, second.input_offset) == (24, 24 + 16 + len(frame))
    assert (first.at, first.syn, first.length) == (1_700_000_000.0, False, 20)


def test_packets_that_repeat_others_are_told_once_with_their_number():
    def question(n: int, name: bytes, *, client: str = "10.0.0.2", port: int = 40000) -> bytes:
        body = n.to_bytes(2, "big") + b"\x01\x00\x00\x01" + bytes(6) + name
        return f.ether(f.ip4(client, "9.9.9.9", 17, f.udp(port, 53, body)))

    frames = [
        question(1, b"a"),
        question(2, b"a", port=40001),
        question(3, b"b"),
        question(4, b"a", client="10.0.0.3"),
        question(5, b"a", port=40002),
        question(6, b"a" + bytes(600)),
        question(7, b"a" + bytes(600)),
        f.ether(
            f.ip4("9.9.9.9", "10.0.0.2", 17, f.udp(53, 40000, frames_body := b"\0\1" + bytes(14)))
        ),
        f.ether(f.ip4("10.0.0.2", "9.9.9.9", 17, f.udp(40000, 123, b"\x23" + bytes(47)))),
        f.ether(f.ip4("10.0.0.2", "9.9.9.9", 17, f.udp(40001, 123, b"\x23" + bytes(46) + b"x"))),
    ]
    assert frames_body
    fed = []
    engine = engine_of(f.pcap(timed(frames)), feed=lambda p: fed.append(p) or False)
    assert [(p.payload[1], p.times) for p in fed] == [
        (1, 1), (3, 1), (4, 1), (6, 1), (7, 1), (1, 1), (0, 1),
    ]  # fmt: skip
    fed.clear()
    assert flows_of(engine) == count(timed(frames), set(CLIENTS))
    first, ntp = fed
    assert (first.payload[1], first.times, round(first.at - 1_700_000_000, 3)) == (1, 2, 0.052)
    assert (ntp.dport, ntp.times) == (123, 1)
    fed.clear()
    engine.candidates.tell()
    assert fed == []


def test_short_keep_alives_are_counted_by_flow_and_changes_are_seen():
    gates = (Gate(id="p2p", transport="udp", pattern=b"\xf1\xe0", shortest=4, alike="payload"),)

    def alive(body: bytes, port: int) -> bytes:
        return f.ether(f.ip4("10.0.0.2", "93.184.216.1", 17, f.udp(port, 32100, body)))

    bodies = [
        b"\xf1\xe0\x00\x00",
        b"\xf1\xe0\x00\x01",
        b"\xf1\xe0\x00\x00\x00",
        b"\xf1\xe0" + b"z" * 40,
    ]
    rng = random.Random(3)
    sent = [(rng.choice(bodies), 40000 + rng.randrange(3)) for _ in range(3000)]
    sent += [(bodies[0], 40000)] * 500 + [(bodies[1], 40000)] + [(bodies[0], 40000)] * 500
    frames = [alive(*one) for one in sent]
    for buffer in (1 << 14, 1 << 18):
        fed: list = []
        engine = engine_of(
            f.pcap(timed(frames)),
            gates=gates,
            buffer=buffer,
            feed=lambda p, to=fed: to.append(p) or False,
        )
        assert flows_of(engine) == count(timed(frames), set(CLIENTS))
        told = {}
        for packet in fed:
            key = packet.payload, packet.sport
            told[key] = told.get(key, 0) + packet.times
        assert told == {key: sent.count(key) for key in set(sent)}
        last = max(p.at for p in fed if (p.payload, p.sport) == (bodies[0], 40000))
        assert round(last, 3) == round(1_700_000_000 + (len(frames) - 1) * 0.013, 3)


def test_flows_beyond_the_bound_are_counted_as_not_examined():
    frames = [
        f.ether(f.ip4("10.0.0.2", f"93.184.{i >> 8}.{i & 255}", 17, f.udp(40000, 443, b"x")))
        for i in range(3000)
    ]
    engine = engine_of(f.pcap(timed(frames)), most_flows=1000)
    flows = list(engine.flows())
    assert len(flows) == 1000
    assert dict(engine.summary().not_examined) == {"more flows than are kept": 2000}
    assert sum(w.packets_up for w in flows) == 1000


def test_what_is_no_capture_is_said():
    for data in (b"", b"GIF89a" + b"x" * 100, b"\xd4\xc3\xb2\xa1"):
        engine = engine_of(data)
        assert len(engine.problems) == 1
        assert engine.packets == 0
    with pytest.raises(InputError):
        open_source("/nonexistent/file.pcap")


def test_the_last_address_of_a_small_net_is_a_broadcast_until_it_sends():
    def said(src, dst, sport, dport):
        return f.ether(f.ip4(src, dst, 17, f.udp(sport, dport, b"x")))

    loud = said("10.0.0.9", "10.0.0.255", 30000, 40000)
    host = said("10.0.3.255", "93.184.216.34", 40001, 30000)
    answer = said("93.184.216.34", "10.0.3.255", 30000, 40001)
    engine = engine_of(f.pcap(timed([loud, loud, host, answer])))
    assert [(w.client, w.remote, w.port, w.packets_up, w.packets_down) for w in engine.flows()] == [
        ("10.0.0.9", "10.0.0.255", 40000, 2, 0),
        ("10.0.3.255", "93.184.216.34", 30000, 1, 1),
    ]
