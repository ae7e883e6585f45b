"""Which private keys and certificates lie in a file?

`BEGIN ... PRIVATE KEY` is mostly a word of a TLS parser; only a body that parses is a key (facts:
firmware 5). What is kept: place, type, size and the SHA-256 of the public half. Never the key, nor a hash of it.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import warnings
from collections.abc import Iterator
from itertools import islice

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    load_ssh_private_key,
)

from camscan.decode.text import clean
from camscan.model.firmware import ImageKey
from camscan.observe.firmware.anchors import Anchors, matches

MOST = 2000
"""Blocks tried in one file."""
BUNDLE = 8
"""More certificates than this in one file are told as one bundle."""
_LONGEST = 16_384
_PEM = re.compile(
    rb"-----BEGIN ((?:[A-Z0-9]{2,12} ){0,3})PRIVATE KEY-----[\s\\nr]{1,4}([^-]{32,16384})-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY-----"
)
_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\\nr]{1,4}([^-]{64,16384})-----END"
)
_DER_KEY = re.compile(
    rb"\x30(?=\x82[\x01-\x12].(?:\x02\x01\x00\x02(?:\x82[\x00-\x04]|\x81)|\x02\x01\x00\x30[\x0d\x13]\x06[\x07\x09]\x2a\x86\x48)"
    rb"|\x77\x02\x01\x01\x04\x20|\x81.\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48)",
    re.DOTALL,
)
_DER_CERTIFICATE = re.compile(
    rb"\x30(?=\x82[\x01-\x0f].\x30(?:\x82[\x01-\x0f].|\x81.)\xa0\x03\x02\x01\x02)", re.DOTALL
)
_ODD = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError, binascii.Error, AttributeError)
_Public = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | dsa.DSAPublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
)


def find(path: str, data: bytes, anchors: Anchors) -> Iterator[ImageKey]:
    """Every key and certificate of one file that parses."""
    where = clean(path)
    yield from _private(where, data, anchors)
    certificates = list(_certificates(where, data, anchors))
    if len(certificates) <= BUNDLE:
        yield from certificates
        return
    ends = sorted(c.expires for c in certificates)
    yield ImageKey(
        what="certificate",
        path=where,
        offset=certificates[0].offset,
        type="bundle",
        expires=ends[-1],
        note=f"{len(certificates)} certificates in one file; they expire between {ends[0][:10]} and {ends[-1][:10]}",
    )


def spans(data: bytes, anchors: Anchors) -> Iterator[tuple[int, int]]:
    """(start, end) of the private keys in DER that parse."""
    for match in islice(matches(_DER_KEY, data, anchors.elements), MOST):
        body = _element(data, match.start())
        if body is not None:
            try:
                _loaded("DER", body)
            except _ODD:
                continue
            yield match.start(), match.start() + len(body)


def _private(path: str, data: bytes, anchors: Anchors) -> Iterator[ImageKey]:
    for number, match in enumerate(matches(_PEM, data, anchors.blocks)):
        if number >= MOST:
            return
        block = bytes(match[0]).replace(b"\\n", b"\n").replace(b"\\r", b"")
        kind = bytes(match[1]).decode("ascii").strip()
        if b"ENCRYPTED" in block[:200]:
            if re.search(rb"[A-Za-z0-9+/=]{60}", block):
                note = "a body under a passphrase; it was not opened"
                yield ImageKey(
                    what="private-key", path=path, offset=match.start(), type="encrypted", note=note
                )
            continue
        try:
            yield _key(path, match.start(), _loaded(kind, block))
        except _ODD:
            continue
    for number, match in enumerate(matches(_DER_KEY, data, anchors.elements)):
        if number >= MOST:
            return
        body = _element(data, match.start())
        if body is None:
            continue
        try:
            yield _key(path, match.start(), _loaded("DER", body))
        except _ODD:
            continue


def _loaded(kind: str, block: bytes) -> object:
    """The public half of a private key that parses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd keys are what is looked for
        if kind == "OPENSSH":
            return load_ssh_private_key(block, password=None).public_key()
        load = load_der_private_key if kind == "DER" else load_pem_private_key
        return load(block, password=None, unsafe_skip_rsa_key_validation=True).public_key()


def _key(path: str, offset: int, public: object) -> ImageKey:
    name, bits, fingerprint = _public(public)
    return ImageKey(
        what="private-key", path=path, offset=offset, type=name, bits=bits, fingerprint=fingerprint
    )


def _certificates(path: str, data: bytes, anchors: Anchors) -> Iterator[ImageKey]:
    seen = set()
    for number, match in enumerate(matches(_CERTIFICATE, data, anchors.blocks)):
        if number >= MOST:
            break
        try:
            body = binascii.a2b_base64(bytes(match[1]).replace(b"\\n", b"").replace(b"\\r", b""))
        except _ODD:
            continue
        if (found := _certificate(path, match.start(), body)) is not None:
            seen.add(found.fingerprint + found.expires)
            yield found
    for number, match in enumerate(matches(_DER_CERTIFICATE, data, anchors.elements)):
        if number >= MOST:
            return
        raw = _element(data, match.start())
        found = _certificate(path, match.start(), raw) if raw is not None else None
        if found is not None and found.fingerprint + found.expires not in seen:
            yield found


def _certificate(path: str, offset: int, body: bytes) -> ImageKey | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(body)
            name, bits, fingerprint = _public(certificate.public_key())
            subject = clean(certificate.subject.rfc4514_string())[:160]
            expires = certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    except _ODD:
        return None
    return ImageKey(
        what="certificate", path=path, offset=offset, type=name, bits=bits, fingerprint=fingerprint, subject=subject, expires=expires
    )  # fmt: skip


def _public(key: object) -> tuple[str, int | None, str]:
    if not isinstance(key, _Public):
        raise TypeError("no public key of a kind known")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = hashlib.sha256(spki).hexdigest()
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa", key.key_size, fingerprint
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ec {key.curve.name}", key.key_size, fingerprint
    if isinstance(key, dsa.DSAPublicKey):
        return "dsa", key.key_size, fingerprint
    return ("ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ed448"), None, fingerprint


def _element(data: bytes, start: int) -> bytes | None:
    """The DER element that begins here, by its own length."""
    head = bytes(data[start : start + 4])
    if len(head) < 4:
        return None
    if head[1] == 0x82:
        size = 4 + int.from_bytes(head[2:4], "big")
    elif head[1] == 0x81:
        size = 3 + head[2]
    else:
        size = 2 + head[1]
    if size > _LONGEST or start + size > len(data):
        return None
    return bytes(data[start : start + size])
