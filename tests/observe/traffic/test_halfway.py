"""A reading that goes on inside a file, from a state and an offset, finds what one reading finds."""

from __future__ import annotations

import gzip
import os
import sys

import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_traffic_engine import packets, timed

from camscan.errors import InputError
from camscan.knowledge import load
from camscan.observe.traffic import filling, source
from camscan.observe.traffic.blocks import PcapngFramer
from camscan.observe.traffic.messages import Going
from camscan.observe.traffic.sizes import Sizes
from camscan.observe.traffic.source import open_source
from camscan.observe.traffic.take import TakeOptions, Taking

SERVICES = load().services
CAMERA, SERVER, RESOLVER = "10.0.0.3", "198.51.100.7", "10.0.0.1"
NOT_WHOLE = "heads of streams that were not whole"
FEW = 1 << 14
"""Bytes of one buffer, or window."""


def conversation(number: int) -> list[bytes]:
    """Whatever says something says it in one packet; a datagram and a segment come in fragments."""
    host = f"dev{number % 40}.example.net"
    port = 30_000 + number
    body = f.udp(port, 5004, bytes(1200))
    return [
        f.ip4(CAMERA, RESOLVER, 17, f.udp(port, 53, wire.dns_query(host))),
        f.ip4(CAMERA, SERVER, 17, f.udp(40_000, 32_100, bytes.fromhex("f1e00000"))),
        f.ip4(CAMERA, SERVER, 17, body[:800], ident=number, frag=0x2000),
        f.ip4(CAMERA, SERVER, 6, f.tcp(port, 443, wire.records(wire.hello(host)))),
        f.ip6("fd00::3", "2001:db8::7", 17, f.udp(port, 53, wire.dns_query(host))),
        f.ip4(CAMERA, SERVER, 17, body[800:], ident=number, frag=100),
    ]


MIXED = packets(71, 1200)
RECORDS = timed(
    [f.ether(p) for i in range(240) for p in (*conversation(i), *MIXED[i * 5 : i * 5 + 5])],
    step=0.5,
)


def damaged() -> bytes:
    data = bytearray(f.pcap(RECORDS))
    for number in (700, 1500):
        at = 24 + sum(16 + len(r.frame) for r in RECORDS[:number])
        data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    return bytes(data)


