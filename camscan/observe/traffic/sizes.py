"""When is a capture large enough for several processes, and how large are their parts?"""

from __future__ import annotations

from msgspec import Struct

from camscan.observe.traffic.engine import EVERY


class Sizes(Struct, frozen=True, kw_only=True):
    """Bytes."""

    worth: int = 100_000_000
    """Of what is left of a file, from which it is worth being read by several."""
    most: int = 4 << 30
    """Of a part: what a process holds of it grows with it."""
    every: int = EVERY
    """Between the ends of segments."""
