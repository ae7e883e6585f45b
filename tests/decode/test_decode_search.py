"""Are search messages the documented bytes, and is nothing else ever built (facts: discovery)?"""

from __future__ import annotations

import ast
import json
import struct
import zlib
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import camscan.decode
from camscan.decode import dns, reolink, rtsp, snmp, ssdp, tls, tplink, xml
from camscan.decode.onvif import get_system_date_and_time
from camscan.decode.search import SEARCHES, Asker

ASKER = Asker(token=0x1122334455667788, address="192.0.2.10", answer_port=40000)
MESSAGES = {search.id: search.build(ASKER) for search in SEARCHES}

FORBIDDEN = (
    "update", "activate", "exchangecode", "resetpassword", "setwifiregion", "ehomeenable", "ezvizunbind",
    "restoreinactive", "disklocate", "lamp", "dhdiscover.setconfig", "devinit.account",
    "passwdfind.resetpassword", "security.modifypwdoutsession", "devinit.access", "devinit.leaction",
    "setdeviceaddrreq", "setdefaultpasswdreq", "setdefaultcfgreq", "c2d_c", "c2d_t", "setuser", "reboot",
    "factory", "settime", "setsystem", "upgrade",
)  # fmt: skip
"""Words of messages that change a device, in lower case."""

DOCUMENTED = {
    "dahua5050": ("a3010001" + "00" * 12 + "02" + "00" * 15,),
    "xiongmai": ("ff00000000000000000000000000fa0500000000",),
    "tplink-20002": ("020000010000000000000000463cb5d3",),
    "tplink-20004": ("020000010000000000000000463cb5d3",),
    "hanwha": ("01" + "00" * 261,),
    "bosch": ("9939a427" + "55667788" + "ff0006de",),
    "vivotek": ("88" + "4a5d8f1c",),
    "panasonic": (
        "00010000000d000000000000"
        + "ff" * 6
        + "c000020a"
        + "000120111e11231f1e1913000002"
        + "00" * 12
        + "ffff0000",
    ),
    "sony": ("02" + b"ENQ:allinfo".hex() + "ff03",),
    "ubiquiti": ("01000000", "02080000"),
    "reolink": ("aaaa0000",),
    "foscam": ("4d4f5f49" + "00" * 11 + "04" + "00" * 3 + "04" + "00" * 6 + "01",),
    "vstarcam": ("44480101",),
    "pppp": ("f1300000",),
    "miio": ("21310020" + "ff" * 28,),
}


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_binary_messages(name):
    assert tuple(message.hex() for message in MESSAGES[name]) == DOCUMENTED[name]


def test_lengths_the_sheet_gives():
    assert len(MESSAGES["panasonic"][0]) == 52
    assert len(MESSAGES["hanwha"][0]) == 262
    assert len(MESSAGES["foscam"][0]) == 27
    assert len(MESSAGES["dahua5050"][0]) == 32
    assert len(MESSAGES["dhip"][0]) == 91


def test_dhip():
    (message,) = MESSAGES["dhip"]
    assert message[:32].hex() == "2000000044484950" + "00" * 8 + "3b000000000000003b00000000000000"
    assert message.endswith(b"\n")
    assert json.loads(message[32:]) == {
        "method": "DHDiscover.search",
        "params": {"mac": "", "uni": 0},
    }


def test_sadp():
    (message,) = MESSAGES["sadp"]
    assert message.startswith(b'<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>')
    document = xml.parse(message)
    assert [leaf.path for leaf in document.leaves] == [("Probe", "Uuid"), ("Probe", "Types")]
    assert document.first("Types") == "inquiry"
    assert document.first("Uuid") == (document.first("Uuid") or "").upper()
    assert b"\n" not in message


def test_web_service_discovery():
    (probe,) = MESSAGES["wsd"]
    document = xml.parse(probe)
    assert document.first("Action") == "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
    assert document.leaves[-1].path == ("Envelope", "Body", "Probe", "Types")
    assert document.leaves[-1].text == "dn:NetworkVideoTransmitter"
    older, newer = (xml.parse(message) for message in MESSAGES["uniview"])
    assert older.first("Action") == document.first("Action")
    assert newer.first("Action") == "http://www.uniview.com/Ver10/Device/wsdl/UniviewProbe"
    for form in (older, newer):
        assert form.leaves[-1].path == ("Envelope", "Body", "UniviewProbe", "Types")
    assert "tns=http://www.uniview.com/Ver10/Device/wsdl" in newer.prefixes
    identifiers = {xml.parse(m).first("MessageID") for m in (probe, *MESSAGES["uniview"])}
    assert len(identifiers) == 3


