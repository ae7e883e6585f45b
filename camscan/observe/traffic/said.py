"""Is a datagram what a device says in one of the search protocols, and in which (facts: discovery 1 to 7)?

The same forms a scan asks for. A capture also holds everything else that uses these ports, and the questions of
those who search, so a form is taken only where its decoder reads it and the answer states what only a device states.
Decoders are loaded with the first datagram that one of them reads: most captures hold none, and they are many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from camscan.decode import search_ports as ports
from camscan.decode.text import clean
from camscan.errors import DecodeError
from camscan.model.observation import Fields, Kind, Observation
from camscan.observe.traffic.packet import Gate, Packet

Test = Callable[[bytes], bool]
_SNMP = ports.SNMP
_SYSTEM = re.compile(r"1\.3\.6\.1\.2\.1\.1\.[125]\.0")
"""sysDescr, sysObjectID, sysName (RFC 3418)."""
_MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
"""Of one device: the group bit is not set."""
_TURNING = frozenset({"field", "path", "uuid", "header", "stamp", "form", "scope"})
"""Fields that hold numbers of the question or of the moment."""


class Form(Struct, frozen=True, kw_only=True):
    """One form of answer."""

    kind: Kind
    begins: tuple[bytes, ...]
    at: int = 0
    """Offset of `begins`."""
    comes_from: tuple[int, ...] = ()
    """Source ports of answers."""
    goes_to: tuple[int, ...] = ()
    """Ports to which answers and announcements go; empty: to whoever asked."""
    shortest: int = 8
    answers: Test = lambda _: True
    """Whether it is an answer and no question, by its bytes."""
    states: tuple[str, ...] = ()
    """Decoded fields of which one at least must be there; `mac` only as the MAC of one device."""

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(sorted({*self.comes_from, *self.goes_to}))


def _has(*words: bytes) -> Test:
    return lambda data: any(word in data for word in words)


def _without(word: bytes) -> Test:
    return lambda data: word not in data


def _is_of_device(data: bytes) -> bool:
    """BcUDP: D2C is a device's word to a client; C2D a client's, with the UID it looks for."""
    if len(data) < 20:
        return False
    from camscan.decode import reolink

    transmission = int.from_bytes(data[12:16], "little")
    return b"<D2C" in reolink.xor(data[20:84], transmission)


def _is_report(data: bytes) -> bool:
    """SNMP 3: an answer to the question for the engine's id, made of public parts alone (RFC 3414 section 4)."""
    return (
        data[0] == 0x30
        and b"\x02\x01\x03" in data[:8]
        and b"\xa8" in data
        and b"\x04\x00\x04\x00\x04\x00" in data
    )


