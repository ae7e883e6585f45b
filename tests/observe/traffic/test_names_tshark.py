"""The names in a capture are those that tshark reads: every protocol, split and reordered, on any port, in any tunnel."""

from __future__ import annotations

import random
import struct
import subprocess

import pytest
import traffic_frames as f
import wire_messages as wire
from programs import program
from test_traffic_engine import WRAPPERS, timed

from camscan.knowledge import load
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import open_source

pytestmark = pytest.mark.needs("tshark")
KNOWLEDGE = load()
FIELDS = (
    "dns.qry.name", "tls.handshake.extensions_server_name", "http.host", "http.request.uri",
    "x509ce.dNSName", "rtsp.url", "sip.r-uri.host", "mqtt.clientid", "dhcp.option.hostname",
    "tls.handshake.extensions_alpn_str", "dns.resp.name", "dhcp.option.vendor_class_id",
    "dtls.handshake.extensions_server_name",
)  # fmt: skip
GROUPS = {"mdns": "224.0.0.251", "llmnr": "224.0.0.252"}


def ip(packet):
    """The IP packet of a packet."""
    if packet.transport == "udp":
        return f.ip4(packet.src, packet.dst, 17, f.udp(packet.sport, packet.dport, packet.payload))
    flags = 0x02 if packet.syn else 0x18
    inner = f.tcp(packet.sport, packet.dport, packet.payload, seq=packet.seq, flags=flags)
    return f.ip4(packet.src, packet.dst, 6, inner)


def capture(tmp_path, packets, wrapper="ethernet"):
    link, wrap = WRAPPERS[wrapper]
    path = tmp_path / "x.pcap"
    path.write_bytes(f.pcap(timed([wrap(ip(p)) for p in packets], link=link), link=link))
    return path


