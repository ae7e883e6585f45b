"""What does a Dahua DHIP answer say, and how is it asked for (facts: discovery 3)?"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode import json_text, search_ports
from camscan.decode.collect import Collector, Wanted
from camscan.decode.layout import mac_of_text
from camscan.decode.versions import build_date
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.DHIP
GROUP = "239.255.255.251"
_MAGIC = b"\x20\x00\x00\x00DHIP"
_HEADER = struct.Struct("<I4sIIIIII")

MEMBERS = {
    "DeviceClass": "device-class",
    "DeviceType": "device-type",
    "Vendor": "vendor",
    "Manufacturer": "manufacturer",
    "MachineName": "machine-name",
    "SerialNo": "serial",
    "Version": "version",
    "Port": "port",
    "HttpPort": "http-port",
    "VideoInputChannels": "video-inputs",
    "RemoteVideoInputChannels": "remote-video-inputs",
}


class DhipAnswer(Struct, frozen=True):
    """A `client.notifyDevInfo`: leaves of its JSON."""

    method: str
    document: json_text.JsonDocument

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.DHDISCOVER]`, form `dhip`."""
        out = Collector(wanted)
        whole, dated = out.wants("field"), out.wants("build-date")
        out.add("form", "dhip")
        out.add("method", self.method)
        for leaf in self.document.leaves:
            name = leaf.name
            if whole:
                out.add("field", f"{'/'.join(leaf.path)}={leaf.text}")
            if name in MEMBERS:
                out.add(MEMBERS[name], leaf.text)
            elif name == "mac":
                out.add_once("mac", mac_of_text(leaf.text))
            elif name == "IPAddress" and "IPv4Address" in leaf.path:
                out.add("ipv4-address", leaf.text)
            elif name[:3].lower() == "dns":
                out.add("dns", leaf.text)
            if dated and name in {"Version", "BuildDate"}:
                built = build_date(leaf.text)
                out.add_once("build-date", built.isoformat() if built else None)
        return out.done()


def parse(data: bytes) -> DhipAnswer:
    """Read an answer with its header, or the bare JSON; raises DecodeError otherwise."""
    document = json_text.parse(text_of(data))
    method = document.first("method")
    if method is None and not any(leaf.name in MEMBERS for leaf in document.leaves):
        raise DecodeError("DHIP answer without method and device information")
    return DhipAnswer(method=method or "", document=document)


def text_of(data: bytes) -> bytes:
    """What stands behind the header; the bytes themselves where there is none."""
    # Lengths in the header are not relied on: cut secrets change them, and firmware pads.
    return data[32:] if data[:8] == _MAGIC else data


def search_message(*, unicast: bool = False) -> bytes:
    """`DHDiscover.search`, the only method that is ever sent; 91 bytes."""
    body = b'{"method":"DHDiscover.search","params":{"mac":"","uni":%d}}' % int(unicast) + b"\n"
    return _HEADER.pack(0x20, b"DHIP", 0, 0, len(body), 0, len(body), 0) + body
