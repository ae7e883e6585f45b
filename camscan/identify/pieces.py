"""What is left of one piece of an answer (a header line, an XML element, a JSON member)?

A piece whose value reaches no field that a signature asks for is left with its name alone. A value that
signatures look at but that differs from device to device (a serial number in a realm, a MAC in a scope)
is left as what they find in it. Pieces repeat themselves, so what is left of them is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from camscan.decode.collect import bounded
from camscan.decode.layout import mac_of_text
from camscan.decode.message import auth_params, challenges
from camscan.decode.wsd import SCOPE_FIELDS, split_scope

Told = Callable[[str, str], Hashable | None]
"""(field, value) -> all that signatures find in it; None where the value alone does not tell that."""
Short = Callable[[bytes], Hashable]
"""Piece -> what is left of it."""
One = Callable[[str, str], tuple[frozenset[int], Hashable] | None]
"""As Told, for the only value of its field: the conditions that hold, and what is then read from it."""

LONGEST = 1024
"""Bytes of a piece that is looked at; longer ones are left whole."""
_ROOM = 1 << 20
"""Bytes of pieces in one generation; most are short, and so is what is left of them."""
_MOST = 16_384
_NAMES = 2048

_HOST = re.compile(rb"(\s*[Hh][Tt][Tt][Pp][Ss]?://)[0-9.:]{1,64}(/[ -~]*)")
_PLAIN = re.compile(rb"[ -~\t]*")
_TEXT = re.compile(rb"[ -%'-;=-~\t\r\n]*")
"""Without `&` and `<`: they begin references, comments and tags."""
_STRING = re.compile(rb'\s*"([ !#-Z^-z|~]*)"([\s}\]]*)')
"""A JSON string without quotes, escapes, brackets; what may stand behind the last member of an object."""
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}")


_WHOLE = "whole"
"""Stands for the conditions that hold where the value itself is left."""


class Left(NamedTuple):
    """What is left of a piece with a value that signatures look at."""

    name: bytes
    told: Hashable
    held: Hashable = None
    """Of a value that can become a part of the device's identity: the conditions that hold for it."""


class Pieces(dict[bytes, Hashable]):
    """Piece -> what is left of it."""

    def __init__(self, short: Short) -> None:
        super().__init__()
        self._short = short
        self._old: dict[bytes, Hashable] = {}
        self._used = 0

    def __missing__(self, piece: bytes) -> Hashable:
        if len(piece) > LONGEST:
            return piece
        left = self._old.get(piece)
        if left is None:
            left = self._short(piece)
        self._used += len(piece)
        if self._used > _ROOM or len(self) >= _MOST:
            # Two generations: what stands in every answer outlives what stands in one.
            self._old = dict(self)
            self.clear()
            self._used = len(piece)
        self[piece] = left
        return left


class Names(dict[bytes, bool]):
    """What is said of a name, remembered."""

    def __init__(self, of: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, name: bytes) -> bool:
        if len(self) >= _NAMES:
            self.clear()
        found = self[name] = self._of(name)
        return found


class HeaderLines:
    """Lines of the head of an HTTP-like message."""

    def __init__(
        self, read: Mapping[str, tuple[str, ...]], asked: frozenset[str], told: Told, one: One
    ) -> None:
        """`read`: header in lower case -> the fields that it reaches, see decode/http.py.

        `one`: as `told`, for a field of which there is one value.
        """
        self._asked = asked
        self._lines = "header" in asked
        self._told = told
        self._one = one
        self._kept: dict[bytes, frozenset[str]] = {}
        for header, fields in read.items():
            if not fields or asked.intersection(fields):
                self._kept[header.encode()] = asked.intersection(fields)
        self._dropped = Names(self._drops)
        self._challenges = Pieces(self._challenge)

    def short(self, line: bytes) -> Hashable:
        """`Date:`, or what signatures find in the value."""
        left = self._short(line)
        if left is line or not self._lines:
            return left
        name, _, value = line.decode().partition(":")
        told = self._told("header", bounded(f"{name.lower()}: {value.strip()}"))
        if not told:
            return line if told is None else left
        return Left(name.encode(), (left, told), left.held if isinstance(left, Left) else _WHOLE)

    def _short(self, line: bytes) -> Hashable:
        name, colon, value = line.partition(b":")
        if not colon or not value.isascii():
            return line
        if self._dropped[name]:
            # A stray line break begins another header for the decoder.
            return line if b"\n" in value or b"\r" in value else name + colon
        lower = name.lower()
        fields = self._kept.get(lower)
        if not fields:
            return line
        if lower == b"www-authenticate":
            if "www-authenticate" in fields:
                return line
            line = _without(b'nonce="', line)
            return self._challenges[_without(b'opaque="', line) if b"opaque" in line else line]
        if not _PLAIN.fullmatch(value):
            return line
        if lower == b"set-cookie":
            cookie, equals, _ = value.partition(b"=")
            return name + colon + cookie + equals if equals else line
        if fields == {"location-path"}:
            found = _HOST.fullmatch(value)
            if found is not None:
                return name + colon + found[1] + b"0" + found[2]
        if fields != {lower.decode()}:
            return line
        told = self._one(lower.decode(), bounded(value.decode()))
        return line if told is None else Left(name, told, told[0])

    def _drops(self, name: bytes) -> bool:
        usual = name.isascii() and name.replace(b"-", b"").isalnum()
        return usual and name.lower() not in self._kept

    def agree(self, lines: Sequence[bytes]) -> bool:
        """Whether values of one header can be told one by one: for all of them the same conditions hold.

        A signature may hold because of one value, and then read another.
        """
        seen: dict[bytes, set[Hashable]] = {}
        for line in lines:
            left = self.short(line)
            name = line.partition(b":")[0].strip().lower()
            seen.setdefault(name, set()).add(left.held if isinstance(left, Left) else _WHOLE)
        return all(len(held) == 1 for name, held in seen.items() if name in self._kept)

    def _challenge(self, line: bytes) -> Hashable:
        name, _, value = line.partition(b":")
        found = challenges(value.decode().strip()) if _PLAIN.fullmatch(value) else ()
        if len(found) != 1:
            return line
        told: list[Hashable] = []
        held = None
        realm = bounded(found[0].param("realm") or "")
        if realm and "realm" in self._asked:
            one = self._one("realm", realm)
            if one is None:
                return line
            told.append(one)
            held = one[0]
        for field, values in (
            ("auth-scheme", (found[0].scheme,)),
            ("auth-params", auth_params(found[0]) if "auth-params" in self._asked else ()),
        ):
            if field in self._asked:
                told += [self._told(field, bounded(value)) for value in values]
        return line if None in told else Left(name, tuple(told), held)