_CODED_JSON = b"\xd0\xf2"
"""The beginning of JSON, `{"`, as `tplink.xor` codes it."""
_TUYA = (b"\x00\x00\x55\xaa", b"\x00\x00\x66\x99")
"""`tuya.HEADS`."""
_XML = (b"<",)
_SOAP = (b"<?xml", b"<SOAP-ENV", b"<s:Envelope", b"<soap:Env", b"<env:Env")
FORMS: tuple[Form, ...] = (
    Form(kind=Kind.SSDP, begins=(b"HTTP/1.1 200", b"NOTIFY "), comes_from=(ports.SSDP,), goes_to=(ports.SSDP,), states=("usn", "server")),
    Form(kind=Kind.WSD, begins=_XML, comes_from=(ports.WSD,), goes_to=(ports.WSD,), answers=_has(b"ProbeMatch", b"Hello"), states=("scope", "xaddr", "endpoint")),
    Form(kind=Kind.SADP, begins=(b"<?xml", b"<ProbeMatch"), comes_from=(ports.SADP,), goes_to=(ports.SADP,), answers=_has(b"<ProbeMatch"), states=("mac",)),
    Form(kind=Kind.DHDISCOVER, begins=(b"\x20\x00\x00\x00DHIP",), comes_from=(ports.DHIP,), goes_to=(ports.DHIP,), answers=_without(b"DHDiscover.search"), states=("mac", "serial", "device-type")),
    Form(kind=Kind.DHDISCOVER, begins=(b"\x58\x00\x00\x00",), at=4, comes_from=(ports.DAHUA_5050,), goes_to=(ports.DAHUA_5050,), shortest=0x89, answers=lambda d: d[0] == 0xB3, states=("mac",)),
    Form(kind=Kind.DVRIP, begins=(b"\xff\x00\x00\x00", b"\xff\x01\x00\x00"), comes_from=(ports.DVRIP,), goes_to=(ports.DVRIP,), answers=_has(b"NetWork.NetCommon"), states=("mac",)),
    Form(kind=Kind.KASA, begins=(b"\x02\x00\x00",), comes_from=ports.TPLINK, shortest=40, answers=_has(b'"result"'), states=("device-model", "device-type")),
    Form(kind=Kind.KASA, begins=(_CODED_JSON,), comes_from=(ports.TPLINK_LEGACY,), shortest=40, states=("model", "device-type")),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x0b",), comes_from=(ports.HANWHA,), goes_to=(ports.HANWHA_ANSWER,), shortest=0x77, states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x99\x39\xa4\x27",), comes_from=(ports.BOSCH,), goes_to=(ports.BOSCH_ANSWER,), shortest=28, states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"<?xml", b"<root"), comes_from=(ports.BOSCH,), goes_to=(ports.BOSCH_ANSWER,), answers=_has(b"RCPPort", b"friendlyName"), states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x4a\x5d\x8f\x1c",), at=1, comes_from=(ports.VIVOTEK,), shortest=12, states=("mac", "model")),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x00\x01",), comes_from=(ports.PANASONIC,), goes_to=(ports.PANASONIC_ANSWER,), shortest=57, states=("model",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x02",), comes_from=(ports.SONY,), shortest=20, answers=_has(b"\xffMODEL:", b"\x02MODEL:"), states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x01\x00", b"\x02\x06", b"\x02\x09", b"\x02\x0b"), comes_from=(ports.UBIQUITI,), goes_to=(ports.UBIQUITI,), shortest=16, states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\xaa\xaa",), comes_from=(ports.REOLINK,), goes_to=(ports.REOLINK_ANSWER,), shortest=24, states=("uid", "mac")),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x3a\xcf\x87\x2a",), comes_from=ports.REOLINK_UDP, goes_to=(3001,), shortest=24, answers=_is_of_device, states=("uid",)),
    Form(kind=Kind.VENDOR_DISC, begins=(b"MO_I\x01",), comes_from=(ports.FOSCAM,), goes_to=(ports.FOSCAM,), shortest=0x57, states=("mac", "serial")),
    Form(kind=Kind.VENDOR_DISC, begins=(b"\x44\x48\x01\x08",), comes_from=(ports.VSTARCAM,), shortest=0x9C, states=("mac",)),
    Form(kind=Kind.VENDOR_DISC, begins=_TUYA, comes_from=ports.TUYA, goes_to=ports.TUYA, shortest=36, states=("uid",)),
    Form(kind=Kind.PPPP, begins=(b"\xf1\x41\x00",), comes_from=(ports.PPPP,), shortest=24, states=("id",)),
    Form(kind=Kind.MIIO, begins=(b"\x21\x31\x00\x20",), comes_from=(ports.MIIO,), shortest=32, answers=lambda d: len(d) == 32 and d[4:12] != b"\xff" * 8, states=("device-id",)),
    # BER: the version stands behind one, two or three bytes of length.
    *(Form(kind=Kind.SNMP, begins=(b"\x02\x01",), at=at, comes_from=(_SNMP,), shortest=40, answers=_is_report, states=("engine-id",)) for at in (2, 3, 4)),
    # Some devices answer from a port of the moment to the port of the one who asked.
    Form(kind=Kind.SSDP, begins=(b"HTTP/1.1 200",), shortest=60, states=("usn",)),
    Form(kind=Kind.WSD, begins=_SOAP, shortest=200, answers=_has(b"ProbeMatches", b"UniviewProbeMatches"), states=("xaddr", "scope")),
    Form(kind=Kind.SADP, begins=(b"<?xml",), shortest=200, answers=_has(b"<ProbeMatch>"), states=("mac",)),
)  # fmt: skip
"""In order: the first form that fits is the one that is read."""


