"""Heads, greetings and descriptions over TCP: split anywhere, and never a picture, a login or an open door not there."""

from __future__ import annotations

import random
import struct

import decode_samples as sample
import pytest
import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode.registry import decode
from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.observation import Kind, Observation
from camscan.observe.traffic.facts import Facts
from camscan.observe.traffic.namer import Namer

KNOWLEDGE = load()
VIEWER = "10.20.0.50"
DEVICE = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    b'<tds:GetDeviceInformationResponse xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
    b"<tds:Manufacturer>AXIS</tds:Manufacturer><tds:Model>P1455-LE</tds:Model>"
    b"<tds:FirmwareVersion>11.10.61</tds:FirmwareVersion><tds:SerialNumber>ACCC8E001122</tds:SerialNumber>"
    b"<tds:HardwareId>7F3</tds:HardwareId></tds:GetDeviceInformationResponse></s:Body></s:Envelope>"
)


def http(body, kind=b"application/soap+xml; charset=utf-8", more=b""):
    return b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (kind, len(body), more, body)  # fmt: skip


def sent(data, *, port=80, size=1400, at=1.0):
    """A device's stream towards the viewer."""
    return list(wire.segments(data, src=wire.CAMERA, sport=port, dst=VIEWER, dport=51000, size=size, at=at))  # fmt: skip


def asked(data, *, port=80):
    return list(wire.segments(data, src=VIEWER, sport=51000, dst=wire.CAMERA, dport=port))


def facts_of(*packets):
    namer = Namer(KNOWLEDGE.services)
    for packet in packets:
        namer.feed(packet)
    return namer.facts()


def observed(facts):
    return [
        Observation(id=f"t:{n}", device_id=x.client, kind=Kind(x.kind), response=x.payload, port=x.port, transport=x.transport, address=x.client, mac=x.client_mac, request=x.request, flags=x.flags)
        for n, x in enumerate(facts)
    ]  # fmt: skip


@pytest.mark.parametrize("size", [8, 60, 500, 1400])
def test_a_description_is_put_together_from_any_segments(size):
    (fact,) = facts_of(*sent(http(DEVICE), size=size))
    assert fact.kind == "onvif"
    fields = decode(observed([fact])[0])
    assert (fields["manufacturer"], fields["model"]) == (("AXIS",), ("P1455-LE",))


def test_segments_may_come_late_and_twice():
    first, *rest = sent(http(DEVICE), size=50)
    late = rest + rest[:3]
    random.Random(3).shuffle(late)
    assert [x.kind for x in facts_of(first, *late)] == ["onvif"]


def test_a_chunked_description_ends_where_the_document_ends():
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DEVICE), DEVICE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nTransfer-Encoding: chunked\r\n\r\n" + body  # fmt: skip
    (fact,) = facts_of(*sent(answer, size=100))
    assert decode(observed([fact])[0])["model"] == ("P1455-LE",)


def test_a_device_is_named_by_what_it_told_another():
    facts = facts_of(*sent(http(DEVICE)))
    (device,) = identify(observed(facts), KNOWLEDGE)
    claims = {c.attribute.value: c.value for c in device.claims}
    assert (claims["model"], claims["firmware"]) == ("P1455-LE", "11.10.61")
    assert "service.no_login" not in claims


