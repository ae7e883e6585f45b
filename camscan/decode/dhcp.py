"""What does a DHCP request say about the client (RFC 2131, 2132)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode.collect import Collector
from camscan.decode.layout import mac_of_bytes
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_COOKIE = b"\x63\x82\x53\x63"
_HOSTNAME, _PARAMETERS, _VENDOR_CLASS, _CLIENT_ID = 12, 55, 60, 61
_TEXT_NAMES = {
    "vendor-class": "vendor-class",
    "vendor_class": "vendor-class",
    "hostname": "hostname",
    "parameter-list": "parameter-list",
    "client-id": "client-id",
}


class DhcpRequest(Struct, frozen=True):
    """Values of `FIELDS[Kind.DHCP]` as `(field, text)`."""

    items: tuple[tuple[str, str], ...]

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.DHCP]`; option values are hex: `60=41584953`."""
        out = Collector()
        for field, text in self.items:
            out.add(field, text)
        return out.done()


def parse(data: bytes) -> DhcpRequest:
    """Read a BOOTP message, or lines `vendor-class TEXT`; raises DecodeError otherwise."""
    if data[236:240] == _COOKIE:
        return _parse_options(data[240:])
    items: list[tuple[str, str]] = []
    for line in decode_text(data[:8192]).splitlines()[:64]:
        name, _, value = line.strip().partition(" ")
        if name.lower() in _TEXT_NAMES and value.strip():
            items.append((_TEXT_NAMES[name.lower()], value.strip()))
    if not items:
        raise DecodeError("neither a DHCP message nor lines such as `vendor-class TEXT`")
    return DhcpRequest(tuple(items))


def _parse_options(data: bytes) -> DhcpRequest:
    items: list[tuple[str, str]] = []
    position = 0
    while position < len(data) and data[position] != 0xFF:
        code = data[position]
        if code == 0:
            position += 1
            continue
        length = data[position + 1] if position + 1 < len(data) else 0
        value = data[position + 2 : position + 2 + length]
        position += 2 + length
        if len(value) < length:  # cut by the capture: half a name is another name
            break
        items.append(("option", f"{code}={value.hex()}"))
        if code == _HOSTNAME:
            items.append(("hostname", decode_text(value)))
        elif code == _VENDOR_CLASS:
            items.append(("vendor-class", decode_text(value)))
        elif code == _PARAMETERS:
            items.append(("parameter-list", ",".join(str(byte) for byte in value)))
        elif code == _CLIENT_ID:
            mac = mac_of_bytes(value[1:]) if value[:1] == b"\x01" else ""
            items.append(("client-id", mac or value.hex()))
    if not items:
        raise DecodeError("DHCP message without options")
    return DhcpRequest(tuple(items))
