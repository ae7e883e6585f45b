"""Which recorded answers does the size benchmark of `camscan identify` read?

Deterministic. Every device is a unit of a persona of the lab (55 makes of camera, recorder and other
devices) with its own address, MAC, serial number, UUID, time, nonce and one of some models and builds
of its persona; it gives the answers that a scan asks for. Two mixes:

- `own`: only answers that carry something of the device or the moment, so nearly every record is
  distinct, and remembering whole answers is of little use;
- `fleet`: as much again of the short forms that internet scans and asset databases hold (server
  header, title, favicon, FTP, telnet, SSH and SNMP texts), which repeat themselves.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from camscan.knowledge import load
from lab.answer import build, find_route
from lab.persona import Persona, Tcp, load_personas
from lab.udp_answers import texts
from lab.udp_framed import dhip, kasa, tdp, xm
from lab.unit import Unit, make_mac, make_serial

_ASKED = ("/", "/ISAPI/System/deviceInfo", "/cgi-bin/magicBox.cgi?action=getSystemInfo")
_ONVIF = b"GetSystemDateAndTime"
_SHORT = frozenset({"favicon", "ftp", "telnet", "ssh", "snmp", "title", "server-header"})
_FRAMES = {
    "wsd": ("wsd", 3702, None),
    "sadp": ("sadp", 37020, None),
    "ssdp": ("ssdp", 1900, None),
    "dhip": ("dhdiscover", 37810, dhip),
    "xm": ("dvrip", 34569, xm),
    "tplink20002": ("kasa", 20002, tdp),
    "tplink9999": ("kasa", 9999, kasa),
}
_CLOCK = re.compile(rb"<tt:Minute>\d+</tt:Minute><tt:Second>\d+</tt:Second>")
_TDP_QUESTION = bytes(16)
_BUILDS = 12
_MODELS = 16
_BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
_DIGITS = re.compile(r"\d")
_TITLE = re.compile(rb"<title>[^<]{1,80}</title>", re.IGNORECASE)
_SERVER = re.compile(rb"\r\n(server: [^\r\n]{1,120})", re.IGNORECASE)


class Answer(NamedTuple):
    kind: str
    port: int
    request: str | None
    response: bytes


def write(path: Path, observations: int, mix: str) -> dict[str, float]:
    """At least so many records; the numbers that describe the file."""
    count = devices = 0
    size = 0
    seen: set[bytes] = set()
    kinds: dict[str, int] = {}
    with path.open("wb") as file:
        for device, answers in _devices(mix):
            devices += 1
            for answer in answers:
                line = _line(device, answer)
                size += file.write(line)
                seen.add(hashlib.blake2b(answer.response, digest_size=8).digest())
                kinds[answer.kind] = kinds.get(answer.kind, 0) + 1
                count += 1
            if count >= observations:
                break
    return {
        "observations": count,
        "devices": devices,
        "megabytes": size / 1e6,
        "distinct": len(seen) / count,
        **{f"kind {k}": n / count for k, n in sorted(kinds.items())},
    }


def _line(device: str, answer: Answer) -> bytes:
    record: dict[str, object] = {"device_id": device, "kind": answer.kind, "port": answer.port}
    if answer.request is not None:
        record["request"] = answer.request
    try:
        record["response"] = answer.response.decode("ascii")
    except UnicodeDecodeError:
        record["response_b64"] = base64.b64encode(answer.response).decode()
    return json.dumps(record).encode() + b"\n"


def _devices(mix: str) -> Iterator[tuple[str, list[Answer]]]:
    rng = random.Random(20261102)
    own = {p.id: _own(p, rng) for p in load_personas().values()}
    personas = [p for p in load_personas().values() if any(own[p.id])]
    short = _short_forms()
    number = 0
    while True:
        number += 1
        unit = _unit(personas[rng.randrange(len(personas))], number, rng)
        answers = _answers(unit, f"{rng.getrandbits(128):032x}")
        if mix == "fleet":
            answers = answers[:3] + _of_pages(answers) + _some(unit, short)
        else:
            answers = [a for a, keep in zip(answers, own[unit.persona.id], strict=True) if keep]
        yield unit.address, answers


def _own(persona: Persona, rng: random.Random) -> list[bool]:
    """Which answers of a persona two devices give differently, models and builds aside."""
    one = _unit(persona, 1, rng)
    other = replace(_unit(persona, 1 + _MODELS * _BUILDS, rng), number=1 + _MODELS * _BUILDS)
    pairs = zip(_answers(one, "1" * 32), _answers(other, "2" * 32), strict=True)
    return [a.response != b.response for a, b in pairs]


def _unit(persona: Persona, number: int, rng: random.Random) -> Unit:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return Unit(
        number=number,
        persona=persona,
        address=address,
        mac=make_mac(rng.choice(persona.macs), rng, set()),
        segment="",
        gateway="10.0.0.1",
        serial=make_serial(persona.serial, rng),
        uuid=persona.uuid or f"{rng.getrandbits(128):032x}",
    )


def _answers(unit: Unit, nonce: str) -> list[Answer]:
    when = _BEGIN + timedelta(milliseconds=731 * unit.number)
    given = {
        "date": when.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "iso-date": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "nonce": nonce,
        "probe-uuid": nonce,
        "new-uuid": nonce,
        "st": "upnp:rootdevice",
        "cseq": "2",
    }
    found: list[Answer] = []
    for tcp in unit.persona.tcp:
        if not tcp.quirks:
            found += _tcp(unit, tcp, given)
    for udp in unit.persona.udp:
        if udp.service in _FRAMES:
            kind, port, wrap = _FRAMES[udp.service]
            for text in texts(unit, udp, **given)[:1]:
                if udp.reply_hex is None and wrap is not None:
                    text = wrap(text, _TDP_QUESTION)
                found.append(Answer(kind, port, None, text))
    clock = f"<tt:Minute>{when.minute}</tt:Minute><tt:Second>{when.second}</tt:Second>".encode()
    return [
        a._replace(
            response=_variant(
                unit, _CLOCK.sub(clock, a.response) if a.kind == "onvif" else a.response
            )
        )
        for a in found
    ]


def _tcp(unit: Unit, tcp: Tcp, given: dict[str, str]) -> Iterator[Answer]:
    port = tcp.numbers[0]
    if tcp.proto == "rtsp":
        for method in ("OPTIONS", "DESCRIBE"):
            route = find_route(tcp, method, "/")
            if route is not None:
                yield Answer(
                    "rtsp", port, f"{method} /", b"".join(build(unit, tcp, route, **given))
                )
    if tcp.proto not in {"http", "https"}:
        return
    used = set()
    for path in _ASKED:
        route = find_route(tcp, "GET", path)
        if route is not None and route.path not in used:
            used.add(route.path)
            kind = "isapi" if path.startswith("/ISAPI") else "http"
            yield Answer(kind, port, f"GET {path}", b"".join(build(unit, tcp, route, **given)))
    route = find_route(tcp, "POST", "/onvif/device_service", _ONVIF)
    if route is not None and route.contains:
        answer = b"".join(build(unit, tcp, route, **given))
        yield Answer("onvif", port, "POST /onvif/device_service", answer)


def _variant(unit: Unit, response: bytes) -> bytes:
    """Some models and builds of each persona: the last digit changes."""
    for text, variants in (
        (unit.persona.truth.model, _MODELS),
        (unit.persona.truth.firmware, _BUILDS),
    ):
        digits = list(_DIGITS.finditer(text or ""))
        if text is None or not digits:
            continue
        at = digits[-1].start()
        other = f"{text[:at]}{unit.number % variants}{text[at + 1 :]}"
        response = response.replace(text.encode(), other.encode())
    return response


def _of_pages(answers: list[Answer]) -> list[Answer]:
    """Server header and title as records of their own."""
    found = []
    for answer in answers:
        if answer.kind == "http":
            if (title := _TITLE.search(answer.response)) is not None:
                found.append(Answer("title", answer.port, None, title[0]))
            if (server := _SERVER.search(answer.response)) is not None:
                found.append(Answer("server-header", answer.port, None, server[1]))
    return found[:2]


def _some(unit: Unit, short: dict[str, list[Answer]]) -> list[Answer]:
    """The short forms of this model: the same for each unit of it."""
    persona = unit.persona
    found = short.get(persona.truth.platform or "") or short[""]
    rng = random.Random(f"{persona.id} {unit.number % _MODELS}")
    chosen = {a.kind: a for a in rng.choices(found, k=3)}
    return list(chosen.values())


def _short_forms() -> dict[str, list[Answer]]:
    """Platform -> samples of its signatures of those kinds; empty name: near misses, of whoever."""
    found: dict[str, list[Answer]] = {"": []}
    for signature in load().signatures:
        if signature.kind.value in _SHORT:
            for samples, name in (
                (signature.sample, signature.id.partition(".")[0]),
                (signature.near_miss, ""),
            ):
                for sample in samples:
                    data = bytes.fromhex(sample.response_hex) or sample.response.encode("latin-1")
                    answer = Answer(signature.kind.value, sample.port or 0, sample.request, data)
                    found.setdefault(name, []).append(answer)
    return found
