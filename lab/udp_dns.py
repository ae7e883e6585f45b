"""How do mDNS and the SNMPv3 engine discovery of a device answer?"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lab.persona import Record, Udp
from lab.unit import Unit

_TTL = 120
_BROWSE = "_services._dns-sd._udp.local."


def _txt(values: tuple[str, ...], unit: Unit) -> str:
    quoted = []
    for value in values or ("",):
        text = unit.text(value).replace("\\", "\\\\").replace('"', '\\"')
        quoted.append(f'"{text}"')
    return " ".join(quoted)


def _rrset(name: dns.name.Name, kind: str, text: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, _TTL, "IN", kind, text)


def _describe(unit: Unit, record: Record) -> tuple[dns.name.Name, list[dns.rrset.RRset]]:
    service = dns.name.from_text(record.type)
    label = unit.text(record.instance).encode()[:63]
    instance = dns.name.Name((label, *service.labels))
    host = dns.name.from_text(unit.text(record.host))
    return instance, [
        _rrset(instance, "SRV", f"0 0 {unit.port(record.port)} {host.to_text()}"),
        _rrset(instance, "TXT", _txt(record.txt, unit)),
        _rrset(host, "A", unit.text("{ip}")),
    ]


def mdns(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    """RFC 6762 and 6763: PTR with SRV, TXT and A beside it; legacy queries get their question back."""
    try:
        query = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.Message(id=query.id)
    response.flags = dns.flags.QR | dns.flags.AA
    for question in query.question:
        for record in udp.record:
            instance, beside = _describe(unit, record)
            service = dns.name.from_text(record.type)
            if question.name == service and question.rdtype in {
                dns.rdatatype.PTR,
                dns.rdatatype.ANY,
            }:
                response.answer.append(_rrset(service, "PTR", instance.to_text()))
                response.additional += beside
            elif question.name == dns.name.from_text(_BROWSE):
                response.answer.append(_rrset(question.name, "PTR", service.to_text()))
            elif question.name == instance:
                response.answer += beside[:2]
                response.additional.append(beside[2])
            elif question.name == beside[2].name and question.rdtype == dns.rdatatype.A:
                response.answer.append(beside[2])
    if not response.answer:
        return None
    if query.id:
        response.question = list(query.question)
    return [response.to_wire()]


def _read(data: bytes, at: int) -> tuple[int, bytes, int]:
    """One BER value: tag, contents, where the next begins."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise ValueError
    return tag, data[at : at + length], at + length


def _ber(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(body).to_bytes(size, "big") + body


def asks_snmp_engine(data: bytes) -> bool:
    """Version 3 (RFC 3412) with an empty authoritative engine id (RFC 3414 section 4)."""
    try:
        _, message, _ = _read(data, 0)
        tag, version, _ = _read(message, 0)
    except (ValueError, IndexError):
        return False
    return tag == 2 and version == b"\x03"


def snmp_engine(unit: Unit, udp: Udp, data: bytes) -> bytes:
    """A report usmStatsUnknownEngineIDs (1.3.6.1.6.3.15.1.1.4.0) with the engine id."""
    engine = bytes.fromhex(unit.text(str(udp.fields.get("engine_id", "80001f8880"))))
    _, message, _ = _read(data, 0)
    _, _, after = _read(message, 0)
    _, header, _ = _read(message, after)
    _, identifier, _ = _read(header, 0)
    number = _ber(2, identifier)
    head = number + _ber(2, b"\x00\xff\xe3") + _ber(4, b"\x00") + _ber(2, b"\x03")
    security = _ber(
        0x30,
        _ber(4, engine) + _ber(2, b"\x01") + _ber(2, b"\x2a") + _ber(4, b"") * 3,
    )
    name = _ber(6, bytes.fromhex("2b060106030f01010400"))
    binding = _ber(0x30, _ber(0x30, name + _ber(0x41, b"\x01")))
    report = _ber(0xA8, number + _ber(2, b"\x00") + _ber(2, b"\x00") + binding)
    scoped = _ber(0x30, _ber(4, engine) + _ber(4, b"") + report)
    return _ber(0x30, _ber(2, b"\x03") + _ber(0x30, head) + _ber(4, security) + scoped)
