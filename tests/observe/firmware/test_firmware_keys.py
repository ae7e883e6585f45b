"""Keys, certificates, accounts, services and update scripts in files of an image."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.firmware import accounts, keys, suffixes
from camscan.observe.firmware.anchors import Finder

PLAIN = serialization.NoEncryption()
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 1024)


def keys_of(path, data):
    return keys.find(path, data, Finder(suffixes.load().endings).find(data))


def spki(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(
        key.public_key().public_bytes(serialization.Encoding.DER, form)
    ).hexdigest()


def private(key, encoding="PEM", form="TraditionalOpenSSL", lock=PLAIN):
    return key.private_bytes(
        getattr(serialization.Encoding, encoding), getattr(serialization.PrivateFormat, form), lock
    )


def certificate(name="camera", year=2020):
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(EC.public_key())
        .serial_number(7)
        .not_valid_before(dt.datetime(2010, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(year, 1, 1, tzinfo=dt.UTC))
        .sign(EC, hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("key", "encoding", "form", "kind", "bits"),
    [
        (EC, "PEM", "TraditionalOpenSSL", "ec secp256r1", 256),
        (EC, "DER", "TraditionalOpenSSL", "ec secp256r1", 256),
        (EC, "DER", "PKCS8", "ec secp256r1", 256),
        (RSA, "PEM", "PKCS8", "rsa", 1024),
        (RSA, "DER", "TraditionalOpenSSL", "rsa", 1024),
        (RSA, "PEM", "OpenSSH", "rsa", 1024),
        (ed25519.Ed25519PrivateKey.generate(), "PEM", "OpenSSH", "ed25519", None),
    ],
)
def test_a_private_key_is_told_by_its_public_half_alone(key, encoding, form, kind, bits):
    body = private(key, encoding, form)
    (found,) = keys_of("etc/k", b"\0junk\0" + body + b"\0tail")
    assert (found.what, found.type, found.bits, found.offset) == ("private-key", kind, bits, 6)
    assert found.fingerprint == spki(key)
    told = repr(found)
    assert hashlib.sha256(body).hexdigest() not in told
    assert body[60:90].decode("latin-1") not in told


def test_a_key_written_into_a_program_with_escapes_is_read():
    text = private(RSA).replace(b"\n", b"\\n")
    assert [k.fingerprint for k in keys_of("app", b'\0"' + text + b'"\0')] == [spki(RSA)]


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 400 + b"\n-----END PRIVATE KEY-----",
        b"\x30\x82\x01\x00\x02\x01\x00\x02\x82\x01" + bytes(300),
        private(RSA, "DER")[:-40],
    ],
)
def test_words_of_a_parser_and_broken_bodies_are_no_keys(data):
    assert list(keys_of("app", data)) == []


def test_a_key_under_a_passphrase_is_said_and_not_tried():
    locked = private(RSA, "PEM", "PKCS8", serialization.BestAvailableEncryption(b"x"))
    (found,) = keys_of("etc/k.pem", locked)
    assert (found.type, found.fingerprint) == ("encrypted", "")


def test_certificates_carry_their_end_and_many_are_one_bundle():
    pem = certificate().public_bytes(serialization.Encoding.PEM)
    (found,) = keys_of("c.pem", pem)
    assert (found.what, found.expires[:4], found.subject) == ("certificate", "2020", "CN=camera")
    assert found.fingerprint == spki(EC)
    der = certificate().public_bytes(serialization.Encoding.DER)
    assert [k.offset for k in keys_of("app", b"\0" * 9 + der)] == [9]
    many = b"".join(
        certificate(f"ca {n}", 2020 + n).public_bytes(serialization.Encoding.PEM) for n in range(9)
    )
    (bundle,) = keys_of("ca.pem", many)
    assert bundle.type == "bundle"
    assert "9 certificates" in bundle.note
    assert "2020-01-01 and 2028-01-01" in bundle.note


PASSWD = b"""root:$1$abcdefgh$0123456789012345678901:0:0:root:/:/bin/sh
admin::500:500::/home:/bin/sh
ftp:ab01FAX.bQRSU:14:50::/var:/bin/sh
nobody:*:99:99::/:/bin/false
www:x:33:33::/:/bin/sh
daemon::1:1::/:/sbin/nologin
"""


def test_accounts_are_told_as_present_and_their_hashes_are_not_kept():
    found = list(accounts.find("squashfs@0x0!/etc/passwd", PASSWD))
    assert [(k.subject, k.type) for k in found] == [
        ("root", "md5-crypt"),
        ("admin", "empty"),
        ("ftp", "des-crypt"),
    ]
    assert "administrator" in found[0].note
    assert all(k.note.startswith("account present") for k in found)
    assert "abcdefgh" not in repr(found)
    assert "FAX" not in repr(found)


def test_shadow_files_and_lines_inside_programs():
    shadow = (
        b"root:$6$saltsalt$" + b"h" * 86 + b":17000:0:99999:7:::\nbin:*:1:0:::::\nx:!:1:0:::::\n"
    )
    assert [(k.subject, k.type) for k in accounts.find("etc/shadow", shadow)] == [
        ("root", "sha512-crypt")
    ]
    program = b"\x7fELF\0\0root:ab01FAX.bQRSU:0:0::/:/bin/sh\0"
    assert [(k.subject, k.offset) for k in accounts.find("bin/app", program)] == [("root", 6)]


def test_services_of_boot_files_without_comments_and_kills():
    boot = (
        b"#!/bin/sh\n# telnetd &\nkillall telnetd\n/usr/sbin/telnetd -l /bin/sh &\n"
        b"[ -x /bin/adbd ] && adbd\necho dropbear\n"
    )
    found = list(accounts.find("etc/init.d/rcS", boot))
    assert [k.type for k in found] == ["telnetd", "adbd"]
    assert boot[found[0].offset :].startswith(b"telnetd -l")
    assert list(accounts.find("usr/share/doc/x", boot)) == []


def test_update_scripts_without_a_check_of_a_signature():
    bad = b"#!/bin/sh\nwget http://x/fw.bin -O /tmp/f\nflashcp /tmp/f /dev/mtd3\n"
    good = bad + b"openssl dgst -sha256 -verify k.pem -signature /tmp/s /tmp/f\n"
    assert [k.what for k in accounts.find("bin/up.sh", bad)] == ["update-without-signature"]
    assert list(accounts.find("bin/up.sh", good)) == []


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_taken(data):
    for path in ("etc/passwd", "etc/shadow", "etc/init.d/x", "k.pem"):
        for body in (
            data,
            b"-----BEGIN PRIVATE KEY-----\n" + data,
            b"\x30\x82" + data,
            b"#!/bin/sh\n" + data,
        ):
            for found in (*keys_of(path, body), *accounts.find(path, body)):
                assert 0 <= found.offset < len(body)
                assert (found.note + found.subject).isprintable()
