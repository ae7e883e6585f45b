"""Product lines: one record reads the designation in every protocol, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan import knowledge
from camscan.identify.lines import LONGEST, PRINTED, Lines
from camscan.identify.match import Matcher
from camscan.identify.tables import options
from camscan.model.claim import Attribute, Family, Role
from camscan.model.observation import FIELDS, Kind, Observation

KNOWN = knowledge.load()
LINES = Lines(KNOWN.lines, options())
MATCHER = Matcher(KNOWN)


def named(text):
    return {(line.id, model) for line, model in LINES.matching(text)}


def said(kind, response):
    seen = Observation(id="1", device_id="d", kind=kind, response=response.encode(), port=80)
    return {
        (e.attribute, e.value, e.family)
        for e in MATCHER.read(seen).evidence
        if e.signature == "trendnet.line.camera"
    }


UPNP = (
    '<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:x:1</deviceType>'
    "<modelName>TV-IP110W</modelName></device></root>"
)


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        (Kind.HTTP, "HTTP/1.1 200 OK\r\n\r\n<html><title>TRENDnet | TV-IP110W</title></html>"),
        (Kind.HTTP, 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="TV-IP110W"\r\n\r\n'),
        (Kind.SERVER_HEADER, "TV-IP110W"),
        (Kind.FTP, "220 TV-IP110W FTP server ready\r\n"),
        (Kind.TELNET, "TV-IP110W login: "),
        (Kind.SNMP, "sysDescr.0 = TRENDnet TV-IP110W"),
        (Kind.UPNP_XML, UPNP),
        (Kind.MDNS, "PTR TV-IP110W._http._tcp.local"),
        (Kind.DHCP, "vendor-class TV-IP110W"),
        (Kind.RTSP, "RTSP/1.0 200 OK\r\nServer: TV-IP110W\r\n\r\n"),
    ],
)
def test_a_designation_is_read_wherever_a_device_prints_its_name(kind, response):
    assert said(kind, response) == {
        (Attribute.MODEL, "TV-IP110W", Family.LABEL),
        (Attribute.MAKER, "trendnet", Family.LABEL),
        (Attribute.BRAND, "TRENDnet", Family.LABEL),
        (Attribute.ROLE, Role.CAMERA.value, Family.LABEL),
    }


def test_a_long_text_is_no_name():
    assert named("TV-IP110W")
    assert named("TV-IP110W " + "x" * LONGEST) == set()


def test_a_page_that_lists_products_names_none():
    page = "HTTP/1.1 200 OK\r\n\r\n<html><title>Shop</title><body>TV-IP110W</body></html>"
    assert said(Kind.HTTP, page) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Arista Networks EOS running on an Arista Networks DCS-7150S-24",
        "Cisco IOS Software, NCS5501",
        "Icom IC-7300",
        "TP-LINK TD-W8960N",
        "TD-8840T",
        "Canon iP7250 series",
        "UVC 1.5 class device",
        "Cisco CP-7940G",
        "Epson WF-7710",
        "DGS-1210-28",
        "Marantz AV7005",
        "FRITZ!Box AVM 7590",
    ],
)
def test_designations_of_other_trades_are_not_taken(text):
    assert named(text) == set()


def test_the_fields_exist():
    for kind, fields in PRINTED.items():
        assert set(fields) <= set(FIELDS[kind])


@given(st.text(max_size=200))
def test_any_text_can_be_asked(text):
    for _, model in LINES.matching(text):
        assert model
