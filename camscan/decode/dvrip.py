"""What does a Xiongmai DVRIP answer or a Dahua port 37777 greeting say (facts: discovery 4)?"""

from __future__ import annotations

import re
import struct

from msgspec import Struct

from camscan.decode import json_text, search_ports
from camscan.decode.collect import Collector
from camscan.decode.layout import ipv4_of_bytes, mac_of_text
from camscan.decode.text import clean, decode_text
from camscan.decode.versions import build_date
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.DVRIP
SEARCH = 1530
ANSWER = 1531
HEADER = struct.Struct("<BBHIIHHI")
_REALM = re.compile(r"Realm:[ \t]{0,8}([^\r\n]{1,256})", re.IGNORECASE)
_HEX_ADDRESS = re.compile(r"0x([0-9a-fA-F]{8})")

MEMBERS = {
    "HostName": "host-name",
    "HttpPort": "http-port",
    "TCPPort": "tcp-port",
    "UDPPort": "udp-port",
    "SSLPort": "ssl-port",
    "SN": "serial",
    "Version": "version",
    "BuildDate": "build-date",
    "DeviceType": "device-type",
    "ChannelNum": "channels",
}


class DvripAnswer(Struct, frozen=True):
    """Form `xm` (header and JSON), `realm` (Dahua's text) or `greeting` (other bytes)."""

    form: str
    message_id: int | None
    document: json_text.JsonDocument | None
    realm: str
    greeting: str

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.DVRIP]`."""
        out = Collector()
        out.add("form", self.form)
        out.add("message-id", self.message_id)
        out.add("realm", self.realm)
        out.add("greeting", self.greeting)
        for leaf in self.document.leaves if self.document else ():
            out.add("field", f"{'/'.join(leaf.path)}={leaf.text}")
            if leaf.name == "MAC":
                out.add("mac", mac_of_text(leaf.text))
            elif leaf.name == "HostIP":
                out.add("host-ip", host_address(leaf.text))
            elif leaf.name == "BuildDate":
                built = build_date(leaf.text)
                out.add("build-date", built.isoformat() if built else leaf.text)
            elif leaf.name in MEMBERS:
                out.add(MEMBERS[leaf.name], leaf.text)
        return out.done()


def parse(data: bytes) -> DvripAnswer:
    """Read an answer or a greeting; raises DecodeError when it is empty or a broken XM frame."""
    if not data:
        raise DecodeError("empty DVRIP answer")
    if data[0] == 0xFF and len(data) >= HEADER.size:
        message = HEADER.unpack_from(data)[6]
        body = data[HEADER.size :].rstrip(b"\x00\n")
        document = json_text.parse(body) if body else None
        return DvripAnswer("xm", message, document, "", "")
    if data.lstrip()[:1] == b"{":
        return DvripAnswer("xm", None, json_text.parse(data), "", "")
    text = clean(decode_text(data[:1024]))
    realm = _REALM.search(decode_text(data[:1024]))
    if realm is not None:
        return DvripAnswer("realm", None, None, realm[1].strip(), text)
    return DvripAnswer("greeting", None, None, "", data[:64].hex())


def host_address(text: str) -> str:
    """`192.168.1.10` of `0x0A01A8C0`: XM writes addresses as little-endian hex."""
    match = _HEX_ADDRESS.fullmatch(text.strip())
    if match is None:
        return text
    return ipv4_of_bytes(bytes.fromhex(match[1]), little_endian=True)


def search_message() -> bytes:
    """Message 1530 without a body; 1532 (changes the address) is never built."""
    return HEADER.pack(0xFF, 0, 0, 0, 0, 0, SEARCH, 0)
