"""What must a container form say of itself so that the carver and the walk can use it?"""

from __future__ import annotations

import lzma
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import re2

from camscan.errors import DecodeError
from camscan.observe.firmware.watch import BudgetError, Watch

Bytes = bytes | memoryview

BROKEN = (
    DecodeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    EOFError,
    OSError,
    RecursionError,
)
"""What parsers raise on bytes that are not what they claim to be."""

FILESYSTEM, STREAM = 0, 1
"""Ranks: a validated filesystem or container outranks a compressed stream that overlaps it."""


class Member(NamedTuple):
    """One file, link or directory of a container."""

    name: str
    """Path in its container, cleaned by `inner_path`."""
    kind: Literal["file", "link", "directory"]
    read: Callable[[], Bytes]
    """The bytes; called at most once, before the next member is asked for."""
    size: int = 0
    mode: int = 0
    target: str = ""


class Found(NamedTuple):
    """A container that was validated."""

    at: int
    size: int
    members: Callable[[Watch], Iterator[Member]]
    label: str = ""
    created: int = 0
    """Unix time the container states, 0 where it states none."""
    form: str = ""
    """Where it says more than the name of the form: `squashfs` with `xz`."""
    damage: str = ""
    """What is wrong although the container could be opened."""


class Form(NamedTuple):
    """A container form: how it is recognised and opened."""

    name: str
    rank: int
    magics: tuple[tuple[str, int], ...]
    """(expression in the syntax of RE2 over Latin-1, how many bytes before it the container begins)."""
    probe: Callable[[memoryview, int, Watch], Found | None]
    """(bytes of the parent, where the container would begin) -> validated container."""
    looks: int = 20_000
    """Places in one run of bytes where it may seem to begin; random data has a few per MiB, a flood two million."""


def pattern(*alternatives: str) -> re2._Regexp:
    """Byte patterns compiled for a search in linear time: Latin-1, so that a byte is a byte."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    return re2.compile("|".join(f"(?:{a})" for a in alternatives).encode("ascii"), options)


DEEPEST = 256
"""Folders inside folders of one filesystem."""


def nothing() -> Bytes:
    return b""


def too_deep() -> Bytes:
    """The content of a folder nobody looked into: says so in its place, and the walk goes on."""
    raise BudgetError(f"deeper than {DEEPEST} folders", final=False)


def text_of(raw: Bytes) -> str:
    r"""A name as bytes -> printable text; every byte that is no printable UTF-8 is written as `\xNN`."""
    text = bytes(raw).decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() and unicodedata.bidirectional(c) not in _OVERRIDES
        else "".join(f"\\x{b:02x}" for b in c.encode("utf-8", "replace"))
        for c in text
    )


_OVERRIDES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_LONGEST = 4096


def inner_path(name: str) -> str:
    r"""A path as a container states it -> one that names no place outside: no root, no `.`, no `..`.

    A `!` before a `/` is written as `\x21`, since `!/` joins nested containers.
    """
    parts = [p for p in name[:_LONGEST].split("/") if p not in {"", ".", ".."}]
    if "!" in name:
        parts = [f"{p[:-1]}\\x21" if p.endswith("!") else p for p in parts]
    return "/".join(parts)


def zero_ended(raw: Bytes) -> bytes:
    """The text before the first zero byte."""
    return bytes(raw).split(b"\0", 1)[0]
