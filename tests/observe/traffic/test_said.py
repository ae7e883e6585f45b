"""Does what a device answers to a search, seen in a capture, name it as the scan's own search would?"""

from __future__ import annotations

import decode_samples as sample
import msgspec
import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st
from test_traffic_engine import timed

from camscan.captured import store
from camscan.clock import FixedClock
from camscan.decode import (
    ber,
    bosch,
    dahua5050,
    dhip,
    dvrip,
    foscam,
    hanwha,
    mdns,
    miio,
    panasonic,
    pppp,
    reolink,
    sadp,
    snmp,
    sony,
    ssdp,
    tplink,
    tuya,
    ubiquiti,
    vivotek,
    vstarcam,
    wsd,
)
from camscan.decode.search import SEARCHES, Asker
from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.observation import Kind
from camscan.model.run import IntakeInfo
from camscan.model.traffic import Captured
from camscan.observe.network.protocols.registry import ANNOUNCEMENTS
from camscan.observe.traffic import said
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import open_source
from camscan.run import Run

KNOWLEDGE = load()
ASKING = "10.20.0.50"
PORTS = {
    Kind.SSDP: ssdp.PORT, Kind.WSD: wsd.PORT, Kind.SADP: sadp.PORT, Kind.DHDISCOVER: dhip.PORT,
    Kind.DVRIP: dvrip.PORT, Kind.KASA: tplink.PORTS[0], Kind.MIIO: miio.PORT, Kind.PPPP: pppp.PORT,
    Kind.VENDOR_DISC: None, Kind.MDNS: 5353,
}  # fmt: skip


def samples():
    """(kind, port, bytes, what the signature says) of every sample that is a datagram as sent."""
    for signature in KNOWLEDGE.signatures:
        for one in signature.sample if signature.kind in PORTS else ():
            data = bytes.fromhex(one.response_hex) if one.response_hex else one.response.encode()
            port = one.port or PORTS[signature.kind]
            text = signature.kind in {Kind.KASA, Kind.MDNS} and not one.response_hex
            stream = port in {34567, 37777}
            if not text and not stream:
                yield pytest.param(signature.kind, port, data, one.expect, id=f"{signature.id}-{port}")  # fmt: skip


def datagrams(port, data):
    """Answers come from the port, or go to it: one of the two is how the protocol does it."""
    yield wire.datagram(data, src=wire.CAMERA, sport=port, dst=ASKING, dport=40000)
    yield wire.datagram(data, src=wire.CAMERA, sport=40000, dst=ASKING, dport=port)


def captured_devices(tmp_path, frames):
    """Frames in a file, through engine, run and identification."""
    path = tmp_path / "x.pcap"
    path.write_bytes(f.pcap(timed(frames)))
    namer = Namer(KNOWLEDGE.services)
    engine = Engine(gates=(*GATES, *service_gates(KNOWLEDGE.services)), feed=namer.feed)
    engine.read(open_source(path))
    flows = tuple(engine.flows())
    seen = Captured(summary=engine.summary(), names=namer.names(), flows=flows, services=namer.services(), facts=namer.facts())  # fmt: skip
    clock = FixedClock(1_793_000_000.0)
    run = Run.create(tmp_path / "run", owner="", authority=None, clock=clock)
    writer = run.new_intake(IntakeInfo(id="", kind="traffic", started="2026-11-01T00:00:00Z", tool_version="0", knowledge_hash="x", vantage="mirror"))  # fmt: skip
    store(writer, seen)
    writer.seal(complete=True)
    return {d.device_id: d for d in identify(run.observations(), KNOWLEDGE)}


def frame(packet):
    return f.ether(f.ip4(packet.src, packet.dst, 17, f.udp(packet.sport, packet.dport, packet.payload)))  # fmt: skip


@pytest.mark.parametrize(("kind", "port", "data", "expect"), list(samples()))
def test_every_sample_of_a_signature_is_heard_in_a_capture(kind, port, data, expect):
    if kind is Kind.MDNS:
        namer = Namer(KNOWLEDGE.services, local=lambda _: True)
        stated = [a for a in mdns.parse(data).addresses if ":" not in a]
        namer.feed(next(datagrams(port, data))._replace(src=(stated or [wire.CAMERA])[0]))
        assert [fact.kind for fact in namer.facts()] == [kind.value]
        return
    told = [t for packet in datagrams(port, data) if (t := said.read(packet)) is not None]
    assert {t.kind for t in told} == {kind}
    assert expect


# One answer per announcement protocol of the scan, and what must be known of the device afterwards.
def _hanwha():
    data = bytearray(262)
    data[0] = 0x0B
    for at, text in ((0x13, b"00:09:18:00:00:01"), (0x25, b"10.20.0.9"), (0x6D, b"XNV-6080")):
        data[at : at + len(text)] = text
    return bytes(data)


