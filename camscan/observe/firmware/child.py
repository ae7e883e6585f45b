"""Which limits hold for a child process that opens images?

An image is hostile: its parser may run for ever, fill the memory or die. One child does one image at a time; what
it may write to disk is next to nothing, so no inner path can get there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from camscan.observe.firmware.entry import Budget
from camscan.worker import Limits

_MEMORY = 1 << 30
"""Address space of Python, its libraries and the tables of a filesystem."""
_COPIES = 3
"""Pieces of the largest size that may be in memory at once: a stream, what comes out of it, and the join."""
_GRACE = 60.0
"""Seconds after twice the budget of an image (opening, and the search of what came last) until it is given up."""
_WRITTEN = 1 << 16
"""Bytes: what a child may say on its way out."""


def limits(images: Iterable[Path], budget: Budget) -> Limits:
    """What a child may use. An image is mapped, so its size is address space on top, but no memory."""
    sizes = [image.stat().st_size for image in images if image.is_file()]
    return Limits(
        memory=_MEMORY + _COPIES * budget.one + max(sizes, default=0),
        job_seconds=2 * budget.seconds + _GRACE,
        file_bytes=_WRITTEN,
        tries=2,
    )