def by_tshark(path, *options):
    """Field -> values, of all packets."""
    command = [program("tshark"), "-n", "-r", str(path), "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "fields", "-E", "separator=\x1f", "-E", "aggregator=\x1e"]  # fmt: skip
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    found = {field: set() for field in FIELDS}
    for line in done.stdout.split("\n")[:-1]:
        for field, cell in zip(FIELDS, line.split("\x1f"), strict=True):
            found[field] |= {v for v in cell.split("\x1e") if v}
    return found


def by_camscan(path):
    namer = Namer(KNOWLEDGE.services)
    engine = Engine(gates=(*GATES, *service_gates(KNOWLEDGE.services)), feed=namer.feed)
    engine.read(open_source(path))
    list(engine.flows())
    return namer


def names(namer, *protos):
    return {n.name for n in namer.names() if not protos or n.proto in protos}


def hello(
    name, *, seed=1, size=1400, pad=1200, sport=40000, dport=443, shuffle=True, records=16_000
):
    """The segments of a ClientHello, the first first, the others in any order."""
    stream = wire.records(wire.hello(name, alpn=("h2", "http/1.1"), pad=pad), size=records)
    first, *rest = wire.segments(stream, size=size, sport=sport, dport=dport, seq=1000)
    if shuffle:
        random.Random(seed).shuffle(rest)
    return [first, *rest]


def tcp_dns(message, *, sport, cut):
    stream = struct.pack(">H", len(message)) + message
    return list(wire.segments(stream, size=cut, sport=sport, dst=wire.RESOLVER, dport=53))


def test_dns_over_udp_and_tcp(tmp_path):
    packets = [wire.datagram(wire.dns_query(f"cam{n}.example.net", qtype=(1, 28, 65)[n % 3]), dst=wire.RESOLVER, dport=53, sport=20000 + n) for n in range(30)]  # fmt: skip
    for n, cut in enumerate((1400, 20, 7, 2)):
        packets += tcp_dns(wire.dns_query(f"tcp{n}.example.net"), sport=30000 + n, cut=cut)
    told = wire.dns_answer("answer.example.net", ("CNAME", "a.cdn.example"), ("CNAME", "b.cdn.example"), ("A", "203.0.113.7"))  # fmt: skip
    packets.append(wire.datagram(told, src=wire.RESOLVER, sport=53, dst=wire.CAMERA, dport=20001))
    path = capture(tmp_path, packets)
    ours, theirs = by_camscan(path), by_tshark(path)
    assert names(ours, "dns") == theirs["dns.qry.name"]
    assert len(theirs["dns.qry.name"]) == 35
    (answered,) = (n for n in ours.names() if n.name == "answer.example.net")
    assert set(answered.aliases) | {answered.name} == theirs["dns.resp.name"]


@pytest.mark.parametrize(("proto", "port"), [("mdns", 5353), ("llmnr", 5355)])
def test_multicast_questions(tmp_path, proto, port):
    one = wire.dns_query("_axis-video._tcp.local")
    several = struct.pack(">HHHHHH", 0, 0, 3, 0, 0, 0) + b"".join(
        wire.dns_name(n) + b"\0\x0c\0\1"
        for n in ("_rtsp._tcp.local", "_http._tcp.local", "cam.local")
    )
    messages = (
        [one, several] if proto == "mdns" else [wire.dns_query("nvr"), wire.dns_query("pc-7")]
    )
    packets = [wire.datagram(m, sport=port, dst=GROUPS[proto], dport=port) for m in messages]
    path = capture(tmp_path, packets)
    assert names(by_camscan(path), proto) == by_tshark(path)["dns.qry.name"]


def test_hellos_split_over_segments_and_records(tmp_path):
    packets, ports = [], iter(range(20_000, 30_000))
    for size in (1400, 536, 200, 41):
        for records in (16_000, 700, 100):
            for seed in range(2):
                packets += hello(f"s{size}-{records}-{seed}.example.net", seed=seed, size=size, records=records, sport=next(ports))  # fmt: skip
    path = capture(tmp_path, packets)
    ours, theirs = by_camscan(path), by_tshark(path)
    assert names(ours, "tls") == theirs["tls.handshake.extensions_server_name"]
    assert {a for n in ours.names() for a in n.alpn} == theirs["tls.handshake.extensions_alpn_str"]
    assert len(names(ours, "tls")) == 24


@pytest.mark.parametrize("begin", [1, 3, 5, 6])
def test_a_hello_whose_first_segment_is_tiny(tmp_path, begin):
    stream = wire.records(wire.hello("tiny.example.net"))
    packets = [
        *wire.segments(stream[:begin], seq=1000),
        *wire.segments(stream[begin:], seq=1000 + begin),
    ]
    path = capture(tmp_path, packets)
    assert names(by_camscan(path)) == {"tiny.example.net"}
    assert by_tshark(path)["tls.handshake.extensions_server_name"] == {"tiny.example.net"}


@pytest.mark.parametrize("seed", range(4))
def test_the_segments_of_a_hello_in_any_order(tmp_path, seed):
    """The connection is opened first, else nobody can tell where the stream begins."""
    stream = wire.records(wire.hello("order.example.net", pad=1500))
    parts = list(wire.segments(stream, size=600, seq=1000))
    random.Random(seed).shuffle(parts)
    (opening,) = wire.segments(b"-", seq=999)
    path = capture(tmp_path, [opening._replace(payload=b"", syn=True), *parts])
    assert names(by_camscan(path)) == {"order.example.net"}
    assert by_tshark(path)["tls.handshake.extensions_server_name"] == {"order.example.net"}


def test_a_port_that_is_used_again_while_a_hello_is_under_way(tmp_path):
    first = wire.records(wire.hello("first.example.net", pad=1500))
    second = wire.records(wire.hello("second.example.net"))
    (opening,) = wire.segments(b"-", seq=70_000)
    packets = [
        next(wire.segments(first, size=600, seq=1000)),
        opening._replace(payload=b"", syn=True),
        *wire.segments(second, seq=70_001),
    ]
    assert names(by_camscan(capture(tmp_path, packets))) == {"second.example.net"}


@pytest.mark.parametrize("snap", range(54, 330, 23))
def test_a_capture_that_cuts_packets_has_no_half_names(tmp_path, snap):
    whole = {"web.example.net", "tls.example.net", "dns.example.net"}
    packets = [
        *wire.segments(b"GET /a HTTP/1.1\r\nHost: web.example.net\r\nA: b\r\n\r\n", dport=80),
        *wire.segments(wire.records(wire.hello("tls.example.net")) + bytes(300), sport=7),
        wire.datagram(wire.dns_query("dns.example.net"), dst=wire.RESOLVER, dport=53),
    ]
    frames = [WRAPPERS["ethernet"][1](ip(p)) for p in packets]
    records = [r._replace(frame=r.frame[:snap], wire=len(r.frame)) for r in timed(frames)]
    path = tmp_path / "x.pcap"
    path.write_bytes(f.pcap(records))
    found = names(by_camscan(path))
    assert found <= whole
    if snap >= 300:
        assert found == whole


def test_hellos_on_other_ports_with_large_keys_and_an_outer_name(tmp_path):
    packets = []
    for n, port in enumerate((8883, 10001, 32723, 6500, 9000)):
        packets += hello(f"p{n}.example.net", sport=20000 + n, dport=port, pad=1700, size=1448)
    outer = wire.records(wire.hello("outer.example.net", ech=True, pad=600))
    packets += wire.segments(outer, sport=20009)
    path = capture(tmp_path, packets)
    ports = [x for p in (8883, 10001, 32723, 6500, 9000) for x in ("-d", f"tcp.port=={p},tls")]
    ours, theirs = by_camscan(path), by_tshark(path, *ports)
    assert names(ours, "tls") == theirs["tls.handshake.extensions_server_name"]
    assert len(names(ours)) == 6
    assert [n.ech for n in ours.names() if n.name == "outer.example.net"] == [True]


def test_names_of_certificates_over_several_segments(tmp_path):
    packets = []
    for size in (1400, 300, 60):
        flight = wire.server_flight(wire.certificate(f"api{size}.example.net", f"*.{size}.example.net"))  # fmt: skip
        packets += wire.segments(flight, size=size, src=wire.SERVER, sport=443, dst=wire.CAMERA, dport=40000 + size)  # fmt: skip
    path = capture(tmp_path, packets)
    assert names(by_camscan(path), "tls-cert") == by_tshark(path)["x509ce.dNSName"]


def test_http_names_a_host_in_every_form(tmp_path):
    heads = [
        b"GET /a HTTP/1.1\r\nHost: one.example.net\r\n\r\n",
        b"POST /a?key=1 HTTP/1.1\r\nUser-Agent: x\r\nhost: two.example.net:8080\r\nContent-Length: 0\r\n\r\n",
        b"PUT /b HTTP/1.0\r\nHOST:three.example.net\r\n\r\n",
        b"GET http://four.example.net/x HTTP/1.1\r\nHost: four.example.net\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: five.example.net\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nX-Long: " + b"a" * 3000 + b"\r\nHost: six.example.net\r\n\r\n",
    ]
    packets = [p for n, h in enumerate(heads) for p in wire.segments(h, size=900, sport=20000 + n, dport=80)]  # fmt: skip
    tunnel = b"CONNECT seven.example.net:443 HTTP/1.1\r\nHost: seven.example.net:443\r\n\r\n"
    packets += wire.segments(tunnel, sport=20100, dport=3128)
    packets += wire.segments(b"GET / HTTP/1.1\r\nHost: eight.example.net\r\n\r\n", sport=20101, dport=18086)  # fmt: skip
    path = capture(tmp_path, packets)
    theirs = by_tshark(path, "-d", "tcp.port==3128,http", "-d", "tcp.port==18086,http")
    ours = by_camscan(path)
    assert names(ours, "http", "http-connect") == {h.partition(":")[0] for h in theirs["http.host"]}
    assert len(theirs["http.host"]) == 8
    assert names(ours, "http-connect") == {"seven.example.net"}


ODD_HEADS = (
    (b"PROPFIND /dav HTTP/1.1\r\nHost: dav.example.net\r\n\r\n",),
    (b"SUBSCRIBE /event HTTP/1.1\r\nHost: upnp.example.net\r\n\r\n",),
    (b"NOTIFY /event HTTP/1.1\r\nHost: told.example.net\r\nContent-Length: 0\r\n\r\n",),
    (b"RPC_IN_DATA /rpc HTTP/1.1\r\nHost: rpc.example.net\r\nContent-Length: 0\r\n\r\n",),
    (b"GET /a b c HTTP/1.1\r\nHost: spaces.example.net\r\n\r\n",),
    (b"GET /" + b"a" * 6000 + b" HTTP/1.1\r\nHost: long.example.net\r\n\r\n",),
    (b"GET ", b"/path", b" HTTP/1.1\r\n", b"Host: ", b"words.example.net", b"\r\n\r\n"),
    (b"GET /1 HTTP/1.1\r\nHost: one.example.net\r\n\r\nGET /2 HTTP/1.1\r\nHost: two.example.net\r\n\r\n",),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: body.example.net\r\n\r\nabcGET / HTTP/1.1\r\nHost: behind.example.net\r\n\r\n",),
)  # fmt: skip


@pytest.mark.parametrize("parts", ODD_HEADS)
def test_http_as_small_and_hasty_clients_send_it(tmp_path, parts):
    packets, seq = [], 1000
    for part in parts:
        packets += wire.segments(part, size=1400, sport=20000, dport=80, seq=seq)
        seq += len(part)
    path = capture(tmp_path, packets)
    assert names(by_camscan(path), "http") == by_tshark(path)["http.host"] != set()


def test_requests_that_follow_on_one_connection(tmp_path):
    first, second = (b"GET /%d HTTP/1.1\r\nHost: h%d.example.net\r\n\r\n" % (n, n) for n in (1, 2))
    packets = [*wire.segments(first, dport=80), *wire.segments(second, dport=80, seq=1000 + len(first))]  # fmt: skip
    path = capture(tmp_path, packets)
    assert names(by_camscan(path), "http") == by_tshark(path)["http.host"]


@pytest.mark.parametrize("version", [1, 0x6B3343CF, 0xFF00001D])
@pytest.mark.parametrize("seed", range(2))
def test_quic_in_pieces_and_in_any_order(tmp_path, version, seed):
    draw = random.Random(seed)
    whole = wire.hello("quic.example.net", alpn=("h3",), pad=1500)
    cuts = sorted(draw.sample(range(1, len(whole)), 5))
    parts = [(a, whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    draw.shuffle(parts)
    packets = [
        wire.datagram(
            wire.quic_initial(some, bytes(range(8)), number=n, version=version), sport=5000
        )
        for n, some in enumerate((parts[:3], parts[3:]))
    ]
    path = capture(tmp_path, packets)
    ours = names(by_camscan(path), "quic")
    assert ours == {"quic.example.net"}
    theirs = by_tshark(path, "-d", "udp.port==443,quic")["tls.handshake.extensions_server_name"]
    if version != 0x6B3343CF or theirs:  # tshark 4.0 knows version 2 by its draft number alone
        assert ours == theirs


@pytest.mark.parametrize("version", [1, 0x6B3343CF])
def test_quic_with_the_second_bit_cleared(tmp_path, version):
    """RFC 9287; tshark 4.0 takes such a packet for no QUIC."""
    sealed = wire.quic_initial(
        [(0, wire.hello("bit.example.net"))], bytes(range(8)), version=version, fixed=0
    )
    assert sealed[0] & 0xC0 == 0x80
    path = capture(tmp_path, [wire.datagram(sealed, sport=5000)])
    assert names(by_camscan(path), "quic") == {"bit.example.net"}


def test_coalesced_quic_packets(tmp_path):
    whole = wire.hello("both.example.net", alpn=("h3",), pad=900)
    half = len(whole) // 2
    key = bytes(range(8))
    one = wire.quic_initial([(half, whole[half:])], key)
    two = wire.quic_initial([(0, whole[:half])], key, number=1)
    path = capture(tmp_path, [wire.datagram(one + two, sport=5000)])
    theirs = by_tshark(path, "-d", "udp.port==443,quic")["tls.handshake.extensions_server_name"]
    assert names(by_camscan(path), "quic") == theirs == {"both.example.net"}


def dtls_hello(name, *, cookie=b""):
    body = wire.hello(name)[4:]
    behind = 35 + body[34]
    body = b"\xfe\xfd" + body[2:behind] + bytes((len(cookie),)) + cookie + body[behind:]
    size = len(body).to_bytes(3, "big")
    shake = b"\x01" + size + b"\0\0" + bytes(3) + size + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack(">H", len(shake)) + shake


def test_dtls_names_a_server(tmp_path):
    packets = [wire.datagram(dtls_hello(f"d{n}.example.net", cookie=bytes(n * 8)), sport=5000 + n, dport=5684) for n in range(3)]  # fmt: skip
    path = capture(tmp_path, packets)
    theirs = by_tshark(path, "-d", "udp.port==5684,dtls")["dtls.handshake.extensions_server_name"]
    assert names(by_camscan(path), "dtls") == theirs
    assert len(theirs) == 3


def dhcp(options):
    mac = bytes.fromhex(wire.CAMERA_MAC.replace(":", ""))
    return (
        bytes((1, 1, 6, 0)) + bytes(24) + mac + bytes(202) + b"\x63\x82\x53\x63" + options + b"\xff"
    )


def test_the_other_protocols(tmp_path):
    rtsp = b"DESCRIBE rtsp://nvr.example.net:8554/ch1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    sip = b"REGISTER sip:reg.example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.20.0.9:5060\r\nFrom: <sip:34020000001320000001@reg.example.net>;tag=1\r\nTo: <sip:34020000001320000001@reg.example.net>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n"
    mqtt = bytes.fromhex("101300044d5154540402003c000763616d2d303031")
    ntp = b"\x23" + bytes(47)
    stun = bytes.fromhex("000100002112a442000102030405060708090a0b")
    lease = dhcp(b"\x35\x01\x01\x0c\x06camera\x3c\x05AXIS,")
    packets = [
        *wire.segments(rtsp, dport=554, sport=20001),
        wire.datagram(sip, dport=5060, sport=5060),
        *wire.segments(mqtt, dport=1883, sport=20002),
        wire.datagram(ntp, dport=123),
        wire.datagram(stun, dport=3478),
        wire.datagram(lease, src="0.0.0.0", sport=68, dst="255.255.255.255", dport=67),
    ]
    path = capture(tmp_path, packets)
    ours, theirs = by_camscan(path), by_tshark(path)
    assert {f"rtsp://{n}:8554/ch1" for n in names(ours, "rtsp")} == theirs["rtsp.url"]
    assert names(ours, "sip") == theirs["sip.r-uri.host"] == {"reg.example.net"}
    services = {s.service: s.announced for s in ours.services()}
    assert {services["mqtt"]} == theirs["mqtt.clientid"]
    assert services["gb28181"] == "34020000001320000001"
    assert {"ntp", "stun"} <= services.keys()
    (fact,) = (x for x in ours.facts() if x.kind == "dhcp")
    for field in ("dhcp.option.hostname", "dhcp.option.vendor_class_id"):
        (value,) = theirs[field]
        assert value.encode() in fact.payload


HIDDEN_FROM_TSHARK = {"loop"}
"""Its four bytes are in host order here, as some systems write them; tshark wants the other order."""


def test_names_in_every_link_layer_and_tunnel(tmp_path):
    """One file, an interface per link type; every wrapper has names of its own."""
    records, kinds = [], ("dns", "tls", "web")
    for n, (name, (link, wrap)) in enumerate(WRAPPERS.items()):
        packets = [wire.datagram(wire.dns_query(f"dns.{name}.example"), dst=wire.RESOLVER, dport=53, sport=20000 + n)]  # fmt: skip
        packets += hello(f"tls.{name}.example", size=300, sport=21000 + n)
        head = b"GET / HTTP/1.1\r\nHost: web.%s.example\r\n\r\n" % name.encode()
        packets += wire.segments(head, dport=80, sport=22000 + n)
        records += timed([wrap(ip(p)) for p in packets], link=link)
    path = tmp_path / "x.pcapng"
    path.write_bytes(f.pcapng(records))
    ours, theirs = names(by_camscan(path)), by_tshark(path)
    assert ours == {f"{kind}.{name}.example" for name in WRAPPERS for kind in kinds}
    seen = theirs["dns.qry.name"] | theirs["tls.handshake.extensions_server_name"] | theirs["http.host"]  # fmt: skip
    assert {n for n in ours if n.split(".")[1] not in HIDDEN_FROM_TSHARK} == seen


@pytest.mark.parametrize(
    "raw",
    ["evil\x1b[2J.example.net", "ev\u202eil.example.net", "*.example.net", "a b.example.net", "=1+1.example.net", "x" * 60 + ".example.net"],
)  # fmt: skip
def test_names_with_control_and_bidi_characters_stay_safe(tmp_path, raw):
    data = raw.encode()
    label = bytes((len(data.partition(b".")[0]),)) + data.partition(b".")[0]
    question = (
        struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + label + b"\x07example\x03net\0\0\1\0\1"
    )
    entry = b"\0" + struct.pack(">H", len(data)) + data
    sni = wire.extension(0, struct.pack(">H", len(entry)) + entry)
    inner = b"\x03\x03" + bytes(32) + b"\0\0\x02\x13\x01\x01\0" + struct.pack(">H", len(sni)) + sni
    shake = b"\x01" + len(inner).to_bytes(3, "big") + inner
    packets = [wire.datagram(question, dst=wire.RESOLVER, dport=53), *wire.segments(wire.records(shake)), *wire.segments(b"GET / HTTP/1.1\r\nHost: " + data + b"\r\n\r\n", dport=80, sport=7)]  # fmt: skip
    ours = by_camscan(capture(tmp_path, packets))
    assert {n.proto for n in ours.names()} == {"dns", "tls", "http"}
    for seen in ours.names():
        assert seen.name.isprintable()
        assert "\u202e" not in seen.name
        assert "\x1b" not in seen.name