def _of_signature(name):
    signature = next(s for s in KNOWLEDGE.signatures if s.id == name)
    one = signature.sample[0]
    return bytes.fromhex(one.response_hex) if one.response_hex else one.response.encode()


ANSWERS = {
    "wsd": (wsd.PORT, sample.WSD, {"model": "X1"}),
    "uniview": (wsd.PORT, _of_signature("uniview.wsd.probe_answer"), {"maker": "uniview"}),
    "sadp": (sadp.PORT, _of_signature("hikvision.sadp.answer"), {"maker": "hikvision", "model": "DS-2CD2143G2-I", "firmware": "V5.7.15"}),
    "dhip": (dhip.PORT, sample.DHIP, {"platform": "dahua", "model": "IPC-X"}),
    "dahua5050": (dahua5050.PORT, sample.DAHUA5050, {"platform": "dahua"}),
    "xiongmai": (dvrip.PORT, sample.XIONGMAI, {"maker": "xiongmai"}),
    "ssdp": (ssdp.PORT, _of_signature("axis.ssdp.upnp_server"), {"maker": "axis"}),
    "tplink20002": (tplink.PORTS[0], sample.TPLINK, {"maker": "tp-link", "model": "C200", "firmware": "1.2.5 Build 241224"}),
    "tplink9999": (tplink.LEGACY_PORT, sample.KASA, {"maker": "tp-link"}),
    "hanwha": (hanwha.ANSWER_PORT, _hanwha(), {"maker": "hanwha", "model": "XNV-6080"}),
    "bosch": (bosch.PORT, _of_signature("bosch.vendor-disc.search_answer"), {"maker": "bosch"}),
    "vivotek": (vivotek.PORT, _of_signature("vivotek.vendor-disc.search_answer"), {"maker": "vivotek", "model": "IB8369A"}),
    "ipro": (panasonic.ANSWER_PORT, _of_signature("i-pro.vendor-disc.search_answer"), {"maker": "i-pro", "model": "WV-S1131"}),
    "sony": (sony.PORT, _of_signature("sony.vendor-disc.search_answer"), {"maker": "sony", "model": "SNC-VB600"}),
    "ubiquiti": (ubiquiti.PORT, _of_signature("ubiquiti.vendor-disc.search_answer"), {"maker": "ubiquiti"}),
    "reolink": (reolink.ANSWER_PORT, _of_signature("reolink.vendor-disc.name_model"), {"maker": "reolink", "model": "RLC-810A"}),
    "foscam": (foscam.PORT, _of_signature("foscam.vendor-disc.search_answer"), {"maker": "foscam", "firmware": "1.11.1.10"}),
    "vstarcam": (vstarcam.PORT, _of_signature("vstarcam.vendor-disc.search_answer"), {"maker": "vstarcam"}),
    "pppp": (pppp.PORT, _of_signature("pppp.pppp.punch"), {"p2p.id": "PPPP-123456-ABCDE"}),
    "miio": (miio.PORT, _of_signature("xiaomi.miio.hello"), {"platform": "xiaomi"}),
    "tuya6667": (6667, _of_signature("tuya.vendor-disc.broadcast"), {"platform": "tuya"}),
    "bcudp": (reolink.UDP_PORTS[0], _of_signature("reolink.vendor-disc.bcudp_answer"), {"maker": "reolink"}),
    "snmp": (161, sample.SNMP_V2, {"maker": "axis"}),
}  # fmt: skip
_SAME = {
    "uniview2": "uniview",
    "tplink20004": "tplink20002",
    "tuya6666": "tuya6667",
    "mdns": "mdns",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_in_a_capture_names_the_device(name, tmp_path):
    port, data, expect = ANSWERS[name]
    devices = captured_devices(tmp_path, [frame(p) for p in datagrams(port, data)])
    claims = {(c.attribute.value, c.value) for c in devices[wire.CAMERA].claims}
    assert set(expect.items()) <= claims


def test_every_announcement_protocol_of_the_scan_has_its_answer_here():
    assert {a.name for a in ANNOUNCEMENTS} <= {*ANSWERS, *_SAME}


ASKER = Asker(token=0x1122334455667788, address=ASKING, answer_port=40000)
QUESTIONS = [
    pytest.param(search.port, message, id=f"{search.id}-{n}")
    for search in SEARCHES
    for n, message in enumerate(search.build(ASKER))
]


@pytest.mark.parametrize(("port", "message"), QUESTIONS)
def test_who_searches_is_no_device(port, message):
    for packet in datagrams(port, message):
        assert said.read(packet) is None


@pytest.mark.parametrize("port", sorted({p for form in said.FORMS for p in form.ports}))
@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x60" + bytes(range(200)),  # RTP
        b"\x01\x00" + bytes(200),
        b"\x00\x01\x00\x40\x21\x12\xa4\x42" + bytes(64),  # STUN
        b"\x0b" + b"\x55" * 261,
        b"\x02" + bytes(range(100)),
        b"\xb3" + bytes(range(1, 200)),
        b"\xaa\xaa" + b"192.0.2.1 some words and more of them",
        b"\xd0" + bytes(range(100)),
        b"<html><title>ProbeMatch</title></html>" + b" " * 200,
    ],
)
def test_other_traffic_on_these_ports_is_no_answer(port, payload):
    for packet in datagrams(port, payload):
        assert said.read(packet) is None


