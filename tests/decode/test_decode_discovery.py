"""Are the answers of the search protocols read as documented (facts: discovery 2 to 8)?"""

from __future__ import annotations

import struct

import pytest
from decode_samples import (
    DAHUA5050,
    DHIP,
    KASA,
    MDNS,
    REOLINK_UDP,
    SADP,
    SSDP,
    TPLINK,
    WSD,
    XIONGMAI,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import (
    bosch,
    dahua5050,
    dhip,
    dvrip,
    foscam,
    hanwha,
    json_text,
    mdns,
    miio,
    panasonic,
    pppp,
    reolink,
    sadp,
    sony,
    ssdp,
    tplink,
    ubiquiti,
    vendor_disc,
    vivotek,
    vstarcam,
    wsd,
    xml,
)
from camscan.errors import DecodeError


def test_sadp():
    fields = sadp.parse(SADP).fields()
    assert fields["root"] == ("ProbeMatch",)
    assert fields["device-description"] == ("DS-2CD1",)
    assert fields["mac"] == ("aa:bb:cc:00:11:22",)
    assert fields["build-date"] == ("2024-02-01",)
    assert fields["activated"] == ("true",)
    assert (fields["hc-platform-support"], fields["hc-platform-enable"]) == (("true",), ("false",))


def test_wsd_scopes():
    fields = wsd.parse(WSD).fields()
    assert fields["form"] == ("wsd",)
    assert fields["scope.name"] == ("My Cam",)
    assert fields["scope.location"] == ("city/hangzhou",)
    assert fields["types"] == ("dn:NetworkVideoTransmitter", "tds:Device")
    assert fields["xaddr-host"] == ("192.0.2.7",)
    assert fields["endpoint"] == ("urn:uuid:1",)


def test_uniview_form():
    answer = WSD.replace(b"d:ProbeMatches", b"d:UniviewProbeMatches").replace(
        b"name/My%20Cam", b"manufacturer/UNIVIEW"
    )
    fields = wsd.parse(answer).fields()
    assert fields["form"] == ("uniview",)
    assert fields["scope.manufacturer"] == ("UNIVIEW",)


def test_dhip():
    fields = dhip.parse(DHIP).fields()
    assert fields["form"] == ("dhip",)
    assert fields["method"] == ("client.notifyDevInfo",)
    assert fields["ipv4-address"] == ("192.0.2.9",)
    assert fields["build-date"] == ("2022-06-14",)
    assert fields["device-class"] == ("IPC",)


def test_dhip_with_an_unterminated_string():
    broken = b'{"method":"client.notifyDevInfo","params":{"deviceInfo":{"Version":"2.420,"VideoInputChannels":4,"Vendor":"General'
    fields = dhip.parse(broken).fields()
    assert fields["version"] == ("2.420",)
    assert fields["video-inputs"] == ("4",)
    assert fields["vendor"] == ("General",)


def test_dahua5050_shows_the_dns_server():
    fields = dahua5050.parse(DAHUA5050).fields()
    assert fields["ipv4-address"] == ("192.0.2.9",)
    assert fields["dns"] == ("192.0.2.53",)
    assert fields["mac"] == ("aa:bb:cc:00:11:22",)
    assert fields["serial"] == ("4D0",)
    assert fields["machine-name"] == ("cam",)


def test_xiongmai():
    fields = dvrip.parse(XIONGMAI).fields()
    assert fields["form"] == ("xm",)
    assert fields["message-id"] == ("1531",)
    assert fields["host-ip"] == ("192.0.2.10",)
    assert fields["tcp-port"] == ("34567",)
    assert fields["build-date"] == ("2019-03-04",)


def test_dahua_realm_and_other_greetings():
    fields = dvrip.parse(b"Realm:Login to 4D0012\r\nRandom:1").fields()
    assert (fields["form"], fields["realm"]) == (("realm",), ("Login to 4D0012",))
    assert dvrip.parse(b"\xb0\x00\x00\x58").fields()["greeting"] == ("b0000058",)


def test_tplink():
    fields = tplink.parse(TPLINK).fields()
    assert fields["form"] == ("tdp",)
    assert fields["device-type"] == ("SMART.IPCAMERA",)
    assert fields["owner-set"] == ("true",)
    assert fields["mac"] == ("aa:bb:cc:00:11:22",)
    assert not any("1A2B" in value for values in fields.values() for value in values)
    assert tplink.parse(KASA).fields()["model"] == ("HS110(EU)",)
    assert tplink.parse(b"\x00\x00\x00\x20" + KASA).form == "kasa"


def test_ssdp():
    fields = ssdp.parse(SSDP).fields()
    assert fields["method"] == ("RESPONSE",)
    assert fields["uuid"] == ("ab-1",)
    assert (fields["location-host"], fields["location-path"]) == (("192.0.2.4",), ("/IPCDesc.xml",))
    assert ssdp.parse(b"NOTIFY * HTTP/1.1\r\nNT: x\r\n\r\n").method == "NOTIFY"


def test_mdns():
    fields = mdns.parse(MDNS).fields()
    assert fields["service"] == ("_axis-video._tcp",)
    assert fields["instance"] == ("AXIS M1065",)
    assert fields["txt"] == ("macaddress=ACCC8E001122",)
    assert mdns.parse(b"TXT model=N71AP").fields() == {"txt": ("model=N71AP",)}


@pytest.mark.parametrize("group", [1, 0x8001])
def test_records_of_mdns_that_flush_caches_are_read_like_others(group):
    host = b"\x07axis-42\x05local\0"
    records = b"".join(
        name + struct.pack(">HHIH", kind, group, 120, len(data)) + data
        for name, kind, data in (
            (host, 1, bytes((10, 20, 0, 9))),
            (b"\x02M1\x0b_axis-video\x04_tcp\xc0\x14", 33, struct.pack(">HHH", 0, 0, 80) + host),
        )
    )
    fields = mdns.parse(struct.pack(">HHHHHH", 0, 0x8400, 0, 2, 0, 0) + records).fields()
    assert (fields["address"], fields["port"]) == (("10.20.0.9",), ("80",))
    assert (fields["host"], fields["instance"]) == (("axis-42.local",), ("M1",))


def test_hanwha():
    data = bytearray(262)
    data[0] = 0x0B
    data[0x13:0x24] = b"00:09:18:aa:bb:cc"
    data[0x25:0x2E] = b"192.0.2.5"
    data[0x6D:0x75] = b"XNV-6080"
    fields = vendor_disc.parse(bytes(data), 7711).fields()
    assert fields["protocol"] == ("hanwha",)
    assert (fields["model"], fields["mac"], fields["ipv4-address"]) == (
        ("XNV-6080",),
        ("00:09:18:aa:bb:cc",),
        ("192.0.2.5",),
    )
    with pytest.raises(DecodeError):
        hanwha.parse(bytes(262))


def test_bosch_short_and_long():
    short = bytes.fromhex(
        "9939a427000000010007 5faabbcc 0000 c0000205 ffffff00 c0000201 00000000".replace(" ", "")
    )
    assert len(short) == 32
    fields = bosch.parse(short).fields()
    assert (fields["mac"], fields["ipv4-address"]) == (("00:07:5f:aa:bb:cc",), ("192.0.2.5",))
    long = b"<root><device><friendlyName>FLEXIDOME</friendlyName><physAddress>00-07-5F-AA-BB-CC</physAddress><RCPPort>1756</RCPPort></device></root>"
    fields = vendor_disc.parse(long).fields()
    assert (fields["model"], fields["mac"], fields["port"]) == (
        ("FLEXIDOME",),
        ("00:07:5f:aa:bb:cc",),
        ("1756",),
    )


def test_vivotek():
    data = b"\x07\x4a\x5d\x8f\x1c\x04\x01\x01\x06FD8169\x02\x06\x00\x02\xd1\xaa\xbb\xcc\x03\x04\xc0\x00\x02\x06\x09\x06FD8169"
    fields = vivotek.parse(data).fields()
    assert fields["model"] == ("FD8169",)
    assert (fields["mac"], fields["ipv4-address"]) == (("00:02:d1:aa:bb:cc",), ("192.0.2.6",))


def test_panasonic_shows_dns():
    def part(kind: int, value: bytes) -> bytes:
        return struct.pack(">HH", kind, len(value)) + value

    data = (
        bytes.fromhex("0001 0100 000e".replace(" ", ""))
        + bytes.fromhex("080023aabbcc")
        + bytes(53 - 12)
        + part(0x20, bytes((192, 0, 2, 7)))
        + part(0x23, bytes((192, 0, 2, 53, 0, 0, 0, 0)))
        + part(0x25, b"\x00\x50")
        + part(0xA7, b"WV-S1131".ljust(16, b"\x00"))
        + part(0xA9, b"4.25")
    )
    fields = panasonic.parse(data).fields()
    assert fields["model"] == ("WV-S1131",)
    assert fields["dns"] == ("192.0.2.53",)
    assert (fields["port"], fields["firmware"], fields["mac"]) == (
        ("80",),
        ("4.25",),
        ("08:00:23:aa:bb:cc",),
    )


def test_sony():
    fields = sony.parse(
        b"\x02MODEL:SNC-VB600\xffSOFTVERSION:2.7\xffDNS1:192.0.2.53\xffWEBPORT:80\xff\x03"
    ).fields()
    assert (fields["model"], fields["firmware"], fields["dns"]) == (
        ("SNC-VB600",),
        ("2.7",),
        ("192.0.2.53",),
    )


def test_ubiquiti():
    body = (
        b"\x02\x00\x0a"
        + bytes.fromhex("24a43caabbcc")
        + bytes((192, 0, 2, 8))
        + b"\x0b\x00\x03cam\x15\x00\x05UVCG3"
    )
    fields = ubiquiti.parse(b"\x02\x06" + struct.pack(">H", len(body)) + body).fields()
    assert (fields["model"], fields["name"]) == (("UVCG3",), ("cam",))
    assert (fields["mac"], fields["ipv4-address"]) == (("24:a4:3c:aa:bb:cc",), ("192.0.2.8",))
    with pytest.raises(DecodeError):
        ubiquiti.parse(b"\x02\x08\x00\x00\x00\x00\x00\x00")  # our own search, not an answer


@pytest.mark.parametrize("key", [b"", b"ABCDEFGH"])
def test_foscam_plain_and_coded(key):
    body = (
        b"00626EAABBCC\x00"
        + b"Garden".ljust(21, b"\x00")
        + bytes((192, 0, 2, 9, 255, 255, 255, 0, 192, 0, 2, 1, 192, 0, 2, 53))
        + bytes(4)
        + bytes((1, 11, 1, 18))
        + bytes((2, 0, 1, 3))
        + b"\x00\x58"
    )
    if key:
        body = bytes(byte ^ key[index % 8] for index, byte in enumerate(body))
    data = b"MO_I\x01\x00" + (b"\x01" if key else b"\x00") + key.ljust(8, b"\x00") + bytes(8) + body
    fields = foscam.parse(data).fields()
    assert (fields["serial"], fields["mac"]) == (("00626EAABBCC",), ("00:62:6e:aa:bb:cc",))
    assert (fields["name"], fields["firmware"], fields["port"]) == (
        ("Garden",),
        ("1.11.1.18",),
        ("88",),
    )
    assert (fields["ipv4-address"], fields["dns"]) == (("192.0.2.9",), ("192.0.2.53",))


def test_vstarcam_shows_dns():
    data = bytearray(0xEC)
    data[:4] = bytes.fromhex("44480108")
    for offset, text in (
        (0x04, b"192.0.2.9"),
        (0x34, b"192.0.2.53"),
        (0x5C, b"VSTC123456ABCDE"),
        (0x7C, b"cam"),
        (0xCC, b"48.2"),
    ):
        data[offset : offset + len(text)] = text
    data[0x5A:0x5C] = b"\x91\x1f"
    fields = vstarcam.parse(bytes(data)).fields()
    assert (fields["uid"], fields["firmware"], fields["dns"]) == (
        ("VSTC123456ABCDE",),
        ("48.2",),
        ("192.0.2.53",),
    )
    assert fields["port"] == ("8081",)


def test_reolink():
    fields = reolink.parse(REOLINK_UDP).fields()
    assert fields["uid"] == ("95270000AAAABBBB",)
    assert "checksum=right" in fields["field"]
    binary = b"\xaa\xaa\x01\x00" + b"Door\x00\x00192.0.2.11\x00\x28\x23\x00\x0095270000AAAABBBB\x00"
    fields = reolink.parse(binary).fields()
    assert (fields["name"], fields["ipv4-address"], fields["uid"]) == (
        ("Door",),
        ("192.0.2.11",),
        ("95270000AAAABBBB",),
    )
    with pytest.raises(DecodeError):
        reolink.parse(b"\xaa\xaa\x00\x00")


def test_pppp_and_miio():
    packet = (
        b"\xf1\x41\x00\x14VSTC\x00\x00\x00\x00" + struct.pack(">I", 1234) + b"ABCDE\x00\x00\x00"
    )
    assert pppp.parse(packet).fields() == {
        "message": ("PunchPkt",),
        "id": ("VSTC-001234-ABCDE",),
        "id-prefix": ("VSTC",),
        "obfuscated": ("false",),
    }
    assert pppp.parse(b"\x2c\xba\x5f\x5d").obfuscated
    hello = bytes.fromhex("21310020000000000102030400000abc") + b"\xff" * 16
    assert miio.parse(hello).fields() == {"device-id": ("01020304",), "stamp": ("2748",)}


def test_unknown_search_answers_are_refused():
    for data in (b"MADA\x00\x00", b"name\n00-11", b"<a><b>c</b></a>"):
        with pytest.raises(DecodeError):
            vendor_disc.parse(data)


def test_xml_limits_and_document_types():
    with pytest.raises(DecodeError, match="deeper"):
        xml.parse(b"<a>" * 100 + b"</a>" * 100)
    with pytest.raises(DecodeError, match="elements"):
        xml.parse(b"<a>" + b"<b/>" * 20_001 + b"</a>")
    for data in (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b"<a><!ENTITY x></a"):
        with pytest.raises(DecodeError, match="document type"):
            xml.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a><b>one</b><c>two</c>",
        b'<?xml version="1.0" encoding="utf-16"?><a><b>one</b><c>two</c></a>\x00\x00',
        b"<a><b>one</b><c>two</x></c></a>",
        b'<a t="1 < 2"><b>one</b><c>two</c></a>',
        b"junk<n:a xmlns:n='u'><n:b>one</n:b><n:c>two</n:c></n:a>tail",
    ],
)
def test_malformed_xml_still_gives_its_leaves(data):
    document = xml.parse(data)
    assert (document.first("b"), document.first("c")) == ("one", "two")
    assert document.root == "a"


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.text(max_size=8) | st.integers(),
        lambda inner: st.dictionaries(
            st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3
        ),
        max_leaves=8,
    )
)
def test_json_leaves_equal_those_of_the_standard_reader(value):
    import json

    def leaves(item: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
        if isinstance(item, dict):
            return [leaf for key, inner in item.items() for leaf in leaves(inner, (*path, key))]
        return [(path, str(item))]

    expected = leaves({"root": value})
    parsed = json_text.parse(json.dumps({"root": value}).encode())
    assert [(leaf.path, leaf.text) for leaf in parsed.leaves] == expected
