"""A reading that is written down and taken up again finds what one that was never broken off finds."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from camscan.errors import InputError
from camscan.knowledge import load
from camscan.observe.traffic import remembered
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.take import TakeOptions, Taking

T = 1_793_000_000.0
KNOWN = load()
RESOLVERS = {"dns.example.net": "Example"}


def taking() -> Taking:
    return Taking(KNOWN.services, RESOLVERS, TakeOptions())


def pcap(packets) -> Source:
    out = bytearray()

    class _Path:
        def open(self, mode):
            assert mode == "wb"
            return _Out()

    class _Out(io.BytesIO):
        def close(self):
            out.extend(self.getvalue())
            super().close()

    wire.write_pcap(_Path(), packets)
    return Source("x", io.BytesIO(bytes(out)))


def conversations() -> list[list]:
    """Each is whole by itself: a break between two of them costs nothing."""
    found = []
    for n in range(6):
        ask = wire.datagram(
            wire.dns_query(f"a{n % 3}.example.net"), at=T + n, dst=wire.RESOLVER, dport=53
        )
        answer = wire.dns_answer(
            f"a{n % 3}.example.net", ("CNAME", f"b{n}.example.net"), ("A", f"198.41.0.{n}")
        )
        found.append([ask, wire.back(ask, answer)])
        found.append(
            [
                wire.datagram(
                    wire.dns_query("same.example.net"), at=T + n + 0.2, dst=wire.RESOLVER, dport=53
                )
            ]
        )
        found.append(list(wire.segments(
            wire.records(wire.hello(f"tls{n % 2}.example.net", alpn=("h2",))), at=T + n + 0.3, sport=40000 + n)))  # fmt: skip
        login = b"DHGET /online/p2psrv/7C0123456ABCDEF HTTP/1.1\r\nX-WSSE: x\r\n\r\n"
        found.append([wire.datagram(login, at=T + n + 0.5, dport=8800)])
        head = b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nDate: %d\r\nContent-Length: 0\r\n\r\n" % n
        found.append(list(wire.segments(
            head, at=T + n + 0.6, src=wire.CAMERA, sport=80, dst="10.20.0.50", dport=52000 + n)))  # fmt: skip
    found.append(list(wire.segments(
        wire.records(wire.hello("dns.example.net")), at=T + 9, sport=41000, dport=853)))  # fmt: skip
    return found


WHOLE = conversations()


def at_once():
    one = taking()
    one.read(pcap(p for part in WHOLE for p in part))
    return one.done()


@pytest.fixture(scope="module")
def plain():
    return at_once()


def test_the_sample_holds_something_of_everything(plain):
    captured, problems = plain
    assert len(captured.names) >= 6
    assert max(n.count for n in captured.names) == 6
    assert captured.services
    assert captured.facts
    assert captured.summary.encrypted_resolvers
    assert captured.summary.dns_visible
    assert problems == ()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=4))
def test_breaks_between_conversations_change_nothing(breaks):
    one = taking()
    cuts = [0, *sorted(breaks), len(WHOLE)]
    for begin, end in pairwise(cuts):
        one.read(pcap(p for part in WHOLE[begin:end] for p in part))
        written = one.remember()
        one = taking()
        one.take_up(written)
    assert one.done() == at_once()


def test_writing_it_down_changes_nothing(plain):
    one = taking()
    for part in WHOLE:
        one.read(pcap(part))
        one.remember()
    assert one.done() == plain


def test_it_is_small():
    one = taking()
    one.read(pcap(p for part in WHOLE for p in part))
    assert len(one.remember()) < 12_000


def test_what_is_broken_off_in_the_middle_is_counted_as_not_whole():
    one = taking()
    first, *_ = wire.segments(wire.records(wire.hello("cut.example.net", pad=3000)), at=T)
    one.read(pcap([first]))
    written = one.remember()
    again = taking()
    again.take_up(written)
    captured, _ = again.done()
    assert captured.names == ()
    assert dict(captured.summary.not_examined) == {"heads of streams that were not whole": 1}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_memory_by_chance(data):
    with pytest.raises(InputError):
        taking().take_up(data)


def test_another_version_is_refused():
    found = remembered.decoded(taking().remember())
    import msgspec

    changed = msgspec.msgpack.encode(replace(found, schema="camscan-capture-memory/9"))
    with pytest.raises(InputError, match="this program reads"):
        remembered.decoded(changed)