FORMS = {
    "pcap": f.pcap(RECORDS),
    "pcapng": f.pcapng(RECORDS),
    "gzip": gzip.compress(f.pcap(RECORDS)),
    "damaged": damaged(),
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(filling, "_FIRST", FEW)
    monkeypatch.setattr(filling, "_FEW", 0)  # buffers do not grow


def taking(processes: int = 1) -> Taking:
    sizes = Sizes(worth=0, every=1 << 15)
    return Taking(SERVICES, {}, TakeOptions(), processes=processes, sizes=sizes)


def whole(path) -> tuple:
    one = taking()
    one.read(path)
    return one.done()


def broken_off(path, chunks: int, processes: int = 1) -> tuple[bytes, Going | None, int]:
    """A state after so many buffers, where to go on, and how many buffers there were."""
    one, found, seen = taking(processes), [], 0

    def on_chunk(progress):
        nonlocal seen
        seen += 1
        if seen == chunks:
            found.append((one.remember(), one.engine.filling.going()))

    one.read(open_source(path), on_chunk=on_chunk)
    one.done()  # ends the process beside it
    return (*(found[0] if found else (b"", None)), seen)


def gone_on(path, state: bytes, going: Going, *, mapped: bool = True, processes: int = 1) -> tuple:
    one = taking(processes)
    one.take_up(state)
    opened = open_source(path, mapped=mapped)
    opened.start = going
    one.read(opened)
    return one.done()


def same(found: tuple, expected: tuple) -> bool:
    """Alike in all but the count of heads that never came whole: those under way at the state count as such."""
    missed = [dict(captured.summary.not_examined) for captured, _ in (found, expected)]
    heads = [counts.pop(NOT_WHOLE, 0) for counts in missed]
    bare = [
        (replace(captured, summary=replace(captured.summary, not_examined=())), problems)
        for captured, problems in (found, expected)
    ]
    return bare[0] == bare[1] and missed[0] == missed[1] and abs(heads[0] - heads[1]) < 30


@pytest.mark.parametrize("form", FORMS)
def test_a_reading_in_two_parts_finds_what_one_finds(tmp_path, small, form):
    path = tmp_path / "x"
    path.write_bytes(FORMS[form])
    expected = whole(path)
    assert len(expected[0].names) > 40
    assert expected[0].services
    parts, chunks = 0, 1
    while True:
        state, going, seen = broken_off(path, chunks)
        if chunks > seen:
            break
        chunks += 5
        if going is None:  # in the middle of damage
            continue
        parts += 1
        assert same(gone_on(path, state, going), expected)
        assert same(gone_on(path, state, going, mapped=False), expected)
    assert parts > 5


def test_what_several_processes_read_is_gone_on_with_as_well(tmp_path, small):
    path = tmp_path / "x"
    path.write_bytes(FORMS["pcap"])
    expected = whole(path)
    for before, after in ((1, 2), (2, 1), (2, 2)):
        state, going, _ = broken_off(path, 7, before)
        assert same(gone_on(path, state, going, processes=after), expected)


def test_a_stream_under_way_is_counted_and_every_flow_is_exact(tmp_path, small):
    hello = wire.records(wire.hello("late.example.net", pad=900))
    first, *rest = (hello[:500], hello[500:])
    begin = f.ether(f.ip4(CAMERA, SERVER, 6, f.tcp(50_000, 443, first)))
    end = f.ether(f.ip4(CAMERA, SERVER, 6, f.tcp(50_000, 443, *rest, seq=501)))
    filler = [f.ether(f.ip4(CAMERA, SERVER, 17, f.udp(9, 9, bytes(500)))) for _ in range(100)]
    path = tmp_path / "x"
    path.write_bytes(f.pcap(timed([begin, *filler, end], step=0.01)))
    expected, _ = whole(path)
    assert [n.name for n in expected.names] == ["late.example.net"]
    state, going, _ = broken_off(path, 1)
    found, problems = gone_on(path, state, going)
    assert problems == ()
    assert found.flows == tuple(replace(w, names=()) for w in expected.flows)
    assert found.names == ()
    assert dict(found.summary.not_examined) == {NOT_WHOLE: 1}


def test_where_records_are_lost_nobody_goes_on(tmp_path, small):
    path = tmp_path / "x"
    path.write_bytes(f.pcap(RECORDS[:50]) + b"\xff" * 100_000)
    _, going, seen = broken_off(path, 3)
    assert seen > 3
    assert going is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there files are shown in place")
def test_a_file_that_is_cut_between_two_windows_says_so(tmp_path, small, monkeypatch):
    path = tmp_path / "x"
    data = FORMS["pcap"]
    path.write_bytes(data)
    place = len(f.pcap(RECORDS[:1000]))
    shown = []
    real = source.window

    def window(*args):
        shown.append(args)
        if len(shown) == 3:
            os.truncate(path, place)
        return real(*args)

    monkeypatch.setattr(source, "window", window)
    captured, problems = whole(path)
    assert captured.summary.packets == 1000
    words = f"was cut to {place} bytes while it was read, it had {len(data)}"
    assert [p.what for p in problems] == [words]


def test_a_file_that_grows_is_read_to_its_end(tmp_path, small):
    path = tmp_path / "x"
    path.write_bytes(f.pcap(RECORDS[:1000]))
    one, grown = taking(), []

    def on_chunk(progress):
        if not grown:
            grown.append(path.write_bytes(f.pcap(RECORDS)))

    one.read(open_source(path), on_chunk=on_chunk)
    captured, problems = one.done()
    assert captured.summary.packets == len(RECORDS)
    assert problems == ()


def test_a_framer_of_blocks_goes_on_with_its_interfaces():
    blocks = f.pcapng(RECORDS[:20])
    framer, other = PcapngFramer(), PcapngFramer()
    other.take_up(framer.remember())
    assert other.remember() == framer.remember()
    assert other.lost is None
    for junk in (b"", b"\x95\xa1<", blocks[:40]):
        with pytest.raises(InputError):
            framer.take_up(junk)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_state_of_blocks_or_refused(data):
    framer = PcapngFramer()
    try:
        framer.take_up(data)
    except InputError:
        return
    assert PcapngFramer().take_up(framer.remember()) is None
