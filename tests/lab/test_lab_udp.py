"""Are the search answers laid out as the protocols say? Read back by hand."""

from __future__ import annotations

import json
import struct
import zlib

import dns.message
import pytest

from lab.persona import Persona, Record, Truth, Udp
from lab.udp_answers import answers
from lab.unit import Unit

MAC = "c0:56:e3:01:02:03"
RAW_MAC = bytes.fromhex(MAC.replace(":", ""))


def unit():
    persona = Persona(
        id="x",
        about="x",
        mac="c0:56:e3",
        truth=Truth(is_camera=True, role="camera", model="M-1", firmware="1.2.3.4"),
    )
    return Unit(3, persona, "10.20.0.9", MAC, "a", gateway="10.20.0.1", serial="SN1", uuid="u-1")


def ask(udp, data):
    made = answers(unit(), udp, data)
    assert len(made) == 1
    return made[0]


def test_dhip():
    body = b'{"method":"DHDiscover.search","params":{"mac":"","uni":0}}\n'
    request = struct.pack("<I4s6I", 32, b"DHIP", 0, 0, len(body), 0, len(body), 0) + body
    assert len(request) == 91
    data = ask(Udp(service="dhip", reply='{"mac":"{mac}"}'), request)
    assert struct.unpack("<I4s6I", data[:32])[:2] == (32, b"DHIP")
    assert struct.unpack("<I", data[16:20])[0] == len(data) - 32
    assert json.loads(data[32:]) == {"mac": MAC}
    assert (
        answers(unit(), Udp(service="dhip", reply="{}"), request.replace(b"search", b"setCon"))
        == []
    )


def test_xm():
    request = bytes.fromhex("ff00000000000000000000000000fa0500000000")
    data = ask(Udp(service="xm", reply='{"HostIP":"{ip-hex-le}"}'), request)
    assert struct.unpack("<H", data[14:16])[0] == 1531
    assert struct.unpack("<I", data[16:20])[0] == len(data) - 20
    assert json.loads(data[20:].rstrip(b"\n\0")) == {"HostIP": "0x0900140A"}
    assert (
        answers(unit(), Udp(service="xm", reply="{}"), request.replace(b"\xfa\x05", b"\xfc\x05"))
        == []
    )


def test_tplink():
    request = bytes.fromhex("020000010000000000000000463cb5d3")
    data = ask(Udp(service="tplink20002", reply='{"result":{"mac":"{MAC-DASHES}"}}'), request)
    crc = struct.unpack(">I", data[12:16])[0]
    assert zlib.crc32(data[:12] + b"\x5a\x6b\x7c\x8d" + data[16:]) == crc
    assert json.loads(data[16:])["result"]["mac"] == "C0-56-E3-01-02-03"


def test_kasa():
    def code(text):
        key, out = 0xAB, b""
        for value in text:
            key ^= value
            out += bytes((key,))
        return out

    data = ask(Udp(service="tplink9999", reply='{"a":1}'), code(b'{"system":{"get_sysinfo":{}}}'))
    assert data == code(b'{"a":1}')


def test_dahua5050():
    request = bytes.fromhex("a3010001") + bytes(12) + b"\x02" + bytes(15)
    fields = {"model": "IPC-X", "name": "n1", "dns": "9.8.7.6"}
    data = ask(Udp(service="dahua5050", fields=fields), request)
    assert data[0] == 0xB3
    assert data[0x28:0x38].rstrip(b"\0") == b"IPC-X"
    assert data[0x38:0x3C] == bytes((9, 0, 20, 10))
    assert data[0x44:0x48] == bytes((6, 7, 8, 9))
    assert data[0x78 : 0x78 + data[2]] == MAC.encode() + b"IPC-X"
    lines = data[0x78 + data[2] :]
    assert len(lines) == struct.unpack("<H", data[0x14:0x16])[0]
    assert b"SerialNo:SN1\r\n" in lines


def test_hanwha_bosch_vivotek_sony():
    data = ask(
        Udp(service="hanwha", fields={"model": "X", "url": "http://{ip}/"}), b"\x01" + bytes(261)
    )
    assert len(data) == 262
    assert data[0] == 0x0B
    assert data[0x13:0x25].rstrip(b"\0") == MAC.upper().encode()
    assert data[0x85:0xAC].rstrip(b"\0") == b"http://10.20.0.9/"
    request = bytes.fromhex("9939a4270a0b0c0dff0006de")
    data = ask(Udp(service="bosch"), request)
    assert (len(data), data[:8], data[8:14]) == (32, request[:8], RAW_MAC)
    assert data[0x10:0x14] == bytes((10, 20, 0, 9))
    data = ask(
        Udp(service="vivotek", fields={"name": "N", "model": "IP1"}), b"\x07\x4a\x5d\x8f\x1c"
    )
    assert (
        data
        == b"\x07\x4a\x5d\x8f\x1c\x01\x01N\x02\x06"
        + RAW_MAC
        + b"\x03\x04\x0a\x14\x00\x09\x09\x03IP1"
    )
    data = ask(
        Udp(service="sony", fields={"MAC": "{MAC}", "MODEL": "S"}), b"\x02ENQ:allinfo\xff\x03"
    )
    assert data == b"\x02MAC:" + MAC.upper().encode() + b"\xffMODEL:S\xff\x03"


