"""What are the start line, the headers and the body of an HTTP-like message?

Shared by HTTP, RTSP and SSDP (RFC 9112 section 2.1, RFC 2326 section 4, UPnP 2.0 section 1).
Cameras break the grammar in every way, so nothing is refused but an empty message.
"""

from __future__ import annotations

import functools
import re

from msgspec import Struct

from camscan.decode.collect import Collector, bounded
from camscan.decode.text import decode_text
from camscan.errors import DecodeError

MAX_HEAD = 65_536
MAX_HEADERS = 256

_END = re.compile(rb"\r?\n\r?\n|\r\r")
_LINE = re.compile(r"\r\n|\n|\r")


class Message(Struct, frozen=True):
    """A message as sent: names keep their case and order, empty names are possible."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a header, by lower-case name."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    def first(self, name: str) -> str | None:
        """The first value of a header, None when it is not there."""
        return next(iter(self.values(name)), None)


class Challenge(Struct, frozen=True):
    """One challenge of WWW-Authenticate (RFC 9110 section 11.6.1)."""

    scheme: str
    params: tuple[tuple[str, str], ...]

    def param(self, name: str) -> str | None:
        """The value of a parameter, by lower-case name."""
        for key, value in self.params:
            if key.lower() == name:
                return value
        return None


def split_message(data: bytes) -> Message:
    """Split bytes into start line, headers and body; raises DecodeError when there is nothing."""
    data = data.lstrip(b"\r\n\t \x00")
    if not data:
        raise DecodeError("empty message: no start line")
    end = _END.search(data, 0, MAX_HEAD)
    head, body = (data[: end.start()], data[end.end() :]) if end else (data[:MAX_HEAD], b"")
    lines = _LINE.split(decode_text(head))
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line.startswith((" ", "\t")) and headers:  # obsolete folding, RFC 9112 section 5.2
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}"[:16_384])
            continue
        name, colon, value = line.partition(":")
        if not colon or len(headers) >= MAX_HEADERS:
            continue
        headers.append((name.strip(), value.strip()))
    return Message(start=lines[0].strip(), headers=tuple(headers), body=body)


def header_style(names: tuple[str, ...]) -> str:
    """`lower`, `upper`, `title`, `mixed`, or empty when there are no names.

    Names of up to four capitals (EXT, ST, USN) fit both upper and title; abbreviations inside a
    title-case name (WWW-Authenticate, CSeq, ETag) do not make it mixed.
    """
    kinds = {
        _known_style(name) if len(name) <= MAX_KNOWN else _style(name)
        for name in names
        if name.isalpha() or any(char.isalpha() for char in name)
    }
    if not kinds:
        return ""
    settled = kinds - {"short"}
    if not settled:
        return "upper"
    return settled.pop() if len(settled) == 1 else "mixed"


MAX_KNOWN = 40
"""Characters of a header name whose style is remembered."""


def _style(name: str) -> str:
    if name.isascii() and name.islower():
        return "lower"
    letters = [char for char in name if char.isalpha()]
    if all(char.islower() for char in letters):
        return "lower"
    if all(char.isupper() for char in letters):
        return "short" if len(letters) <= 4 else "upper"
    parts = [part for part in name.split("-") if any(char.isalpha() for char in part)]
    if all(part.lstrip("0123456789_.")[:1].isupper() for part in parts):
        return "title"
    return "mixed"


_known_style = functools.lru_cache(maxsize=1024)(_style)


CHALLENGE_FIELDS = ("www-authenticate", "auth-scheme", "realm", "auth-params")
"""Fields that hold a part of WWW-Authenticate."""


def add_headers(out: Collector, headers: tuple[tuple[str, str], ...], own: frozenset[str]) -> None:
    """The fields that HTTP and RTSP headers have in common.

    `own`: lower-case names of headers that are a field of their own too.
    """
    if out.wants("header-names"):
        out.add("header-names", ",".join([name for name, _ in headers]))
    if out.wants("header-style"):
        out.add("header-style", header_style(tuple([name for name, _ in headers])))
    whole = out.wants("header")
    for name, value in headers:
        lower = name.lower()
        if whole:
            if lower in _CHANGING or len(value) > MAX_REMEMBERED:
                out.add("header", f"{lower}: {value}")
            else:
                out.take("header", _known_header(lower, value))
        if lower in own:
            out.add(lower, value)
        if lower == "www-authenticate":
            for challenge in challenges(value):
                out.add("auth-scheme", challenge.scheme)
                out.add("realm", challenge.param("realm"))
                if out.wants("auth-params"):
                    out.add("auth-params", *auth_params(challenge))


MAX_REMEMBERED = 256
"""Characters of a header value that is remembered: most are the same all over a fleet."""
_CHANGING = frozenset({"date", "www-authenticate", "expires", "last-modified"})
"""Headers that differ from answer to answer."""


@functools.lru_cache(maxsize=16_384)
def _known_header(lower: str, value: str) -> str:
    return bounded(f"{lower}: {value}")


_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9._-]{0,31})(?=\s|,|$)(?!\s*=)")
_PARAM = re.compile(r'[\s,]*([A-Za-z][A-Za-z0-9_-]{0,31})\s{0,8}=\s{0,8}(?:"([^"]*)"?|([^\s,]*))')
MAX_PARAMS = 64


def challenges(value: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate value, with unterminated quotes and several schemes tolerated."""
    value = value[:8192]
    found: list[Challenge] = []
    position = 0
    while position < len(value) and len(found) < 16:
        scheme = _SCHEME.match(value, position)
        if scheme is None:
            break
        position = scheme.end()
        params: list[tuple[str, str]] = []
        while len(params) < MAX_PARAMS:
            param = _PARAM.match(value, position)
            if param is None:
                break
            params.append((param[1], param[2] if param[2] is not None else param[3]))
            position = param.end()
        found.append(Challenge(scheme=scheme[1], params=tuple(params)))
    return tuple(found)


def auth_params(challenge: Challenge) -> tuple[str, ...]:
    """Texts for the field `auth-params`.

    First the names in the order sent, joined by `,`; then `name=value` for each parameter that
    tells something about the server (not the realm, nor the random nonce and opaque).
    """
    names = ",".join(name for name, _ in challenge.params)
    told = tuple(
        f"{name}={value}"
        for name, value in challenge.params
        if name.lower() not in {"realm", "nonce", "opaque"}
    )
    return (names, *told) if names else ()