def test_an_app_that_looks_for_a_camera_is_no_camera():
    body = b"<P2P><C2D_C><uid>95270000AAAABBBB</uid></C2D_C></P2P>"
    coded = reolink.xor(body, 9)
    frame = bytes.fromhex("3acf872a") + len(coded).to_bytes(4, "little") + b"\x01\0\0\0\x09\0\0\0"
    packet = next(datagrams(2015, frame + reolink.crc(coded).to_bytes(4, "little") + coded))
    assert said.read(packet) is None
    punch = _of_signature("pppp.pppp.punch")
    assert said.read(wire.datagram(punch, sport=40000, dport=32108)) is None


def test_beginnings_are_those_the_decoders_read():
    begins = {
        form.kind: form.begins for form in said.FORMS if form.comes_from == (tplink.LEGACY_PORT,)
    }
    assert begins == {Kind.KASA: (tplink.xor(b'{"'),)}
    (beginning,) = {form.begins for form in said.FORMS if form.comes_from == tuya.PORTS}
    assert beginning == tuya.HEADS


def test_a_community_never_leaves_the_reader():
    told = said.read(next(datagrams(161, sample.SNMP_V2)))
    assert told.payload == b"1.3.6.1.2.1.1.1.0 = AXIS cam\n1.3.6.1.2.1.1.5.0 = cam1"
    assert snmp.parse(told.payload).fields()["sysdescr"] == ("AXIS cam",)
    assert said.read(next(datagrams(161, sample.SNMP_V3))).kind is Kind.SNMP
    # With a user, or proof of a password, the answer of version 3 is left alone.
    named = sample.SNMP_V3.replace(ber.encode(ber.OCTETS, b"") * 3, ber.encode(ber.OCTETS, b"u") + ber.encode(ber.OCTETS, b"m" * 12) + ber.encode(ber.OCTETS, b""))  # fmt: skip
    assert said.read(next(datagrams(161, named))) is None


def test_what_a_device_repeats_is_one_fact():
    namer = Namer(KNOWLEDGE.services)
    for n in range(80):
        text = sample.SADP.replace(b"0B7E", b"%04X" % n)
        namer.feed(wire.datagram(text, src=wire.CAMERA, sport=37020, dst="239.255.255.250", dport=37020, at=n))  # fmt: skip
        text = sample.WSD.replace(b"<a:Action>", b"<a:MessageID>urn:uuid:%d</a:MessageID><a:Action>" % n)  # fmt: skip
        namer.feed(wire.datagram(text, src=wire.CAMERA, sport=3702, dst=ASKING, dport=40000, at=n))
    assert [fact.kind for fact in namer.facts()] == ["sadp", "wsd"]
    assert namer.not_examined() == ()


def test_a_flood_of_one_kind_leaves_room_for_the_others():
    namer = Namer(KNOWLEDGE.services)
    for n in range(500):
        text = b"NOTIFY * HTTP/1.1\r\nNT: x\r\nUSN: uuid:%d\r\nSERVER: a\r\n\r\n" % n
        namer.feed(wire.datagram(text, sport=1900, dst="239.255.255.250", dport=1900))
    namer.feed(wire.datagram(sample.SADP, sport=37020, dst="239.255.255.250", dport=37020))
    facts = namer.facts()
    assert [x.kind for x in facts].count("sadp") == 1
    assert len(facts) < 64
    assert dict(namer.not_examined())["answers of devices beyond the limit"] > 400


@given(st.sampled_from([form for form in said.FORMS if form.ports]), st.binary(max_size=300))
def test_any_bytes_are_read_or_left(form, tail):
    for port in form.ports:
        for packet in datagrams(port, bytes(form.at) + form.begins[0] + tail):
            told = said.read(packet)
            assert told is None or msgspec.json.encode(told.kind.value)
