"""What does a result file of nmap (-oX) say, as observations?

Hostile input like any other: entities are refused; nmap's own DTD line is allowed, nothing of it
is fetched. Only what nmap saw is taken: addresses, layer-2 sources, port states, and the raw
answers its scripts quote; nmap's own guesses are not evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Protocol
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from msgspec import Struct

from camscan.clock import iso
from camscan.decode.ports import PortStates
from camscan.errors import InputError
from camscan.model.observation import Kind

SIZE_LIMIT = 512 * 1024 * 1024
_FLAGS = ("derived",)
_CERTIFICATE = "ssl-cert"


class Record(Struct, frozen=True, kw_only=True):
    """The circumstances and bytes of one observation."""

    address: str
    kind: Kind
    response: bytes
    port: int | None = None
    transport: str = ""
    tls: bool = False
    request: str | None = None
    mac: str | None = None
    at: str | None = None
    flags: tuple[str, ...] = ()


def read(path: Path) -> Iterator[Record]:
    """Observations host by host; InputError where the file is not nmap's XML."""
    if path.stat().st_size > SIZE_LIMIT:
        raise InputError(f"{path}: larger than {SIZE_LIMIT} bytes; split the scan and ingest parts")
    with path.open("rb") as file:
        yield from read_stream(file, str(path))


def read_stream(file: SupportsRead, name: str) -> Iterator[Record]:
    """The same of an open file, at most SIZE_LIMIT bytes of it."""
    seen = False
    try:
        for _, element in iterparse(
            _Limited(file, name),
            events=("end",),
            forbid_dtd=False,
            forbid_entities=True,
            forbid_external=True,
        ):
            if element.tag == "host":
                yield from _host(element)
                element.clear()
            seen |= element.tag == "nmaprun"
    except DefusedXmlException as problem:
        raise InputError(f"{name}: refused, {type(problem).__name__} in XML") from problem
    except ParseError as problem:
        raise InputError(
            f"{name}: not whole XML ({problem}); a killed nmap leaves such files, scan in parts"
        ) from problem
    if not seen:
        raise InputError(f"{name}: XML, but not a result of nmap (no <nmaprun>)")


class SupportsRead(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Limited:
    def __init__(self, file: SupportsRead, name: str) -> None:
        self._file = file
        self._name = name
        self._left = SIZE_LIMIT

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise InputError(
                f"{self._name}: larger than {SIZE_LIMIT} bytes; split the scan and ingest parts"
            )
        return data


def _host(host: Element) -> Iterator[Record]:
    addresses = {e.get("addrtype", ""): e.get("addr", "") for e in host.iter("address")}
    address = addresses.get("ipv4") or addresses.get("ipv6")
    if not address:
        return
    mac = addresses.get("mac", "").lower() or None
    started = host.get("starttime", "")
    at = iso(float(started)) if started.isdecimal() and len(started) < 12 else None
    if mac:
        yield Record(
            address=address,
            kind=Kind.NEIGHBOUR,
            response=f"mac={mac}".encode("ascii", "replace"),
            transport="l2",
            mac=mac,
            at=at,
        )
    states: dict[str, list[int]] = {"open": [], "closed": [], "filtered": []}
    certificates: list[tuple[int, bytes]] = []
    pages: list[tuple[int, Kind, bytes]] = []
    for port in host.iter("port"):
        number = port.get("portid", "")
        state = port.find("state")
        if port.get("protocol") != "tcp" or not number.isdecimal() or state is None:
            continue
        if not 0 < int(number) < 65536:
            continue
        states.setdefault(state.get("state", ""), []).append(int(number))
        for script in port.iter("script"):
            if script.get("id") == _CERTIFICATE:
                pem = next((e.text for e in script.iter("elem") if e.get("key") == "pem"), None)
                if pem:
                    certificates.append((int(number), pem.strip().encode("ascii", "replace")))
            else:
                pages.extend((int(number), kind, text) for kind, text in _web(script))
    if any(states.values()):
        found = PortStates(
            open=tuple(states["open"]),
            closed=tuple(states["closed"]),
            silent=tuple(states["filtered"]),
        )
        yield Record(
            address=address,
            kind=Kind.PORTS,
            response=msgspec.json.encode(found),
            transport="tcp",
            request="nmap port scan",
            mac=mac,
            at=at,
            flags=_FLAGS,
        )
    for place, pem_bytes in certificates:
        yield Record(
            address=address,
            kind=Kind.HTTPS_CERT,
            response=pem_bytes,
            port=place,
            transport="tcp",
            tls=True,
            request="nmap ssl-cert",
            mac=mac,
            at=at,
            flags=_FLAGS,
        )
    for place, kind, wrapped in pages:
        yield Record(
            address=address,
            kind=kind,
            response=wrapped,
            port=place,
            transport="tcp",
            request=f"nmap {kind.value}",
            mac=mac,
            at=at,
            flags=(*_FLAGS, "fragment"),
        )


def _web(script: Element) -> Iterator[tuple[Kind, bytes]]:
    """What the http scripts print of an answer, wrapped as the part of an answer it was."""
    output = script.get("output", "")
    name = script.get("id")
    if name == "http-server-header":
        values = [e.text or "" for e in script.iter("elem")] or output.splitlines()
        for value in filter(None, (v.strip() for v in values)):
            yield Kind.SERVER_HEADER, _answer(f"Server: {value}")
    elif name == "http-title":
        title = next((e.text or "" for e in script.iter("elem") if e.get("key") == "title"), "")
        if title:
            page = f"<html><head><title>{escape(title)}</title></head></html>"
            yield Kind.TITLE, _answer("Content-Type: text/html", page)
    elif name == "http-auth":
        for line in output.splitlines():
            if line.strip().startswith(("Basic ", "Digest ")):
                yield (
                    Kind.WWWAUTH,
                    _answer(f"WWW-Authenticate: {line.strip()}", status="401 Unauthorized"),
                )


def _answer(header: str, body: str = "", *, status: str = "200 OK") -> bytes:
    line = header.replace("\r", " ").replace("\n", " ")
    return f"HTTP/1.1 {status}\r\n{line}\r\n\r\n{body}".encode()