def test_panasonic_ubiquiti_vstarcam_foscam():
    request = (bytes.fromhex("00010000000d0000") + bytes(44))[:52]
    data = ask(Udp(service="panasonic", fields={"name": "WV", "dns1": "1.2.3.4"}), request)
    values, at = {}, 52
    while data[at : at + 2] != b"\xff\xff":
        kind, size = struct.unpack_from(">HH", data, at)
        values[kind] = data[at + 4 : at + 4 + size]
        at += 4 + size
    assert values[0x23] == bytes((1, 2, 3, 4, 0, 0, 0, 0))
    assert values[0xA7] == b"WV"
    assert values[0x25] == b"\0\x50"
    data = ask(Udp(service="ubiquiti", fields={"model": "UVC"}), b"\x01\0\0\0")
    assert struct.unpack(">H", data[2:4])[0] == len(data) - 4
    assert b"\x0c\x00\x03UVC" in data
    data = ask(Udp(service="vstarcam", fields={"serial": "VST1"}), b"\x44\x48\x01\x01")
    assert data[:4] == b"\x44\x48\x01\x08"
    assert data[0x54:0x5A] == RAW_MAC
    assert data[0x5C:0x7C].rstrip(b"\0") == b"VST1"
    probe = b"MO_I" + bytes(11) + b"\x04" + bytes(3) + b"\x04" + bytes(6) + b"\x01"
    data = ask(Udp(service="foscam", fields={"serial": "00626E"}), probe)
    assert data[0x17:0x24].rstrip(b"\0") == b"00626E"
    assert data[0x39:0x3D] == bytes((10, 20, 0, 9))
    assert data[0x4D:0x51] == bytes((1, 2, 3, 4))


def test_pppp_and_miio():
    data = ask(
        Udp(service="pppp", fields={"prefix": "ABC", "number": 7, "check": "XYZ"}), b"\xf1\x30\0\0"
    )
    assert data == b"\xf1\x41\x00\x14ABC\0\0\0\0\0" + struct.pack(">I", 10) + b"XYZ\0\0\0\0\0"
    data = ask(Udp(service="miio", fields={"device_id": 100}), b"\x21\x31\x00\x20" + b"\xff" * 28)
    assert (len(data), data[:4]) == (32, b"\x21\x31\x00\x20")
    assert struct.unpack(">I", data[8:12])[0] == 103


def test_searches_for_others_stay_unanswered():
    for service in ("pppp", "miio", "hanwha", "foscam", "vivotek", "ubiquiti", "snmp"):
        udp = Udp(service=service, fields={"model": "x"})
        assert answers(unit(), udp, b"\x00\x01junk") == []
        assert answers(unit(), udp, b"") == []


@pytest.mark.parametrize(
    ("types", "count"),
    [
        ("", 1),
        ("<d:Types>dn:NetworkVideoTransmitter</d:Types>", 1),
        ("<d:Types>x:Printer</d:Types>", 0),
    ],
)
def test_wsd(types, count):
    probe = (
        f"<e:Envelope><w:MessageID>uuid:1-2</w:MessageID><d:Probe>{types}</d:Probe></e:Envelope>"
    )
    made = answers(unit(), Udp(service="wsd", reply="<R>{probe-uuid}</R>"), probe.encode())
    assert made == [b"<R>uuid:1-2</R>"] * count


def test_ssdp():
    udp = Udp(service="ssdp", st=("a:1", "b:2"), reply="HTTP/1.1 200 OK\nST: {st}\n")
    search = "M-SEARCH * HTTP/1.1\r\nST: {}\r\n\r\n"
    assert len(answers(unit(), udp, search.format("ssdp:all").encode())) == 2
    assert answers(unit(), udp, search.format("b:2").encode()) == [
        b"HTTP/1.1 200 OK\r\nST: b:2\r\n\r\n"
    ]
    assert answers(unit(), udp, search.format("c:3").encode()) == []


def test_mdns():
    record = Record(
        type="_axis-video._tcp.local",
        instance="AXIS M - {MAC-PLAIN}",
        port=80,
        host="a.local",
        txt=("macaddress={MAC-PLAIN}",),
    )
    query = dns.message.make_query("_axis-video._tcp.local", "PTR")
    data = ask(Udp(service="mdns", record=(record,)), query.to_wire())
    answer = dns.message.from_wire(data)
    assert "AXIS" in answer.answer[0].to_text()
    assert "macaddress=C056E3010203" in " ".join(r.to_text() for r in answer.additional)
    assert "10.20.0.9" in answer.additional[-1].to_text()


def test_snmp_engine_discovery():
    request = bytes.fromhex(
        "303802010330110204214a7f6a020300ffe3040104020103041030"
        "0e0400020100020100040004000400300e0400"
        "0400a00a020100020100020100"
    ) + bytes(16)
    data = ask(Udp(service="snmp", fields={"engine_id": "8000000903c056e3010203"}), request)
    assert bytes.fromhex("8000000903c056e3010203") in data
    assert bytes.fromhex("060a2b060106030f01010400") in data
    assert data[1] == len(data) - 2
