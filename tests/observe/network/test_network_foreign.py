"""Answers from foreign subnets are read from captured frames; anything else is left alone."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.network import foreign


def _frame(payload: bytes, *, fragment: int = 0, protocol: int = 17, options: bytes = b"") -> bytes:
    udp = struct.pack(">HHHH", 37020, 40001, 8 + len(payload), 0) + payload
    words = 5 + len(options) // 4
    head = struct.pack(
        ">BBHHHBBH", 0x40 | words, 0, words * 4 + len(udp), 1, fragment, 64, protocol, 0
    )
    return bytes(12) + b"\x08\x00" + head + bytes([192, 0, 0, 64, 10, 20, 0, 254]) + options + udp


def test_a_datagram_is_read_with_its_place() -> None:
    found = foreign.parse(_frame(b"<Probe/>"), "eth0")
    assert found is not None
    port, datagram = found
    assert port == 40001
    assert (datagram.address, datagram.port, datagram.interface) == ("192.0.0.64", 37020, "eth0")
    assert datagram.data == b"<Probe/>"


def test_ip_options_are_stepped_over_and_padding_is_left() -> None:
    found = foreign.parse(_frame(b"abc", options=bytes(8)) + bytes(20), "eth0")
    assert found is not None
    assert found[1].data == b"abc"


def test_fragments_other_protocols_and_cut_frames_are_nothing() -> None:
    assert foreign.parse(_frame(b"abc", fragment=0x2000), "eth0") is None
    assert foreign.parse(_frame(b"abc", protocol=6), "eth0") is None
    assert foreign.parse(_frame(b"abcdef")[:-3], "eth0") is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    foreign.parse(data, "eth0")
    foreign.parse(bytes(12) + b"\x08\x00" + data, "eth0")


def test_the_strictest_setting_counts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(foreign, "_CONF", tmp_path)
    for name, value in (("all", "0"), ("eth0", "1"), ("eth1", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rp_filter").write_text(f"{value}\n", "ascii")
    assert foreign.hidden("eth0")
    assert not foreign.hidden("eth1")
    assert not foreign.hidden("eth9")