def gates() -> tuple[Gate, ...]:
    """What the engine hands over so that `read` sees every form; SSDP, WSD and mDNS have gates of their own."""
    wanted = [f for f in FORMS if f.ports not in {(ports.SSDP,), (ports.WSD,)}]
    weak = [f for f in wanted if min(map(len, f.begins)) < 2]
    by_port = Gate(
        id="said",
        transport="udp",
        ports=tuple(sorted({p for f in weak for p in f.ports})),
        shortest=min(f.shortest for f in weak),
        alike="payload",
    )
    found = [
        Gate(
            id=f"said:{form.kind.value}",
            transport="udp",
            ports=form.ports,
            offset=form.at,
            pattern=head,
            shortest=form.shortest,
            alike="payload",
        )
        for form in wanted
        if form not in weak
        for head in form.begins
    ]
    return (by_port, *dict.fromkeys(found))


_BY_PORT: dict[int, tuple[Form, ...]] = {
    port: tuple(f for f in FORMS if port in f.ports) for form in FORMS for port in form.ports
}
_ANYWHERE = tuple(form for form in FORMS if not form.ports)
_ANY_HEADS = tuple({head for form in _ANYWHERE for head in form.begins})
_SPACE = b" \r\n\t"
_FIRST = frozenset((*_SPACE, *(head[0] for head in _ANY_HEADS)))
PORTS = frozenset(_BY_PORT)
"""Between any others only a payload that `may_begin` can be an answer."""


class Told(NamedTuple):
    """What an answer becomes."""

    kind: Kind
    port: int
    payload: bytes


def may_begin(payload: bytes) -> bool:
    """Whether an answer of any port can begin like this; told by one byte."""
    return payload[:1] != b"" and payload[0] in _FIRST


def read(packet: Packet) -> Told | None:
    """What a datagram says of its sender; None for everything else."""
    payload, sport, dport = packet.payload, packet.sport, packet.dport
    by_port = sport in _BY_PORT or dport in _BY_PORT
    if not payload or not (by_port or payload[0] in _FIRST):
        return None  # nearly all that is asked for
    if sport == _SNMP and (plain := _system(payload)):
        return Told(Kind.SNMP, _SNMP, plain)
    text = payload.lstrip() if payload[0] in _SPACE else payload
    forms = (*_BY_PORT.get(sport, ()), *_BY_PORT.get(dport, ()))
    if text.startswith(_ANY_HEADS):
        forms += _ANYWHERE
    for form in forms:
        port = _port(form, packet)
        data = text if form.begins[0][:1] == b"<" else payload
        if port is None or len(payload) < form.shortest:
            continue
        if data.startswith(form.begins, form.at) and form.answers(data):
            fields = fields_of(form.kind, payload, port)
            if any(_stated(name, fields) for name in form.states):
                return Told(form.kind, port or packet.sport, payload)
    return None


def _system(payload: bytes) -> bytes:
    """The system group of an answer of SNMP 1 or 2c as text: the community beside it is a login."""
    if payload[:1] != b"\x30" or b"\xa2" not in payload[:64] or b"\x02\x01\x03" in payload[:8]:
        return b""
    from camscan.decode import snmp

    try:
        bindings = snmp.parse(payload).bindings
    except DecodeError:
        return b""
    lines = [
        f"{oid.removeprefix('.')} = {' '.join(clean(text).split())}"
        for oid, text in bindings
        if text and _SYSTEM.fullmatch(oid.removeprefix("."))
    ]
    return "\n".join(lines).encode()


def fields_of(kind: Kind, payload: bytes, port: int | None) -> Fields:
    """What the decoder of the kind reads; nothing where it reads nothing."""
    # Loaded with the first answer: it brings every decoder there is, and most captures hold no answer.
    from camscan.decode.registry import decode

    try:
        return decode(Observation(id="", device_id="", kind=kind, response=payload, port=port))
    except DecodeError:
        return {}


def steady(kind: Kind, payload: bytes, port: int | None) -> bytes:
    """What tells one answer of a device from another of the same kind; numbers of the moment are left out."""
    said = {k: v for k, v in fields_of(kind, payload, port).items() if k not in _TURNING}
    return repr(sorted(said.items())).encode() if said else payload


def _port(form: Form, packet: Packet) -> int | None:
    """The protocol's port in this packet; 0 for forms of any port, None where the ports do not fit."""
    if not form.ports:
        return 0
    if packet.sport in form.comes_from:
        return packet.sport
    return packet.dport if packet.dport in form.goes_to else None


def _stated(name: str, fields: Fields) -> bool:
    texts: Iterable[str] = fields.get(name, ())
    if name == "mac":
        return any(_MAC.fullmatch(text) for text in texts)
    return any(texts)
