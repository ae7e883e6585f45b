"""Strings of files: all of them, each where it stands, and no secret in any."""

from __future__ import annotations

import base64
import functools

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.firmware import strings, suffixes
from camscan.observe.firmware.anchors import Finder

PLAIN = serialization.NoEncryption()


@functools.lru_cache(maxsize=1)
def finder():
    return Finder(suffixes.load().endings)


def found(data, path="usr/bin/app"):
    return list(strings.find(path, data, finder().find(data)))


def texts(data, path="usr/bin/app"):
    return [s.text for s in found(data, path)]


def test_each_string_has_its_place_and_encoding():
    wide = "update.cam.net".encode("utf-16-le")
    big = "stun.cam.net".encode("utf-16-be")
    data = (
        b"\0\1\2/etc/init.d\0"
        + b"\xff" * 7
        + wide
        + b"\0\0\0\0"
        + "状态: 在线".encode()
        + b"\0\0"
        + big
    )
    got = {s.text: s for s in found(data)}
    assert set(got) == {"/etc/init.d", "update.cam.net", "状态: 在线", "stun.cam.net"}
    assert [s.encoding for s in got.values()] == ["ascii", "utf-8", "utf-16-le", "utf-16-be"]
    for text, s in got.items():
        raw = data[s.offset : s.offset + s.length]
        assert raw.decode(s.encoding) == text


def test_lines_come_one_by_one_and_short_ones_not_at_all():
    assert [(s.offset, s.text) for s in found(b"first line\r\n  second\nthree\n")] == [
        (0, "first line"),
        (14, "second"),
    ]


def test_a_long_string_comes_in_parts():
    parts = found(b"ab cd ef" * 1000 + b"\0")
    assert [s.length for s in parts] == [4096, 3904]
    assert "".join(s.text for s in parts) == "ab cd ef" * 1000


def pem(key, form="PKCS8"):
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), PLAIN
    )


RSA = rsa.generate_private_key(65537, 1024)
KEY = pem(RSA)
DER = RSA.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, PLAIN
)
TOKEN = b"q7Zk2mN9xB4vT1cLw8Yp3RdH6sJ0fGaE"
SECRETS = {
    "pem": (KEY, b"".join(KEY.splitlines()[1:-1])),
    "openssh": (pem(RSA, "OpenSSH"), b"".join(pem(RSA, "OpenSSH").splitlines()[1:-1])),
    "escaped": (b'"' + KEY.replace(b"\n", b"\\n") + b'"', b"".join(KEY.splitlines()[1:-1])),
    "shadow": (b"root:$1$qRPK7m23$GJamMQnL5rU1YpX8fG5Ky.:10933:0:99999:7:::\n", b"GJamMQnL5rU1YpX8fG5Ky."),
    "des": (b"admin:aB3dE5gH7jK9m:0:0:root:/:/bin/sh\n", b"aB3dE5gH7jK9m"),
    "root": (b"root:xmhdipc1:0:0::/root:/bin/sh\n", b"xmhdipc1"),
    "json": (b'{"user":"admin","password":"Tr0ub4dor"}', b"Tr0ub4dor"),
    "xml": (b"<wifi>\n<psk>\nMyHomeWifi88\n</psk></wifi>", b"MyHomeWifi88"),
    "assigned": (b"wpa_psk=HomeNet2020\n", b"HomeNet2020"),
    "colon": (b"password: hunter2xyz\n", b"hunter2xyz"),
    "query": (b"GET /api?access_token=abcdef123&x=1\0", b"abcdef123"),
    "userinfo": (b"rtsp://admin:S3cretPass@10.0.0.9/live\0", b"S3cretPass"),
    "header": (b"Authorization: Basic YWRtaW46YWRtaW4xMjM=\r\n", b"YWRtaW46YWRtaW4xMjM="),
    "token": (b"prefix " + TOKEN + b" suffix", TOKEN),
    "hex": (b"k " + b"0123456789abcdef" * 2 + b" e", b"0123456789abcdef" * 2),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("around", ["none", "binary", "lines", "wide"])
def test_no_secret_is_written(name, around):
    planted, secret = SECRETS[name]
    data = {
        "none": planted,
        "binary": bytes(300) + b"\xff\xfe\0" + planted + b"\0" + bytes(9),
        "lines": b"a line of text\n" * 2000 + planted + b"\na line of text" * 2000,
        "wide": b"\0\0" + planted.decode("ascii").encode("utf-16-le") + b"\0\0",
    }[around]
    said = "\n".join(texts(data))
    assert "<cut:" in said
    for at in range(0, max(1, len(secret) - 12), 4):
        assert secret[at : at + 12].decode() not in said


def test_a_secret_over_the_edge_of_two_pieces_is_cut(monkeypatch):
    monkeypatch.setattr(strings, "_PIECE", 4096)
    monkeypatch.setattr(strings, "_OVERLAP", 2048)
    for before in range(3000, 4400, 61):
        said = "".join(texts(b"x " * (before // 2) + b"\n" + KEY + b"\nend of it"))
        assert all(line.decode() not in said for line in KEY.splitlines()[1:-1])


def test_the_body_of_a_key_in_der_is_cut():
    key = ec.generate_private_key(ec.SECP256R1())
    body = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, PLAIN)
    # Letters right before and behind it form strings with what of the key is printable by chance.
    assert len(DER) > 500
    for raw in (body, DER):
        kept = found(b"before it" + raw + b"behind it")
        for s in kept:
            inside = range(max(s.offset, 9), min(s.offset + s.length, 9 + len(raw)))
            assert not inside or "<cut:private-key:" in s.text
            assert all(raw[i : i + 6].decode("latin-1") not in s.text for i in range(len(raw) - 6))


def test_what_is_no_secret_stays():
    for text in (
        "http://ntp.cam.net:123/time", "password", "isSupportPassword=true", "_ZNSt6vectorIhSaIhEE19_M_emplace_back_auxIJhEEEvDpOT_",
        "Enter password:", "root:x:0:0:root:/root:/bin/sh", "user:*:1:1:x:/:/bin/sh", "/usr/lib/libcrypto.so.1.0.0", "GCC: (Buildroot 2015.08) 4.9.3",
    ):  # fmt: skip
        assert texts(text.encode() + b"\0") == [text]


def test_certificates_stay_as_they_are():
    body = base64.b64encode(bytes(range(200)))
    data = b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
    assert body.decode() in texts(data)


PARTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"a text of it", b"\n", b"\0", "摄像头在线".encode(), "abcdefgh".encode("utf-16-le"), b"x" * 5000, KEY, b"root:"]),
)  # fmt: skip


@given(st.lists(PARTS, max_size=20).map(b"".join))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_taken_and_places_hold(data):
    for s in found(data):
        raw = data[s.offset : s.offset + s.length]
        assert len(raw) == s.length
        assert s.text.isprintable()
        if "<cut:" not in s.text:
            assert s.text.split() == raw.decode(s.encoding, "ignore").split()


@given(st.lists(PARTS, max_size=9).map(b"".join), st.sampled_from(sorted(SECRETS)))
@settings(max_examples=200, deadline=None)
def test_no_neighbour_makes_a_key_show(before, name):
    planted, _ = SECRETS["pem"]
    said = "".join(texts(before + b"\n" + planted + b"\n" + SECRETS[name][0]))
    assert all(line.decode() not in said for line in planted.splitlines()[1:-1])
