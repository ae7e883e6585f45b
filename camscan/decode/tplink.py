"""What do TP-Link discovery answers say, and how are they asked for (facts: discovery 7)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode import json_text, search_ports
from camscan.decode.collect import Collector, Wanted
from camscan.decode.layout import mac_of_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORTS = search_ports.TPLINK
LEGACY_PORT = search_ports.TPLINK_LEGACY
_XOR_START = 0xAB
_CODED_BRACE = bytes((_XOR_START ^ ord("{"),))

MEMBERS = {
    "device_type": "device-type",
    "device_model": "device-model",
    "model": "model",
    "mac": "mac",
    "mic_mac": "mac",
    "ethernet_mac": "mac",
    "ip": "ip",
    "firmware_version": "firmware",
    "sw_ver": "firmware",
    "hardware_version": "hardware",
    "hw_ver": "hardware",
    "is_support_iot_cloud": "iot-cloud",
    "factory_default": "factory-default",
    "obd_src": "obd-src",
    "type": "type",
    "mic_type": "type",
    "description": "description",
    "dev_name": "description",
}
_OTHERS = frozenset({"children", "child_list", "ctrl_protocols"})


class TplinkAnswer(Struct, frozen=True):
    """Form `tdp` (20002, 20004) or `kasa` (9999)."""

    form: str
    document: json_text.JsonDocument

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.KASA]`; the owner's identifier is reduced to whether it is set."""
        out = Collector(wanted)
        whole = out.wants("field")
        out.add("form", self.form)
        for leaf in self.document.leaves:
            # A child of a power strip or hub describes another unit.
            if not _OTHERS.isdisjoint(leaf.path):
                continue
            if leaf.name == "owner":
                out.add_once("owner-set", "true" if leaf.text.strip("0 ") else "false")
                continue
            if whole:
                out.add("field", f"{'/'.join(leaf.path)}={leaf.text}")
            field = MEMBERS.get(leaf.name)
            if field is not None:
                out.add_once(field, mac_of_text(leaf.text) if field == "mac" else leaf.text)
        return out.done()


def parse(data: bytes) -> TplinkAnswer:
    """Read JSON, a TDP frame or XOR-coded bytes; raises DecodeError otherwise."""
    data = text_of(data)
    if data.lstrip()[:1] != b"{":
        raise DecodeError("neither a TP-Link discovery frame nor XOR-coded JSON")
    document = json_text.parse(data)
    form = "kasa" if any(leaf.path[0] == "system" for leaf in document.leaves if leaf.path) else ""
    return TplinkAnswer(form=form or "tdp", document=document)


def text_of(data: bytes) -> bytes:
    """The JSON of an answer, behind its header or uncovered; other bytes as they are."""
    if data[:1] == b"\x02" and data[16:17] == b"{":  # TDP header, version 2
        return data[16:]
    return unxor(data) if data.lstrip()[:1] != b"{" else data


def xor(data: bytes) -> bytes:
    """TP-Link's XOR autokey: each byte is coded with the coded byte before it."""
    key = _XOR_START
    out = bytearray()
    for byte in data:
        key ^= byte
        out.append(key)
    return bytes(out)


def unxor(data: bytes) -> bytes:
    """The reverse of `xor`; over TCP a four-byte length stands before the coded bytes."""
    for start in (0, 4):
        coded = data[start : start + json_text.MAX_BYTES]
        if coded[:1] != _CODED_BRACE:
            continue
        keys = bytes((_XOR_START,)) + coded[:-1]
        # As two numbers: a loop over the bytes takes a hundred times as long.
        text = int.from_bytes(coded, "big") ^ int.from_bytes(keys, "big")
        return text.to_bytes(len(coded), "big")
    return data


def search_message() -> bytes:
    """The short probe without a key."""
    return bytes.fromhex("020000010000000000000000463cb5d3")


def legacy_search_message() -> bytes:
    """XOR-coded `get_sysinfo` for UDP 9999."""
    return xor(b'{"system":{"get_sysinfo":{}}}')
