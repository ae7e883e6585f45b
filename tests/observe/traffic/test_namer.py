"""From packets to names, services and facts: split, reordered, lost, hostile; and never a secret."""

from __future__ import annotations

import random
import struct

import msgspec
import pytest
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.knowledge import load
from camscan.observe.traffic import namer as namer_module
from camscan.observe.traffic import register as register_module
from camscan.observe.traffic.named import named_by
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates

KNOWLEDGE = load()
HOST = "www.easy4ipcloud.com"


def feed(*packets):
    namer = Namer(KNOWLEDGE.services, resolvers={"dns.google": "Google", "8.8.8.8": "Google"})
    answers = [namer.feed(packet) for packet in packets]
    return namer, answers


def test_a_question_and_its_answer_are_one_name_of_the_client():
    ask = wire.datagram(wire.dns_query(HOST), at=10, dst=wire.RESOLVER, dport=53)
    told = wire.dns_answer(HOST, ("CNAME", "a.example.net"), ("A", "203.0.113.7"))
    back = wire.datagram(told, at=11, src=wire.RESOLVER, sport=53, dst=wire.CAMERA, dport=40000)
    namer, _ = feed(ask, back._replace(dst_mac=wire.CAMERA_MAC, src_mac=wire.ROUTER_MAC))
    (seen,) = namer.names()
    assert (seen.client, seen.client_mac, seen.proto, seen.name) == (wire.CAMERA, wire.CAMERA_MAC, "dns", HOST)  # fmt: skip
    assert (seen.first, seen.last, seen.count) == (10, 11, 1)
    assert (seen.answers, seen.aliases) == (("203.0.113.7",), ("a.example.net",))
    assert namer.dns_visible


def test_packets_that_stand_for_others_are_counted_as_many():
    ask = wire.datagram(wire.dns_query(HOST), at=10, dst=wire.RESOLVER, dport=53)
    alive = wire.datagram(bytes.fromhex("f1e00000"), at=10, sport=5000, dport=19512)
    namer, _ = feed(ask, ask._replace(at=99, times=8), alive, alive._replace(at=99, times=5))
    assert [(n.count, n.first, n.last) for n in namer.names()] == [(9, 10, 99)]
    assert [(s.packets, s.last) for s in namer.services()] == [(6, 99)]


def test_mdns_and_llmnr_are_kept_apart_from_dns():
    mdns = wire.datagram(
        wire.dns_query("_http._tcp.local"), sport=5353, dst="224.0.0.251", dport=5353
    )
    llmnr = wire.datagram(wire.dns_query("printer"), dst="224.0.0.252", dport=5355)
    namer, _ = feed(mdns, llmnr)
    assert [n.proto for n in namer.names()] == ["llmnr", "mdns"]
    assert not namer.dns_visible


@pytest.mark.parametrize("seed", range(5))
def test_a_split_hello_is_put_together_in_any_order(seed):
    packets = list(
        wire.segments(wire.records(wire.hello(HOST, pad=1700)), size=300, seq=0xFFFFFF00)
    )
    late = packets[1:] + packets[1:3]
    random.Random(seed).shuffle(late)
    namer, answers = feed(packets[0], *late)
    assert answers[0] is True
    assert [n.name for n in namer.names()] == [HOST]
    assert namer.names()[0].remote == wire.SERVER
    assert namer.wanted == frozenset()


def test_a_hello_on_an_odd_port_is_read():
    namer, _ = feed(*wire.segments(wire.records(wire.hello("dev.example.com")), dport=10001))
    assert [(n.name, n.port) for n in namer.names()] == [("dev.example.com", 10001)]


def test_a_hello_whose_rest_was_cut_by_the_capture_still_names():
    stream = wire.records(wire.hello(HOST, alpn=("h2",)))
    (packet,) = wire.segments(stream)
    cut = packet._replace(payload=stream[: stream.index(b"\x02h2") - 4])
    namer, _ = feed(cut)
    assert [n.name for n in namer.names()] == [HOST]


