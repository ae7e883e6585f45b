"""What are the columns of a run of packets, as they pass from framing to headers to flows?"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Times = NDArray[np.float64]
Keys = NDArray[np.uint64]

PAD = 512
"""Bytes behind the valid part of a buffer, so that fixed-size reads near its end stay inside."""

FAMILY6 = 1 << 40
"""Bit of key `b`: the addresses in `a` are numbers of an IPv6 address table."""
TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Batch(NamedTuple):
    """Records of one link type in one buffer."""

    data: Bytes
    frame: Ints
    """Offset of each frame in `data`."""
    captured: Ints
    wire: Ints
    at: Times
    link: int
    offset: int
    """Of data[0] in the input."""
    head: int
    """Bytes of the record header before a frame."""

    def part(self, begin: int, end: int) -> Batch:
        return self._replace(
            frame=self.frame[begin:end],
            captured=self.captured[begin:end],
            wire=self.wire[begin:end],
            at=self.at[begin:end],
        )

    def select(self, which: NDArray[np.bool_] | Ints) -> Batch:
        return self._replace(
            frame=self.frame[which],
            captured=self.captured[which],
            wire=self.wire[which],
            at=self.at[which],
        )


class Columns(NamedTuple):
    """IP packets, one row each; all arrays equally long."""

    a: Keys
    """source << 32 | destination: IPv4 addresses, or numbers of IPv6 addresses."""
    b: Keys
    """family bit | protocol << 32 | source port << 16 | destination port; ports 0 where there are none."""
    size: Ints
    """Frame bytes on the wire, of the innermost frame."""
    at: Times
    flags: Bytes
    """TCP flags, 0 for others."""
    payload: Ints
    """Offset of the TCP or UDP payload in `data`."""
    held: Ints
    """Payload bytes captured, 0 for others."""
    length: Ints
    """Payload bytes on the wire."""
    transport: Ints
    """Offset of the TCP or UDP header."""
    mac: Ints
    """Offset of a destination MAC, source MAC behind it; -1 = none."""
    row: Ints
    """Place in the batch."""


def joined(parts: list[Columns]) -> Columns:
    """Several lots of columns as one, in the order of the batch."""
    if len(parts) == 1:
        return parts[0]
    whole = Columns._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(whole.row, kind="stable")
    return Columns._make(column[order] for column in whole)


class Tally:
    """What was unwrapped, and what was not examined and why; counts in packets."""

    def __init__(self) -> None:
        self.unwrapped: Counter[str] = Counter()
        self.not_examined: Counter[str] = Counter()
        self.links: Counter[str] = Counter()

    def skip(self, reason: str, count: int) -> None:
        if count:
            self.not_examined[reason] += int(count)

    def unwrap(self, kind: str, count: int) -> None:
        if count:
            self.unwrapped[kind] += int(count)

    def add(self, other: Tally) -> None:
        self.unwrapped.update(other.unwrapped)
        self.not_examined.update(other.not_examined)
        self.links.update(other.links)


def gather(data: Bytes, places: Ints, width: int) -> NDArray[np.void]:
    """`width` bytes at each place. One read per row: far cheaper than one per field."""
    return np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))[places]


def be16(data: Bytes, places: Ints) -> Ints:
    return gather(data, places, 2).view(">u2").astype(np.int64)


def byte(data: Bytes, places: Ints) -> Ints:
    return data[places].astype(np.int64)
