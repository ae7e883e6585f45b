"""How is a stream of pcapng blocks cut into batches (draft-ietf-opsawg-pcapng)?

Several sections and interfaces, options of resolution and offset of time, enhanced, simple and old packet
blocks in both byte orders, the counters of lost packets. Other blocks are stepped over.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from camscan.errors import InputError
from camscan.observe.traffic.batch import Batch, Bytes, Ints, Times, gather
from camscan.observe.traffic.boundary import LARGEST, Chain, Walker, words
from camscan.observe.traffic.framing import Framed, row_type, wire_lengths
from camscan.observe.traffic.table import distinct

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _STATISTICS, _ENHANCED = (
    0x0A0D0D0A,
    1,
    2,
    3,
    5,
    6,
)
_PACKETS = (_OLD_PACKET, _SIMPLE, _ENHANCED)
_LARGEST_BLOCK = LARGEST + 65_536
_OTHERS = 64
"""Blocks stepped over one by one before lanes are tried again."""
_MOST_INTERFACES = 4096
_ORDERS: dict[bytes, Literal["<", ">"]] = {
    b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">",
}  # fmt: skip
"""By the magic number of a section."""
_LAST_TIME = 253_402_300_799.0


class _Interface(NamedTuple):
    link: int
    snaplen: int
    ticks: int
    """Per second."""
    begin: float
    """Seconds added (if_tsoffset)."""


class _Known(NamedTuple):
    """What a framer knows between two blocks."""

    order: Literal["<", ">"]
    interfaces: list[_Interface]
    section: int
    losses: dict[int, int]
    last: float


class Enhanced(Walker):
    """Runs of enhanced packet blocks, told by their kind; every block of another kind ends a run."""

    HEAD = 12
    LENGTH_AT = 4
    EXTRA = 0
    LARGEST = _LARGEST_BLOCK
    COMPILED = "camscan_blocks"

    @property
    def order(self) -> str:
        return self._order

    def step(
        self, view: memoryview, begin: int, end: int, most: int, *, until: int | None = None
    ) -> Chain:
        head, length = struct.Struct(f"{self._order}II").unpack_from, self._length
        found: list[int] = []
        place, last = begin, end - 12 if until is None else min(end - 12, until - 1)
        while place <= last and len(found) < most:
            kind, size = head(view, place)
            if kind != _ENHANCED or size < 12 or size & 3 or size > _LARGEST_BLOCK:
                break
            following = place + size
            if following > end or length(view, following - 4)[0] != size:
                break
            found.append(place)
            place = following
        return Chain(np.array(found, np.int64), place, damaged=False)

    def mark(self, view: memoryview, begin: int) -> bytes:
        del view, begin
        return struct.pack(f"{self._order}I", _ENHANCED)

    def next_mark(self, mark: bytes) -> bytes:
        return mark

    def is_likely(self, view: memoryview, place: int, end: int, mark: bytes) -> bool:
        """Whether its two lengths agree."""
        del mark
        (size,) = self._length(view, place + 4)
        if size < 12 or size & 3 or place + size > end:
            return False
        return bool(self._length(view, place + size - 4)[0] == size)

    def are_sound(self, data: Bytes, here: Ints, following: Ints, end: int) -> NDArray[np.bool_]:
        word = words(data, self._order)
        size = following - here
        sound: NDArray[np.bool_] = (size >= 12) & (size & 3 == 0) & (size <= _LARGEST_BLOCK)
        sound &= word[np.minimum(here, end - 12)] == _ENHANCED
        sound &= word[np.minimum(following, end) - 4] == size
        return sound


class PcapngFramer:
    def __init__(self) -> None:
        self.lost: int | None = None
        self._losses: dict[int, int] = {}
        self._order: Literal["<", ">"] = "<"
        self._walker: Enhanced | None = None
        self._interfaces: list[_Interface] = []
        self._section = 0
        self.last = 0.0
        self.no_interface = 0
        """Packets of an interface that was not described."""

    def cut(self, data: Bytes, view: memoryview, begin: int, end: int, offset: int) -> Framed:
        batches: list[Batch] = []
        place = begin
        while True:
            places, kinds, stop, problem = self._walk(data, view, place, end)
            self._packets(data, places, kinds, offset, batches)
            place = stop
            # Sections and interfaces change how packets are read: everything before them is done.
            if problem or place > end - 12:
                return Framed(batches, place, problem)
            size = self._size(view, place)
            if size < 12 or size & 3 or size > _LARGEST_BLOCK:
                return Framed(batches, place, "a block length that cannot be")
            if place + size > end:
                return Framed(batches, place)
            self._describe(view, place, size)
            place += size

    def _size(self, view: memoryview, place: int) -> int:
        """Length of the block at `place`; a section says first in which byte order."""
        if bytes(view[place : place + 4]) == b"\x0a\x0d\x0d\x0a":
            magic = bytes(view[place + 8 : place + 12])
            self._order = _ORDERS.get(magic, self._order)
        return int(struct.unpack_from(f"{self._order}I", view, place + 4)[0])

    def _walk(
        self, data: Bytes, view: memoryview, place: int, end: int
    ) -> tuple[Ints, Ints, int, str]:
        """Blocks up to one that has to be read first, the end, or damage: places, kinds, where it stopped, why."""
        if self._walker is None or self._walker.order != self._order:
            self._walker = Enhanced(self._order)
        places: list[Ints] = []
        kinds: list[Ints] = []
        while True:
            chain = self._walker.chain(data, view, place, end)
            places.append(chain.offsets)
            kinds.append(np.full(len(chain.offsets), _ENHANCED))
            # Where lanes found little, other blocks are so many that they are stepped over at once.
            most = _OTHERS if len(chain.offsets) >= _OTHERS else 1 << 30
            some, their, place, problem, over = self._others(view, chain.end, end, most)
            places.append(np.array(some, np.int64))
            kinds.append(np.array(their, np.int64))
            if over:
                return np.concatenate(places), np.concatenate(kinds), place, problem

    def _others(
        self, view: memoryview, place: int, end: int, most: int
    ) -> tuple[list[int], list[int], int, str, bool]:
        """Blocks of any kind one by one, at most `most`; last, whether the walk ends here."""
        places: list[int] = []
        kinds: list[int] = []
        head = struct.Struct(f"{self._order}II").unpack_from
        tail = struct.Struct(f"{self._order}I").unpack_from
        last = end - 12
        stepped = 0
        while place <= last and stepped < most:
            kind, size = head(view, place)
            if kind in (_SECTION, _INTERFACE, _STATISTICS):
                return places, kinds, place, "", True
            if size < 12 or size & 3 or size > _LARGEST_BLOCK:
                return places, kinds, place, "a block length that cannot be", True
            following = place + size
            if following > end:
                return places, kinds, place, "", True
            if tail(view, following - 4)[0] != size:
                return places, kinds, place, "the two lengths of a block differ", True
            if kind in _PACKETS:
                places.append(place)
                kinds.append(kind)
            place = following
            stepped += 1
        return places, kinds, place, "", place > last

    def _describe(self, view: memoryview, place: int, size: int) -> None:
        """A whole section, interface or statistics block."""
        kind = struct.unpack_from(f"{self._order}I", view, place)[0]
        if kind == _SECTION:
            self._interfaces = []
            self._section += 1
        elif kind == _INTERFACE and size >= 20:
            if len(self._interfaces) < _MOST_INTERFACES:
                self._interfaces.append(self._interface(view, place, size))
        elif kind == _STATISTICS and size >= 24:
            self._statistics(view, place, size)

    def _options(self, view: memoryview, place: int, end: int) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while place + 4 <= end and len(found) < 64:
            code, length = struct.unpack_from(f"{self._order}HH", view, place)
            if code == 0 or place + 4 + length > end:
                break
            found[code] = bytes(view[place + 4 : place + 4 + length])
            place += 4 + (length + 3 & ~3)
        return found

    def _interface(self, view: memoryview, place: int, size: int) -> _Interface:
        link, _, snaplen = struct.unpack_from(f"{self._order}HHI", view, place + 8)
        options = self._options(view, place + 16, place + size - 4)
        ticks = 1_000_000
        if resolution := options.get(9):  # if_tsresol
            power = min(resolution[0] & 0x7F, 63)
            # Finer than 2^-63 or 10^-18 is the file's fancy: all times are then 0 or nearly so.
            ticks = 1 << power if resolution[0] & 0x80 else 10 ** min(power, 18)
        begin = 0.0
        if len(shift := options.get(14, b"")) == 8:  # if_tsoffset
            begin = float(struct.unpack(f"{self._order}q", shift)[0])
        return _Interface(link, snaplen, ticks, begin)

    def _statistics(self, view: memoryview, place: int, size: int) -> None:
        """isb_ifdrop (5) and isb_osdrop (7) are running totals per interface."""
        (number,) = struct.unpack_from(f"{self._order}I", view, place + 8)
        options = self._options(view, place + 20, place + size - 4)
        values = [
            struct.unpack(f"{self._order}Q", raw)[0]
            for code in (5, 7)
            if len(raw := options.get(code, b"")) == 8
        ]
        if values and (number < len(self._interfaces)):
            self._losses[self._section << 32 | number] = min(sum(values), 1 << 53)
            self.lost = sum(self._losses.values())

    def _packets(self, data: Bytes, at: Ints, kind: Ints, offset: int, out: list[Batch]) -> None:
        for number, reader in (
            (_ENHANCED, self._enhanced),
            (_OLD_PACKET, self._enhanced),
            (_SIMPLE, self._simple),
        ):
            chosen = at[kind == number] if len(at) and (kind != number).any() else at
            if len(chosen) and (kind == number).any():
                reader(data, chosen, offset, out, old=number == _OLD_PACKET)

    def _enhanced(
        self, data: Bytes, places: Ints, offset: int, out: list[Batch], *, old: bool
    ) -> None:
        u4 = f"{self._order}u4"
        fields = (
            ("size", u4, 4),
            ("interface", f"{self._order}u2" if old else u4, 8),
            ("high", u4, 12),
            ("low", u4, 16),
            ("captured", u4, 20),
            ("wire", u4, 24),
        )
        rows = gather(data, places, 28).view(row_type(28, fields))
        captured = np.minimum(rows["captured"].astype(np.int64), rows["size"].astype(np.int64) - 32)
        good = captured >= 0
        numbers = rows["interface"]
        by_link: dict[int, list[int]] = {}
        for number in distinct(numbers).tolist():
            if number < len(self._interfaces):
                by_link.setdefault(self._interfaces[number].link, []).append(number)
            else:
                self.no_interface += int((good & (numbers == number)).sum())
        # One batch per link type, not per interface: both sides of a tap stay in the order of the file.
        for link, used in by_link.items():
            which = good & np.isin(numbers, used) if len(used) > 1 else good & (numbers == used[0])
            chosen = rows if which.all() else rows[which]
            held = captured if which.all() else captured[which]
            at = self._times(chosen, used)
            frame = (places if which.all() else places[which]) + 28
            wire = wire_lengths(chosen["wire"], held)
            out.append(Batch(data, frame, held, wire, at, link, offset, 28))
            if len(at):
                self.last = float(at[-1])

    def _times(self, rows: NDArray[np.void], used: list[int]) -> Times:
        """Seconds since the epoch of packets of the interfaces `used`."""
        stamp = rows["high"].astype(np.uint64) << np.uint64(32) | rows["low"]
        clocks = {self._interfaces[n][2:] for n in used}
        at: Times = np.empty(len(rows))
        for ticks, begin in sorted(clocks):
            which: NDArray[np.bool_] | slice = slice(None)
            if len(clocks) > 1:
                alike = [n for n in used if self._interfaces[n][2:] == (ticks, begin)]
                which = np.isin(rows["interface"], alike)
            # Whole seconds apart from the rest: a double cannot hold 60 bits.
            per = np.uint64(ticks)
            some = (stamp[which] % per).astype(np.float64) / ticks
            some += stamp[which] // per
            at[which] = some + begin
        # Resolution and offset are the file's word: nothing before 1970 or after 9999.
        return np.clip(at, 0.0, _LAST_TIME, out=at)

    def _simple(
        self, data: Bytes, places: Ints, offset: int, out: list[Batch], *, old: bool
    ) -> None:
        """No interface and no time: the first interface, and the time of the packet before."""
        del old
        if not self._interfaces:
            self.no_interface += len(places)
            return
        u4 = f"{self._order}u4"
        rows = gather(data, places, 12).view(row_type(12, (("size", u4, 4), ("wire", u4, 8))))
        interface = self._interfaces[0]
        wire = rows["wire"].astype(np.int64)
        held = np.minimum(wire, rows["size"].astype(np.int64) - 16)
        if interface.snaplen:
            held = np.minimum(held, interface.snaplen)
        wire = wire_lengths(rows["wire"], held)
        at = np.full(len(rows), self.last)
        out.append(Batch(data, places + 12, held, wire, at, interface.link, offset, 12))

    def remember(self) -> bytes:
        """Byte order, interfaces, and what was lost at each."""
        known = _Known(self._order, self._interfaces, self._section, self._losses, self.last)
        return msgspec.msgpack.encode(known)

    def take_up(self, data: bytes) -> None:
        try:
            known = msgspec.msgpack.decode(data, type=_Known)
        except msgspec.MsgspecError as error:
            raise InputError(f"no state of a pcapng: {error}") from error
        self._order, self._interfaces, self._section, self._losses, self.last = known
        self.lost = sum(self._losses.values()) if self._losses else None

    def resume(self, data: Bytes, view: memoryview, begin: int, end: int) -> int | None:
        """The next block of a known kind whose two lengths agree."""
        tail = struct.Struct(f"{self._order}I").unpack_from
        first = begin + 3 & ~3
        words = data[first : first + (end - first & ~3)].view(f"{self._order}u4")
        if len(words) < 3:
            return None
        sizes = words[1:-1]
        likely = np.isin(words[:-2], (_SECTION, *_PACKETS, _STATISTICS, _INTERFACE))
        likely &= (sizes >= 16) & (sizes & 3 == 0) & (sizes <= _LARGEST_BLOCK)
        for at in np.flatnonzero(likely).tolist():
            place, size = first + at * 4, int(words[at + 1])
            if place + size <= end and tail(view, place + size - 4)[0] == size:
                return place
        return None