def test_a_hello_that_never_comes_whole_is_counted():
    first = next(wire.segments(wire.records(wire.hello(HOST, pad=3000)), size=500))
    namer, _ = feed(first, first._replace(payload=b"", seq=0, fin=True))
    assert namer.names() == ()
    assert namer.not_examined() == (("TLS handshakes that were not whole", 1),)


def test_heads_that_the_end_of_the_capture_cuts_name_what_they_show_whole():
    hello = wire.hello(HOST)
    # The keys stand behind the name and are not in the capture.
    size = int.from_bytes(hello[1:4], "big") + 900
    stream = wire.records(b"\x01" + size.to_bytes(3, "big") + hello[4:] + bytes(900))
    head = b"GET / HTTP/1.1\r\nHost: web.example.com\r\nUser-Agent: half"
    namer, _ = feed(
        next(wire.segments(stream, size=400, sport=20001)),
        *wire.segments(head, sport=20002, dport=80),
        *wire.segments(head[:30], sport=20003, dport=80),
    )
    assert namer.names() == ()
    named = named_by(namer)
    assert {(n.proto, n.name) for n in named.names} == {("tls", HOST), ("http", "web.example.com")}
    assert dict(named.not_examined) == {"heads of streams that were not whole": 1}
    assert namer.wanted == frozenset()


def test_the_addresses_of_a_name_that_are_not_kept_are_counted(monkeypatch):
    monkeypatch.setattr(register_module, "_MAX_ANSWERS", 100)
    monkeypatch.setattr(register_module, "_MOST_ANSWERS", 130)
    answers = [
        wire.datagram(
            wire.dns_answer(host, ("A", f"203.0.{k}.{n}")),
            src=wire.RESOLVER,
            sport=53,
            dst=wire.CAMERA,
        )
        for k, host in enumerate(("a.example.com", "b.example.com"))
        for n in range(120)
    ]
    namer, _ = feed(*answers, answers[0], answers[-1])
    assert [len(n.answers) for n in namer.names()] == [100, 30]
    assert dict(namer.not_examined()) == {"addresses of names beyond the limit": 20 + 90 + 1}


def test_a_tiny_segment_of_something_else_is_no_head():
    (tiny,) = wire.segments(b"\x16\x00", dport=4000)
    namer, answers = feed(tiny, tiny._replace(payload=b"", seq=0, fin=True))
    assert answers[0] is False
    assert named_by(namer).not_examined == ()


def test_pending_heads_are_bounded(monkeypatch):
    monkeypatch.setattr(namer_module, "MAX_PENDING", 10)
    stream = wire.records(wire.hello(HOST, pad=3000))
    packets = [next(wire.segments(stream, size=500, sport=20000 + n)) for n in range(50)]
    namer, _ = feed(*packets)
    assert len(namer.wanted) == 10
    assert dict(namer.not_examined())["TLS handshakes that were not whole"] == 40


def test_quic_over_several_datagrams_is_named():
    hello = wire.hello("quic.example.com", pad=1500)
    half = len(hello) // 2
    one = wire.datagram(wire.quic_initial([(half, hello[half:])], bytes(8)))
    two = wire.datagram(wire.quic_initial([(0, hello[:half])], bytes(8), number=1))
    namer, answers = feed(one, two)
    assert answers == [True, False]
    assert [(n.proto, n.name) for n in namer.names()] == [("quic", "quic.example.com")]


@pytest.mark.parametrize(
    ("name", "dst", "dport", "shown"),
    [
        ("dot.example.com", "203.0.113.9", 853, "dot.example.com (DoT)"),
        ("dns.google", "203.0.113.9", 443, "dns.google (DoH, Google)"),
        ("", "8.8.8.8", 443, "8.8.8.8 (DoH, Google)"),
    ],
)
def test_encrypted_resolvers_are_told(name, dst, dport, shown):
    namer, _ = feed(*wire.segments(wire.records(wire.hello(name)), dst=dst, dport=dport))
    assert namer.encrypted_resolvers() == (shown,)


