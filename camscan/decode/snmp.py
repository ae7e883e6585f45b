"""What does an SNMP answer say, and how is the engine id asked for (RFC 3412, 3414)?"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode import ber
from camscan.decode.collect import Collector, Wanted
from camscan.decode.layout import ipv4_of_bytes, ipv6_of_bytes, mac_of_bytes
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = 161
_REPORTABLE = 0x04
_USM = 3
_PDUS = {0xA0, 0xA2, 0xA8, 0xA7, 0xA6}
_SYSTEM = "1.3.6.1.2.1.1."
_SYSTEM_FIELDS = {
    "1": "sysdescr",
    "2": "sysobjectid",
    "4": "syscontact",
    "5": "sysname",
    "6": "syslocation",
}
_TEXT_FIELDS = {
    "sysdescr": "sysdescr",
    "sysobjectid": "sysobjectid",
    "sysname": "sysname",
    "syscontact": "syscontact",
    "syslocation": "syslocation",
}
_ENTERPRISE = re.compile(r"^\.?1\.3\.6\.1\.4\.1\.(\d{1,10})(?:\.|$)")
_LINE = re.compile(r"^([A-Za-z.][\w.:-]{0,200}|\.?\d[\d.]{2,200})\s{0,8}=\s{0,8}(.*)$", re.DOTALL)
_FORMATS = {1: "ipv4", 2: "ipv6", 3: "mac", 4: "text", 5: "octets"}


class EngineId(Struct, frozen=True):
    """An SnmpEngineID (RFC 3411 section 5); `form` is ipv4, ipv6, mac, text, octets, or old."""

    raw: bytes
    enterprise: int | None
    form: str
    text: str


class SnmpAnswer(Struct, frozen=True):
    """Variable bindings as `(oid or name, text)`, and the engine id of a version 3 report."""

    bindings: tuple[tuple[str, str], ...]
    engine: EngineId | None

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.SNMP]`; enterprise from sysObjectID, without the engine's."""
        out = Collector(wanted)
        whole = out.wants("varbind")
        for name, text in self.bindings:
            if whole:
                out.add("varbind", f"{name}={text}")
            field = _field(name)
            if field == "sysobjectid":
                text = text.removeprefix(".")
                match = _ENTERPRISE.match(text)
                out.add("enterprise", match[1] if match else None)
            if field is not None:
                out.add(field, text)
        if self.engine is not None:
            out.add("engine-id", self.engine.raw.hex())
            out.add("engine-enterprise", self.engine.enterprise)
            out.add("engine-format", self.engine.form)
            if self.engine.form == "mac":
                out.add("engine-mac", self.engine.text)
            elif self.engine.form in {"text", "ipv4", "ipv6"}:
                out.add("engine-text", self.engine.text)
        return out.done()


def parse(data: bytes) -> SnmpAnswer:
    """Read BER of any version, or the text form `sysDescr.0 = ...`, or the description alone; raises DecodeError."""
    if data[:1] == b"\x30":
        try:
            return _parse_ber(data)
        except DecodeError:
            if b" = " not in data:
                raise
    return _parse_text(decode_text(data[:65_536]).replace("\x00", ""))


def _field(name: str) -> str | None:
    base = name.removeprefix(".").removesuffix(".0")
    if base.startswith(_SYSTEM):
        return _SYSTEM_FIELDS.get(base[len(_SYSTEM) :])
    return _TEXT_FIELDS.get(base.rpartition(":")[2].lower())


def _parse_text(text: str) -> SnmpAnswer:
    """Lines `name = value`; a line of another form continues the value before it."""
    bindings: list[tuple[str, str]] = []
    for line in text.splitlines()[:2048]:
        match = _LINE.match(line)
        if match is not None and (_field(match[1]) or match[1].lstrip(".")[:1].isdigit()):
            bindings.append((match[1], match[2].strip()))
        elif bindings:
            name, value = bindings[-1]
            if len(value) < 8192:
                bindings[-1] = (name, f"{value} {line.strip()}".strip())
    plain = text.strip()
    if not bindings and plain and all(c.isprintable() or c in "\r\n\t" for c in plain):
        # Tools that ask for the description alone write it alone.
        bindings.append(("sysDescr.0", " ".join(plain[:8192].split())))
    if not bindings:
        raise DecodeError("neither SNMP BER nor text such as `sysDescr.0 = ...`")
    return SnmpAnswer(tuple(bindings), None)


