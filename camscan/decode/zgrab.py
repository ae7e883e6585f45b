"""Which observations are in a line that zgrab2 wrote?

One JSON object per target: `ip` and `domain`, and in `data` one entry per module with `status`,
`protocol`, `port`, `timestamp` and `result` (zgrab2: README and zgrab2_schemas). zgrab2 keeps the parts
of an answer, not its bytes: header order and the case of names are gone, so records are `fragment`s.
A module that gave no answer, or that camscan does not read, is a `Skipped`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from camscan.decode.exchange import Skipped
from camscan.model.observation import Kind, Observation

_FRAGMENT = ("fragment",)
_MAX_LINE = 16 << 20
_MAX_MODULES = 64
_LEFT_OUT = frozenset({"transfer_encoding", "unknown"})
"""Bodies come joined, so a header that says `chunked` would be wrong."""
_BREAKS = re.compile(r"[\r\n\x00]+")


class _Module(Struct):
    status: str = ""
    protocol: str = ""
    port: int | None = None
    timestamp: str | None = None
    result: Any = None


class _Line(Struct):
    ip: str = ""
    domain: str = ""
    data: dict[str, _Module] = {}


class Target(Struct):
    """Whom a line is about: its address, else its name."""

    ip: str = ""
    domain: str = ""

    @property
    def device_id(self) -> str:
        return self.ip or self.domain


_DECODER = msgspec.json.Decoder(_Line)


def looks_like(line: bytes) -> bool:
    """Whether a first line is zgrab2's: an object with `data` and a target, without `kind`."""
    try:
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return "data" in found and bool({"ip", "domain"} & set(found)) and "kind" not in found


def parse(line: bytes, number: int) -> list[Observation | Skipped]:
    """All that one line holds, modules in their order."""
    if len(line) > _MAX_LINE:
        return [Skipped(number, f"{len(line)} bytes; {_MAX_LINE} is the limit")]
    try:
        record = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return [Skipped(number, f"not a line of zgrab2: {error}")]
    device = record.ip or record.domain
    if not device:
        return [Skipped(number, "neither ip nor domain")]
    found: list[Observation | Skipped] = []
    for name, module in list(record.data.items())[:_MAX_MODULES]:
        found += _module(number, device, record.ip, name, module)
    return found


def _module(
    number: int, device: str, address: str, name: str, module: _Module
) -> list[Observation | Skipped]:
    protocol = (module.protocol or name).casefold()
    read = _READERS.get(protocol)
    if read is None:
        return [Skipped(number, f"module {protocol[:40]} is not read", device)]
    answers = list(read(module)) if isinstance(module.result, dict) else []
    if not answers:
        status = module.status[:40] or "no result"
        return [Skipped(number, f"module {protocol}: {status}", device)]
    return [
        Observation(
            id=f"{number}-{name[:40]}" if n == 0 else f"{number}-{name[:40]}-{n + 1}",
            device_id=device,
            kind=answer.kind,
            response=answer.response,
            port=module.port,
            transport="tcp",
            tls=answer.tls,
            request=answer.request,
            address=address or None,
            at=module.timestamp,
            flags=_FRAGMENT if answer.part else (),
        )
        for n, answer in enumerate(answers)
    ]


class _Answer(Struct, frozen=True):
    kind: Kind
    response: bytes
    request: str | None = None
    tls: bool = False
    part: bool = False


def _http(module: _Module) -> Iterator[_Answer]:
    response = _table(module.result.get("response"))
    if not response:
        return
    request = _table(response.get("request"))
    path = _text(_table(request.get("url")).get("path")) or "/"
    secured = _table(request.get("tls_log"))
    yield _Answer(
        Kind.HTTP,
        _answer(response),
        f"{_text(request.get('method')) or 'GET'} {path}",
        tls=bool(secured),
        part=True,
    )
    yield from _certificates(secured)


def _answer(response: Mapping[str, Any]) -> bytes:
    """The parts put together as the answer they were."""
    protocol = _table(response.get("protocol"))
    version = f"{_number(protocol.get('major'), 1)}.{_number(protocol.get('minor'), 1)}"
    status = _text(response.get("status_line")) or str(_number(response.get("status_code"), 0))
    lines = [f"HTTP/{version} {status.removeprefix(f'HTTP/{version} ')}"]
    headers = _table(response.get("headers"))
    for name, values in headers.items():
        if name not in _LEFT_OUT:
            lines += [f"{_title(name)}: {value}" for value in _texts(values)]
    for entry in _list(headers.get("unknown")):
        name = _text(_table(entry).get("key"))
        lines += [f"{_title(name)}: {value}" for value in _texts(_table(entry).get("value"))]
    head = "\r\n".join(_BREAKS.sub(" ", line) for line in lines)
    body = _text(response.get("body"))
    return f"{head}\r\n\r\n{body}".encode("utf-8", "surrogatepass")


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def _tls(module: _Module) -> Iterator[_Answer]:
    yield from _certificates(module.result)
    yield from _certificates(_table(module.result.get("tls")))


def _certificates(log: Mapping[str, Any]) -> Iterator[_Answer]:
    """The server's own certificate out of a handshake log."""
    handshake = _table(log.get("handshake_log")) or log
    certificate = _table(_table(handshake.get("server_certificates")).get("certificate"))
    try:
        raw = base64.b64decode(_text(certificate.get("raw")), validate=True)
    except (binascii.Error, ValueError):
        return
    if raw:
        yield _Answer(Kind.HTTPS_CERT, raw, tls=True)


def _ssh(module: _Module) -> Iterator[_Answer]:
    raw = _text(_table(module.result.get("server_id")).get("raw"))
    if raw:
        yield _Answer(Kind.SSH, raw.encode("utf-8", "surrogatepass"))


def _banner(kind: Kind) -> Any:
    def read(module: _Module) -> Iterator[_Answer]:
        banner = _text(module.result.get("banner"))
        if banner:
            yield _Answer(kind, banner.encode("utf-8", "surrogatepass"), part=True)
        yield from _certificates(_table(module.result.get("tls")))

    return read


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [t for t in _list(value) if isinstance(t, str)]


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


_READERS: Mapping[str, Any] = {
    "http": _http,
    "https": _http,
    "tls": _tls,
    "ssh": _ssh,
    "ftp": _banner(Kind.FTP),
    "telnet": _banner(Kind.TELNET),
    "banner": _banner(Kind.GREETING),
}
"""Module -> what it tells."""
