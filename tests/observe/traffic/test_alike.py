"""Packets that are only counted change nothing: the same names, services and facts as if each had been read."""

from __future__ import annotations

import io

import pytest
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from camscan.knowledge import load
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import Source

pytestmark = pytest.mark.usefixtures("each_form")

SERVICES = load().services
ALL_GATES = (*GATES, *service_gates(SERVICES))
DER = wire.certificate("dev.example.com")
CLIENTS = ("10.20.0.9", "10.20.0.10")
MACS = (wire.CAMERA_MAC, "02:00:00:00:00:07")


def split(data, cut):
    return (data[:cut], data[cut:]) if cut else (data,)


def dtls(name, kind):
    """A ClientHello of DTLS (RFC 6347 section 4.2), or another message of the same form."""
    body = wire.hello(name)[4:]
    body = b"\xfe\xfd" + body[2:35] + b"\x00" + body[35:]
    size = len(body).to_bytes(3, "big")
    shake = bytes((kind,)) + size + bytes(5) + size + body
    return b"\x16\xfe\xfd" + bytes(8) + len(shake).to_bytes(2, "big") + shake


TCP_TALK = st.one_of(
    st.builds(
        lambda name, alpn, ech, cut: (True, 443, split(wire.records(wire.hello(name, alpn=alpn, ech=ech)), cut)),
        st.sampled_from(("a.example.com", "b.example.com", "")),
        st.sampled_from(((), ("h2",), ("h2", "http/1.1"))),
        st.booleans(),
        st.sampled_from((0, 0, 5, 60)),
    ),
    st.builds(
        lambda der, cut: (False, 443, split(wire.server_flight(der), cut)),
        st.sampled_from((None, None, DER)),
        st.sampled_from((0, 0, 60)),
    ),
    st.builds(
        lambda host: (True, 80, (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",)),
        st.sampled_from((b"c.example.com", b"d.example.com")),
    ),
    st.just((True, 1883, (bytes.fromhex("101300044d5154540402003c000763616d2d303031"),))),
)  # fmt: skip
UDP_TALK = st.one_of(
    st.builds(
        lambda name, txid: (True, 53, (wire.dns_query(name, txid=txid),)),
        st.sampled_from(("a.example.com", "b.example.com", "_x._tcp.local")),
        st.sampled_from((1, 2, 0x2301, 0xF1E0)),
    ),
    st.builds(
        lambda name, records, txid: (False, 53, (wire.dns_answer(name, *records, txid=txid),)),
        st.sampled_from(("a.example.com", "b.example.com")),
        st.sampled_from((
            (("A", "203.0.113.7"),),
            (("A", "203.0.113.8"),),
            (("CNAME", "e.example.net"), ("A", "203.0.113.7")),
            (("CNAME", "f.example.net" * 5), ("A", "203.0.113.9")),
        )),
        st.sampled_from((1, 2, 0x2301)),
    ),
    st.builds(
        lambda kind, port, outward: (outward, port, (bytes((0xF1, kind, 0, 0)),)),
        st.sampled_from((0xE0, 0xE1, 0x00)),
        st.sampled_from((32100, 5000)),
        st.booleans(),
    ),
    st.builds(
        lambda first, last: (True, 123, (bytes((first,)) + bytes(46) + bytes((last,)),)),
        st.sampled_from((0x23, 0x24, 0x1B)),
        st.integers(0, 3),
    ),
    st.builds(
        lambda size: (True, 3478, (b"\x00\x01" + size.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12),)),
        st.sampled_from((0, 4)),
    ),
    st.builds(
        lambda name, kind: (True, 5684, (dtls(name, kind),)),
        st.sampled_from(("g.example.com", "h.example.com")),
        st.sampled_from((1, 16)),
    ),
    st.builds(
        lambda text: (True, 1900, (b"NOTIFY * HTTP/1.1\r\nNT: " + text + b"\r\n\r\n",)),
        st.sampled_from((b"upnp:rootdevice", b"urn:x")),
    ),
)  # fmt: skip
TALK = st.lists(
    st.tuples(
        st.one_of(TCP_TALK.map(lambda t: (True, *t)), UDP_TALK.map(lambda t: (False, *t))),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=40,
)


def packets_of(talk):
    """Packets in capture order; the parts of a stream may come late, others between them."""
    found = []
    for number, ((tcp, outward, port, parts), who, mac, own, late) in enumerate(talk):
        seq = 1000
        for place, part in enumerate(parts):
            one = wire.datagram(
                part, src=CLIENTS[who], sport=40000 + own, dst=wire.SERVER, dport=port
            )._replace(
                src_mac=MACS[mac if tcp else who],
                transport="tcp" if tcp else "udp",
                seq=seq if tcp else 0,
            )
            seq += len(part)
            if not outward:
                one = wire.back(one, part, 0)
            found.append(((number + place * late) * 100 + place, one))
    found.sort(key=lambda pair: pair[0])
    return [packet._replace(at=1000 + n * 0.5) for n, (_, packet) in enumerate(found)]


def read(packets, gates, buffer):
    namer = Namer(SERVICES, resolvers={"b.example.com": "Example"})
    engine = Engine(gates=gates, feed=namer, buffer=buffer)
    file = io.BytesIO()
    file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    for packet in packets:
        frame = wire.frame(packet)
        stamp = (int(packet.at), int(packet.at % 1 * 1e6), len(frame), len(frame))
        file.write(b"".join(n.to_bytes(4, "little") for n in stamp) + frame)
    file.seek(0)
    engine.read(Source("x.pcap", file))
    flows = tuple(engine.flows())
    assert engine.packets == len(packets)
    return flows, namer.names(), namer.services(), namer.facts(), namer.not_examined(), namer.encrypted_resolvers(), namer.dns_visible  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(TALK, st.sampled_from((1, 3)), st.sampled_from((1 << 12, 1 << 16)))
def test_counting_repeats_is_the_same_as_reading_every_packet(talk, rounds, buffer):
    packets = packets_of(talk * rounds)
    one_by_one = tuple(replace(gate, alike="") for gate in ALL_GATES)
    assert read(packets, ALL_GATES, buffer) == read(packets, one_by_one, buffer)


def test_of_many_alike_only_the_first_is_handed_over():
    talk = [((True, True, 443, (wire.records(wire.hello("a.example.com")),)), 0, 0, n, 0) for n in range(50)]  # fmt: skip
    fed = []

    class Counting(Namer):
        def feed(self, packet):
            fed.append(packet)
            return super().feed(packet)

    namer = Counting(SERVICES)
    engine = Engine(gates=ALL_GATES, feed=namer, buffer=1 << 14)
    file = io.BytesIO()
    file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    for packet in packets_of(talk):
        frame = wire.frame(packet)
        file.write(b"".join(n.to_bytes(4, "little") for n in (int(packet.at), 0, len(frame), len(frame))) + frame)  # fmt: skip
    file.seek(0)
    engine.read(Source("x.pcap", file))
    assert [n.count for n in namer.names()] == [1]
    assert len(fed) == 1
    tuple(engine.flows())
    assert [(n.count, n.last - n.first) for n in namer.names()] == [(50, 24)]
