"""Whose certificate is it, and how was it made (RFC 5280)?

Device certificates are often wrong in some part, so each part is read for itself; what
`cryptography` refuses as a whole is walked as plain DER.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from collections.abc import Callable
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from camscan.decode import ber
from camscan.decode.collect import Collector, Wanted
from camscan.decode.text import clean, decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_T = TypeVar("_T")
Name = tuple[tuple[str, str], ...]
"""Attributes of a distinguished name as `(short name, value)`, in the order written."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]{1,65536})")
_PART = re.compile(r"(subject|issuer)\s{0,4}=\s{0,4}(.{1,4096})", re.IGNORECASE)
_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.6": "C",
    "2.5.4.5": "serialNumber",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
}
_SIGNATURES = {
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.3.101.112": "ed25519",
}
_NAME_FIELDS = {"CN": "cn", "O": "o", "OU": "ou", "EMAILADDRESS": "email", "L": "l", "C": "c"}
_NAMES = frozenset({"subject", "issuer", "issuer.cn", "issuer.o"}) | {
    f"subject.{name}" for name in _NAME_FIELDS.values()
}
"""Fields that the two names give."""
# What `cryptography` raises for parts that are wrong; its own classes are plain Exceptions.
_ODD = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    AttributeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class Certificate(Struct, frozen=True, kw_only=True):
    """What could be read; empty where a part is missing or wrong."""

    subject: Name = ()
    issuer: Name = ()
    names: tuple[str, ...] = ()
    serial: str = ""
    not_before: str = ""
    not_after: str = ""
    self_signed: bool | None = None
    key_type: str = ""
    key_bits: int | None = None
    signature_algorithm: str = ""
    spki_sha256: str = ""
    sha256: str = ""

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.HTTPS_CERT]`; dates in ISO 8601 UTC, serial in hex."""
        out = Collector(wanted)
        out.add("subject", name_text(self.subject))
        for short, value in self.subject:
            if short.upper() in _NAME_FIELDS:
                out.add(f"subject.{_NAME_FIELDS[short.upper()]}", value)
        out.add("issuer", name_text(self.issuer))
        for short, value in self.issuer:
            if short.upper() in {"CN", "O"}:
                out.add(f"issuer.{short.lower()}", value)
        out.add("san", *self.names)
        out.add("serial", self.serial)
        out.add("not-before", self.not_before)
        out.add("not-after", self.not_after)
        if self.self_signed is not None:
            out.add("self-signed", "true" if self.self_signed else "false")
        out.add("key-type", self.key_type)
        out.add("key-bits", self.key_bits)
        out.add("signature-algorithm", self.signature_algorithm)
        out.add("spki-sha256", self.spki_sha256)
        out.add("sha256", self.sha256)
        return out.done()


def parse(data: bytes, wanted: Wanted = None) -> Certificate:
    """Read PEM, DER, or lines `subject=CN=..` and `issuer=..`; raises DecodeError otherwise.

    `wanted`: the fields that will be looked at; where they are of the names alone, the rest stays empty.
    """
    pem = _PEM.search(data)
    if pem is not None:
        try:
            der = base64.b64decode(b"".join(pem[1].split()) + b"==", validate=False)
        except binascii.Error:
            der = b""
        if der:
            found = parse_der(der, wanted)
            if found.subject or found.issuer:
                return found
    text = decode_text(data[:65_536]) if not data.startswith(b"\x30\x82") else ""
    names: dict[str, Name] = {}
    for line in text.splitlines()[:64]:
        part = _PART.match(line.strip())
        if part is not None:
            names.setdefault(part[1].lower(), parse_name(part[2]))
    if names:
        subject, issuer = names.get("subject", ()), names.get("issuer", ())
        return Certificate(
            subject=subject,
            issuer=issuer,
            self_signed=subject == issuer if subject and issuer else None,
        )
    if data[:1] == b"\x30":
        return parse_der(data, wanted)
    raise DecodeError("neither a certificate in PEM or DER nor lines subject=, issuer=")


def parse_der(der: bytes, wanted: Wanted = None) -> Certificate:
    """Read DER; a certificate that cannot be read at all gives its hash alone, never an error.

    `wanted`: as for `parse`.
    """
    digest = hashlib.sha256(der).hexdigest()
    with warnings.catch_warnings():
        # Negative serial numbers and the like are warnings in some versions, errors in others.
        warnings.simplefilter("ignore")
        try:
            loaded = x509.load_der_x509_certificate(der)
        except _ODD:
            return _walk(der, digest)
        return _read(loaded, digest, names_alone=wanted is not None and wanted <= _NAMES)


def _read(loaded: x509.Certificate, digest: str, *, names_alone: bool) -> Certificate:
    nameless: Name = ()
    keyless: tuple[str, int | None] = ("", None)
    subject = _part(lambda: _name(loaded.subject), nameless)
    issuer = _part(lambda: _name(loaded.issuer), nameless)
    if names_alone:  # a key and its hash cost three times as much
        return Certificate(subject=subject, issuer=issuer)
    key_type, key_bits = _part(lambda: _key(loaded), keyless)
    oid = _part(lambda: loaded.signature_algorithm_oid.dotted_string, "")
    return Certificate(
        subject=subject,
        issuer=issuer,
        names=_part(lambda: _alternative_names(loaded), ()),
        serial=_part(lambda: f"{loaded.serial_number:x}", ""),
        not_before=_part(loaded.not_valid_before_utc.isoformat, ""),
        not_after=_part(loaded.not_valid_after_utc.isoformat, ""),
        self_signed=subject == issuer if subject or issuer else None,
        key_type=key_type,
        key_bits=key_bits,
        signature_algorithm=_SIGNATURES.get(oid, oid),
        spki_sha256=_part(lambda: _spki(loaded), ""),
        sha256=digest,
    )


def _part(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return read()
    except _ODD:
        return otherwise


def _name(name: x509.Name) -> Name:
    pairs: list[tuple[str, str]] = []
    for attribute in name:
        oid = attribute.oid.dotted_string
        value = attribute.value
        pairs.append((_SHORT.get(oid, oid), value if isinstance(value, str) else value.hex()))
    return tuple(reversed(pairs))  # most specific first, as in RFC 4514


def _key(loaded: x509.Certificate) -> tuple[str, int | None]:
    key = loaded.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448", 456
    return type(key).__name__, None


def _alternative_names(loaded: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names: list[str] = []
    for general in extension.value:
        if isinstance(general, x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier):
            names.append(general.value)
        elif isinstance(general, x509.IPAddress):
            names.append(str(general.value))
    return tuple(names)


def _spki(loaded: x509.Certificate) -> str:
    key = loaded.public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()


def _walk(der: bytes, digest: str) -> Certificate:
    """Issuer and subject of TBSCertificate (RFC 5280 section 4.1) by position."""
    try:
        body = ber.items(ber.items(ber.items(der)[0].value)[0].value)
        parts = [item for item in body if item.tag != 0xA0]  # without the version
        issuer, subject = _walk_name(parts[2].value), _walk_name(parts[4].value)
    except (DecodeError, IndexError):
        return Certificate(sha256=digest)
    same = subject == issuer if subject or issuer else None
    return Certificate(subject=subject, issuer=issuer, self_signed=same, sha256=digest)


def _walk_name(value: bytes) -> Name:
    pairs: list[tuple[str, str]] = []
    for relative in ber.items(value)[:64]:
        for attribute in ber.items(relative.value)[:16]:
            pair = ber.items(attribute.value)
            if len(pair) == 2:
                oid = ber.oid_text(pair[0].value)
                pairs.append((_SHORT.get(oid, oid), decode_text(pair[1].value)))
    return tuple(reversed(pairs))


def parse_name(text: str) -> Name:
    r"""Read `CN=a,O=b\, c`, `C = US, O = b` or `/C=US/O=b`; parts without `=` join the one before."""
    separator = "/" if text.startswith("/") else ","
    pairs: list[tuple[str, str]] = []
    for part in _split(text.removeprefix("/"), separator):
        short, equals, value = part.partition("=")
        if equals and short.strip().replace(".", "").isalnum():
            pairs.append((short.strip(), value.strip()))
        elif pairs:
            name, before = pairs[-1]
            pairs[-1] = (name, f"{before}{separator}{part}")
    return tuple(pairs[:64])


def _split(text: str, separator: str) -> list[str]:
    """Split at separators and `+` that are not escaped; escapes are resolved."""
    parts: list[str] = []
    current: list[str] = []
    escaped = False
    for position, char in enumerate(text):
        if escaped:
            current.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == separator or (char == "+" and "=" in text[position + 1 : position + 20]):
            parts.append("".join(current))
            current = []
        else:
            current.append(char)
    return [*parts, "".join(current)]


def name_text(name: Name) -> str:
    """`CN=a,O=b` with commas of values escaped."""
    return ",".join(f"{short}={clean(value).replace(',', chr(92) + ',')}" for short, value in name)
