"""Does a datagram ask this service, and what does the device answer?"""

from __future__ import annotations

import re
from collections.abc import Callable

from lab import udp_binary, udp_dns, udp_framed
from lab.persona import Udp
from lab.unit import Unit

_UUID = re.compile(rb"<(?:\w+:)?(?:Uuid|MessageID)[^>]*>\s*([^<\s]+)\s*</")
_TYPES = re.compile(rb"<(?:\w+:)?Types[^>]*>\s*([^<]*?)\s*</")
_ST = re.compile(rb"^st\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)

Answer = Callable[[Unit, Udp, bytes], list[bytes] | None]
"""None: the datagram is not a question to this service."""


def texts(unit: Unit, udp: Udp, **extra: str) -> list[bytes]:
    """The reply texts of a persona with placeholders replaced."""
    if udp.reply_hex is not None:
        return [bytes.fromhex(udp.reply_hex)]
    replies = ((udp.reply,) if udp.reply is not None else ()) + udp.replies
    return [
        unit.text(text.removeprefix("\n").removesuffix("\n"), **extra).encode() for text in replies
    ]


def _probe_uuid(data: bytes) -> str:
    match = _UUID.search(data)
    return match.group(1).decode("latin-1") if match else ""


def _wsd(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    # WS-Discovery 2005/04 section 5.3: a Probe without Types matches every target service
    if b"Probe" not in data or b"UniviewProbe" in data or b"ProbeMatch" in data:
        return None
    match = _TYPES.search(data)
    asked = match.group(1).decode("latin-1").split() if match else []
    mine = {name.rpartition(":")[2] for name in udp.types}
    if any(name.rpartition(":")[2] not in mine for name in asked):
        return None
    return texts(unit, udp, **{"probe-uuid": _probe_uuid(data)})


def _uniview(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    if b"UniviewProbe" not in data or b"UniviewProbeMatch" in data:
        return None
    return texts(unit, udp, **{"probe-uuid": _probe_uuid(data)})


def _sadp(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    match = _TYPES.search(data)
    if b"<Probe" not in data or not match or match.group(1) != b"inquiry":
        return None
    return texts(unit, udp, **{"probe-uuid": _probe_uuid(data)})


def _ssdp(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    # UPnP Device Architecture 1.1 section 1.3.2
    match = _ST.search(data)
    if not data.startswith(b"M-SEARCH") or not match:
        return None
    asked = match.group(1).decode("latin-1")
    targets = udp.st if asked == "ssdp:all" else tuple(st for st in udp.st if st == asked)
    return [
        _crlf(answer) for target in targets for answer in texts(unit, udp, st=unit.text(target))
    ]


def _crlf(data: bytes) -> bytes:
    lines = data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _raw(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    if not data.startswith(bytes.fromhex(udp.match_hex or "")):
        return None
    return texts(unit, udp)


def _framed(wrap: Callable[[bytes, bytes], bytes], asks: Callable[[bytes], bool]) -> Answer:
    def answer(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
        if not asks(data):
            return None
        if udp.reply_hex is not None:
            return [bytes.fromhex(udp.reply_hex)]
        return [wrap(text, data) for text in texts(unit, udp)]

    return answer


def _laid_out(build: Callable[[Unit, Udp, bytes], bytes], asks: Callable[[bytes], bool]) -> Answer:
    def answer(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
        if not asks(data):
            return None
        if udp.reply_hex is not None:
            return [bytes.fromhex(udp.reply_hex)]
        return [build(unit, udp, data)]

    return answer


def _bosch(unit: Unit, udp: Udp, data: bytes) -> list[bytes] | None:
    if not udp_binary.asks_bosch(data):
        return None
    return texts(unit, udp) or [udp_binary.bosch(unit, udp, data)]


ANSWERS: dict[str, Answer] = {
    "wsd": _wsd,
    "uniview": _uniview,
    "sadp": _sadp,
    "ssdp": _ssdp,
    "raw": _raw,
    "mdns": udp_dns.mdns,
    "bosch": _bosch,
    "dhip": _framed(udp_framed.dhip, udp_framed.asks_dhip),
    "xm": _framed(udp_framed.xm, udp_framed.asks_xm),
    "tplink20002": _framed(udp_framed.tdp, udp_framed.asks_tdp),
    "tplink9999": _framed(udp_framed.kasa, udp_framed.asks_kasa),
    "bcudp": _framed(udp_framed.bcudp, udp_framed.asks_bcudp),
    "dahua5050": _laid_out(udp_binary.dahua5050, udp_binary.asks_dahua5050),
    "hanwha": _laid_out(udp_binary.hanwha, udp_binary.asks_hanwha),
    "vivotek": _laid_out(udp_binary.vivotek, udp_binary.asks_vivotek),
    "panasonic": _laid_out(udp_binary.panasonic, udp_binary.asks_panasonic),
    "sony": _laid_out(udp_binary.sony, udp_binary.asks_sony),
    "ubiquiti": _laid_out(udp_binary.ubiquiti, udp_binary.asks_ubiquiti),
    "reolink2000": _laid_out(udp_binary.reolink, udp_binary.asks_reolink),
    "foscam": _laid_out(udp_binary.foscam, udp_binary.asks_foscam),
    "vstarcam": _laid_out(udp_binary.vstarcam, udp_binary.asks_vstarcam),
    "pppp": _laid_out(udp_binary.pppp, udp_binary.asks_pppp),
    "miio": _laid_out(udp_binary.miio, udp_binary.asks_miio),
    "snmp": _laid_out(udp_dns.snmp_engine, udp_dns.asks_snmp_engine),
}


def answers(unit: Unit, udp: Udp, data: bytes) -> list[bytes]:
    """Datagrams the device sends for a request; empty if it does not concern this service."""
    try:
        return ANSWERS[udp.service](unit, udp, data) or []
    except (ValueError, IndexError):  # a broken request: a device stays silent
        return []
