"""What stands in fragments is read: text and search datagrams put together, of others what the first part shows."""

from __future__ import annotations

import io

import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic_frames import Record

from camscan.knowledge import load
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.take import TakeOptions, Taking

pytestmark = pytest.mark.usefixtures("each_form")

T = 1_793_000_000.0
CAMERA, FAR = "10.20.0.9", "198.41.0.4"
MORE = 0x2000


def pieces(body: bytes, proto: int, size: int, *, src=CAMERA, dst=FAR, ident=7) -> list[bytes]:
    """An IPv4 packet in fragments of `size` bytes, a multiple of eight."""
    found = []
    for at in range(0, len(body), size):
        more = MORE if at + size < len(body) else 0
        packet = f.ip4(src, dst, proto, body[at : at + size], ident=ident, frag=more | at // 8)
        found.append(f.ether(packet))
    return found


def read(frames: list[bytes], link: int = 1):
    taking = Taking(load().services, {}, TakeOptions())
    data = f.pcap([Record(T + n / 100, frame) for n, frame in enumerate(frames)])
    taking.read(Source("x", io.BytesIO(data)))
    captured, problems = taking.done()
    assert problems == ()
    return captured


REGISTER = (
    b"REGISTER sip:34020000002000000001@gb.example.cn SIP/2.0\r\n"
    b"Host: gb.example.cn\r\nFrom: <sip:34020000001320000001@3402000000>\r\n"
     b"X-Filler: " + b"a" * 1800 + b"\r\n\r\n"
)  # fmt: skip


@pytest.mark.parametrize("port", [5060, 15060])
def test_a_text_datagram_in_fragments_is_put_together(port):
    whole = read([f.ether(f.ip4(CAMERA, FAR, 17, f.udp(port, port, REGISTER)))])
    split = read(pieces(f.udp(port, port, REGISTER), 17, 1000))
    assert [n.name for n in whole.names] == [n.name for n in split.names] == ["gb.example.cn"]
    assert [s.service for s in whole.services] == [s.service for s in split.services]


def test_an_answer_of_the_search_protocol_in_fragments_is_a_fact():
    answer = (
        b'<?xml version="1.0"?><Envelope><Body><ProbeMatches><ProbeMatch><Scopes>onvif://www.onvif.org/name/X '
        + b"onvif://www.onvif.org/filler " * 70
        + b"</Scopes></ProbeMatch></ProbeMatches></Body></Envelope>"
    )
    body = f.udp(3702, 40000, answer)
    (fact,) = read(pieces(body, 17, 1400, dst="10.20.0.50")).facts
    assert (fact.kind, fact.payload) == ("wsd", answer)


def test_a_name_in_the_first_part_of_a_fragmented_segment_is_read():
    hello = wire.records(wire.hello("cloud.example.net"))
    segment = f.tcp(40000, 443, hello + bytes(900))
    assert len(hello) < 600
    captured = read(pieces(segment, 6, 800))
    assert [(n.proto, n.name) for n in captured.names] == [("tls", "cloud.example.net")]


def test_volumes_are_those_of_all_fragments():
    segment = f.tcp(40000, 443, bytes(3000))
    frames = pieces(segment, 6, 1000)
    (flow,) = read(frames).flows
    assert (flow.port, flow.packets_up, flow.bytes_up) == (443, len(frames), sum(map(len, frames)))


def test_video_in_fragments_is_not_put_together():
    frames = []
    for number in range(300):
        frames += pieces(f.udp(5004, 5004, b"\x80\x60" + bytes(4000)), 17, 1400, ident=number)
    captured = read(frames)
    assert captured.names == ()
    assert captured.facts == ()
    assert dict(captured.summary.not_examined) == {}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_fragments_in_any_order_and_overlap_break_nothing(draw):
    body = f.udp(5060, 5060, REGISTER)
    frames = []
    for _ in range(draw.draw(st.integers(1, 12))):
        at = draw.draw(st.integers(0, len(body) // 8))
        size = draw.draw(st.integers(0, 1000))
        more = MORE if draw.draw(st.booleans()) else 0
        part = body[at * 8 : at * 8 + size]
        frames.append(f.ether(f.ip4(CAMERA, FAR, 17, part, ident=7, frag=more | at)))
    captured = read(frames)
    assert {n.name for n in captured.names} <= {"gb.example.cn"}
    assert sum(w.packets_up + w.packets_down for w in captured.flows) <= len(frames)
