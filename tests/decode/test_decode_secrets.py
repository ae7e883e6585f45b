"""Are secrets and pictures cut, and nothing else?"""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import xml
from camscan.decode.secrets import cut
from camscan.model.observation import Kind

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (
            Kind.HTTP,
            b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=abcdef; path=/\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=<cut:cookie:6>; path=/\r\n\r\n",
        ),
        (
            Kind.HTTP,
            b"HTTP/1.1 200 OK\r\nauthorization: Basic YTpi\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nauthorization: <cut:credentials:10>\r\n\r\n",
        ),
        (
            Kind.ISAPI,
            HEAD + b"<EZVIZ><verificationCode>ABCDEF</verificationCode></EZVIZ>",
            HEAD + b"<EZVIZ><verificationCode><cut:secret:6></verificationCode></EZVIZ>",
        ),
        (
            Kind.ISAPI,
            HEAD + b"<Ehome><key>s3cret</key></Ehome>",
            HEAD + b"<Ehome><key><cut:secret:6></key></Ehome>",
        ),
        (
            Kind.HTTP,
            HEAD + b'{"user":"a","password":"b\\"c","pwd":12345}',
            HEAD + b'{"user":"a","password":"<cut:secret:4>","pwd":"<cut:secret:5>"}',
        ),
        (
            Kind.HTTP,
            HEAD + b"var loginpass='abc';\nroot.user.pwd=xyz\n",
            HEAD + b"var loginpass='<cut:secret:3>';\nroot.user.pwd=<cut:secret:3>\n",
        ),
        (
            Kind.HTTP,
            HEAD + b"rtsp://admin:12345@192.0.2.1/live?password=q",
            HEAD + b"rtsp://admin:<cut:password:5>@192.0.2.1/live?password=<cut:secret:1>",
        ),
        (
            Kind.RTSP,
            b"RTSP/1.0 200 OK\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19|2^20\r\n",
            b"RTSP/1.0 200 OK\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:<cut:sdp-key:7>|2^20\r\n",
        ),
        (
            Kind.HTTP,
            b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0abcd",
            b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n<cut:image:8>",
        ),
        (
            Kind.HTTP,
            b"HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n1234",
            b"HTTP/1.1 200 OK\r\n\r\n<cut:image:12>",
        ),
        (
            Kind.MIIO,
            bytes.fromhex("21310020000000000102030400000abc") + b"0123456789abcdef",
            bytes.fromhex("21310020000000000102030400000abc") + b"<cut:token:16>",
        ),
    ],
)
def test_secrets_are_cut(kind, before, after):
    assert cut(kind, before) == (after, True)
    assert cut(kind, after) == (after, False)


def test_private_keys_are_cut_in_every_text_kind():
    pem = b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    for kind in (Kind.HTTP, Kind.HTTPS_CERT, Kind.GREETING, Kind.SNMP):
        text, was_cut = cut(kind, b"a\n" + pem + b"\nb")
        assert was_cut
        assert text == b"a\n<cut:private-key:%d>\nb" % len(pem)


def test_a_compressed_body_cannot_hide_a_secret():
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    hidden = gzip.compress(b"<a><password>x1</password></a>")
    assert cut(Kind.HTTP, head + hidden) == (head + b"<cut:compressed:%d>" % len(hidden), True)
    harmless = head + gzip.compress(b"<title>Camera</title>")
    assert cut(Kind.HTTP, harmless) == (harmless, False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (
            Kind.HTTP,
            b'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm="Login to 4D", nonce="1"\r\n\r\n',
        ),
        (
            Kind.HTTP,
            HEAD + b'<label for="password">Password:</label><input type="password" name="pwd">',
        ),
        (Kind.HTTP, HEAD + b"<plist><key>deviceid</key></plist>"),
        (Kind.ISAPI, HEAD + b"<isSupportPassword>true</isSupportPassword><password></password>"),
        (Kind.SADP, b"<ProbeMatch><PasswordResetAbility>true</PasswordResetAbility></ProbeMatch>"),
        (Kind.TELNET, b"login: \r\nPassword: "),
        (Kind.FAVICON, b"md5:00,mmh3:1"),
        (Kind.MIIO, bytes.fromhex("21310020000000000102030400000abc") + b"\xff" * 16),
    ],
)
def test_other_text_is_untouched(kind, data):
    assert cut(kind, data) == (data, False)


def test_cut_xml_is_still_read():
    text, _ = cut(
        Kind.ISAPI,
        b"<EZVIZ><verificationCode>ABCDEF</verificationCode><enabled>true</enabled></EZVIZ>",
    )
    document = xml.parse(text)
    assert document.first("enabled") == "true"
    assert document.first("verificationCode") == "<cut:secret:6>"
    assert document.well_formed


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(Kind)),
    st.binary(max_size=400),
    st.sampled_from([b"", HEAD, b"password=", b'"pwd":"']),
)
def test_cutting_twice_changes_nothing_more(kind, data, lead):
    once, was_cut = cut(kind, lead + data)
    assert was_cut == (once != lead + data)
    assert cut(kind, once) == (once, False)