def _parse_ber(data: bytes) -> SnmpAnswer:
    outer = ber.items(data[: _whole(data)])
    parts = ber.items(outer[0].value)
    if len(parts) < 3 or parts[0].tag != ber.INTEGER:
        raise DecodeError("SNMP message without version, community or header")
    version = int.from_bytes(parts[0].value, "big")
    if version != 3:
        return SnmpAnswer(_bindings(parts[2]), None)
    if len(parts) < 4 or parts[2].tag != ber.OCTETS:
        raise DecodeError("SNMPv3 message without security parameters")
    security = ber.items(parts[2].value)
    usm = ber.items(security[0].value) if security else ()
    raw = usm[0].value if usm and usm[0].tag == ber.OCTETS else b""
    bindings: tuple[tuple[str, str], ...] = ()
    if parts[3].tag == ber.SEQUENCE:  # a plain scoped PDU, as reports are
        scoped = ber.items(parts[3].value)
        if len(scoped) >= 3:
            raw = raw or scoped[0].value
            bindings = _bindings(scoped[2])
    return SnmpAnswer(bindings, engine_id(raw) if raw else None)


def _whole(data: bytes) -> int:
    """Length of the first item, so that padding after the message does no harm."""
    if len(data) > 1 and data[1] < 0x80:
        return 2 + data[1]
    count = data[1] & 0x7F if len(data) > 1 else 0
    return 2 + count + int.from_bytes(data[2 : 2 + count], "big") if 0 < count <= 4 else len(data)


def _bindings(pdu: ber.Item) -> tuple[tuple[str, str], ...]:
    if pdu.tag not in _PDUS:
        raise DecodeError(f"SNMP PDU with tag {pdu.tag:02x} is no answer")
    parts = ber.items(pdu.value)
    if len(parts) < 4:
        raise DecodeError(f"SNMP PDU with {len(parts)} parts, 4 are needed")
    found: list[tuple[str, str]] = []
    for binding in ber.items(parts[3].value):
        pair = ber.items(binding.value)
        if len(pair) == 2 and pair[0].tag == ber.OID:
            found.append((ber.oid_text(pair[0].value), _value(pair[1])))
    return tuple(found)


def _value(item: ber.Item) -> str:
    if item.tag == ber.OID:
        return ber.oid_text(item.value)
    if item.tag == ber.INTEGER:
        return str(int.from_bytes(item.value[:8], "big", signed=True))
    if item.tag in {0x41, 0x42, 0x43, 0x46}:  # Counter, Gauge, TimeTicks, Counter64
        return str(int.from_bytes(item.value[:9], "big"))
    if item.tag == 0x40:
        return ipv4_of_bytes(item.value)
    return decode_text(item.value) if item.tag == ber.OCTETS else ""


def engine_id(raw: bytes) -> EngineId:
    """Read an engine id: enterprise number, then a format byte and its value."""
    raw = raw[:64]
    if len(raw) < 5:
        return EngineId(raw, None, "", "")
    number = int.from_bytes(raw[:4], "big")
    if not number & 0x80000000:
        return EngineId(raw, number, "old", "")
    form = _FORMATS.get(raw[4], f"format-{raw[4]}")
    rest = raw[5:]
    text = ""
    if form == "mac":
        text = mac_of_bytes(rest[:6])
    elif form == "ipv4":
        text = ipv4_of_bytes(rest[:4])
    elif form == "ipv6":
        text = ipv6_of_bytes(rest[:16])
    elif form == "text":
        text = decode_text(rest)
    return EngineId(raw, number & 0x7FFFFFFF, form, text)


def discovery_request(message_id: int) -> bytes:
    """SNMPv3 engine discovery (RFC 3414 section 4): reportable, no user, empty engine id.

    Asks for nothing: the agent answers with a report that holds its engine id.
    """
    message_id &= 0x7FFFFFFF
    header = ber.encode(
        ber.SEQUENCE,
        ber.integer(message_id)
        + ber.integer(65_507)
        + ber.encode(ber.OCTETS, bytes((_REPORTABLE,)))
        + ber.integer(_USM),
    )
    empty = ber.encode(ber.OCTETS, b"")
    usm = ber.encode(ber.SEQUENCE, empty + ber.integer(0) + ber.integer(0) + empty + empty + empty)
    get = ber.encode(
        0xA0,
        ber.integer(message_id) + ber.integer(0) + ber.integer(0) + ber.encode(ber.SEQUENCE, b""),
    )
    scoped = ber.encode(ber.SEQUENCE, empty + empty + get)
    return ber.encode(ber.SEQUENCE, ber.integer(3) + header + ber.encode(ber.OCTETS, usm) + scoped)
