"""How is each image examined in a child process of its own limits?

An image is hostile: its parser may run for ever, fill the memory or die. A child does one image at a time;
when it ends early the image is reported as not examined and the others go on. What may be written to disk by
a child is next to nothing, so no inner path can get there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from camscan.observe.firmware.entry import Budget
from camscan.worker import Limits
from camscan.workers import Outcome, Workers

T = TypeVar("T")

_MEMORY = 1 << 30
"""Address space of Python, its libraries and the tables of a filesystem."""
_GRACE = 60.0
"""Seconds after the budget of an image in which its report must be there."""
_WRITTEN = 1 << 16
"""Bytes: what a child may say on its way out."""


class ImageJob(Struct, frozen=True, kw_only=True):
    """One image for a child: the argument of the function it runs."""

    path: str
    """Of a file or of an extracted tree."""
    budget: Budget


def limits(images: Sequence[Path], budget: Budget) -> Limits:
    """What a child may use: an image is mapped, so its size is address space on top."""
    sizes = [image.stat().st_size for image in images if image.is_file()]
    return Limits(
        memory=_MEMORY + 3 * budget.one + max(sizes, default=0),
        job_seconds=budget.seconds + _GRACE,
        file_bytes=_WRITTEN,
        tries=1,
    )


def examine_images(
    function: str,
    result: type[T],
    images: Sequence[Path],
    *,
    budget: Budget,
    count: int | None = None,
) -> Iterator[Outcome[T]]:
    """One Outcome per image, in order; `function` (`package.module:name`) takes an ImageJob and returns a `result`."""
    jobs = [ImageJob(path=str(image.absolute()), budget=budget) for image in images]
    with Workers(function, result, count=count, limits=limits(images, budget)) as pool:
        yield from pool.run(jobs)
