"""What is left out of an answer changes no field that a signature asks for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from camscan import knowledge
from camscan.decode.registry import decode
from camscan.errors import DecodeError
from camscan.identify.match import Matcher
from camscan.identify.sameness import Sameness
from camscan.knowledge_lint import sample_observation
from camscan.model.observation import Kind, Observation

KNOWN = knowledge.load()
MATCHER = Matcher(KNOWN)
SAMENESS = Sameness(MATCHER.asked)
WEB = (Kind.HTTP, Kind.ISAPI, Kind.ONVIF, Kind.UPNP_XML, Kind.TITLE, Kind.SERVER_HEADER, Kind.WWWAUTH)  # fmt: skip


def read(kind, response):
    seen = Observation(id="1", device_id="d", kind=kind, response=response, request="GET /x")
    try:
        return decode(seen, MATCHER.asked(kind))
    except DecodeError:
        return {}


def left(kind, response):
    """The shorter answer, after the check that it reads alike."""
    short = SAMENESS.of(kind, response)
    assert read(kind, short) == read(kind, response)
    assert SAMENESS.of(kind, short) == short, "a fixed point"
    return short


ONE = (
    b"HTTP/1.1 401 Unauthorized\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nServer: App-webs/\r\n"
    b'WWW-Authenticate: Digest realm="DS-2CD", nonce="6f1d", qop="auth"\r\n'
    b"Set-Cookie: sid=12ab; path=/\r\nContent-Length: 0\r\n\r\n<title>x</title>\nDate: today\n"
)


def test_date_nonce_cookie_and_length_are_left_out():
    other = ONE.replace(b"10:00:00", b"11:12:13").replace(b"6f1d", b"77").replace(b"12ab", b"9")
    assert left(Kind.HTTP, ONE) == left(Kind.HTTP, other.replace(b"Length: 0", b"Length: 7"))
    assert b"Date: today" in left(Kind.HTTP, ONE), "a body is left as it is"
    assert b'realm="DS-2CD"' in left(Kind.HTTP, ONE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"App-webs/", b"Boa"),
        (b"DS-2CD", b"DS-2CE"),
        (b"401", b"402"),
        (b"sid=", b"tid="),
        (b"<title>x", b"<title>y"),
        (b"Date:", b"DATE:"),
        (b'qop="auth"', b'qop="auth-int"'),
        (b"Date: today", b"Date: gone"),
    ],
)
def test_what_a_signature_could_see_stays_apart(old, new):
    assert SAMENESS.of(Kind.HTTP, ONE) != SAMENESS.of(Kind.HTTP, ONE.replace(old, new))


ODD = [
    ONE[5:],
    ONE.replace(b"\r\n\r\n", b"\r\n"),
    ONE.replace(b"Server:", b" Server:"),
    b"<html>\nDate: 1\r\n\r\n</html>",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"\nDate: 1" * 20_000,
]


@pytest.mark.parametrize("response", ODD)
def test_an_odd_message_is_left_as_it_is(response):
    assert left(Kind.HTTP, response) == response


def test_a_nonce_inside_another_value_is_left_as_it_is():
    line = b'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm="a, nonce="x=1", y=2\r\n\r\n'
    assert left(Kind.HTTP, line) == line


parts = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b'"', b",", b"=", b";", b"\\", b"<", b">", b"\xff",
        b"Date: Mon, 02 Nov 2026 10:00:00 GMT", b"date:", b'ETag: "x"', b"Expires: 0", b"CSeq: 1",
        b"Content-Length: 10", b"Content-Type: text/plain", b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip", b"Set-Cookie: a=b; c", b"set-cookie: noequals", b'Location: /a?nonce="1"',
        b'WWW-Authenticate: Digest realm="a"', b"WWW-Authenticate: Digest ", b"www-authenticate: Basic realm=x",
        b', nonce="12"', b' nonce="', b' opaque="y"', b' cnonce="z"', b"nonce=q", b'realm="',
        b"Server: App-webs/", b"<title>t</title>", b"a=1", b"5\r\nhello", b"Public: OPTIONS", b"v=0",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*WEB, Kind.RTSP]), st.lists(parts, max_size=14))
def test_any_message_reads_alike(kind, pieces):
    start = b"RTSP/1.0 200 OK" if kind is Kind.RTSP else b"HTTP/1.1 401 Unauthorized"
    left(kind, start + b"\r\n" + b"".join(pieces))
    left(kind, start + b"\r\n" + b"\r\n".join(pieces) + b"\r\n\r\n<title>b</title>")


WSD = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="urn:a" xmlns:d="urn:d">'
    b"<s:Header><a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body><d:ProbeMatch>"
    b"<a:Address>urn:uuid:2</a:Address><d:Types>dn:NetworkVideoTransmitter</d:Types>"
    b"<d:Scopes>onvif://www.onvif.org/name/X onvif://www.onvif.org/hardware/Y</d:Scopes>"
    b"<d:XAddrs>http://192.0.2.7/onvif/device_service</d:XAddrs></d:ProbeMatch></s:Body></s:Envelope>"
)
SADP = (
    b"<ProbeMatch><Uuid>0B7E</Uuid><Types>inquiry</Types><DeviceDescription>DS-2CD1</DeviceDescription>"
    b"<DeviceSN>DS1</DeviceSN><MAC>aa-bb-cc-00-11-22</MAC><IPv4Address>192.0.2.7</IPv4Address>"
    b"<SoftwareVersion>V5.7.15build 240201</SoftwareVersion></ProbeMatch>"
)


@pytest.mark.parametrize(
    ("kind", "document", "free", "bound"),
    [
        (Kind.WSD, WSD, (b"uuid:1", b"uuid:2", b"192.0.2.7"), (b"name/X", b"hardware/Y", b"dn:N")),
        (Kind.SADP, SADP, (b"0B7E", b"DS1<", b"00-11", b"192.0"), (b"DS-2CD1", b"V5.7", b"ProbeM")),
    ],
)
def test_addresses_and_serials_of_searches_are_left_out(kind, document, free, bound):
    for text in free:
        other = document.replace(text, text[:-1] + (b"<" if text[-1:] == b"<" else b"9"))
        assert left(kind, other) == left(kind, document)
    for text in bound:
        assert left(kind, document.replace(text, b"other")) != left(kind, document)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([(Kind.WSD, WSD), (Kind.SADP, SADP)]),
    st.lists(
        st.tuples(
            st.integers(0, 520),
            st.integers(0, 6),
            st.sampled_from(
                [b"", b"<", b">", b"</", b"<Address>", b"<a b='<Address>", b"<![CDATA[", b"]]>", b"<!--", b"-->",
                 b"&amp;", b"&x;", b"<MAC>", b"</MAC>", b"<1:MAC>", b"<Scopes>", b"<Uuid/>", b"x", b"\x00", b"\xff",
                 b"<XAddrs>a</XAddrs>", b"<DeviceDescription>"]
            ),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_document_reads_alike(base, changes):
    kind, document = base
    for at, gone, new in changes:
        document = document[:at] + new + document[at + gone :]
    left(kind, document)


def test_every_sample_reads_alike():
    for signature in KNOWN.signatures:
        for sample in (*signature.sample, *signature.near_miss):
            seen = sample_observation(signature, sample)
            left(seen.kind, seen.response)


def test_where_a_signature_asks_for_a_header_nothing_is_left_out():
    dated = next(s for s in KNOWN.signatures if s.kind is Kind.HTTP)
    asking = replace(
        dated, id="local.http.dated", when=(replace(dated.when[0], field="header", value="date"),)
    )
    mine = Matcher(replace(KNOWN, signatures=(*KNOWN.signatures, asking)))
    assert Sameness(mine.asked).of(Kind.HTTP, ONE) == ONE
