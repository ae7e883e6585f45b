"""Are certificates, TLS, SNMP, banners and the scan's own observations read?"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from decode_samples import ARP, ENGINE, ONVIF, RTSP, SNMP_V2, SNMP_V3, UPNP
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import (
    ber,
    certificate,
    dhcp,
    favicon,
    ftp,
    neighbour,
    onvif,
    ports,
    rtsp,
    snmp,
    ssh,
    telnet,
    tls,
)
from camscan.decode.registry import decode
from camscan.errors import DecodeError
from camscan.model.observation import Kind, Observation


@pytest.fixture(scope="module")
def der() -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Maker, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "axis-accc8e001122"),
        ]
    )
    built = (
        x509.CertificateBuilder(
            subject_name=name, issuer_name=name, public_key=key.public_key(), serial_number=255
        )
        .not_valid_before(dt.datetime(2020, 1, 2, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2040, 1, 2, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cam.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.DER)


def test_certificate_in_all_forms(der):
    pem = (
        b"subject=CN=other\n-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(der)
        + b"-----END CERTIFICATE-----"
    )
    fields = certificate.parse(der).fields()
    assert certificate.parse(pem).fields() == fields
    assert fields["subject"] == ("CN=axis-accc8e001122,O=Maker\\, Inc.,C=SE",)
    assert fields["subject.o"] == ("Maker, Inc.",)
    assert fields["self-signed"] == ("true",)
    assert (fields["key-type"], fields["key-bits"]) == (("EC secp256r1",), ("256",))
    assert fields["signature-algorithm"] == ("ecdsa-with-SHA256",)
    assert fields["san"] == ("cam.local",)
    assert fields["serial"] == ("ff",)
    assert fields["not-before"] == ("2020-01-02T00:00:00+00:00",)
    assert fields["sha256"] == (hashlib.sha256(der).hexdigest(),)


def test_certificate_text_forms():
    own = certificate.parse(b"subject=CN=a,O=B\\, Inc.,C=TW\nissuer=CN=root").fields()
    assert own["subject.o"] == ("B, Inc.",)
    assert own["issuer.cn"] == ("root",)
    assert own["self-signed"] == ("false",)
    assert certificate.parse_name("C = US, O = B, Inc., CN = x") == (
        ("C", "US"),
        ("O", "B, Inc."),
        ("CN", "x"),
    )
    assert certificate.parse_name("/C=US/O=B/CN=x") == (("C", "US"), ("O", "B"), ("CN", "x"))


def test_odd_certificates_give_what_can_be_read(der):
    # Version 9 does not exist: refused as a whole by strict readers.
    odd = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"), 1)
    assert odd != der
    fields = certificate.parse(odd).fields()
    assert fields["subject.cn"] == ("axis-accc8e001122",)
    assert certificate.parse(b"\x30\x03abc").fields() == {
        "sha256": (hashlib.sha256(b"\x30\x03abc").hexdigest(),)
    }


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_certificates_never_raise(der, data):
    damaged = bytearray(der)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(4, len(der) - 1))] = data.draw(st.integers(0, 255))
    assert certificate.parse_der(bytes(damaged)).fields()["sha256"]


def _records(kind: int, body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(struct.pack(">BHH", kind, 0x0301, len(part)) + part for part in parts)


def test_tls_certificate_in_clear(der):
    hello = struct.pack(">H", 0x0301) + bytes(32) + b"\x00" + b"\x00\x2f" + b"\x00"
    chain = len(der).to_bytes(3, "big") + der
    body = len(chain).to_bytes(3, "big") + chain
    flight = (
        b"\x02"
        + len(hello).to_bytes(3, "big")
        + hello
        + b"\x0b"
        + len(body).to_bytes(3, "big")
        + body
    )
    found = tls.parse_records(_records(22, flight, 100))  # messages run over record borders
    assert (found.version, found.cipher, found.certificates) == ("TLSv1", "AES128-SHA", (der,))
    assert tls.parse(found.text().encode()).fields() == found.fields()
    assert tls.parse_records(b"\x15\x03\x01\x00\x02\x02\x46").alert == "protocol-version"


def test_client_hello_is_well_formed():
    hello = tls.client_hello(bytes(range(32)))
    kind, record, length = struct.unpack_from(">BHH", hello)
    assert (kind, record, length) == (22, 0x0300, len(hello) - 5)
    assert hello[5] == 1
    assert int.from_bytes(hello[6:9], "big") == len(hello) - 9
    assert hello[9:11] == b"\x03\x03"
    assert hello[11:43] == bytes(range(32))
    suites = int.from_bytes(hello[44:46], "big")
    assert suites == 2 * len(tls.CIPHERS)
    position = 46 + suites + 2
    assert int.from_bytes(hello[position : position + 2], "big") == len(hello) - position - 2
    assert len(tls.client_hello(bytes(32), 0x0300)) == 9 + 2 + 32 + 1 + 2 + suites + 2
    with pytest.raises(ValueError, match="32 bytes"):
        tls.client_hello(b"")


@pytest.mark.parametrize(
    "text", ["Aquila AQ-77 Network Camera", " Aquila AQ-77\r\nNetwork\tCamera\n"]
)
def test_a_description_alone_is_the_description(text):
    assert snmp.parse(text.encode()).fields() == {"sysdescr": ("Aquila AQ-77 Network Camera",), "varbind": ("sysDescr.0=Aquila AQ-77 Network Camera",)}  # fmt: skip
    with pytest.raises(DecodeError):
        snmp.parse(text.encode() + b"\x01")


def test_snmp_values():
    fields = snmp.parse(SNMP_V2).fields()
    assert (fields["sysdescr"], fields["sysname"]) == (("AXIS cam",), ("cam1",))
    text = snmp.parse(
        b"sysDescr.0 = Line one\r\nline two\nsysObjectID.0 = .1.3.6.1.4.1.368.1.1"
    ).fields()
    assert text["sysdescr"] == ("Line one line two",)
    assert (text["sysobjectid"], text["enterprise"]) == (("1.3.6.1.4.1.368.1.1",), ("368",))


def test_snmp_engine_id():
    fields = snmp.parse(SNMP_V3).fields()
    assert fields["engine-id"] == (ENGINE.hex(),)
    assert fields["engine-enterprise"] == ("352",)
    assert (fields["engine-format"], fields["engine-mac"]) == (("mac",), ("ac:cc:8e:00:11:22",))
    assert snmp.engine_id(bytes.fromhex("80001f8804") + b"cam").text == "cam"


def test_engine_discovery_request_asks_for_nothing():
    (message,) = ber.items(snmp.discovery_request(0x12345678))
    version, header, security, scoped = ber.items(message.value)
    assert version.value == b"\x03"
    parts = ber.items(header.value)
    assert parts[0].value == bytes.fromhex("12345678")
    assert parts[2].value == b"\x04"  # reportable, neither authentication nor privacy
    assert parts[3].value == b"\x03"
    (usm,) = ber.items(security.value)
    assert [item.value for item in ber.items(usm.value)] == [b"", b"\x00", b"\x00", b"", b"", b""]
    pdu = ber.items(scoped.value)[2]
    assert pdu.tag == 0xA0
    assert ber.items(pdu.value)[3].value == b""


def test_rtsp():
    fields = rtsp.parse(RTSP, "DESCRIBE rtsp://192.0.2.1/").fields()
    assert fields["method"] == ("DESCRIBE",)
    assert (fields["sdp.session"], fields["sdp.tool"], fields["sdp.info"]) == (
        ("Session",),
        ("LIVE555",),
        ("main",),
    )
    assert fields["sdp.attribute"] == ("tool:LIVE555", "control:track1")
    assert rtsp.parse(b"HTTP/1.1 405 No\r\n\r\n").version == "HTTP/1.1"


def test_onvif_clock_and_fault():
    fields = onvif.parse(ONVIF).fields()
    assert fields["action"] == ("GetSystemDateAndTimeResponse",)
    assert fields["utc-time"] == ("2026-05-01T08:09:10Z",)
    fault = b"<E><Body><Fault><Code><Value>Sender</Value></Code><Reason><Text>no</Text></Reason></Fault></Body></E>"
    assert onvif.parse(fault).fields()["fault"] == ("Sender", "no")


def test_upnp_over_http():
    fields = decode(Observation(id="t:1", device_id="d", kind=Kind.UPNP_XML, response=UPNP))
    assert (fields["friendly-name"], fields["model-name"], fields["status"]) == (
        ("Cam",),
        ("M1",),
        ("200",),
    )


@pytest.mark.parametrize(
    ("data", "seed", "value"),
    # Published vectors of MurmurHash3 x86 32.
    [
        (b"", 0, 0),
        (b"", 1, 0x514E28B7),
        (b"test", 0, 0xBA6BD213),
        (b"Hello, world!", 0, 0xC0363E43),
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"\x21\x43\x65", 0, 0x7E4A8634),
    ],
)
def test_murmur3(data, seed, value):
    assert favicon.murmur3_32(data, seed) == value


def test_favicon_text_is_read_back():
    fields = favicon.parse(favicon.describe(b"x" * 100).encode()).fields()
    assert fields["md5"] == (hashlib.md5(b"x" * 100).hexdigest(),)
    assert fields["mmh3"] == (str(favicon.shodan_hash(b"x" * 100)),)
    assert fields["size"] == ("100",)
    assert (
        favicon.murmur3_32(base64.encodebytes(b"x" * 100))
        == favicon.shodan_hash(b"x" * 100) & 0xFFFFFFFF
    )
    with pytest.raises(DecodeError):
        favicon.parse(b"size:5")


def test_telnet_commands_are_not_text():
    fields = telnet.parse(
        b"\xff\xfd\x01\xff\xfa\x18\x01\xff\xf0\xff\xfb\x03\r\nhost \xff\xff\r\n192.0.0.64 login: "
    ).fields()
    assert fields["options"] == ("DO echo,WILL suppress-go-ahead",)
    assert fields["login"] == ("192.0.0.64 login:",)
    assert fields["banner"] == ("host \xff 192.0.0.64 login:",)


def test_ssh_and_ftp():
    assert ssh.parse(b"hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").fields()["comment"] == (
        "Debian-2",
    )
    fields = ftp.parse(b"220-Hi\r\n220 AXIS M1 ready.\r\n").fields()
    assert (fields["code"], fields["banner"]) == (("220",), ("Hi AXIS M1 ready.",))


def test_dhcp_options():
    options = (
        b"\x63\x82\x53\x63"
        b"\x0c\x03cam"
        b"\x3c\x04AXIS"
        b"\x37\x02\x01\x03"
        b"\x3d\x07\x01\xac\xcc\x8e\x00\x11\x22\xff"
    )
    fields = dhcp.parse(bytes(236) + options).fields()
    assert (fields["hostname"], fields["vendor-class"]) == (("cam",), ("AXIS",))
    assert (fields["parameter-list"], fields["client-id"]) == (("1,3",), ("ac:cc:8e:00:11:22",))


def test_an_option_of_dhcp_that_the_capture_cut_is_not_read():
    whole = b"\x63\x82\x53\x63\x3c\x04AXIS\x0c\x09camera-42"
    fields = dhcp.parse(bytes(236) + whole[:-1]).fields()
    assert (fields.get("hostname"), fields["vendor-class"]) == (None, ("AXIS",))


def test_neighbours_and_ports():
    assert neighbour.parse(ARP).fields() == {
        "mac": ("ac:cc:8e:00:11:22",),
        "oui": ("ac:cc:8e",),
        "local": ("false",),
    }
    assert neighbour.parse(b"mac=02-BB-CC-00-11-22").fields()["local"] == ("true",)
    fields = ports.parse(b'{"open":[554,80,80],"closed":[23],"silent":[8000]}').fields()
    assert (fields["open"], fields["open-count"], fields["probed-count"]) == (
        ("80", "554"),
        ("2",),
        ("4",),
    )
    for bad in (b'{"open":["80"]}', b'{"open":[0]}', b"[]"):
        with pytest.raises(DecodeError):
            ports.parse(bad)
