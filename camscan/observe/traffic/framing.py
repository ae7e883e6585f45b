"""What does a framer answer, of whatever form of capture, and which fields has the beginning of a frame?

`records` is the framer of pcap, `blocks` that of pcapng.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Batch, Bytes, Ints, gather
from camscan.observe.traffic.boundary import LARGEST

_FRAME_FIELDS: tuple[tuple[str, str, int], ...] = (
    # Of Ethernet, IPv4 without options, TCP or UDP; read as such only where they are.
    ("type", "<u2", 12),
    ("lead", "<u4", 12),
    ("start", "u1", 14),
    ("total", ">u2", 16),
    ("frag_ttl_proto", "<u4", 20),
    ("proto", "u1", 23),
    ("ends", ">u8", 26),
    ("ports", ">u4", 34),
    ("dport", ">u2", 36),
    ("udp_length", ">u2", 38),
    ("doff", "u1", 46),
    ("flags", "u1", 47),
)
FRAME = 48


class Framed(NamedTuple):
    """What one buffer held."""

    batches: list[Batch]
    used: int
    """Bytes of the buffer that are done with; the rest is an incomplete record."""
    problem: str = ""
    """Not empty: the record at `used` cannot be real."""


class Framer(Protocol):
    lost: int | None
    """Packets the capture itself says it lost."""
    no_interface: int
    """Packets of interfaces that were not described, since it was last set to 0."""

    def cut(self, data: Bytes, view: memoryview, begin: int, end: int, offset: int) -> Framed: ...

    def resume(self, data: Bytes, view: memoryview, begin: int, end: int) -> int | None:
        """Where records go on after a damaged one; None where not in this buffer."""
        ...

    def remember(self) -> bytes:
        """What must be known of the records so far to go on behind them."""
        ...

    def take_up(self, data: bytes) -> None:
        """Go on behind what was remembered; InputError where it is nothing of the kind."""
        ...


def row_type(size: int, fields: Sequence[tuple[str, str, int]]) -> np.dtype[np.void]:
    """Rows of `size` bytes; of each field name, form and place."""
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


_FRAME_TYPE = row_type(FRAME, _FRAME_FIELDS)


def frame_rows(data: Bytes, frame: Ints) -> NDArray[np.void]:
    """The first FRAME bytes of each frame, whatever lies behind a shorter one."""
    return gather(data, frame, FRAME).view(_FRAME_TYPE)


def wire_lengths(stated: NDArray[np.uint32], captured: Ints) -> Ints:
    """Bytes on the wire; a length no frame has is not believed."""
    wire = np.maximum(stated.astype(np.int64), captured)
    lies = wire > LARGEST
    return np.where(lies, captured, wire) if lies.any() else wire
