"""What is one thing that came out of a firmware image, and how much of an image may be opened?

`open_image` of `opening.py` gives these entries out one after the other; nothing of an image is written to
disk, and a link is a record that is never followed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

Kind = Literal["file", "link", "directory", "gap", "image"]


class Entry(NamedTuple):
    """A file, link or directory of a container, or raw bytes of the image.

    `image` comes first and once: the whole image as it is (not for an extracted tree). `gap` is a slice of
    the image that lies in no container that was opened; padding is left out. Whoever searches for
    strings reads gaps and files, and takes `image` for hashes only.
    """

    path: str
    """Inner path, nested containers joined by `!/`: `squashfs@0x2c0000!/usr/bin/app`; of a gap: `gap@0x1000`."""
    kind: Kind
    data: bytes | memoryview
    """All bytes of the file at `path`; empty for links and directories. Valid until the next entry is asked for."""
    target: str = ""
    """Of a link, as it is written there."""
    mode: int = 0
    """Permission bits with setuid, setgid and sticky (0o4755); 0 where the container has none."""
    size: int = 0
    """Of a file as its container states it; `data` is shorter only if the part is among `unopened`."""
    offset: int = 0
    """Of a gap: where it begins in the image."""


class Budget(Struct, frozen=True, kw_only=True):
    """How much one image may cost before the rest is reported as not examined."""

    expanded: int = 4 << 30
    """Bytes of all files and decompressed streams together."""
    one: int = 512 << 20
    """Bytes of one file or one decompressed stream: what must fit into memory."""
    files: int = 500_000
    """Files, links and directories together."""
    depth: int = 12
    """Containers inside containers."""
    seconds: float = 600.0
    """Wall time."""


NO_BYTES = memoryview(b"")
