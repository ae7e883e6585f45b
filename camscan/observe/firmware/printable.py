"""Which printable runs does a file hold, and where in it does a literal stand?

A program is a fifth text at most: literals are looked for in its printable runs alone, set one behind the
other, and every place is led back to the byte of the file it stands at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RUN = 4
"""Printable letters in a row, from which on they are text: no literal that is looked for is shorter."""
SMALL = 1 << 14
"""Bytes up to which a file costs less than taking it apart: it is all text."""
STEP = 1 << 20
"""Bytes that are looked at as one piece."""
_WORD = 8
"""Text is taken in words of so many bytes: what is taken beside it does no harm."""
_WHOLE = 0.75
"""Share of text in a piece from which on it is taken whole."""


class Text:
    """The printable runs of one file."""

    def __init__(self, data: bytes) -> None:
        self.joined = data
        """All printable runs of at least RUN bytes, in order, with some of what lies between."""
        self.data = data
        self._places: list[int] = [0]
        """Where in `joined` each piece begins."""
        self._pieces: list[tuple[int, NDArray[np.intp] | None, int]] = [(0, None, 0)]
        """Of each piece: where in the file it begins, the words taken of it (None: all), bytes in words."""
        if len(data) > SMALL:
            self._take(np.frombuffer(data, np.uint8))

    def __contains__(self, literal: bytes) -> bool:
        return literal in self.joined

    def find(self, literal: bytes) -> Iterator[int]:
        """The places in the file of a literal of printable letters; they do not overlap."""
        whole = len(literal) < RUN
        text = self.data if whole else self.joined
        at = text.find(literal)
        while at >= 0:
            place = at if whole else self.place(at)
            step = 1  # two runs that only seem to be neighbours
            if self.data.startswith(literal, place):
                yield place
                step = len(literal)
            at = text.find(literal, at + step)

    def _take(self, array: NDArray[np.uint8]) -> None:
        taken: list[bytes] = []
        self._places, self._pieces = [], []
        place = 0
        for start in range(0, len(array), STEP):
            piece = array[start : start + STEP]
            words, size = _words(array[start : start + STEP + RUN - 1], len(piece))
            if words is None:
                text = piece.tobytes()
            else:
                text = piece[:size].view(np.uint64)[words].tobytes() + piece[size:].tobytes()
            self._places.append(place)
            self._pieces.append((start, words, size))
            taken.append(text)
            place += len(text)
        self.joined = b"".join(taken)

    def place(self, at: int) -> int:
        """Where in the file the byte at a place of `joined` stands."""
        number = bisect_right(self._places, at) - 1
        start, words, size = self._pieces[number]
        at -= self._places[number]
        if words is None:
            return start + at
        word, byte = divmod(at, _WORD)
        if word < len(words):
            return start + int(words[word]) * _WORD + byte
        return start + size + at - len(words) * _WORD


def _words(around: NDArray[np.uint8], length: int) -> tuple[NDArray[np.intp] | None, int]:
    """Which words of a piece to take (None: all of it), and how many bytes its words have.

    `around` reaches so far behind the piece that a run that begins in it is seen.
    """
    printable = (around - np.uint8(0x20)) < 0x5F
    pairs = printable[:-1] & printable[1:]
    begins = pairs[:-2] & pairs[2:]
    size = min(len(begins), length) // _WORD * _WORD
    begun = begins[:size].view(np.uint64) != 0
    kept = begun.copy()
    kept[1:] |= begun[:-1]
    kept[:1] = True  # a run may come from the piece before
    words = np.flatnonzero(kept)
    return (None, size) if len(words) > _WHOLE * len(kept) else (words, size)
