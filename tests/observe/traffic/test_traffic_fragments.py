"""What stands in fragments is read: text and search datagrams put together, of others what the first part shows."""

from __future__ import annotations

import io
import struct

import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic_frames import Record

from camscan.knowledge import load
from camscan.observe.traffic.namer import Namer
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


def hello_of(name: str, pad: int) -> bytes:
    """The key share stands before the name."""
    return wire.records(wire.hello(name, pad=pad))


def pieces6(body: bytes, size: int, *, ident: int = 7) -> list[bytes]:
    """An IPv6 packet of TCP in fragments (RFC 8200 section 4.5)."""
    found = []
    for at in range(0, len(body), size):
        more = at + size < len(body)
        header = struct.pack(">BBHI", 0, 0, at | more, ident)
        found.append(
            f.ether(
                f.ip6("fd00::9", "2001:db8::7", 6, body[at : at + size], headers=[(44, header)])
            )
        )
    return found


@pytest.mark.parametrize("cut", [pieces6, lambda body, size: pieces(body, 6, size)])
def test_a_name_in_a_later_fragment_of_a_segment_is_read(cut):
    segment = f.tcp(40000, 443, hello_of("cloud.example.net", 1000))
    for size in (1240, 480, 104):
        captured = read(cut(segment, size))
        assert [(n.proto, n.name, n.count) for n in captured.names] == [
            ("tls", "cloud.example.net", 1)
        ]
        assert dict(captured.summary.not_examined) == {}


def test_segments_that_follow_a_fragmented_beginning_may_come_in_fragments_too():
    hello = hello_of("cloud.example.net", 3500)
    frames = []
    for number, at in enumerate(range(0, len(hello), 1400)):
        segment = f.tcp(40000, 443, hello[at : at + 1400], seq=1 + at)
        frames += pieces(segment, 6, 1000, ident=number)
    captured = read(frames)
    assert [(n.proto, n.name, n.count) for n in captured.names] == [("tls", "cloud.example.net", 1)]
    whole = read([f.ether(f.ip4(CAMERA, FAR, 6, f.tcp(40000, 443, hello)))])
    assert [n.name for n in whole.names] == [n.name for n in captured.names]


REQUEST = (
    b"GET /a/path HTTP/1.1\r\nUser-Agent: " + b"a" * 1300 + b"\r\nHost: up.example.net\r\n\r\n"
)


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (0, 0, 1, 1, 2, 2), (0, 1, 2, 0, 1, 2), (0, 1, 0, 1, 2)]
)
def test_fragments_of_a_request_late_or_mirrored_twice(order):
    frames = pieces(f.tcp(40000, 80, REQUEST), 6, 560)
    assert len(frames) == 3
    captured = read([frames[n] for n in order])
    assert {(n.proto, n.name) for n in captured.names} == {("http", "up.example.net")}
    assert dict(captured.summary.not_examined) == {}


def test_a_question_over_tcp_in_fragments():
    query = wire.dns_query("a-rather-long-name-for-a-question.example.net")
    message = len(query).to_bytes(2, "big") + query
    captured = read(pieces(f.tcp(40000, 53, message), 6, 32))
    assert [(n.proto, n.name) for n in captured.names] == [
        ("dns", "a-rather-long-name-for-a-question.example.net")
    ]


def test_the_last_fragment_ends_a_stream_and_not_the_first():
    answer = b"HTTP/1.1 200 OK\r\nX-Filler: " + b"a" * 1300 + b"\r\nServer: App-webs/\r\n\r\n"
    segment = f.tcp(80, 50000, answer, flags=0x19)
    (fact,) = read(pieces(segment, 6, 560, dst="10.20.0.50")).facts
    assert fact.payload.endswith(b"Server: App-webs/\r\n\r\n")


@pytest.mark.parametrize("place", [528, 544, 568])
def test_overlapping_fragments_of_a_segment_are_refused_and_counted(place):
    segment = f.tcp(40000, 80, REQUEST)
    frames = pieces(segment, 6, 560)
    assert place % 8 == 0
    other = f.ip4(CAMERA, FAR, 6, b"x" * 80, ident=7, frag=MORE | place // 8)
    captured = read([frames[0], f.ether(other), *frames[1:]])
    assert captured.names == ()
    assert dict(captured.summary.not_examined)["overlapping fragments: payload not examined"] == 1


def test_fragments_with_many_gaps_are_refused_and_counted():
    head = f.tcp(40000, 80, REQUEST)[:560]
    frames = [f.ether(f.ip4(CAMERA, FAR, 6, head, ident=7, frag=MORE))]
    for number in range(40):
        part = f.ip4(CAMERA, FAR, 6, b"x" * 8, ident=7, frag=MORE | 80 + 2 * number)
        frames.append(f.ether(part))
    missed = dict(read(frames).summary.not_examined)
    assert missed["fragments with too many gaps between them: payload not examined"] == 1
    assert "overlapping fragments: payload not examined" not in missed


def test_a_capture_that_cuts_fragments_says_that_a_hello_was_not_whole():
    frames = pieces(f.tcp(40000, 443, hello_of("cloud.example.net", 1000)), 6, 480)
    records = [
        Record(T + n / 100, frame[:200] if n == 1 else frame, wire=len(frame))
        for n, frame in enumerate(frames)
    ]
    taking = Taking(load().services, {}, TakeOptions())
    taking.read(Source("x", io.BytesIO(f.pcap(records))))
    captured, _ = taking.done()
    assert captured.names == ()
    assert dict(captured.summary.not_examined) == {"TLS handshakes that were not whole": 1}


def test_a_film_over_tcp_in_fragments_is_not_handed_on(monkeypatch):
    handed = []
    monkeypatch.setattr(Namer, "feed", lambda self, packet: handed.append(packet) or False)
    frames = []
    for number in range(100):
        segment = f.tcp(40000, 6000, b"\x24\x00" + bytes(2000), seq=1 + 2002 * number)
        frames += pieces(segment, 6, 1000, ident=number)
    read(frames)
    assert handed == []


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
def test_fragments_of_a_segment_give_its_name_in_any_order_behind_the_first(draw):
    frames = pieces(f.tcp(40000, 80, REQUEST), 6, 8 * draw.draw(st.integers(10, 170)))
    later = draw.draw(st.permutations(frames[1:]))
    captured = read([frames[0], *later])
    names = [n.name for n in captured.names]
    missed = dict(captured.summary.not_examined)
    assert names == ["up.example.net"] or "fragments with too many gaps" in str(missed)
    assert captured.flows[0].packets_up == len(frames)


@pytest.mark.parametrize(
    ("proto", "body", "name"),
    [
        (6, f.tcp(40000, 80, REQUEST), "up.example.net"),
        (17, f.udp(5060, 5060, REGISTER), "gb.example.cn"),
    ],
)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_fragments_in_any_order_and_overlap_name_nothing_that_is_not_in_them(
    proto, body, name, draw
):
    frames = []
    for _ in range(draw.draw(st.integers(1, 12))):
        at = draw.draw(st.integers(0, len(body) // 8))
        size = draw.draw(st.integers(0, 1000))
        more = MORE if draw.draw(st.booleans()) else 0
        part = body[at * 8 : at * 8 + size]
        frames.append(f.ether(f.ip4(CAMERA, FAR, proto, part, ident=7, frag=more | at)))
    captured = read(frames)
    assert {n.name for n in captured.names} <= {name}
    assert sum(w.packets_up + w.packets_down for w in captured.flows) <= len(frames)
