"""Traffic of other programs is no camera service, and what a camera service needs is never less than it says."""

from __future__ import annotations

import random
import struct

import pytest
import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import announced, gwell, pppp_key, reolink
from camscan.decode.rtp import ENOUGH, MOST, Run
from camscan.decode.service_match import ServiceTable
from camscan.knowledge import load
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.runs import Runs

KNOWLEDGE = load()
OPEN = {"stun", "dtls", "ntp", "srtp", "mqtt"}
"""Protocols that say what a flow is for, whoever uses them."""
COOKIE = b"\x21\x12\xa4\x42"


def stun(kind=1, attributes=b""):
    return struct.pack(">HH", kind, len(attributes)) + COOKIE + bytes(range(12)) + attributes


def rtp(n, *, source=7, pt=96, body=b"\x5a" * 40, first=0x80):
    return struct.pack(">BBHII", first, pt, n & 0xFFFF, n * 3000 & 0xFFFFFFFF, source) + body


def dht(n):
    return (
        b"d1:ad2:id20:"
        + bytes(range(20))
        + b"6:target20:"
        + bytes(range(n, n + 20))
        + b"e1:q9:find_node1:t2:aa1:y1:qe"
    )


def utp(kind, n):
    return struct.pack(">BBHIIIHH", kind << 4 | 1, 0, 999, n, 5, 1 << 20, n, n - 1) + b"\0" * 30


def wireguard(kind, size):
    return (
        bytes((kind, 0, 0, 0))
        + bytes(range(size - 4 & 255))
        + b"\x11" * max(0, size - 4 - (size - 4 & 255))
    )


def quic_short(n):
    return bytes((0x40 | n & 0x3F,)) + random.Random(n).randbytes(1100)