def test_ssdp_and_mdns():
    assert MESSAGES["ssdp"][0].startswith(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n")
    assert b"\r\nST: ssdp:all\r\n\r\n" in MESSAGES["ssdp"][0]
    questions = dns.parse(MESSAGES["mdns"][0]).questions
    for service in ("_axis-video._tcp.local", "_axis-nvr._tcp.local", "_arec._tcp.local"):
        assert (service, "PTR") in questions
    with pytest.raises(ValueError, match="no spaces"):
        ssdp.search_message("x\r\nEvil: 1")


def test_kasa_is_coded_get_sysinfo():
    (message,) = MESSAGES["kasa"]
    assert message[:2] == bytes((0xAB ^ 0x7B, 0xAB ^ 0x7B ^ 0x22))
    assert tplink.unxor(message) == b'{"system":{"get_sysinfo":{}}}'


def test_tplink_checksum_is_the_documented_one():
    (message,) = MESSAGES["tplink-20002"]
    with_seed = message[:12] + bytes.fromhex("5a6b7c8d")
    assert struct.pack(">I", zlib.crc32(with_seed)) == message[12:]


def test_reolink_udp_holds_the_search_only():
    for name in ("reolink-2015", "reolink-2018"):
        (message,) = MESSAGES[name]
        assert message[:4].hex() == "3acf872a"
        _, size, one, transmission, checksum = struct.unpack_from("<IIIII", message)
        assert (size, one) == (len(message) - 20, 1)
        assert transmission == ASKER.token & 0xFFFFFFFF
        assert checksum == reolink.crc(message[20:])
        assert (
            reolink.xor(message[20:], transmission)
            == b"<P2P><C2D_S><to><port>40000</port></to></C2D_S></P2P>"
        )
    # First value of the published table: one byte 01 gives 0x77073096.
    assert reolink.crc(b"\x01") == 0x77073096


def _plain(message: bytes) -> str:
    """A message with its coding undone, so that no word can hide."""
    texts = [message, tplink.unxor(message)]
    if message[:4] == bytes.fromhex("3acf872a"):
        (transmission,) = struct.unpack_from("<I", message, 12)
        texts.append(reolink.xor(message[20:], transmission))
    return " ".join(text.decode("latin-1").lower() for text in texts)


REQUESTS = (
    get_system_date_and_time(UUID(int=1)),
    rtsp.options_request("rtsp://192.0.2.1/"),
    rtsp.describe_request("rtsp://192.0.2.1/"),
    snmp.discovery_request(1),
    tls.client_hello(bytes(32)),
)


def test_no_builder_emits_a_forbidden_word():
    for message in (*(m for messages in MESSAGES.values() for m in messages), *REQUESTS):
        plain = _plain(message)
        assert not [word for word in FORBIDDEN if word in plain]


def test_no_builder_emits_message_1532():
    for message in (*(m for messages in MESSAGES.values() for m in messages), *REQUESTS):
        if message[:1] == b"\xff" and len(message) >= 20:
            assert struct.unpack_from("<H", message, 14) == (1530,)
            assert message[16:20] == bytes(4)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.ip_addresses(v=4), st.integers(0, 65535))
def test_no_asker_can_make_a_forbidden_message(token, address, port):
    asker = Asker(token=token, address=str(address), answer_port=port)
    for search in SEARCHES:
        for message in search.build(asker):
            assert len(message) < 1500
            plain = _plain(message) if search.id != "bosch" else ""
            assert not [word for word in FORBIDDEN if word in plain]


def test_forbidden_words_stand_in_no_literal_of_the_sources():
    """Not even as data: a builder cannot send what the package does not hold."""
    exact = {
        word
        for word in FORBIDDEN
        if "." in word or word.startswith(("set", "reset", "exchange", "ezviz", "c2d"))
    }
    for path in Path(camscan.decode.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str | bytes)
                and id(node) not in documented
            ):
                value = (
                    node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
                )
                assert not [word for word in exact if word in value.lower()], (path.name, value)


def test_the_forbidden_list_would_be_seen():
    assert [word for word in FORBIDDEN if word in _plain(b"<Types>resetPassword</Types>")] == [
        "resetpassword"
    ]
    assert [w for w in FORBIDDEN if w in _plain(tplink.xor(b'{"system":{"reboot":{}}}'))] == [
        "reboot"
    ]


def test_searches_are_unique_and_stay_on_the_link():
    assert len({search.id for search in SEARCHES}) == len(SEARCHES)
    for search in SEARCHES:
        for group in search.groups:
            assert group == "255.255.255.255" or 224 <= int(group.split(".")[0]) <= 239
        assert search.build(ASKER) == search.build(ASKER)


def test_other_requests():
    assert xml.parse(REQUESTS[0]).leaves[-1].path == ("Envelope", "Body", "GetSystemDateAndTime")
    assert (
        REQUESTS[1]
        == b"OPTIONS rtsp://192.0.2.1/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: camscan\r\n\r\n"
    )
    assert b"Accept: application/sdp\r\n" in REQUESTS[2]
    with pytest.raises(ValueError, match="no spaces"):
        rtsp.options_request("rtsp://x\r\nTEARDOWN")