DESCRIBE = (
    b"DESCRIBE rtsp://10.20.0.9/user=admin_password=hunter2_channel=1 RTSP/1.0\r\nCSeq: 2\r\n%s\r\n"
)
SDP = sample.RTSP.partition(b"\r\n\r\n")[2]
DESCRIBED = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nServer: H264DVR 1.0\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (len(SDP), SDP)  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "open_"),
    [
        (None, False),  # what was asked was not seen
        (DESCRIBE % b"Authorization: Digest username=admin\r\n", False),
        (DESCRIBE % b"", True),
    ],
)
def test_a_stream_is_called_open_only_where_nobody_logged_in(request_, open_):
    packets = asked(request_, port=554) if request_ else []
    facts = facts_of(*packets, *sent(DESCRIBED, port=554, size=90))
    (fact,) = facts
    assert (fact.kind, "auth" in fact.flags) == ("rtsp", not open_)
    assert b"hunter2" not in repr(facts).encode()
    (device,) = identify(observed(facts), KNOWLEDGE)
    said = [c.value for c in device.claims if "login" in c.attribute.value]
    assert said == (["rtsp:554"] if open_ else [])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 40\r\n\r\n\xff\xd8\xff\xe0PICTURE" + bytes(29),
        http(b"<s:Envelope><s:Body><GetUsersResponse><User>PICTURE</User></GetUsersResponse></s:Body></s:Envelope>"),
        http(b"<Events><a>PICTURE</a></Events>", b"text/xml"),
        http(b"PICTURE" * 9, b"text/html"),
        http(DEVICE.replace(b"AXIS", b"PICTURE"), more=b"Content-Encoding: gzip\r\n"),
        http(DEVICE.replace(b"AXIS", b"PICTURE")).replace(b"200 OK", b"401 No"),
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n--b\r\n\r\nPICTURE",
        b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nContent-Length: 7\r\n\r\nPICTURE",
    ],
)  # fmt: skip
def test_of_every_other_answer_the_head_alone_is_kept(answer):
    facts = facts_of(*sent(answer, size=70))
    assert [x.kind for x in facts] in (["http"], ["rtsp"])
    assert facts[0].payload.endswith(b"\r\n\r\n")
    assert b"PICTURE" not in facts[0].payload


def test_secrets_are_cut_before_a_text_is_held():
    body = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=crypto:1 AES_CM_128 inline:TopSecretKey\r\nm=video 0 RTP/SAVP 96\r\n"  # fmt: skip
    head = b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    assert b"TopSecret" not in repr(facts_of(*sent(head + body, port=554))).encode()
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=TopSecret\r\n\r\n"
    assert b"TopSecret" not in repr(facts_of(*sent(cookie))).encode()


def dvrip(number, body):
    return struct.pack("<BBHIIHHI", 255, 1, 0, 5, 0, 0, number, len(body)) + body


@pytest.mark.parametrize(
    ("port", "data", "kind"),
    [
        (34567, dvrip(1001, b'{ "ChannelNum" : 4, "DeviceType " : "HVR", "Ret" : 100, "SessionID" : "0x0000000A" }\n\0'), "dvrip"),
        (34567, dvrip(1000, b'{ "EncryptType" : "MD5", "PassWord" : "aaaa", "Ret" : 1, "UserName" : "admin" }\n\0'), ""),
        (34567, dvrip(1412, b"\x00\x00\x01\xfc" + bytes(60)), ""),
        (37777, b"\xb0\x00\x00\x58" + bytes(28) + b"Realm:Login to 4D0012345678\r\nRandom:123456\r\n\r\n", "dvrip"),
        (37777, b"\xb0\x00\x00\x58" + bytes(28), ""),
        (21, b"220 AXIS M1 Network Camera 5.5 ready.\r\n", "ftp"),
        (21, b"230 User logged in\r\n", ""),
        (22, b"SSH-2.0-dropbear_2019.78\r\n", "ssh"),
    ],
)  # fmt: skip
def test_greetings_and_private_answers(port, data, kind):
    facts = facts_of(*sent(data, port=port))
    assert [x.kind for x in facts] == ([kind] if kind else [])
    assert b"0x0000000A" not in repr(facts).encode()
    assert b"123456\\r" not in repr(facts).encode()


def test_a_client_is_no_server():
    assert facts_of(*asked(b"SSH-2.0-OpenSSH_9.2\r\n", port=22)) == ()
    far = wire.segments(http(DEVICE), src="203.0.113.7", sport=80, dst=wire.CAMERA, dport=5000)
    assert facts_of(*far) == ()


def test_a_head_that_never_ends_is_let_go():
    facts = Facts(lambda _: True)
    for packet in sent(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000):
        facts.segment(packet)
    assert facts.wanted == frozenset()
    starts = [sent(b"HTTP/1.1 200 OK\r\n")[0]._replace(sport=n) for n in range(1000, 2000)]
    assert all(facts.segment(packet) for packet in starts)
    assert len(facts.wanted) == 256


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 300), st.booleans()), max_size=12))
def test_any_stream_is_read_or_left(parts):
    facts = Facts(lambda _: True)
    for tail, seq, fin in parts:
        packet = sent(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n")[0]
        facts.segment(packet._replace(payload=tail if seq else packet.payload, seq=seq, fin=fin))
    assert len(facts.wanted) <= 1
    assert all(len(x.payload) <= 32_768 for x in facts.done())