def test_a_service_needs_its_port_or_a_second_message():
    alive = bytes.fromhex("f1e00000")
    one, two = (wire.datagram(alive, sport=5000, dport=19512, at=t) for t in (1, 2))
    assert feed(one)[0].services() == ()
    (seen,) = feed(one, two)[0].services()
    assert (seen.service, seen.port, seen.packets) == ("pppp", 19512, 2)
    (known,) = feed(wire.datagram(alive, sport=5000, dport=32100))[0].services()
    assert known.service == "pppp"


def test_the_device_id_is_read_from_the_client_alone():
    text = b"DHGET /online/p2psrv/7C0123456ABCDEF HTTP/1.1\r\nX-WSSE: UsernameToken PasswordDigest=zzz\r\n\r\n"
    namer, _ = feed(wire.datagram(text, dport=8800))
    (seen,) = namer.services()
    assert (seen.service, seen.announced) == ("dahua-p2p", "7C0123456ABCDEF")
    assert (
        "zzz" not in msgspec.json.encode((namer.names(), namer.services(), namer.facts())).decode()
    )


def test_an_address_given_by_dhcp_names_the_client_of_the_request():
    mac = bytes.fromhex(wire.CAMERA_MAC.replace(":", ""))

    def message(op, given, options):
        head = bytes((op, 1, 6, 0)) + bytes(12) + given + bytes(8) + mac + bytes(10 + 192)
        return head + b"\x63\x82\x53\x63" + options + b"\xff"

    ask = message(1, bytes(4), b"\x35\x01\x01\x0c\x06camera\x3c\x05AXIS,")
    give = message(2, bytes((10, 20, 0, 9)), b"\x35\x01\x05")
    namer, _ = feed(
        wire.datagram(ask, src="0.0.0.0", sport=68, dst="255.255.255.255", dport=67)._replace(src_mac=wire.CAMERA_MAC),
        wire.datagram(give, src="10.20.0.1", sport=67, dst="10.20.0.9", dport=68),
    )  # fmt: skip
    (fact,) = namer.facts()
    assert (fact.client, fact.client_mac, fact.kind) == ("10.20.0.9", wire.CAMERA_MAC, "dhcp")


def test_what_a_relay_passes_on_is_no_word_of_the_relay():
    mac = bytes.fromhex(wire.CAMERA_MAC.replace(":", ""))
    options = b"\x35\x01\x01\x0c\x06camera\x3c\x05AXIS,"
    ask = bytes((1, 1, 6, 1)) + bytes(20) + bytes((10, 20, 0, 1)) + mac + bytes(202) + b"\x63\x82\x53\x63" + options + b"\xff"  # fmt: skip
    passed_on = wire.datagram(ask, src="10.20.0.1", sport=67, dst="10.9.0.5", dport=67)
    (fact,) = feed(passed_on)[0].facts()
    assert (fact.client, fact.client_mac) == (wire.CAMERA_MAC, wire.CAMERA_MAC)


def announcement(address):
    """PTR, and the address of the host with the bit that flushes caches (RFC 6762 section 10.2)."""
    service, instance = wire.dns_name("_axis-video._tcp.local"), b"\x07AXIS 42\xc0\x0c"
    host = wire.dns_name("axis-42.local") + struct.pack(">HHIH", 1, 0x8001, 120, 4)
    records = service + struct.pack(">HHIH", 12, 1, 120, len(instance)) + instance + host
    return struct.pack(">HHHHHH", 0, 0x8400, 0, 2, 0, 0) + records + bytes(map(int, address.split(".")))  # fmt: skip


def test_an_announcement_is_no_message_that_could_not_be_read():
    said = wire.datagram(announcement(wire.CAMERA), sport=5353, dst="224.0.0.251", dport=5353)
    namer, _ = feed(said)
    assert [f.kind for f in namer.facts()] == ["mdns"]
    assert namer.not_examined() == ()


def test_what_a_repeater_passes_on_is_not_its_own_word():
    router = "10.20.0.1"
    others, own = announcement("10.30.0.9"), announcement(router)
    listed = wire.dns_answer("_axis-video._tcp.local", flags=0x8400)
    namer, _ = feed(
        *(
            wire.datagram(m, src=router, sport=5353, dst="224.0.0.251", dport=5353)
            for m in (others, own, listed)
        ),
        wire.datagram(listed, sport=5353, dst="224.0.0.251", dport=5353),
    )
    assert [(f.client, f.payload) for f in namer.facts()] == [(router, own), (wire.CAMERA, listed)]
    assert dict(namer.not_examined()) == {
        "announcements that a host passed on for others (mDNS)": 2
    }


