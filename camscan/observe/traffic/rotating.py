"""In which order are the files of a rotating set read, and which time does none of them cover?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from camscan.errors import InputError
from camscan.observe.traffic.batch import PAD
from camscan.observe.traffic.forms import framer_of
from camscan.observe.traffic.records import HEADER, PcapFramer
from camscan.observe.traffic.source import open_source

_LOOK = 1 << 19
"""Bytes in which the first packet is looked for."""
_T = TypeVar("_T")


def first_time(path: Path) -> float | None:
    """When the first packet of a capture was seen; None where that cannot be told."""
    data = bytearray(_LOOK + PAD)
    view = memoryview(data)
    try:
        source = open_source(path)
        try:
            have = source.readinto(view[:_LOOK])
        finally:
            source.close()
        framer = framer_of(bytes(view[: min(have, HEADER)]), str(path))
        begin = HEADER if isinstance(framer, PcapFramer) else 0
        framed = framer.cut(np.frombuffer(data, np.uint8), view, begin, have, 0)
    except InputError:
        return None
    times = [float(batch.at.min()) for batch in framed.batches if len(batch.frame)]
    return min(times, default=None)


def in_time_order(items: Sequence[_T], first: Sequence[float | None]) -> list[_T]:
    """By the time of each one's first packet; those without one last, in the order given."""
    order = sorted(range(len(items)), key=lambda i: (first[i] is None, first[i] or 0.0, i))
    return [items[i] for i in order]
