"""Which leaves does a JSON text of a device hold, even one with unterminated strings?

One pass without recursion, so neither depth nor broken text can hurt. Tolerates what Dahua sends:
strings without their closing quote, zeros at the end, a missing last brace (facts: discovery 3).
"""

from __future__ import annotations

import json
import re

from msgspec import Struct

from camscan.decode.text import decode_text
from camscan.errors import DecodeError

MAX_LEAVES = 8192
MAX_DEPTH = 64
MAX_BYTES = 262_144

_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\\r\n]|\\.){0,65536}"?|[^\s{}\[\],:"]{1,256}|\s{1,4096}')
_NEXT_KEY = re.compile(r'[A-Za-z_][A-Za-z0-9_.]{0,63}"\s{0,8}:')
_MAX_STRING = 65_536
_MAX_BARE = 256
"""Lengths at which _TOKEN cuts strings and bare words."""
_MAX_OPEN = 64
"""Objects and lists up to which proper JSON is read by the standard library."""
_STRUCTURE = frozenset("{}[],:")


class _Pairs(list[tuple[str, object]]):
    """An object as it was written: order and double keys are kept."""


class JsonLeaf(Struct, frozen=True):
    """A value that is neither object nor list: its path of keys and its text."""

    path: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """The key itself; empty for a value at the top."""
        return self.path[-1] if self.path else ""


class JsonDocument(Struct, frozen=True):
    """Leaves in document order; list positions are not part of a path, null is left out."""

    leaves: tuple[JsonLeaf, ...]

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of all leaves with this key."""
        return tuple(leaf.text for leaf in self.leaves if leaf.name == name)

    def first(self, *names: str) -> str | None:
        """The first text of the first of these keys that is there."""
        for name in names:
            found = next((leaf.text for leaf in self.leaves if leaf.name == name), None)
            if found is not None:
                return found
        return None


def parse(data: bytes) -> JsonDocument:
    """Read a JSON object or list; raises DecodeError when it holds no value."""
    text = _text_of(data)
    if not text.startswith(("{", "[")):
        raise DecodeError(f"not JSON: it begins {text[:20]!r}")
    leaves = _well_formed(text)
    if leaves is None:
        leaves = _tolerant(text)
    if not leaves:
        raise DecodeError("JSON without any value")
    return JsonDocument(tuple(leaves))


def well_formed(data: bytes) -> bool:
    """Whether it is proper JSON of the usual size, so that no part of it can be taken for another."""
    return _well_formed(_text_of(data)) is not None


def _text_of(data: bytes) -> str:
    return decode_text(data[:MAX_BYTES]).replace("\x00", "").strip()


class _OddError(Exception):
    """Valid JSON that the tolerant reader would take differently."""


def _bare(word: str) -> str:
    if len(word) > _MAX_BARE:
        raise _OddError
    return word


_PAIRS = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_bare, parse_float=_bare, parse_constant=_bare
)


def _well_formed(text: str) -> list[JsonLeaf] | None:
    """Leaves of proper JSON, the same as `_tolerant` finds, some times faster; else None."""
    if len(text) > _MAX_STRING or text.count("{") + text.count("[") > _MAX_OPEN:
        return None
    try:
        value = _PAIRS.decode(text)
    except (ValueError, RecursionError, _OddError):
        return None
    leaves: list[JsonLeaf] = []
    _walk(value, (), leaves)
    return leaves[:MAX_LEAVES]


def _walk(value: object, path: tuple[str, ...], leaves: list[JsonLeaf]) -> None:
    """Depth is bounded by _MAX_OPEN."""
    if isinstance(value, _Pairs):
        for key, inner in value:
            _walk(inner, (*path, key), leaves)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, path, leaves)
    elif value is not None:
        text = value if isinstance(value, str) else "true" if value else "false"
        leaves.append(JsonLeaf(path, text))


def _tolerant(text: str) -> list[JsonLeaf]:
    leaves: list[JsonLeaf] = []
    path: list[str] = []
    frames: list[int] = []  # length of `path` when the object or list was opened
    key: str | None = None
    tokens = _tokens(text)
    for index, word in enumerate(tokens):
        if word in {"{", "["}:
            if len(frames) >= MAX_DEPTH:
                raise DecodeError(f"JSON is deeper than {MAX_DEPTH}")
            frames.append(len(path))
            if key is not None:
                path.append(key)
            key = None
        elif word in {"}", "]"}:
            if frames:
                del path[frames.pop() :]
            key = None
        elif word == ",":
            key = None
        elif word != ":":
            if index + 1 < len(tokens) and tokens[index + 1] == ":":
                key = _text(word)
            elif word != "null" and len(leaves) < MAX_LEAVES:
                leaf_path = (*path, key) if key is not None else tuple(path)
                leaves.append(JsonLeaf(leaf_path, _text(word)))
                key = None
    return leaves


def _tokens(text: str) -> list[str]:
    """Tokens; strings keep their opening quote so that they differ from bare words."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # a lone backslash or control character
            position += 1
            continue
        token = match[0]
        position = match.end()
        if token.isspace():
            continue
        if token.startswith('"'):
            closed = len(token) > 1 and token.endswith('"')
            if closed and _NEXT_KEY.match(text, position):
                # The quote that ended it opens the next key: the string was unterminated.
                position -= 1
                closed = False
                token = token[:-1]
            token = token[:-1] if closed else token.rstrip('",}] \t')
            token = token or '"'
            if not token.startswith('"'):
                token = '"' + token
        tokens.append(token)
    return tokens


def _text(token: str) -> str:
    if not token.startswith('"'):
        return token
    text = token[1:]
    if "\\" in text:
        try:
            unescaped = json.loads(f'"{text}"')
        except ValueError:
            return text
        return str(unescaped)
    return text
