"""Which strings do the files of an image hold, where does each stand, and which bytes of them are secrets?

For people who want all that was read, not only what was understood. ASCII, UTF-8 of Chinese, Japanese,
Korean, Cyrillic and Greek, and UTF-16 of ASCII; legacy code pages (GBK) cannot be told from noise. Keys,
password hashes and the values decoders call secrets are replaced by `<cut:kind:length>` (DESIGN rule 11).
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from camscan.decode import secrets
from camscan.decode.text import clean
from camscan.observe.firmware import accounts, keys
from camscan.observe.firmware.anchors import Anchors
from camscan.observe.firmware.form import pattern

SHORTEST = 6
"""Letters of a string."""
LONGEST = 4096
"""Bytes of one string; a longer one comes in parts."""
_PIECE = 1 << 20
_OVERLAP = 1 << 15
"""Bytes a piece of text reaches over its end: no secret is longer."""
_ASCII = re.compile(rb"[\t\n\r\x20-\x7e]{6,}")
_PRINTABLE = bytes((9, 10, 13, *range(32, 127)))
_ISLAND = pattern(
    r"(?:[\xe3-\xec][\x80-\xbf]{2}|\xef[\xbc-\xbd][\x80-\xbf]){2}", r"(?:[\xce-\xd1][\x80-\xbf]){3}"
)
"""Letters of scripts that bytes of programs hardly form by chance."""
_MIXED = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]++|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})++"
)
_LE = re.compile(rb"(?:[\t\n\r\x20-\x7e]\x00){6,}")
_LINES = re.compile(rb"[^\n\r]+")
_HINT = re.compile(
    rb"passw|passphrase|pwd|psk|shared_?key|secret|credential|token|private_?key|access_?key|api_?key|auth|community|wep_?key|ehome|"
    rb"validate|verification|cookie|a=crypto|a=key|k=|PRIVATE KEY|://|\$[a-z0-9]{1,7}\$|:[^:\s]{13,}:|root:|[a-zA-Z0-9+/_-]{24}",
    re.IGNORECASE,
)
"""Without one of these no secret stands in a text."""
_VALUE = re.compile(
    rb"(?:pass(?:word|wd|phrase)?|pwd|secret|token|psk|credential|(?:access|app|api|private|secret|client|sign|auth)[_-]?key)\w{0,12}"
    rb"[\"'\]]?\s{0,3}[:=]\s{0,3}[\"']?([^\s\"'<>,;&%]{3,256})",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rb"(?<![\w/.+-])(?!_Z)(?:(?=[A-Za-z_-]*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+/_-]{24,512}|[0-9a-fA-F]{32,512})={0,2}(?![\w/.+-])"
)
_PUBLIC = re.compile(
    rb"-----BEGIN (?:(?:TRUSTED |X509 )?CERTIFICATE|PUBLIC KEY)-----[^-]{0,16384}-----END"
)
_ENTRY = re.compile(
    rb"(?<![\w.-])[a-z_][a-z0-9_-]{0,31}:(?:([^:\s]{1,128}):\d{0,6}:\d{0,6}:\d{0,6}:|([^:\s]{1,128}):\d{1,6}:\d{1,6}:)"
)
"""A line of a shadow file (group 1), of a password file (group 2)."""


class String(NamedTuple):
    """One string of one file."""

    offset: int
    """Where its first byte stands in the file."""
    length: int
    """Bytes it takes there, those that were cut included."""
    encoding: str
    """`ascii`, `utf-8`, `utf-16-le`, `utf-16-be`."""
    text: str
    """One line, control and bidi characters removed."""


class _Block(NamedTuple):
    """Lines that follow one another, one byte a letter."""

    start: int
    text: bytes
    encoding: str
    step: int


def find(path: str, data: bytes, anchors: Anchors) -> Iterator[String]:
    """The strings of one file: those of one byte a letter in order, then those of two."""
    bodies = tuple(keys.spans(data, anchors))
    passwords = path.rpartition("/")[2].startswith(("shadow", "passwd"))
    for block in chain(_narrow(data), _wide(data)):
        cuts = list(_cuts(block.text, passwords=passwords))
        if block.step == 1:
            cuts += ((low - block.start, high - block.start, "private-key") for low, high in bodies)
        yield from _strings(block, _merged(cuts, block.text))


def _narrow(data: bytes) -> Iterator[_Block]:
    """Runs of text of one byte a letter, in order; each is taken once."""
    ascii_runs = (_Block(match.start(), match[0], "ascii", 1) for match in _ASCII.finditer(data))
    end = 0
    for block in heapq.merge(ascii_runs, _mixed(data), key=lambda b: (b.start, -len(b.text))):
        if block.start >= end:
            end = block.start + len(block.text)
            yield block


def _mixed(data: bytes) -> Iterator[_Block]:
    """The text around letters of other scripts."""
    end = 0
    while (island := _ISLAND.search(data, end)) is not None:
        start = island.start()
        while start > end:
            before = data[max(end, start - LONGEST) : start]
            kept = len(before) - len(before.rstrip(_PRINTABLE))
            start -= kept
            if kept < len(before) or not kept:
                break
        run = _MIXED.match(data, start)
        assert run is not None
        end = run.end()
        yield _Block(start, run[0], "utf-8", 1)


def _wide(data: bytes) -> Iterator[_Block]:
    """Runs of two bytes a letter; where letters stand at odd places behind a zero, the high byte comes first."""
    end = 0
    for start in _alternations(data):
        if start < end:
            continue
        run = _LE.match(data, start)
        if run is None:
            continue
        end = run.end()
        letters = run[0][::2]
        if start % 2 == 0 or data[start - 1]:
            yield _Block(start, letters, "utf-16-le", 2)
            continue
        if end < len(data) and data[end] in _PRINTABLE:
            letters += data[end : end + 1]
        yield _Block(start - 1, letters, "utf-16-be", 2)


def _alternations(data: bytes) -> Iterator[int]:
    """Where printable letters and zeros take turns for the length of a string."""
    array = np.frombuffer(data, np.uint8)
    for start in range(0, len(array), _PIECE):
        piece = array[start : start + _PIECE + 2 * SHORTEST]
        turns = ((piece[:-1] - np.uint8(0x20)) < 0x5F) & (piece[1:] == 0)
        if not turns.any():
            continue
        for by in (2, 4, 4):  # 2, 4 and at last SHORTEST letters in a row
            turns = turns[:-by] & turns[by:]
        for place in np.flatnonzero(turns).tolist():
            yield start + place


def _cuts(text: bytes, *, passwords: bool) -> Iterator[tuple[int, int, str]]:
    """Where secrets stand in a text, piece by piece, so that none costs more than its share."""
    if not passwords and _HINT.search(text) is None:
        return
    for start in range(0, len(text), _PIECE):
        piece = text[max(0, start - _OVERLAP) : start + _PIECE]
        base = max(0, start - _OVERLAP)
        for low, high, kind in chain(secrets.spans(piece), _more(piece, passwords=passwords)):
            yield base + low, base + high, kind


def _more(text: bytes, *, passwords: bool) -> Iterator[tuple[int, int, str]]:
    for match in _VALUE.finditer(text):
        if match[1].lower() not in {b"true", b"false", b"null", b"none"}:
            yield match.start(1), match.end(1), "secret"
    public = [m.span() for m in _PUBLIC.finditer(text)] if b"-----BEGIN" in text else []
    for match in _TOKEN.finditer(text):
        block = bisect_right(public, (match.start(),)) - 1
        if block < 0 or match.start() > public[block][1]:
            yield match.start(), match.end(), "token"
    for match in _ENTRY.finditer(text):
        group = 1 if match[2] is None else 2
        kind = accounts.hash_kind(match[group])
        # A field that is no known hash is one where passwords stand, else some list of values.
        if kind and (passwords or kind != "plain" or match[0].startswith(b"root:")):
            yield match.start(group), match.end(group), "password-hash"


def _merged(cuts: Iterable[tuple[int, int, str]], text: bytes) -> list[tuple[int, int, str]]:
    """In order, none overlapping another, all within the text; of two that overlap the first names the kind."""
    merged: list[tuple[int, int, str]] = []
    for low, high, kind in sorted(cuts):
        low, high = max(0, low), min(high, len(text))
        low += len(text[low:high]) - len(text[low:high].lstrip())
        if high <= low:
            continue
        if merged and low < merged[-1][1]:
            first, end, name = merged[-1]
            merged[-1] = first, max(end, high), name
        else:
            merged.append((low, high, kind))
    return merged


def _strings(block: _Block, cuts: list[tuple[int, int, str]]) -> Iterator[String]:
    """The lines of a block; what is cut stands in the line where it begins, as `<cut:kind:length>`."""
    number = 0
    for line in _LINES.finditer(block.text):
        start, end = line.span()
        while start < end:
            stop = min(end, start + LONGEST)
            parts: list[str] = []
            at = start
            while number < len(cuts) and cuts[number][0] < stop:
                low, high, kind = cuts[number]
                if low >= at:
                    parts += [_text(block.text[at:low]), f"<cut:{kind}:{high - low}>"]
                at = max(at, high)
                if high > end:
                    break
                stop = max(stop, high)
                number += 1
            parts.append(_text(block.text[at:stop]))
            text = clean("".join(parts))
            if len(line[0]) >= SHORTEST and text:
                bare = block.text[start:stop]
                first = start + len(bare) - len(bare.lstrip())
                yield String(
                    block.start + first * block.step,
                    (stop - first) * block.step,
                    block.encoding,
                    text,
                )
            start = stop


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "ignore")
