"""How is a stream of classic pcap records cut into batches (draft-ietf-opsawg-pcap)?

Both byte orders, micro- and nanoseconds; after damage the next run of plausible records is looked for.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps
from camscan.observe.traffic.batch import Batch, Bytes, Ints, gather
from camscan.observe.traffic.boundary import LARGEST, Chain, Walker
from camscan.observe.traffic.framing import Framed, row_type, wire_lengths

MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
HEADER = 24
_TRIES = 100_000


class Records(Walker):
    """Records of pcap, told by the two upper bytes of their time: those change every 18 hours."""

    HEAD = 16
    LENGTH_AT = 8
    EXTRA = 16
    MARK_AT = 2
    COMPILED = "camscan_records"

    def step(
        self, view: memoryview, begin: int, end: int, most: int, *, until: int | None = None
    ) -> Chain:
        length = self._length
        found: list[int] = []
        append = found.append
        place, last = begin, end - 16 if until is None else min(end - 16, until - 1)
        while place <= last and len(found) < most:
            (size,) = length(view, place + 8)
            if size > LARGEST:
                return Chain(np.array(found, np.int64), place, damaged=True)
            following = place + 16 + size
            if following > end:
                break
            append(place)
            place = following
        return Chain(np.array(found, np.int64), place, damaged=False)

    def mark(self, view: memoryview, begin: int) -> bytes:
        at = begin + (self.MARK_AT if self._order == "<" else self.MARK_AT_BIG)
        return bytes(view[at : at + 2])

    def next_mark(self, mark: bytes) -> bytes:
        (upper,) = struct.unpack(f"{self._order}H", mark)
        return struct.pack(f"{self._order}H", upper + 1 & 0xFFFF)

    def is_likely(self, view: memoryview, place: int, end: int, mark: bytes) -> bool:
        """Whether what follows shows a time as well."""
        (size,) = self._length(view, place + 8)
        time = place + 16 + size + (self.MARK_AT if self._order == "<" else self.MARK_AT_BIG)
        return size <= LARGEST and time + 2 <= end and view[time : time + 2] == mark

    def are_sound(self, data: Bytes, here: Ints, following: Ints, end: int) -> NDArray[np.bool_]:
        del data, end
        sound: NDArray[np.bool_] = following - here <= LARGEST + 16
        return sound


class PcapFramer:
    """Classic pcap (draft-ietf-opsawg-pcap)."""

    def __init__(self, header: bytes) -> None:
        self.order, self.unit = MAGICS[header[:4]]
        # The upper bits say whether frames end with a checksum; the snap length is not believed.
        self.link = struct.unpack_from(f"{self.order}I", header, 20)[0] & 0x03FF_FFFF
        self.lost: int | None = None
        self.no_interface = 0
        self._walker = Records(self.order)
        fields = tuple(
            (name, f"{self.order}u4", at)
            for name, at in (("seconds", 0), ("fraction", 4), ("captured", 8), ("wire", 12))
        )
        self._type = row_type(16, fields)

    def cut(self, data: Bytes, view: memoryview, begin: int, end: int, offset: int) -> Framed:
        chain = self._walker.chain(data, view, begin, end)
        problem = "a record length that cannot be" if chain.damaged else ""
        if not len(chain.offsets):
            return Framed([], chain.end, problem)
        return Framed([self.batch(data, chain, offset)], chain.end, problem)

    def batch(self, data: Bytes, chain: Chain, offset: int) -> Batch:
        if steps.compiled is not None:
            return self._stepped(data, chain.offsets, offset)
        rows = gather(data, chain.offsets, 16).view(self._type)
        captured = rows["captured"].astype(np.int64)
        at = rows["fraction"] * self.unit
        at += rows["seconds"]
        return Batch(
            data=data,
            frame=chain.offsets + 16,
            captured=captured,
            wire=wire_lengths(rows["wire"], captured),
            at=at,
            link=self.link,
            offset=offset,
            head=16,
        )

    def _stepped(self, data: Bytes, places: Ints, offset: int) -> Batch:
        """The same batch, by the compiled step."""
        count = len(places)
        frame, captured, wire = (np.empty(count, np.int64) for _ in range(3))
        at = np.empty(count, np.float64)
        steps.compiled.camscan_record_fields(
            steps.at(data), steps.at(places), count, self.order == ">", self.unit, LARGEST,
            steps.at(frame), steps.at(captured), steps.at(wire), steps.at(at),
        )  # fmt: skip
        return Batch(data, frame, captured, wire, at, self.link, offset, 16)

    def remember(self) -> bytes:
        """Nothing: the header of the file says all there is to know."""
        return b""

    def take_up(self, data: bytes) -> None:
        del data

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
