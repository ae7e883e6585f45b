"""How is a stream of records cut into batches: pcap in both byte orders, micro- and nanoseconds?

The framer of pcapng lies in `blocks`; both answer the same questions.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from camscan.errors import InputError
from camscan.observe.traffic.batch import Batch, Bytes, Ints, gather
from camscan.observe.traffic.boundary import LARGEST, Chain, Sweeper, step

_FRAME_FIELDS: tuple[tuple[str, str, int], ...] = (
    # Of Ethernet, IPv4 without options, TCP or UDP; read as such only where they are.
    ("type", "<u2", 12),
    ("start", "u1", 14),
    ("total", ">u2", 16),
    ("frag", "<u2", 20),
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

    def cut(self, data: Bytes, view: memoryview, begin: int, end: int, offset: int) -> Framed: ...

    def resume(self, data: Bytes, view: memoryview, begin: int, end: int) -> int | None:
        """Where records go on after a damaged one; None where not in this buffer."""
        ...


def row_type(head: int, header: tuple[tuple[str, str, int], ...]) -> np.dtype[np.void]:
    """Record header fields and those of the frame behind it, as one row."""
    fields = (*header, *((n, f, o + head) for n, f, o in _FRAME_FIELDS))
    return np.dtype(
        {
            "names": [n for n, _, _ in fields],
            "formats": [f for _, f, _ in fields],
            "offsets": [o for _, _, o in fields],
            "itemsize": head + FRAME,
        }
    )


def wire_lengths(stated: NDArray[np.uint32], captured: Ints) -> Ints:
    """Bytes on the wire; a length no frame has is not believed."""
    wire = np.maximum(stated.astype(np.int64), captured)
    lies = wire > LARGEST
    return np.where(lies, captured, wire) if lies.any() else wire


_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_MODIFIED = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")
HEADER = 24
_TRIES = 100_000


class PcapFramer:
    """Classic pcap (draft-ietf-opsawg-pcap)."""

    def __init__(self, header: bytes) -> None:
        self.order, self.unit = _MAGICS[header[:4]]
        # The upper bits say whether frames end with a checksum; the snap length is not believed.
        self.link = struct.unpack_from(f"{self.order}I", header, 20)[0] & 0x03FF_FFFF
        self.lost: int | None = None
        self._sweeper = Sweeper()
        fields = tuple(
            (name, f"{self.order}u4", at)
            for name, at in (("seconds", 0), ("fraction", 4), ("captured", 8), ("wire", 12))
        )
        self._type = row_type(16, fields)

    def cut(self, data: Bytes, view: memoryview, begin: int, end: int, offset: int) -> Framed:
        if self.order == "<":
            chain = self._sweeper.chain(data, view, begin, end)
        else:
            chain = step(view, begin, end, self.order, end)
        problem = "a record length that cannot be" if chain.damaged else ""
        if not len(chain.offsets):
            return Framed([], chain.end, problem)
        return Framed([self.batch(data, chain, offset)], chain.end, problem)

    def batch(self, data: Bytes, chain: Chain, offset: int) -> Batch:
        rows = gather(data, chain.offsets, 16 + FRAME).view(self._type)
        captured = rows["captured"].astype(np.int64)
        at = rows["fraction"] * self.unit
        at += rows["seconds"]
        return Batch(
            data=data,
            rows=rows,
            frame=chain.offsets + 16,
            captured=captured,
            wire=wire_lengths(rows["wire"], captured),
            at=at,
            link=self.link,
            offset=offset,
            head=16,
        )

    def resume(self, data: Bytes, view: memoryview, begin: int, end: int) -> int | None:
        """The next place from which eight records in a row are plausible."""
        if end - begin < 16:
            return None
        unpack = struct.Struct(f"{self.order}4I").unpack_from
        scale = round(1 / self.unit)
        # Lengths below 2^19: their upper bytes are nearly zero. Looked for in all places at once.
        upper = (11, 15) if self.order == "<" else (8, 12)
        next_upper = (10, 14) if self.order == "<" else (9, 13)
        count = end - begin - 15
        likely = np.ones(count, np.bool_)
        for at in upper:
            likely &= data[begin + at : begin + at + count] == 0
        for at in next_upper:
            likely &= data[begin + at : begin + at + count] <= 4
        for place in (np.flatnonzero(likely)[:_TRIES] + begin).tolist():
            at, good, before = place, 0, None
            while at <= end - 16 and good < 8:
                seconds, fraction, captured, wire = unpack(view, at)
                if fraction >= scale or not 14 <= captured <= 262_144 or wire < captured:
                    break
                if wire > 262_144 or (before is not None and abs(seconds - before) > 86_400):
                    break
                before, good, at = seconds, good + 1, at + 16 + captured
            if good == 8:
                return int(place)
        return None


def framer_of(header: bytes, name: str) -> Framer:
    """By the first bytes of an input; InputError where it is no capture."""
    if header[:4] in _MAGICS and len(header) >= HEADER:
        return PcapFramer(header)
    if header[:4] == b"\x0a\x0d\x0d\x0a":
        from camscan.observe.traffic.blocks import PcapngFramer

        return PcapngFramer()
    if header[:4] in _MODIFIED:
        raise InputError(f"{name}: the 'modified' pcap of old kernels is not read; convert it")
    what = "empty" if not header else "no pcap or pcapng"
    raise InputError(f"{name}: {what} (first bytes {header[:8].hex() or 'none'})")
