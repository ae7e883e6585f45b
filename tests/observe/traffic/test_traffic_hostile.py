"""Whatever a file claims: reading it ends, in bounded memory, and says what was not examined."""

from __future__ import annotations

import gzip
import io
import random
import struct
from unittest import mock

import numpy as np
import pytest
import traffic_frames as f
from hypothesis import given, settings
from hypothesis import strategies as st
from test_traffic_engine import CLIENTS, engine_of, flows_of, packets, timed
from traffic_frames import Record
from traffic_reference import count

from camscan.observe.traffic import boundary
from camscan.observe.traffic import source as source_module
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.records import Records
from camscan.observe.traffic.source import Source

pytestmark = pytest.mark.usefixtures("each_form")

RECORDS = timed([f.ether(p) for p in packets(21, 300)])
GOOD = {"pcap": f.pcap(RECORDS), "pcapng": f.pcapng(RECORDS)}


@pytest.mark.parametrize("form", GOOD)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
def test_a_cut_tail_is_said_and_the_rest_kept(form, share):
    data = GOOD[form][: int(len(GOOD[form]) * share)]
    engine = engine_of(data)
    assert 0 < engine.packets < len(RECORDS)
    assert flows_of(engine) == count(RECORDS[: engine.packets], set(CLIENTS))
    assert [p.what[:19] for p in engine.problems] == ["ends within a recor"]


def test_a_length_that_cannot_be_is_stepped_over():
    at = 24
    for record in RECORDS[:100]:
        at += 16 + len(record.frame)
    data = bytearray(GOOD["pcap"])
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    engine = engine_of(bytes(data))
    kept = RECORDS[:100] + RECORDS[101:]
    assert flows_of(engine) == count(kept, set(CLIENTS))
    words = [p.what for p in engine.problems]
    assert words[0] == f"damaged at byte {at}: a record length that cannot be"
    assert words[1] == f"{16 + len(RECORDS[100].frame)} bytes behind damage were not examined"


def test_damaged_blocks_are_stepped_over():
    parts = [f.section(), f.interface(), *(f.enhanced(r) for r in RECORDS)]
    bad = bytearray(parts[60])
    bad[4:8] = struct.pack("<I", 0xFFFFFFF0)
    parts[60] = bytes(bad)
    parts[120] = b"\x07" * len(parts[120])
    engine = engine_of(b"".join(parts))
    kept = RECORDS[:58] + RECORDS[59:118] + RECORDS[119:]
    assert flows_of(engine) == count(kept, set(CLIENTS))
    assert len(engine.problems) == 2


def test_damage_over_several_buffers():
    rng = random.Random(4)
    hole = bytes(rng.randrange(1, 256) for _ in range(300_000))
    data = GOOD["pcap"] + hole + GOOD["pcap"][24:]
    engine = engine_of(data, buffer=1 << 16)
    assert engine.packets == 2 * len(RECORDS)
    assert any(
        p.what == f"{len(hole)} bytes behind damage were not examined" for p in engine.problems
    )


def test_snap_length_and_wire_length_are_not_believed():
    lie = [Record(r.at, r.frame, wire=0xFFFFFFFF) for r in RECORDS]
    engine = engine_of(f.pcap(lie, snaplen=0xFFFFFFFF))
    assert flows_of(engine) == count(RECORDS, set(CLIENTS))


def test_unknown_link_type_and_records_of_nothing():
    engine = engine_of(f.pcap(RECORDS, link=147))
    assert list(engine.flows()) == []
    assert dict(engine.summary().not_examined) == {"link type 147 is not read": len(RECORDS)}
    (missed,) = dict(engine_of(f.pcap(RECORDS, link=127)).summary().not_examined)
    assert missed.startswith("link type 127 is not read (Wi-Fi as it is on the air;")
    engine = engine_of(f.pcap([Record(1.0, b"")] * 5))
    assert list(engine.flows()) == []
    assert engine.packets == 5
    engine = engine_of(f.section() + f.enhanced(RECORDS[0], 3))
    assert list(engine.flows()) == []
    assert engine.packets == 0
    assert dict(engine.summary().not_examined) == {
        "damaged: packet of an interface that is not described": 1
    }


def test_a_decompression_bomb_is_stopped(monkeypatch):
    monkeypatch.setattr(source_module, "_RATIO_FROM", 1 << 20)
    bomb = gzip.compress(f.pcap([]) + bytes(16 << 20))
    engine = engine_of(bomb)
    assert "a decompression bomb" in engine.problems[-1].what
    assert engine.packets < (12 << 20) / 16


