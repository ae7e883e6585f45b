"""Which bytes are padding, which look encrypted, and which are worth a look?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from camscan.observe.firmware.form import Bytes
from camscan.observe.firmware.source import Source

CELL = 4096
"""Bytes that must be all 0x00 or all 0xFF to count as padding: the smallest flash sector."""
WINDOW = 1 << 16
"""Bytes over which an entropy is taken: 64 KiB of random bytes measure 7.997."""
HIGH, STILL = 7.95, 7.8
"""Above the first a run begins, above the second it goes on: a window of compressed bytes is not always as dense."""
_ZEROS = 0.035
"""Share of one byte value from which on HIGH cannot be reached: -p*log2(p) - (1-p)*log2((1-p)/255) = 7.93."""
_STEP = 1 << 24


def entropy(data: Bytes) -> float:
    """Bits per byte, 0 to 8."""
    if not len(data):
        return 0.0
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    shares = counts[counts > 0] / len(data)
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def _above(window: Bytes) -> float | None:
    """The entropy of a window if it is above HIGH."""
    zeros = len(window) - np.count_nonzero(np.frombuffer(window, np.uint8))
    if zeros > _ZEROS * len(window):
        return None
    value = entropy(window)
    return value if value > HIGH else None


def filled(source: Source, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of [start, end) that are no padding, as (start, end); a part begins at a multiple of CELL from `start`."""
    begin: int | None = None
    last = start
    for place, is_blank in _cells(source, start, end):
        if begin is not None and (is_blank or place > last):
            yield begin, last
            begin = None
        if not is_blank and begin is None:
            begin = place
        last = min(place + CELL, end)
    if begin is not None:
        yield begin, last


def _cells(source: Source, start: int, end: int) -> Iterator[tuple[int, bool]]:
    for low, high_end in source.parts(start, end):
        # Cells are counted from `start`, so that holes of a sparse file do not shift them.
        first = low - (low - start) % CELL
        for at in range(first, high_end, _STEP):
            stop = min(at + _STEP, end, high_end + (start - high_end) % CELL)
            whole = (stop - at) // CELL
            if whole:
                cells = np.frombuffer(source.view[at : at + whole * CELL], np.uint8)
                table = cells.reshape(whole, CELL)
                blank = (table.max(1) == 0) | (table.min(1) == 255)
                for i, is_blank in enumerate(blank.tolist()):
                    yield at + i * CELL, is_blank
            if at + whole * CELL < stop:
                rest = bytes(source.view[at + whole * CELL : stop])
                yield at + whole * CELL, not rest.strip(b"\0") or not rest.strip(b"\xff")


def high(view: memoryview, start: int, end: int) -> Iterator[tuple[int, int, float]]:
    """Runs of windows of view[start:end] that look encrypted, as (start, end, mean entropy)."""
    begin = start
    values: list[float] = []
    for at in range(start, end - WINDOW + 1, WINDOW):
        window = view[at : at + WINDOW]
        value = _above(window)
        if value is None and values and (still := entropy(window)) > STILL:
            value = still
        if value is not None:
            if not values:
                begin = at
            values.append(value)
            continue
        if values:
            yield begin, at, sum(values) / len(values)
            values = []
    if values:
        stop = begin + len(values) * WINDOW
        tail = end if end - stop < WINDOW else stop
        yield begin, tail, sum(values) / len(values)


def looks_encrypted(data: Bytes) -> float | None:
    """The entropy of a file of at least one window whose beginning, middle and end are all above HIGH."""
    size = len(data)
    if size < WINDOW:
        return None
    lowest = 8.0
    for at in (0, (size - WINDOW) // 2, size - WINDOW):
        value = _above(data[at : at + WINDOW])
        if value is None:
            return None
        lowest = min(lowest, value)
    return lowest
