"""A file looked at in place gives what a file read through a buffer gives."""

from __future__ import annotations

import sys

import pytest
import traffic_frames as f
from test_traffic_engine import CLIENTS, flows_of, packets, timed
from traffic_reference import count

from camscan.observe.traffic import filling, mapped, source, split
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.source import open_source

pytestmark = pytest.mark.usefixtures("each_form")

RECORDS = timed([f.ether(p) for p in packets(61, 3000)])
FORMS = {"pcap": f.pcap(RECORDS), "pcapng": f.pcapng(RECORDS)}


@pytest.fixture
def shown(monkeypatch):
    """Windows of 32 kB; how many were shown."""
    seen = []
    real = mapped.window

    def window(file, at, size):
        seen.append(at)
        return real(file, at, size)

    monkeypatch.setattr(filling, "_FIRST", 1 << 15)
    monkeypatch.setattr(source, "window", window)
    return seen


def read(path) -> Engine:
    packets_read = []
    engine = Engine(feed=lambda p: packets_read.append((p.input_offset, p.payload)) or False)
    engine.read(open_source(path))
    engine.fed = packets_read
    return engine


@pytest.mark.skipif(sys.platform != "linux", reason="only there files are shown in place")
@pytest.mark.parametrize("form", FORMS)
def test_windows_show_what_a_buffer_holds(tmp_path, shown, monkeypatch, form):
    path = tmp_path / "x"
    path.write_bytes(FORMS[form])
    engine = read(path)
    assert len(shown) > 2
    monkeypatch.setattr(filling, "_FIRST", 1 << 40)
    plain = read(path)
    assert engine.fed == plain.fed != []
    assert list(engine.flows()) == list(plain.flows())
    assert engine.summary() == plain.summary()
    assert engine.problems == []


def test_a_kernel_that_shows_nothing_is_no_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "_FIRST", 1 << 15)
    monkeypatch.setattr(source, "window", lambda *_: None)
    path = tmp_path / "x"
    path.write_bytes(FORMS["pcap"])
    assert flows_of(read(path)) == count(RECORDS, set(CLIENTS))


def test_when_windows_end_in_the_middle_reading_goes_on_there(tmp_path, shown, monkeypatch):
    real = source.window
    monkeypatch.setattr(source, "window", lambda *a: real(*a) if len(shown) < 2 else None)
    path = tmp_path / "x"
    path.write_bytes(FORMS["pcap"])
    engine = read(path)
    assert flows_of(engine) == count(RECORDS, set(CLIENTS))
    assert engine.problems == []


def test_damage_inside_a_window_is_stepped_over(tmp_path, shown):
    at = 24 + sum(16 + len(r.frame) for r in RECORDS[:1000])
    data = bytearray(FORMS["pcap"])
    data[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    path = tmp_path / "x"
    path.write_bytes(data)
    engine = read(path)
    assert flows_of(engine) == count(RECORDS[:1000] + RECORDS[1001:], set(CLIENTS))
    assert any(f"damaged at byte {at}" in p.what for p in engine.problems)


def test_parts_of_a_file_are_shown_in_place_too(tmp_path, shown):
    path = tmp_path / "x"
    path.write_bytes(FORMS["pcap"])
    cut = 24 + sum(16 + len(r.frame) for r in RECORDS[:700])
    engine = Engine(scope=())
    for begin, end in ((24, cut), (cut, path.stat().st_size)):
        engine.read(split.open_part(split.Part(str(path), begin, end)))
    assert flows_of(engine) == count(RECORDS, set(CLIENTS))
    assert engine.problems == []
    if sys.platform == "linux":
        assert shown