def test_tunnels_in_tunnels_end():
    packet = f.ip4("10.0.0.2", "93.184.216.1", 17, f.udp(40000, 443, b"x"))
    for _ in range(9):
        packet = f.ip4("10.1.0.1", "10.1.0.2", 4, packet)
    engine = engine_of(f.pcap(timed([f.ether(packet)])))
    assert list(engine.flows()) == []
    reasons = dict(engine.summary().not_examined)
    assert reasons == {"encapsulated: deeper than is unwrapped": 1}
    tags = [(0x8100, 1)] * 12
    inner = f.ip4("10.0.0.2", "93.184.216.1", 17, f.udp(40000, 443))
    engine = engine_of(f.pcap(timed([f.ether(inner, tags=tags)])))
    assert list(engine.flows()) == []
    assert dict(engine.summary().not_examined) == {"encapsulated: deeper than is unwrapped": 1}


def test_encrypted_tunnels_stay_flows_and_are_said():
    esp = f.ether(f.ip4("10.0.0.2", "93.184.216.1", 50, b"\x00" * 40))
    engine = engine_of(f.pcap(timed([esp] * 3)))
    (flow,) = engine.flows()
    assert (flow.transport, flow.packets_up, flow.port) == ("50", 3, 0)
    assert dict(engine.summary().not_examined) == {"encapsulated: ESP": 3}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_change_of_bytes_breaks_the_reader(form, draw):
    data = bytearray(GOOD[form][:20_000])
    for _ in range(draw.draw(st.integers(1, 30))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    engine = engine_of(bytes(data), buffer=1 << 14)
    for flow in engine.flows():
        assert flow.packets_up + flow.packets_down > 0
        assert flow.first <= flow.last
    assert sum(n for _, n in engine.summary().not_examined) <= 4 * len(RECORDS)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([0, 1, 9, 12, 101, 108, 113, 228, 239, 276]))
def test_no_frame_breaks_the_headers(frame, link):
    records = timed([frame, frame[: len(frame) // 2]], link=link)
    engine = engine_of(f.pcap(records, link=link))
    total = sum(w.packets_up + w.packets_down for w in engine.flows())
    assert engine.packets == 2
    assert total <= 2


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=120), st.sampled_from([4, 6, 17, 41, 44, 47, 51, 0, 60, 1]), st.booleans()
)
def test_no_packet_breaks_the_layers(body, proto, six):
    maker = f.ip6 if six else f.ip4
    ends = ("fd00::2", "2606:2800::1") if six else ("10.0.0.2", "93.184.216.1")
    shapes = [f.ether(maker(*ends, proto, body))]
    shapes += [f.ether(maker(*ends, 17, f.udp(40000, port, body))) for port in (37008, 4789, 6081)]
    engine = engine_of(f.pcap(timed(shapes)))
    total = sum(w.packets_up + w.packets_down for w in engine.flows())
    assert total <= 4


@pytest.mark.parametrize("order", ["<", ">"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=60),
    st.integers(0, 2**32 - 1),
    st.sampled_from([(64, 512), (256, 1 << 17), (1 << 12, 1 << 17)]),
    st.data(),
)
def test_lanes_find_the_chain_and_nothing_else(order, bodies, start, lane, draw):
    jumps = draw.draw(st.lists(st.integers(0, 70_000), min_size=1, max_size=5))
    pack = struct.Struct(f"{order}IIII").pack
    # Payloads that look like records with the time of the capture, some of them followed by another one.
    bodies += [pack(start, 0, n, n) + bytes(n) + pack(start, 0, 9, 9) for n in (0, 16, 3)]
    out, at = [], start
    for i in range(draw.draw(st.sampled_from([40, 400, 1500]))):
        body = bodies[i % len(bodies)]
        at = (at + jumps[i % len(jumps)]) & 0xFFFFFFFF
        out.append(pack(at, 0, len(body), len(body)) + body)
    if draw.draw(st.booleans()):
        place = draw.draw(st.integers(0, len(out) - 1))
        size = draw.draw(st.sampled_from([2**32 - 1, boundary.LARGEST, boundary.LARGEST + 1, 0, 5]))
        out[place] = pack(at, 0, size, size) + out[place][16:]
    data = bytearray(b"".join(out) + bytes(512))
    end = len(data) - 512
    array, view = np.frombuffer(data, np.uint8), memoryview(data)
    walker = Records(order)
    plain = walker.step(view, 0, end, end)
    with mock.patch.object(boundary, "_LANE", lane):
        chain = walker.chain(array, view, 0, end)
    assert chain.offsets.tolist() == plain.offsets.tolist()
    assert (chain.end, chain.damaged) == (plain.end, plain.damaged)


def test_a_stream_that_fails_in_the_middle_keeps_what_it_gave():
    class Failing(io.BytesIO):
        def readinto(self, buffer):
            if self.tell() >= 20_000:
                raise OSError(5, "Input/output error")
            return super().readinto(memoryview(buffer)[: 20_000 - self.tell()])

    engine = Engine()
    engine.read(Source("nfs", Failing(GOOD["pcap"])))
    assert 0 < engine.packets < len(RECORDS)
    assert any("Input/output error" in p.what for p in engine.problems)
