"""Is this a dump of NAND flash with the spare bytes of every page still in it, and what is it without them?

A chip programmer reads page and spare area in one go, so every filesystem is cut through every 2 KiB (or 512 bytes,
or 4 KiB). The sizes are those at which the mark of a good block (0xFF, the first spare byte of a page: ONFI
specification, factory defect mapping) stands in all pages and a filesystem can be validated once the spare bytes are gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from camscan.observe.firmware.carve import carve
from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member
from camscan.observe.firmware.forms.cramfs import CRAMFS
from camscan.observe.firmware.forms.jffs2 import JFFS2
from camscan.observe.firmware.forms.squashfs import SQUASHFS
from camscan.observe.firmware.forms.ubi import UBI
from camscan.observe.firmware.forms.uimage import FIT, UIMAGE
from camscan.observe.firmware.forms.yaffs import SHAPES, YAFFS
from camscan.observe.firmware.watch import Watch

_PROOF = (SQUASHFS, UBI, JFFS2, CRAMFS, UIMAGE, FIT)
_SMALLEST = 1 << 17
_SAMPLE = 2048
"""Pages that are looked at."""
_WRITTEN = 32
"""Written pages without which nothing can be said."""
_GOOD = 0.98
"""Share of written pages whose mark says good."""
_DENSE = 0.5
"""Above this share of 0xFF everywhere the mark says nothing."""
_PIECE = 1 << 24

_SIZES = (*SHAPES, (2048, 112), (2048, 96), (4096, 192), (8192, 448), (16384, 1280))


def _marked(view: memoryview, page: int, spare: int) -> bool:
    """Whether a column of 0xFF stands where the marks would be, and not in the data around it."""
    step = page + spare
    count = len(view) // step
    if count < _WRITTEN:
        return False
    stride = max(1, count // _SAMPLE)
    rows = np.frombuffer(view[: count * step], np.uint8).reshape(count, step)[::stride]
    if (
        float((rows[:, page] == 0xFF).mean()) < _GOOD
    ):  # erased pages have it too: the cheap question first
        return False
    written = rows[(rows[:, :page:64] != 0xFF).any(1)]
    if len(written) < _WRITTEN:
        return False
    if float((written[:, page] == 0xFF).mean()) < _GOOD:
        return False
    around = written[:, :page:61] == 0xFF
    return float(around.mean()) < _DENSE and float(around.mean(0).max()) < _GOOD


def stripped(view: memoryview, page: int, spare: int) -> bytes:
    """The pages without their spare bytes; what is no whole page at the end is left out."""
    step = page + spare
    count = len(view) // step
    rows = np.frombuffer(view[: count * step], np.uint8).reshape(count, step)
    return rows[:, :page].tobytes()


def _members(view: memoryview, page: int, spare: int, watch: Watch) -> Iterator[Member]:
    yield Member(
        "pages", "file", partial(stripped, view, page, spare), len(view) // (page + spare) * page
    )
    # yaffs keeps its tags in the spare bytes, so it is read with them.
    for candidate in carve(view, (YAFFS,), watch, ((0, len(view)),)).candidates:
        if candidate.found is not None:
            found = candidate.found
            part = view[found.at : found.at + found.size]
            yield Member(f"yaffs@0x{found.at:x}", "file", partial(_whole, part), len(part))


def _whole(part: memoryview) -> memoryview:
    return part


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    if at or not _SMALLEST <= len(view) <= watch.room():
        return None  # larger than what may be in memory: no flash, and reading samples of it costs
    for page, spare in _SIZES:
        if not _marked(view, page, spare):
            continue
        watch.tick()
        plain = memoryview(stripped(view, page, spare))
        if any(
            c.found is not None for c in carve(plain, _PROOF, watch, ((0, len(plain)),)).candidates
        ):
            left = len(view) % (page + spare)
            damage = f"nand: {left} bytes at the end are no whole page" if left else ""
            label = f"pages of {page} bytes and {spare} spare ones"
            return Found(
                0, len(view), partial(_members, view, page, spare), label, 0, "nand-dump", damage
            )
    return None


NAND = Form("nand-dump", FILESYSTEM, (), _probe)
