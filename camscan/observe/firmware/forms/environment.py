"""Which settings does the environment of U-Boot hold?

Layout: U-Boot doc/usage/environment.rst and include/env_internal.h: a CRC-32 in the byte order of the processor, with
two copies a flag byte, then `name=value` strings that end with zero bytes, up to two of them in a row. Its size is that
of its partition and stated nowhere, so it is the one at which the checksum is right.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial

from camscan.observe.firmware.form import FILESYSTEM, Bytes, Form, Found, Member
from camscan.observe.firmware.watch import Watch

_SIZES = (*(1 << n for n in range(10, 20)), 0x3000, 0x6000, 0xC000)
_ALIGNED = 0x100
_BACK = 1 << 15
"""Bytes before a variable within which its environment begins."""
_VARIABLE = re.compile(rb"[A-Za-z_][\w.+-]{0,63}=")


def _begins(view: memoryview, at: int) -> Iterator[tuple[int, int]]:
    """(place of the checksum, bytes until the first variable) where an environment with a variable at `at` may begin."""
    lowest = max(0, at - _BACK)
    raw = bytes(view[lowest:at])
    # From the last double zero on there are only the strings of this environment.
    text_at = lowest + (raw.rfind(b"\0\0") + 2 if b"\0\0" in raw else 0)
    for skip in (4, 5):
        for begin in {text_at - skip, at - skip, (at - skip) // _ALIGNED * _ALIGNED}:
            if begin >= 0 and _VARIABLE.match(view[begin + skip : begin + skip + 80]):
                yield begin, skip
    for begin in range(at // 0x1000 * 0x1000, lowest - 1, -0x1000):
        for skip in (4, 5):
            if _VARIABLE.match(view[begin + skip : begin + skip + 80]):
                yield begin, skip


def _size(view: memoryview, begin: int, skip: int) -> int | None:
    stated = {struct.unpack_from(o, view, begin)[0] for o in ("<I", ">I")}
    running, done = 0, begin + skip
    for size in sorted(_SIZES):
        end = begin + size
        if end > len(view):
            return None
        running, done = zlib.crc32(view[done:end], running), end
        if running in stated:
            return size
    return None


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    tried: set[tuple[int, int]] = set()
    for begin, skip in _begins(view, at):
        if (begin, skip) in tried:
            continue
        tried.add((begin, skip))
        watch.tick()
        size = _size(view, begin, skip)
        if size is not None:
            members = partial(_members, view[begin + skip : begin + size])
            return Found(begin, size, members, "", 0, "u-boot-env")
    return None


def _members(text: memoryview, watch: Watch) -> Iterator[Member]:
    del watch
    yield Member("u-boot.env", "file", partial(_lines, text), len(text))


def _lines(text: memoryview) -> Bytes:
    """Line ends for the zero bytes between the strings, so that an offset stays what it is."""
    raw = bytes(text)
    end = raw.find(b"\0\0")
    return raw[: end if end >= 0 else len(raw)].replace(b"\0", b"\n")


ENVIRONMENT = Form(
    "u-boot-env",
    FILESYSTEM,
    ((r"(?:bootargs|bootcmd|bootdelay|baudrate|ethaddr|stdin)=[\x20-\x7e]", 0),),
    _probe,
    looks=512,  # each costs checksums of up to half a megabyte
)