def test_of_an_answer_only_the_head_is_kept():
    answer = b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0PICTURE"
    packet = next(wire.segments(answer, src=wire.CAMERA, sport=80, dst="10.20.0.50", dport=51000))
    (fact,) = feed(packet)[0].facts()
    assert fact.kind == "http"
    assert fact.payload.endswith(b"\r\n\r\n")
    assert b"PICTURE" not in fact.payload


def test_strangers_are_nobodys_clients():
    for server in ("10.20.0.1", "192.168.1.1"):
        stranger = wire.datagram(wire.dns_query(HOST), src="198.51.100.9", dst=server, dport=53)
        assert feed(stranger)[0].names() == ()


@pytest.mark.parametrize("server", ["fe80::1", "fd00::1", "2606:4700::1111"])
def test_a_client_with_a_global_ipv6_address_asks(server):
    asks = wire.datagram(wire.dns_query(HOST), src="2001:db8:1::50", dst=server, dport=53)
    answer = wire.dns_answer(HOST, ("A", "203.0.113.7"))
    told = wire.datagram(answer, src=server, sport=53, dst="2001:db8:1::50", dport=40000)
    hello = next(
        wire.segments(
            wire.records(wire.hello("tls.example.net")), src="2001:db8:1::50", dst="2606:4700::1"
        )
    )
    namer, _ = feed(asks, told, hello)
    client = "2001:db8:1::50"
    found = {(n.client, n.proto, n.name) for n in namer.names()}
    assert found == {(client, "dns", HOST), (client, "tls", "tls.example.net")}
    assert {a for n in namer.names() for a in n.answers} == {"203.0.113.7"}


def test_every_service_pattern_fits_the_gates_of_the_engine():
    for gate in service_gates(KNOWLEDGE.services):
        assert gate.ports or gate.pattern
        assert gate.offset + len(gate.pattern) <= 16
        assert len(gate.mask) in {0, len(gate.pattern)}


HEADS = (
    b"",
    b"\x16\x03\x01\x00\xff\x01",
    b"\x16\x03\x03\x00\x40\x02",
    b"GET / HTTP/1.1\r\nHost: ",
    b"HTTP/1.1 200 OK\r\n",
    b"\xf1\x10\x00\x20",
    b"\xc3\x00\x00\x00\x01\x08",
    b"\x00\x0712\x01\x00\x00\x01",
    b"REGISTER sip:a SIP/2.0\r\n",
    bytes(236) + b"\x63\x82\x53\x63",
)
PACKETS = st.builds(
    lambda head, body, tcp, inside, ports, seq, syn, fin, times: wire.datagram(head + body)._replace(
        transport="tcp" if tcp else "udp",
        src="10.20.0.9" if inside else "203.0.113.7",
        dst="203.0.113.7" if inside else "10.20.0.9",
        sport=ports[0],
        dport=ports[1],
        seq=seq,
        syn=syn,
        fin=fin,
        length=len(head + body) + 7 * fin,
        times=times,
    ),
    st.sampled_from(HEADS),
    st.binary(max_size=120),
    st.booleans(),
    st.booleans(),
    st.tuples(*[st.sampled_from((53, 67, 68, 443, 853, 1900, 5353, 8800, 32100, 34569, 40000))] * 2),
    st.sampled_from((0, 1, 100, 0xFFFFFFFE)),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(PACKETS, max_size=30))
def test_any_packets_are_read_or_counted_and_names_are_safe(packets):
    namer, _ = feed(*packets)
    assert len(namer.wanted) <= len(packets)
    for seen in namer.names():
        assert seen.name.isprintable()
        assert len(seen.name) <= 253
        assert seen.client == "10.20.0.9"
    for service in namer.services():
        assert service.client == "10.20.0.9"
    assert all(len(f.payload) <= 8192 for f in namer.facts())