OTHERS = {
    "BitTorrent DHT": ("udp", 6881, [dht(n) for n in range(9)]),
    "uTP": ("udp", 51413, [utp(n % 5, n) for n in range(1, 40)]),
    "BitTorrent TCP": ("tcp", 6881, [b"\x13BitTorrent protocol" + bytes(48), b"\0\0\0\x05\x04\0\0\0\1", b"\0\0\x40\x09\x07" + bytes(99)]),
    "WireGuard": ("udp", 51820, [wireguard(1, 148), wireguard(2, 92), wireguard(4, 32), wireguard(4, 128)] * 3),
    "OpenVPN": ("udp", 1194, [b"\x38" + bytes(range(41)), b"\x40" + bytes(range(50)), b"\x48" + bytes(90)]),
    "ZeroTier": ("udp", 9993, [bytes(range(n, n + 60)) for n in range(9)]),
    "Tailscale": ("udp", 41641, [b"TS\xf0\x9f\x92\xac" + bytes(range(60))] * 3),
    "Syncthing discovery": ("udp", 21027, [bytes.fromhex("2ea7d90b") + b"\x0a\x20" + bytes(60)] * 3),
    "Source engine": ("udp", 27015, [b"\xff\xff\xff\xffTSource Engine Query\0", b"\xff\xff\xff\xffI\x11name\0map\0", b"\xff\xff\xff\xffU" + bytes(4)]),
    "RakNet": ("udp", 19132, [b"\x01" + bytes(8) + bytes.fromhex("00ffff00fefefefefdfdfdfd12345678") + bytes(8), b"\x84" + bytes(3) + b"\x40\0\x90" + bytes(18)]),
    "game snapshots": ("udp", 27960, [struct.pack("<II", n + 1, n) + random.Random(n).randbytes(120) for n in range(30)]),
    "QUIC 1-RTT": ("udp", 443, [quic_short(n) for n in range(30)]),
    "NTP": ("udp", 123, [b"\x23" + bytes(47), b"\x24\x01" + bytes(46)]),
    "DNS": ("udp", 53, [wire.dns_query("www.example.com"), wire.dns_answer("www.example.com", ("A", "192.0.2.1"))]),
    "CoAP": ("udp", 5683, [b"\x40\x01\x12\x34\xb4test", b"\x60\x45\x12\x34\xff22.3 C"]),
    "NAT-PMP": ("udp", 5351, [bytes((0, 0)), bytes((0, 128)) + bytes(10)]),
    "SIP telephone": ("udp", 5060, [b"REGISTER sip:pbx.example SIP/2.0\r\nFrom: <sip:7001@pbx.example>\r\n\r\n"] * 3),
    "TFTP": ("udp", 69, [b"\0\1file\0octet\0"]),
    "Teams-like call": ("udp", 3480, [stun(), stun(3, b"\0\x19\0\4\x11\0\0\0"), *(rtp(n) for n in range(30)), b"\x80\xc8\0\6" + bytes(24)]),
    "Zoom-like call": ("udp", 8801, [bytes.fromhex("0101") + bytes(30), *(bytes.fromhex("05100100") + bytes(20) + rtp(n) for n in range(20))]),
    "WebRTC call": ("udp", 40010, [stun(), b"\x16\xfe\xff\0\0" + bytes(60), b"\x16\xfe\xfd\0\0" + bytes(60), *(rtp(n, source=n % 2 + 1) for n in range(40))]),
    "plain RTP": ("udp", 40012, [rtp(n) for n in range(60)]),
    "iperf": ("udp", 5201, [struct.pack(">iII", n, 1, n) + b"6789" * 300 for n in range(9)]),
    "Postgres": ("tcp", 5432, [b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x54\0\3\0\0user\0a\0"]),
    "RDP": ("tcp", 3389, [b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"]),
    "SMB": ("tcp", 445, [b"\0\0\0\x55\xffSMBr" + bytes(80), b"\0\0\0\x40\xfeSMB" + bytes(60)]),
    "SSH": ("tcp", 22, [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\5\x64\6\x14" + bytes(90)]),
    "RTSP interleaved": ("tcp", 8554, [b"\x24\0" + struct.pack(">H", 52) + rtp(n) for n in range(0x130, 0x150)]),
    "RTMP play": ("tcp", 443, [bytes.fromhex("03000000000040140000000002000470 6c6179".replace(" ", "")) + bytes(40)]),
    "HTTP": ("tcp", 80, [b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", b"POST /a HTTP/1.1\r\nHost: example.com\r\n\r\n"]),
}  # fmt: skip


def services_of(transport, port, payloads, *, sport=40000):
    namer = Namer(KNOWLEDGE.services)
    for n, payload in enumerate(payloads):
        packet = wire.datagram(payload, at=n, sport=sport, dport=port)
        namer.feed(packet._replace(transport=transport, seq=n * 2000))
    return {s.service for s in namer.services()}


@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_are_no_camera_service(name):
    assert services_of(*OTHERS[name]) <= OPEN


def test_no_port_of_a_service_makes_chance_a_service():
    """Random payloads of any length on the very ports: 30 in one flow, none may be a service."""
    draw = random.Random(11)
    for port in sorted({p for s in KNOWLEDGE.services for p in s.ports}):
        for transport in ("udp", "tcp"):
            payloads = [draw.randbytes(draw.randint(1, 400)) for _ in range(30)]
            assert services_of(transport, port, payloads) - {"ntp"} == set(), port


def test_chance_is_no_message_of_a_service():
    """A hundred thousand random datagrams: a match by chance would be one weak message."""
    table, draw = ServiceTable(KNOWLEDGE.services), random.Random(5)
    found = [
        m.service.id
        for _ in range(100_000)
        for m in table.match(draw.randbytes(draw.randint(4, 64)), "udp")
    ]
    assert set(found) <= {"ntp"}


# Media runs


def test_media_is_named_where_stun_prepared_the_way():
    payloads = [stun(), *(rtp(n) for n in range(ENOUGH))]
    assert services_of("udp", 40010, payloads) == {"stun", "srtp"}
    assert services_of("udp", 40010, payloads[:-1]) == {"stun"}
    relayed = [struct.pack(">HH", 0x4001, len(p)) + p for p in payloads[1:]]
    assert services_of("udp", 3478, [stun(), *relayed]) == {"stun", "srtp"}


def test_only_what_the_client_sends_is_its_media():
    namer = Namer(KNOWLEDGE.services)
    ask = wire.datagram(stun(), dport=40010)
    namer.feed(ask)
    for n in range(30):
        namer.feed(wire.back(ask, rtp(n)))
    assert {s.service for s in namer.services()} == {"stun"}


@pytest.mark.parametrize(
    "packets",
    [
        [rtp(n * 977) for n in range(60)],  # no sequence
        [rtp(n, source=n) for n in range(60)],  # no source
        [rtp(60 - n) for n in range(60)],  # backwards
        [rtp(5) for _ in range(60)],  # one packet again and again
        [rtp(n, first=0x40) for n in range(60)],  # version 1
        [rtp(n, pt=72) for n in range(60)],  # RTCP
        [p for n in range(60) for p in (rtp(n), b"\xf1\xd0" + bytes(40))],  # something else between
    ],
)
def test_what_only_looks_like_media_is_no_run(packets):
    run = Run()
    assert not any(run.add(p) for p in packets)


def test_a_run_may_lose_and_swap_packets_and_wrap():
    numbers = [0xFFFA, 0xFFFB, 0xFFFE, 0xFFFD, 0xFFFF, 0x10000, 0x10003, 0x10004, 0x10005, 0x10006]
    run = Run()
    assert any(run.add(rtp(n)) for n in numbers)


@given(st.lists(st.binary(max_size=40), max_size=120))
def test_runs_of_any_bytes_end(parts):
    run = Run()
    for part in parts:
        run.add(part)
    assert run.over or len(parts) <= MOST
    assert not run.found


def test_directions_that_are_watched_are_bounded(monkeypatch):
    from camscan.observe.traffic import runs as module

    monkeypatch.setattr(module, "MOST", 5)
    table = ServiceTable(KNOWLEDGE.services)
    runs = Runs(table.runs)
    for sport in range(50):
        packet = wire.datagram(stun(), sport=sport)
        found = table.match(packet.payload, "udp")
        assert runs.feed(packet, found, outward=True) == (packet, found, True)
        assert runs.feed(packet, found, outward=False) == (packet, found, False)
    assert len(runs.wanted) == 5


# Ids and checks


def test_heads_in_the_signatures_are_those_of_the_keys():
    heads = {
        (s.id, m.name): m.bytes[0].any
        for s in KNOWLEDGE.services
        if s.id in {"pppp-obfuscated", "pppp-lan-key"}
        for m in s.message
    }
    servers, *others = pppp_key.KEYS
    both = (0x00, 0x30, 0x41, 0x42, 0xE0, 0xE1, 0xF0)
    login = heads.pop(("pppp-obfuscated", "device login"))
    assert login == pppp_key.heads(servers, 0x10, 0x12, 0x14)
    one = heads.pop(("pppp-obfuscated", "message of either side"))
    assert one == pppp_key.heads(servers, *both)
    lan = heads.pop(("pppp-lan-key", "message of either side"))
    assert list(lan) == [h for key in others for h in pppp_key.heads(key, *both)]
    (rest,) = heads.values()
    assert set(rest) <= set(pppp_key.heads(servers, *pppp_key.LENGTHS))


@pytest.mark.parametrize("key", pppp_key.KEYS)
def test_a_device_id_is_read_under_every_key(key):
    body = b"VSTC\0\0\0\0" + (1234).to_bytes(4, "big") + b"ABCDE\0\0\0"
    sent = pppp_key.closed(b"\xf1\x41\0\x14" + body, key)
    assert announced.READERS["pppp-key"](sent) == "VSTC-001234-ABCDE"
    assert pppp_key.plain(sent + b"\0") == b""
    name = "pppp-obfuscated" if key == pppp_key.KEYS[0] else "pppp-lan-key"
    assert services_of("udp", 32108, [sent]) == {name}
    assert services_of("udp", 20123, [sent]) == set()


def test_seeds_and_heads_are_the_documented_ones():
    """Seed of `camera`: pppp_dissect.lua; heads: facts: traffic 4."""
    assert bytes(pppp_key.seed("camera")).hex() == "6997cc19"
    heads = {k: pppp_key.heads(k, 0x00, 0x30) for k in pppp_key.KEYS}
    assert heads["SSD@cs2-network."] == ("b196ec02", "b1a6bb9a")
    assert heads["@@@@...."] == ("5d487c5a", "5d782818")
    assert heads["mycamera"] == ("aa56c9f8", "aa66af5c")


@given(st.binary(max_size=120), st.sampled_from(pppp_key.KEYS))
def test_a_key_opens_what_it_closed(data, key):
    assert pppp_key.opened(pppp_key.closed(data, key), key) == data
    assert (
        pppp_key.plain(data) in {b"", pppp_key.opened(data, key)}
        or pppp_key.plain(data)[:1] == b"\xf1"
    )


@given(st.binary(min_size=24, max_size=120))
def test_a_checksum_is_right_only_where_it_was_made(data):
    frame = data[:2] + len(data).to_bytes(2, "little") + data[4:]
    options = int.from_bytes(frame[20:24], "little") & ~(1 << 22 | 1 << 24)
    frame = frame[:20] + options.to_bytes(4, "little") + frame[24:]
    whole = gwell.sealed(frame)
    assert gwell.is_sound(whole)
    assert not gwell.is_sound(whole[:16] + bytes((whole[16] ^ 1,)) + whole[17:])
    assert not gwell.is_sound(whole + b"\0")


def test_an_app_announces_no_uid():
    def frame(text):
        coded = reolink.xor(text, 3)
        return (
            struct.pack("<4sIIII", b"\x3a\xcf\x87\x2a", len(coded), 1, 3, reolink.crc(coded))
            + coded
        )

    uid = b"<uid>95270000AAAABBBB</uid>"
    read = announced.READERS["reolink"]
    assert read(frame(b"<P2P><D2C_C_R>" + uid + b"</D2C_C_R></P2P>")) == "95270000AAAABBBB"
    assert read(frame(b"<P2P><C2D_C>" + uid + b"</C2D_C></P2P>")) == ""
    assert read(b"\x3a\xcf\x87\x2a") == ""
