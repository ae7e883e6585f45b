"""Does the HTTP reader take what cameras send?"""

from __future__ import annotations

import gzip
import hashlib
import zlib

import pytest
from decode_samples import HTTP_401, HTTP_PAGE
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import http
from camscan.decode.message import challenges, header_style
from camscan.errors import DecodeError


def test_order_style_and_realm_are_kept():
    fields = http.parse(HTTP_401).fields()
    assert fields["header-names"] == ("CONNECTION,CONTENT-LENGTH,WWW-AUTHENTICATE",)
    assert fields["header-style"] == ("upper",)
    assert fields["realm"] == ("Login to 4D0012AAZ",)
    assert fields["auth-scheme"] == ("Digest",)
    assert fields["auth-params"] == ("realm,qop,nonce,opaque", "qop=auth")
    assert fields["header"][0] == "connection: close"


def test_bare_line_feeds_and_markup():
    fields = http.parse(HTTP_PAGE, "GET /doc/page/login.asp").fields()
    assert fields["server"] == ("App-webs/",)
    assert fields["title"] == ("index & more",)
    assert fields["generator"] == ("Hand",)
    assert fields["script-src"] == ("/doc/script/lib.js?v=1",)
    assert fields["cookie-names"] == ("session",)
    assert fields["request-path"] == ("/doc/page/login.asp",)
    body = HTTP_PAGE.split(b"\n\n", 1)[1]
    assert fields["body-sha256"] == (hashlib.sha256(body).hexdigest(),)


@pytest.mark.parametrize(
    ("data", "version", "status", "reason"),
    [
        (b"HTTP/1.1 200\r\n\r\n", "1.1", "200", ""),
        (b"HTTP/1.0 401 Nicht erlaubt \xff\r\n\r\n", "1.0", "401", "Nicht erlaubt \xff"),
        (b" 501 Not Implemented\r\nServer: x\r\n\r\n", "", "501", "Not Implemented"),
        (b"<html></html>", "0.9", "", ""),
    ],
)
def test_status_lines(data, version, status, reason):
    response = http.parse(data)
    assert (response.version, response.status, response.reason) == (version, status, reason)


def test_other_protocols_are_refused():
    for data in (b"SSH-2.0-x\r\n", b"RTSP\r\n", b"\x00\x01\x02"):
        with pytest.raises(DecodeError):
            http.parse(data)


def test_odd_headers_are_kept():
    response = http.parse(
        b"HTTP/1.1 200 OK\r\n: empty\r\nContent-Length: 3\r\nContent-Length: 5\r\nbroken\r\n\r\nabcde"
    )
    assert response.headers == (("", "empty"), ("Content-Length", "3"), ("Content-Length", "5"))
    assert response.body == b"abcde"


def test_chunks_whole_and_broken():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert http.parse(head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").body == b"abcde"
    assert http.parse(head + b"3\r\nabc\r\nzz\r\nrest").body == b"abczz\r\nrest"
    assert http.parse(head + b"ffffffff\r\nabc").body == b"abc"
    assert http.parse(head + b"-3\r\nabc").body == b"-3\r\nabc"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_decompression_has_a_budget(encoding):
    bomb = b"<title>x</title>" + bytes(4_000_000)
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(bomb),
        "deflate": zlib.compress(bomb),
        "raw": raw.compress(bomb) + raw.flush(),
    }[encoding]
    name = b"gzip" if encoding == "gzip" else b"deflate"
    response = http.parse(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + name + b"\r\n\r\n" + packed)
    assert response.body.startswith(b"<title>x</title>")
    assert len(response.body) == http.MAX_INFLATED


def test_wrong_encoding_keeps_the_body():
    assert http.parse(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nplain").body == b"plain"


def test_key_value_bodies():
    fields = http.parse(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsystem.info.model='FD8'\r\nx = 1\r\n"
    ).fields()
    assert fields["kv"] == ("system.info.model='FD8'", "x=1")


def test_location_is_split():
    fields = http.parse(
        b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/doc/page/login.asp?_1\r\n\r\n"
    ).fields()
    assert fields["location-path"] == ("/doc/page/login.asp?_1",)


def test_binary_bodies_have_a_hash_and_no_text():
    fields = http.parse(b"HTTP/1.1 200 OK\r\n\r\n\x00\x01\x02").fields()
    assert "body" not in fields
    assert fields["body-sha256"] == (hashlib.sha256(b"\x00\x01\x02").hexdigest(),)


@pytest.mark.parametrize(
    ("names", "style"),
    [
        (("Server", "WWW-Authenticate", "CSeq", "ETag"), "title"),
        (("server", "content-type"), "lower"),
        (("CONNECTION", "ST"), "upper"),
        (("ST", "Server"), "title"),
        (("CONNECTION", "Server"), "mixed"),
        (("Content-length",), "mixed"),
        (("EXT", "ST"), "upper"),
        ((), ""),
    ],
)
def test_header_style(names, style):
    assert header_style(names) == style


def test_challenges_of_several_schemes_and_broken_quotes():
    both = challenges('Digest realm="a, b", nonce="1", stale=FALSE, Basic realm="c')
    assert [(item.scheme, item.param("realm")) for item in both] == [
        ("Digest", "a, b"),
        ("Basic", "c"),
    ]
    assert both[0].param("stale") == "FALSE"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=512))
def test_any_body_after_a_head(body):
    response = http.parse(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + body
    )
    assert len(response.body) <= http.MAX_INFLATED
    response.fields()
