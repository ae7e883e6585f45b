"""Where in a file stand the few bytes that everything that is searched for begins with?

One pass in pieces that fit into the cache of a core: host names and addresses hang on a dot or a colon, DER
on its first two bytes. What is given is more than what is sought, never less: each search tests its places with
its own expression. A file that is a flood of
places of one kind gives none of that kind, and its search goes over all bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.firmware import printable
from camscan.observe.firmware.printable import Text

MOST = 1 << 20
"""Places of one kind in one file."""
_Bytes = NDArray[np.uint8]
_Places = NDArray[np.intp]


class Anchors(NamedTuple):
    """Places in order; None where there are too many to list."""

    names: list[int] | None
    """Dots behind which a last label of the public DNS may stand, in one or two bytes a letter."""
    quads: list[int] | None
    """Dots between numbers of at most three digits."""
    sixes: list[int] | None
    """`2` four bytes before a colon: the first group of a global IPv6 address."""
    elements: list[int] | None
    """DER sequences that may be a key or a certificate."""
    blocks: list[int] | None
    """Where a PEM block begins."""
    text: Text


class Finder:
    """Looks through files for the endings it was made with."""

    def __init__(self, endings: frozenset[bytes]) -> None:
        self._endings = _table(endings)

    def find(self, data: bytes) -> Anchors:
        """The places of one file."""
        if len(data) <= printable.SMALL:
            return Anchors(None, None, None, None, None, Text(data))
        array = np.frombuffer(data, np.uint8)
        names, quads, sixes, elements = _Listed(), _Listed(), _Listed(), _Listed()
        for start in range(0, len(array), printable.STEP):
            piece = array[start : start + printable.STEP]
            hits = np.flatnonzero((piece == _DOT) | (piece == _COLON) | (piece == _SEQUENCE))
            values = piece[hits]
            hits += start
            dots = hits[values == _DOT]
            names.add(self._names(array, dots))
            quads.add(_quads(array, dots))
            sixes.add(_sixes(array, hits[values == _COLON]))
            elements.add(_elements(array, hits[values == _SEQUENCE]))
        text = Text(data)
        blocks = list(islice(text.find(b"-----BEGIN "), MOST + 1))
        return Anchors(
            names.places,
            quads.places,
            sixes.places,
            elements.places,
            blocks if len(blocks) <= MOST else None,
            text,
        )

    def _names(self, array: _Bytes, dots: _Places) -> _Places:
        first, second, third = (_after(array, dots, n) for n in (1, 2, 3))
        code = (_LETTERS[first] * _WIDTH + _LETTERS[second]) * _WIDTH + _LETTERS[third]
        plain = self._endings[code] & _IN_HOST[_after(array, dots, -1)]
        wide = (first == 0) & (third == 0) & _ALNUM[second]
        kept: _Places = dots[plain | wide]
        return kept


class _Listed:
    """Places of one kind, until there are too many."""

    def __init__(self) -> None:
        self.places: list[int] | None = []

    def add(self, places: _Places) -> None:
        if self.places is not None:
            self.places += places.tolist()
            if len(self.places) > MOST:
                self.places = None


def matches(
    form: re.Pattern[bytes], data: bytes | memoryview, places: list[int] | None
) -> Iterator[re.Match[bytes]]:
    """What `form.finditer(data)` gives, looked for at the places alone where they are listed."""
    if places is None:
        yield from form.finditer(data)
        return
    end = 0
    match = form.match
    for place in places:
        if place >= end and (found := match(data, place)) is not None:
            end = found.end()
            yield found


def _quads(array: _Bytes, dots: _Places) -> _Places:
    dots = dots[_DIGIT[_after(array, dots, 1)]]
    second, third, fourth = (_after(array, dots, n) for n in (2, 3, 4))
    later = _DIGIT[third] & (fourth == _DOT)
    kept: _Places = dots[(second == _DOT) | (_DIGIT[second] & ((third == _DOT) | later))]
    return kept


def _sixes(array: _Bytes, colons: _Places) -> _Places:
    kept: _Places = colons[_after(array, colons, -4) == ord("2")] - 4
    return kept


def _elements(array: _Bytes, begins: _Places) -> _Places:
    begins = begins[_LENGTH[_after(array, begins, 1)]]
    length, second, third, fourth = (_after(array, begins, n) for n in (1, 2, 3, 4))
    two = (length == 0x82) & (second <= 0x12) & ((fourth == 0x02) | (fourth == 0x30))
    one = (length == 0x81) & (third == 0x02)
    kept: _Places = begins[two | one | ((length == 0x77) & (second == 0x02))]
    return kept


def _after(array: _Bytes, places: _Places, by: int) -> _Bytes:
    """The bytes so many behind some places; at an edge of the file the byte at the edge."""
    return array.take(places + by, mode="clip")


_DOT, _COLON, _SEQUENCE = (np.uint8(c) for c in b".:0")
_WIDTH = 27


def _class(letters: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, bool)
    table[list(letters)] = True
    return table


_DIGIT = _class(b"0123456789")
_ALNUM = _class(bytes(c for c in range(128) if chr(c).isalnum()))
_IN_HOST = _ALNUM | _class(b"._-")
_LENGTH = _class(b"\x77\x81\x82")
_LETTERS = np.full(256, 26, np.intp)
for _number in range(26):
    _LETTERS[[65 + _number, 97 + _number]] = _number


def _table(endings: frozenset[bytes]) -> NDArray[np.bool_]:
    """Whether three letters (26: none) may begin an ending; `.com` also where a letter follows."""
    table = np.zeros(_WIDTH**3, bool)
    for ending in endings:
        if ending.isalpha():
            first, second, *rest = _LETTERS[list(ending[:3])]
            base = (first * _WIDTH + second) * _WIDTH
            table[base + (rest[0] if rest else 26)] = True
            if ending == b"cn":
                table[base : base + _WIDTH] = True
    return table
