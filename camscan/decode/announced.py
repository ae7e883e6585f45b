"""Which device id does a message of a camera service announce?

One reader per form; a signature of signatures/services names the reader. Each is pure, bounded, and gives
an empty text where the message holds no id. Logins that stand beside an id are never returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from camscan.decode import pppp_key, request_head, tutk
from camscan.decode.layout import c_text
from camscan.decode.text import clean
from camscan.errors import DecodeError

MAX_ID = 64
_PPPP_UID = frozenset({0x10, 0x12, 0x14, 0x16, 0x18, 0x20, 0x40, 0x41, 0x42})
"""PPPP messages whose body begins with the UID: login, online, request, punch, ready."""
_PPPP_PREFIX = re.compile(rb"[A-Z]{2,8}\x00{0,6}")
_DAHUA_PATH = re.compile(
    rb"(?:DH)?(?:GET|POST) /(?:online/p2psrv|device|setup/device|heartbeat/device|info/device)"
    rb"/([A-Za-z0-9]{6,32})(?=[/? ])"
)
_V380 = re.compile(rb"\x00(\d{6,10})\.nvdvr\.net")
_V380_RELAY = re.compile(rb"2(\d{6,10})\.nvdvr\.net")
_DRAWN = re.compile(r"[A-Za-z0-9._:-]+")


def pppp(data: bytes) -> str:
    """`PREFIX-001234-CHECK` of a UID in clear: prefix[8], serial be32, check[8] (facts: traffic 4)."""
    if len(data) < 24 or data[0] != 0xF1 or data[1] not in _PPPP_UID:
        return ""
    body = data[4:]
    prefix = body[:8]
    if _PPPP_PREFIX.fullmatch(prefix) is None:
        return ""
    serial = int.from_bytes(body[8:12], "big")
    check = c_text(body[12:20])
    return f"{c_text(prefix)}-{serial:06d}-{check}" if check.isalnum() and serial < 10**8 else ""


def pppp_of_key(data: bytes) -> str:
    """The same of a message under one of the fixed keys."""
    return pppp(pppp_key.plain(data))


def dahua(data: bytes) -> str:
    """Serial number in the path of a Dahua P2P request."""
    match = _DAHUA_PATH.match(data, 0, 512)
    return match[1].decode("ascii") if match else ""


def gb28181(data: bytes) -> str:
    """20-digit device id of a SIP request (GB/T 28181)."""
    try:
        return request_head.parse(data).user
    except DecodeError:
        return ""


def mqtt(data: bytes) -> str:
    """Client id of an MQTT CONNECT (OASIS MQTT 3.1.1 section 3.1.3); user name and password are not read."""
    at = 1
    while at < min(len(data), 5) and data[at] & 0x80:
        at += 1
    at += 1
    name = int.from_bytes(data[at : at + 2], "big")
    if data[at + 2 : at + 2 + name] not in {b"MQTT", b"MQIsdp"}:
        return ""
    level = data[at + 2 + name : at + 3 + name]
    at += 2 + name + 4
    if level == b"\x05":  # properties stand before the payload
        length, size = 0, 0
        for size, byte in enumerate(data[at : at + 4]):
            length |= (byte & 0x7F) << 7 * size
            if byte < 0x80:
                break
        at += size + 1 + length
    size = int.from_bytes(data[at : at + 2], "big")
    text = data[at + 2 : at + 2 + size]
    return _id(text) if len(text) == size else ""


def tutk_uid(data: bytes) -> str:
    """20-character UID of a TUTK connect message."""
    return tutk.uid(data)


def v380(data: bytes) -> str:
    """`<id>.nvdvr.net` in an advertisement to the master server or to a relay."""
    match = _V380_RELAY.match(data) or _V380.search(data, 0, 512)
    return match[1].decode("ascii") if match else ""


def reolink_uid(data: bytes) -> str:
    """UID in a discovery message that a device sends (D2..); apps send the one they look for."""
    if len(data) < 20:
        return ""
    # Loaded with the first such message: it brings the reader of XML.
    from camscan.decode import reolink

    if b"<D2" not in reolink.xor(data[20:64], int.from_bytes(data[12:16], "little")):
        return ""
    try:
        return reolink.parse(data).uid
    except DecodeError:
        return ""


def none(data: bytes) -> str:
    """A service that announces nothing in clear."""
    del data
    return ""


def _id(raw: bytes) -> str:
    try:
        text = clean(raw[:MAX_ID].decode("ascii"))
    except UnicodeDecodeError:
        return ""
    return text if _DRAWN.fullmatch(text) else ""


READERS: Mapping[str, Callable[[bytes], str]] = {
    "": none,
    "pppp": pppp,
    "dahua": dahua,
    "gb28181": gb28181,
    "mqtt": mqtt,
    "tutk": tutk_uid,
    "v380": v380,
    "pppp-key": pppp_of_key,
    "reolink": reolink_uid,
}
"""Name in a signature -> reader."""