def _without(begin: bytes, line: bytes) -> bytes:
    """Without the value of the parameter that begins so: random, and in no field."""
    at = line.find(begin)
    if at < 1 or line[at - 1] not in b" ,":
        return line
    start = at + len(begin)
    end = line.find(b'"', start)
    # Between two quotes, an even number of them before it: else it may be part of another value.
    if end < 0 or line.count(b'"', 0, start) % 2 == 0:
        return line
    value = line[start:end]
    return line[:start] + line[end:] if value.isalnum() or _PLAIN.fullmatch(value) else line


_SDP = {b"o": "sdp.origin", b"s": "sdp.session", b"i": "sdp.info", b"m": "sdp.media"}


class SdpLines:
    """Lines of a session description."""

    def __init__(self, asked: frozenset[str], told: Told) -> None:
        self._kept = {kind for kind, field in _SDP.items() if field in asked}
        self._attribute = "sdp.attribute" in asked
        self._tool = "sdp.tool" in asked
        self._told = told

    def short(self, line: bytes) -> Hashable:
        """`o=`, or what signatures find in the attribute."""
        kind, equals, value = line.partition(b"=")
        if not equals or len(kind) != 1 or kind in self._kept or not _PLAIN.fullmatch(line):
            return line
        if kind != b"a" or not (self._attribute or self._tool):
            return kind + equals
        text = bounded(value.decode())
        told = self._told("sdp.attribute", text) if text and not self._tool else None
        return line if told is None else Left(kind, told)


class Elements:
    """`<name>text` of XML with what stands before it: all between two `</`."""

    def __init__(self, kept: frozenset[bytes], scopes: ScopeWords | None = None) -> None:
        """`kept`: local names in lower case whose text reaches a field that is asked for."""
        self._kept = kept
        self._dropped = Names(self._drops)
        self._scopes = Pieces(scopes.short) if scopes is not None else None

    def short(self, piece: bytes) -> Hashable:
        """Up to `<name>`; of `<Scopes>` with what signatures find in each of them."""
        at = piece.rfind(b">") + 1
        tag, text = piece[:at], piece[at:]
        if not text or not _TEXT.fullmatch(text):
            return piece
        if self._dropped[tag]:
            return tag
        if self._scopes is not None and _name_of(tag) == b"scopes":
            return Left(tag, tuple(map(self._scopes.__getitem__, text.split())))
        return piece

    def _drops(self, tag: bytes) -> bool:
        name = _name_of(tag)
        return bool(name) and name not in self._kept


def _name_of(piece: bytes) -> bytes:
    """Local name in lower case of the start tag at the end of this piece; empty where it is odd."""
    begin = piece.rfind(b"<")
    tag = piece[begin + 1 : -1]
    words = tag.split(None, 1)
    if begin < 0 or not words or b">" in tag or tag[:1] in b"/?!" or tag[-1:] == b"/":
        return b""
    name = words[0].rpartition(b":")[2]
    return name.lower() if tag.isascii() and (name[:1].isalpha() or name[:1] == b"_") else b""


class ScopeWords:
    """Single scopes of WS-Discovery."""

    def __init__(self, asked: frozenset[str], told: Told) -> None:
        self._asked = asked
        self._told = told

    def short(self, scope: bytes) -> Hashable:
        """What signatures find in it, or itself."""
        text = scope.decode()
        told: list[Hashable] = []
        name, value = split_scope(text)
        for field, one in (("scope", bounded(text)), (SCOPE_FIELDS.get(name, ""), bounded(value))):
            if field in self._asked and one:
                told += (field, self._told(field, one))
        return scope if None in told else tuple(told)


class Members:
    """`name":value` of JSON: what stands between two `,"`."""

    def __init__(self, read: Mapping[str, str], asked: frozenset[str], told: Told) -> None:
        """`read`: name -> field that holds its value."""
        self._kept = {name.encode(): field for name, field in read.items() if field in asked}
        self._told = told

    def short(self, piece: bytes) -> Hashable:
        """`name":""`, or what signatures find in the value."""
        before, colon, value = piece.rpartition(b'":')
        found = _STRING.fullmatch(value) if colon else None
        if found is None or before.endswith(b"\\"):
            return piece
        field = self._kept.get(before[before.rfind(b'"') + 1 :])
        if field is None:
            return before + b'":""' + found[2]
        text = found[1].decode()
        if field == "mac" and _MAC.fullmatch(text):
            told = self._told("mac", mac_of_text(text))
            return piece if told is None else Left(before + found[2], told)
        if field == "owner-set":
            return before + (b'":"1"' if text.strip("0 ") else b'":"0"') + found[2]
        return piece
