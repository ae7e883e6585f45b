"""What do TLS records up to version 1.2 show in clear, and how is an old server greeted?

RFC 5246 sections 6.2 and 7.4; SSLv3 is RFC 6101. Nothing is verified and no key is agreed: the
certificate is all that is wanted from a server that a modern library refuses.
"""

from __future__ import annotations

import re
import struct

from msgspec import Struct

from camscan.decode.collect import collect
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_ALERT, _HANDSHAKE = 21, 22
_SERVER_HELLO, _CERTIFICATE = 2, 11
MAX_CERTIFICATES = 16
MAX_BYTES = 262_144

_VERSIONS = {
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}
_ALERTS = {
    0: "close-notify",
    10: "unexpected-message",
    20: "bad-record-mac",
    40: "handshake-failure",
    42: "bad-certificate",
    47: "illegal-parameter",
    50: "decode-error",
    70: "protocol-version",
    71: "insufficient-security",
    80: "internal-error",
    86: "inappropriate-fallback",
    112: "unrecognized-name",
}
# Suites that send the certificate in clear and need no extension but the curves; strongest first,
# then what firmware of the last twenty years knows (IANA TLS parameters).
CIPHERS = {
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC013: "ECDHE-RSA-AES128-SHA",
    0xC009: "ECDHE-ECDSA-AES128-SHA",
    0xC014: "ECDHE-RSA-AES256-SHA",
    0xC00A: "ECDHE-ECDSA-AES256-SHA",
    0x009E: "DHE-RSA-AES128-GCM-SHA256",
    0x0033: "DHE-RSA-AES128-SHA",
    0x0039: "DHE-RSA-AES256-SHA",
    0x009C: "AES128-GCM-SHA256",
    0x009D: "AES256-GCM-SHA384",
    0x003C: "AES128-SHA256",
    0x003D: "AES256-SHA256",
    0x002F: "AES128-SHA",
    0x0035: "AES256-SHA",
    0x000A: "DES-CBC3-SHA",
    0x0016: "DHE-RSA-DES-CBC3-SHA",
    0x0005: "RC4-SHA",
    0x0004: "RC4-MD5",
    0x0009: "DES-CBC-SHA",
    0x0003: "EXP-RC4-MD5",
    0x0008: "EXP-DES-CBC-SHA",
}
_PAIR = re.compile(r"(version|cipher|alert|fallback)=(\S{1,128})")


class ServerFlight(Struct, frozen=True):
    """What the server sent in clear: certificates as DER, the server's own first."""

    version: str
    cipher: str
    certificates: tuple[bytes, ...]
    alert: str
    fallback: str = ""

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.TLS]`."""
        return collect(
            (
                ("version", self.version),
                ("cipher", self.cipher),
                ("alert", self.alert),
                ("fallback", self.fallback),
            )
        )

    def text(self) -> str:
        """The stored form: `version=TLSv1 cipher=AES128-SHA fallback=yes`."""
        pairs = (
            ("version", self.version),
            ("cipher", self.cipher),
            ("alert", self.alert),
            ("fallback", self.fallback),
        )
        return " ".join(f"{name}={value}" for name, value in pairs if value)


def parse(data: bytes) -> ServerFlight:
    """Read records, or the stored text; raises DecodeError when it is neither."""
    if data[:1] in {b"\x15", b"\x16"}:
        return parse_records(data)
    pairs = dict(_PAIR.findall(decode_text(data[:1024])))
    if not pairs:
        raise DecodeError("neither TLS records nor `version=TLSv1 cipher=...`")
    return ServerFlight(
        version=pairs.get("version", ""),
        cipher=pairs.get("cipher", ""),
        certificates=(),
        alert=pairs.get("alert", ""),
        fallback=pairs.get("fallback", ""),
    )


def parse_records(data: bytes) -> ServerFlight:
    """Read ServerHello, Certificate and alert records; what is cut off is left out."""
    handshake, alert = _payloads(data[:MAX_BYTES])
    version = cipher = ""
    certificates: tuple[bytes, ...] = ()
    position = 0
    while position + 4 <= len(handshake):
        kind = handshake[position]
        length = int.from_bytes(handshake[position + 1 : position + 4], "big")
        body = handshake[position + 4 : position + 4 + length]
        position += 4 + length
        if kind == _SERVER_HELLO and len(body) >= 38:
            (number,) = struct.unpack_from(">H", body)
            version = _VERSIONS.get(number, f"0x{number:04x}")
            session = body[34]
            suite = body[35 + session : 37 + session]
            if len(suite) == 2:
                code = int.from_bytes(suite, "big")
                cipher = CIPHERS.get(code, f"0x{code:04x}")
        elif kind == _CERTIFICATE:
            certificates = _certificates(body)
    if not (version or certificates or alert):
        raise DecodeError("TLS records without ServerHello, Certificate and alert")
    return ServerFlight(version, cipher, certificates, alert)


def _payloads(data: bytes) -> tuple[bytes, str]:
    handshake = bytearray()
    alert = ""
    position = 0
    while position + 5 <= len(data):
        kind, _, length = struct.unpack_from(">BHH", data, position)
        payload = data[position + 5 : position + 5 + length]
        position += 5 + length
        if kind == _HANDSHAKE:
            handshake += payload
        elif kind == _ALERT and len(payload) >= 2 and not alert:
            alert = _ALERTS.get(payload[1], str(payload[1]))
        else:
            break
    return bytes(handshake), alert


def _certificates(body: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    position = 3
    while position + 3 <= len(body) and len(found) < MAX_CERTIFICATES:
        length = int.from_bytes(body[position : position + 3], "big")
        position += 3
        if length == 0 or position + length > len(body):
            break
        found.append(body[position : position + length])
        position += length
    return tuple(found)


def client_hello(random: bytes, version: int = 0x0303) -> bytes:
    """A ClientHello that accepts SSLv3 up to `version` (0x0300 to 0x0303); `random` is 32 bytes.

    The record says 0x0300, as old servers refuse newer records (RFC 5246 appendix E.1).
    """
    if len(random) != 32:
        raise ValueError(f"the random of a ClientHello has 32 bytes, not {len(random)}")
    if not 0x0300 <= version <= 0x0303:
        raise ValueError(f"version 0x{version:04x} is not between SSLv3 and TLSv1.2")
    suites = b"".join(struct.pack(">H", code) for code in CIPHERS)
    body = struct.pack(">H", version) + random + b"\x00"
    body += struct.pack(">H", len(suites)) + suites + b"\x01\x00"
    if version > 0x0300:  # SSLv3 has no extensions
        groups = _extension(10, b"\x00\x08\x00\x1d\x00\x17\x00\x18\x00\x19")
        points = _extension(11, b"\x01\x00")
        signatures = bytes.fromhex("0403050306030401050106010203020102020101")
        algorithms = _extension(13, struct.pack(">H", len(signatures)) + signatures)
        extensions = groups + points + (algorithms if version == 0x0303 else b"")
        body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", _HANDSHAKE, 0x0300, len(handshake)) + handshake


def _extension(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value
