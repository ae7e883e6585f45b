"""Firmware in HTTP answers: what is written, what is not, and what is said of it."""

from __future__ import annotations

import gzip
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.traffic import carve as module
from camscan.observe.traffic.carve import Carver, Limits
from camscan.observe.traffic.packet import Packet

CLIENT, SERVER = "10.20.0.7", "203.0.113.9"
RNG = random.Random(4)
IMAGE = struct.pack(">I", 0x27051956) + RNG.randbytes(20_000)


def packet(
    payload, *, seq=1000, at=1.0, up=False, fin=False, syn=False, port=80, cport=40000, length=None
):
    src, dst, sport, dport = (CLIENT, SERVER, cport, port) if up else (SERVER, CLIENT, port, cport)
    return Packet(
        at=at, src=src, dst=dst, sport=sport, dport=dport, transport="tcp", payload=payload, seq=seq, syn=syn, src_mac=None, dst_mac=None,
        input_offset=24, length=len(payload) if length is None else length, fin=fin,
    )  # fmt: skip


def get(path="/fw/cam.bin", host="update.cam.example", **more):
    return packet(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), up=True, **more)


def answer(body, *fields, status="200 OK", length=True):
    lines = [f"HTTP/1.1 {status}", *fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def sent(raw, *, seq=1000, step=1400, at=2.0, **more):
    return [packet(raw[i : i + step], seq=seq + i, at=at, **more) for i in range(0, len(raw), step)]


@pytest.fixture
def carver(tmp_path):
    return Carver(tmp_path, Limits())


def carved(carver, packets):
    wanted = [carver.feed(p) for p in packets]
    carver.finish()
    return carver.bodies, wanted


def test_a_download_is_written_with_where_it_came_from(carver, tmp_path):
    (body,), wanted = carved(
        carver, [get(), *sent(answer(IMAGE, "Content-Type: application/octet-stream"))]
    )
    assert (tmp_path / body.file).read_bytes() == IMAGE
    assert (body.client, body.server, body.port) == (CLIENT, SERVER, 80)
    assert (body.host, body.path) == ("update.cam.example", "/fw/cam.bin")
    assert (body.begun, body.ended, body.expected) == (2.0, 2.0, len(IMAGE))
    assert body.why == ""
    assert wanted[1:-1] == [True] * (len(wanted) - 2)
    assert wanted[-1] is False
    assert [p.name for p in tmp_path.iterdir()] == ["body-0001.part"]


def test_chunks_and_the_end_of_the_connection_frame_a_body_too(carver, tmp_path):
    body = b"".join(
        b"%x\r\n%s\r\n" % (len(IMAGE[i : i + 999]), IMAGE[i : i + 999])
        for i in range(0, len(IMAGE), 999)
    )
    first = sent(answer(body + b"0\r\n\r\n", "Transfer-Encoding: chunked", length=False))
    second = sent(answer(IMAGE, length=False), cport=40001)
    end = packet(b"", seq=1000 + len(answer(IMAGE, length=False)), fin=True, cport=40001)
    bodies, _ = carved(carver, [get(), *first, get(cport=40001), *second, end])
    assert [b.why for b in bodies] == ["", ""]
    assert [b.framing for b in bodies] == ["chunks", "connection"]
    assert all((tmp_path / b.file).read_bytes() == IMAGE for b in bodies)


@pytest.mark.parametrize("seed", range(10))
def test_order_and_repeats_of_segments_do_not_matter(carver, tmp_path, seed):
    rng = random.Random(seed)
    packets = sent(answer(IMAGE))
    packets[3:3] = packets[1:3]
    for _ in range(6):
        i = rng.randrange(1, len(packets) - 2)
        packets[i], packets[i + 1] = packets[i + 1], packets[i]
    (body,), _ = carved(carver, [get(), *packets, *packets])
    assert (tmp_path / body.file).read_bytes() == IMAGE
    assert body.why == ""


def test_what_was_lost_is_said_and_its_place_is_empty(carver, tmp_path):
    packets = sent(answer(IMAGE))
    (body,), _ = carved(carver, [get(), *packets[:5], *packets[7:]])
    assert body.why.endswith("2800 of 20004 bytes were not captured")
    (hole,) = [(a, b) for (_, a), (b, _) in zip(body.held, body.held[1:], strict=False)]
    got = (tmp_path / body.file).read_bytes()
    assert got == IMAGE[: hole[0]] + bytes(2800) + IMAGE[hole[1] :]


def test_a_capture_that_cuts_packets_gives_incomplete_bodies(carver):
    packets = [
        p._replace(payload=p.payload[:600], length=len(p.payload)) for p in sent(answer(IMAGE))
    ]
    (body,), _ = carved(carver, [get(), *packets])
    assert "were not captured" in body.why


def test_a_capture_that_ends_early_gives_an_incomplete_body(carver):
    (body,), _ = carved(carver, [get(), *sent(answer(IMAGE))[:8]])
    assert body.why.startswith("the capture ends before it")
    assert body.expected == len(IMAGE)


def test_parts_that_were_asked_for_one_by_one_make_one_file(carver, tmp_path):
    packets = []
    for n, begin in enumerate(range(0, len(IMAGE), 8000)):
        part = IMAGE[begin : begin + 8000]
        field = f"Content-Range: bytes {begin}-{begin + len(part) - 1}/{len(IMAGE)}"
        packets += [
            get(cport=50000 + n),
            *sent(answer(part, field, status="206 Partial"), cport=50000 + n),
        ]
    (body,), _ = carved(carver, packets)
    assert (tmp_path / body.file).read_bytes() == IMAGE
    assert body.why == ""


def test_answers_that_follow_one_another_belong_to_their_requests(carver):
    page = answer(b"<html>" + b"x" * 9000, "Content-Type: text/html")
    image = answer(IMAGE)
    stream = [*sent(page), *sent(image, seq=1000 + len(page))]
    (body,), _ = carved(carver, [get("/index.html"), get("/second.bin"), *stream])
    assert body.path == "/second.bin"
    both = answer(IMAGE) + image
    bodies, _ = carved(
        Carver(carver._folder, Limits(), number=1), [get("/a.bin"), get("/b.bin"), *sent(both)]
    )
    assert [b.path for b in bodies] == ["/a.bin", "/b.bin"]


JPEG, MP4 = b"\xff\xd8\xff\xe0" + IMAGE, b"\0\0\0\x20ftypisom" + IMAGE


@pytest.mark.parametrize(
    ("path", "body", "fields", "taken"),
    [
        ("/x", IMAGE, (), True),
        ("/x", RNG.randbytes(70_000), ("Content-Type: application/octet-stream",), True),
        ("/x", RNG.randbytes(9_000), ("Content-Type: application/octet-stream",), False),
        ("/cam_v2.pak", RNG.randbytes(9_000), ("Content-Type: application/octet-stream",), True),
        ("/cam_v2.pak", RNG.randbytes(9_000), (), True),
        ("/cam_v2.pak", IMAGE[:3000], (), False),
        ("/x", gzip.compress(IMAGE), ("Content-Type: application/gzip",), True),
        ("/page", gzip.compress(IMAGE), ("Content-Type: text/html", "Content-Encoding: gzip"), False),
        ("/data", gzip.compress(IMAGE), ("Content-Type: foo/bar", "Content-Encoding: gzip"), False),
        ("/x.bin", IMAGE, ("Content-Type: text/plain",), False),
        ("/snap.bin", JPEG, ("Content-Type: application/octet-stream",), False),
        ("/rec.dav", MP4, ("Content-Type: application/octet-stream",), False),
        ("/rec.dav", b"DHAV" + RNG.randbytes(90_000), ("Content-Type: application/octet-stream",), False),
        ("/a.docx", b"PK\3\4" + IMAGE, ("Content-Type: application/vnd.openxmlformats-officedocument",), False),
    ],
)  # fmt: skip
def test_what_looks_like_firmware_is_taken_and_pictures_never(
    carver, tmp_path, path, body, fields, taken
):
    bodies, _ = carved(carver, [get(path), *sent(answer(body, *fields))])
    assert bool(bodies) is taken
    assert bool(list(tmp_path.iterdir())) is taken


@pytest.mark.parametrize("status", ["404 Not Found", "302 Found", "500 Error"])
def test_only_what_was_given_is_taken(carver, status):
    assert carved(carver, [get(), *sent(answer(IMAGE, status=status))])[0] == []


def test_an_answer_to_head_has_no_body(carver):
    head = packet(b"HEAD /fw.bin HTTP/1.1\r\nHost: a\r\n\r\n", up=True)
    assert carved(carver, [head, *sent(answer(IMAGE))])[0] == []


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd.bin", "/a/\x1b[2J.bin", "/x%00.bin?token=s3cr3t"]
)
def test_nothing_of_the_wire_becomes_a_file_name(carver, tmp_path, path):
    (body,), _ = carved(carver, [get(path), *sent(answer(IMAGE))])
    assert body.file == "body-0001.part"
    assert body.path.isprintable()
    assert "s3cr3t" not in body.path
    assert [p.name for p in tmp_path.rglob("*")] == ["body-0001.part"]


def test_limits_hold(tmp_path):
    carver = Carver(tmp_path, Limits(one=10_000))
    assert carved(carver, [get(), *sent(answer(IMAGE))])[0] == []
    assert carver.left_out == {"longer than 10000 bytes": 1}
    endless = sent(answer(IMAGE, length=False), cport=1)
    (body,), _ = carved(carver, [get(cport=1), *endless])
    assert body.why == "cut at the limit of bytes"
    assert (tmp_path / body.file).stat().st_size <= 10_000
    few = Carver(tmp_path, Limits(bodies=1), number=1)
    packets = [p for n in range(3) for p in (get(cport=n), *sent(answer(IMAGE), cport=n))]
    assert len(carved(few, packets)[0]) == 1
    assert sum(few.left_out.values()) == 2


def test_more_answers_at_once_than_may_be_are_incomplete(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_STREAMS", 3)
    streams = [sent(answer(IMAGE), cport=n) for n in range(5)]
    packets = [p for one in zip(*streams, strict=True) for p in one]
    bodies, _ = carved(Carver(tmp_path, Limits()), packets)
    assert len(bodies) <= 5
    assert all(b.why == "" or "not captured" in b.why for b in bodies)


PIECES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([answer(IMAGE[:5000]), answer(IMAGE[:5000], length=False), b"GET /a.bin HTTP/1.1\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n", IMAGE[:1400],
                     b"HTTP/1.1 206 P\r\nContent-Range: bytes 999999999999999-3/9\r\n\r\n" + IMAGE[:1000], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"]),
)  # fmt: skip


@given(st.lists(st.tuples(PIECES, st.integers(0, 9000), st.booleans(), st.booleans(), st.integers(0, 1)), max_size=25))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_packets_are_taken(tmp_path_factory, packets):
    folder = tmp_path_factory.mktemp("carve")
    carver = Carver(folder, Limits(one=1 << 20))
    for payload, seq, up, fin, cport in packets:
        carver.feed(packet(payload, seq=seq, up=up, fin=fin, cport=cport))
    carver.finish()
    for body in carver.bodies:
        assert (folder / body.file).stat().st_size <= 1 << 20
        spans = [edge for span in body.held for edge in span]
        assert spans == sorted(spans)
        assert body.why or spans == [0, body.expected]
