"""How are names read by a process beside the one that counts, with the result of one?

The other process is a fork of this one, made when a large file begins: it goes on with all that was named so far.
This one finds records and counts flows; the columns of each lot of packets go over in shared memory, and the bytes
of packets are seen by both where the kernel has them. The fork does what `Candidates` would do here, in the same
order: nothing is divided, so nothing has to be put together again.

Measured on the captures of benchmarks/captures (small, mixed, video; CPU seconds of the reading): 1.53, 2.05, 1.47
by one process; 0.67, 1.07, 0.97 here beside 1.11, 1.44, 1.13 there. The start (0.3) and the writing of the result
are not divided.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from camscan.errors import InputError, RunError
from camscan.limited import Limited, Line
from camscan.observe.traffic.batch import Batch, Bytes, Columns, Ints
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.flows import AT_ONCE
from camscan.observe.traffic.fragments import Whole
from camscan.observe.traffic.mapped import Window, window
from camscan.observe.traffic.memory import written
from camscan.observe.traffic.named import Named, named_by
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.remembered import Memory
from camscan.observe.traffic.source import Place
from camscan.observe.traffic.table import Numbers, PairTable, grown
from camscan.worker import FAILED, Limits

_SLOTS = 6
"""Lots on their way at most."""
_LOT_SECONDS = 600
"""Processor time of one lot."""
_LIMITS = Limits(memory=1 << 30, cpu_seconds=_LOT_SECONDS, file_bytes=0)
_LOT, _DONE, _WANTED, _RENUMBER, _TELL, _FOUND, _MEMORY = range(64, 71)
_FORMS = ("u8", "u8", "i8", "f8", "u1", "i8", "i8", "i8", "i8", "i8", "i8", "i4", "i8")
"""Of the fields of `Columns`, of five-tuples' numbers and of frames."""
_ROWS = AT_ONCE
_encode = msgspec.msgpack.Encoder().encode


class _Lot(Struct, frozen=True, array_like=True):
    slot: int
    packets: int
    frames: int
    source: int
    place: Place | None
    """Where the bytes are in a file; None = in the shared buffer."""
    size: int
    """Bytes there."""
    link: int
    offset: int
    head: int
    whole: list[tuple[int, list[bytes], Whole]]
    before: int
    """Five-tuples with greater numbers are new: their keys follow."""
    tuples: tuple[bytes, bytes]
    addresses: tuple[bytes, bytes]


_handed: list[tuple[Engine, Namer, _Ring]] = []
"""What a fork goes on with; filled only while it is made."""


class _Ring:
    """Shared memory for the columns of some lots."""

    def __init__(self) -> None:
        forms = [np.dtype(form) for form in _FORMS]
        size = sum(form.itemsize for form in forms) * _ROWS
        memory = mmap.mmap(-1, size * _SLOTS)
        self.slots: list[list[NDArray[Any]]] = []
        for slot in range(_SLOTS):
            at, views = slot * size, []
            for form in forms:
                views.append(np.ndarray((_ROWS,), form, memory, at))
                at += form.itemsize * _ROWS
            self.slots.append(views)


class Beside:
    """In place of an engine's `Candidates`, once `begin` was called."""

    def __init__(self, engine: Engine, namer: Namer) -> None:
        self.count = namer.count
        """Distinct names, as of the last lot that was done."""
        self.read: Ints = np.empty(0, np.int64)
        """Packets are kept by one process alone: there is none of them here."""
        self._engine = engine
        self._ring = _Ring()
        self._free = list(range(_SLOTS))
        self._before = engine.tuples.table.count
        self._tuples: tuple[bytes, bytes] = (b"", b"")
        self._addresses = engine.addresses.count
        engine.buffer = np.frombuffer(mmap.mmap(-1, len(engine.buffer)), np.uint8)
        engine.before_refill = self.drain
        _handed.append((engine, namer, self._ring))
        try:
            self._child = Limited(f"{__name__}:{serve.__name__}", _LIMITS)
        finally:
            _handed.clear()
        engine.candidates = self

    def close(self) -> None:
        self._child.close()

    def welcome(self, table: PairTable, before: int) -> None:
        """Five-tuples with numbers above `before` are new: told with the next lot."""
        if not self._tuples[0]:
            self._before = before
        part = slice(self._before + 1, table.count + 1)
        self._tuples = table.a[part].tobytes(), table.b[part].tobytes()

    def offer(
        self,
        batch: Batch,
        columns: Columns,
        numbers: Numbers,
        whole: list[tuple[int, Columns, Whole]],
        source: int,
    ) -> None:
        """Hand over a lot; it is read while this process goes on."""
        while not self._free:
            self._hear()
        slot = self._free.pop()
        told: tuple[NDArray[Any], ...] = (*columns, numbers, batch.frame)
        for view, column in zip(self._ring.slots[slot], told, strict=True):
            view[: len(column)] = column
        addresses = self._engine.addresses
        fresh = slice(self._addresses + 1, addresses.count + 1)
        self._addresses = addresses.count
        lot = _Lot(
            slot,
            len(columns.row),
            len(batch.frame),
            source,
            self._engine.place,
            len(batch.data),
            batch.link,
            batch.offset,
            batch.head,
            [(row, [c.tobytes() for c in one], w) for row, one, w in whole],
            self._before,
            self._tuples,
            (addresses.a[fresh].tobytes(), addresses.b[fresh].tobytes()),
        )
        self._tuples = b"", b""
        self._child.tell(_LOT, _encode(lot))

    def drain(self) -> None:
        """Wait until every lot was read: the shared buffer may be filled again."""
        while len(self._free) < _SLOTS:
            self._hear()

    def wanted(self) -> Ints:
        """Numbers of the five-tuples that more is wanted of."""
        return np.frombuffer(self._ask(_WANTED), np.int64)

    def renumber(self, table: PairTable, numbers: Numbers) -> None:
        """The table was emptied; these are the new numbers of what is wanted."""
        part = slice(1, table.count + 1)
        columns = (table.a[part], table.b[part], numbers.astype(np.int32))
        self._child.tell(_RENUMBER, _encode([c.tobytes() for c in columns]))

    def tell(self) -> None:
        """Count what was only counted so far."""
        self._child.tell(_TELL, b"")

    def found(self) -> Named:
        """All names, services and facts."""
        return msgspec.msgpack.decode(self._ask(_FOUND), type=Named)

    def memory(self) -> Memory:
        """All that was named so far, for a later reading."""
        return msgspec.msgpack.decode(self._ask(_MEMORY), type=Memory)

    def _ask(self, kind: int) -> bytes:
        self._child.tell(kind, b"")
        while True:
            said = self._hear()
            if said is not None:
                return said

    def _hear(self) -> bytes | None:
        """The next answer; None where it only says that a lot is done."""
        said = self._child.hear()
        if said is None or said[0] == FAILED:
            words = said[1].decode("utf-8", "replace") if said else self._child.ending()
            raise RunError(f"the process that reads names ended: {words}")
        kind, data = said
        if kind != _DONE:
            return data
        slot, self.count = msgspec.msgpack.decode(data, type=tuple[int, int])
        self._free.append(slot)
        return None


def serve(line: Line) -> None:
    """In the fork: hear lots and questions until the other side is gone."""
    engine, namer, ring = _handed[0]
    _handed.clear()
    _Serving(engine, namer, ring).run(line)


class _Serving:
    def __init__(self, engine: Engine, namer: Namer, ring: _Ring) -> None:
        self._engine = engine
        self._namer = namer
        self._ring = ring
        self._shown: tuple[Place, int, Window] | None = None

    def run(self, line: Line) -> None:
        lots = msgspec.msgpack.Decoder(_Lot)
        candidates, namer = self._engine.candidates, self._namer
        while (said := line.hear()) is not None:
            kind, data = said
            if kind == _LOT:
                line.breathe(_LOT_SECONDS)
                lot = lots.decode(data)
                self._offer(lot)
                line.tell(_DONE, _encode((lot.slot, namer.count)))
            elif kind == _WANTED:
                line.tell(kind, candidates.wanted().astype(np.int64).tobytes())
            elif kind == _RENUMBER:
                a, b, numbers = msgspec.msgpack.decode(data, type=tuple[bytes, bytes, bytes])
                table = self._engine.tuples.table
                _extend(table, 0, (a, b))
                candidates.renumber(table, np.frombuffer(numbers, np.int32))
            elif kind == _TELL:
                candidates.tell()
            elif kind == _FOUND:
                line.tell(kind, _encode(named_by(namer)))
            elif kind == _MEMORY:
                line.tell(kind, _encode(written(namer.parts(), dns_visible=namer.dns_visible)))

    def _offer(self, lot: _Lot) -> None:
        engine, table = self._engine, self._engine.tuples.table
        _extend(engine.addresses, engine.addresses.count, lot.addresses)
        if lot.tuples[0]:
            _extend(table, lot.before, lot.tuples)
            engine.candidates.welcome(table, lot.before)
        views = self._ring.slots[lot.slot]
        *columns, numbers = (view[: lot.packets] for view in views[:-1])
        nothing = np.empty(0, np.int64)
        batch = Batch(
            data=self._bytes(lot),
            frame=views[-1][: lot.frames],
            captured=nothing,
            wire=nothing,
            at=np.empty(0),
            link=lot.link,
            offset=lot.offset,
            head=lot.head,
        )
        whole = [
            (row, Columns._make(map(np.frombuffer, one, _FORMS)), piece)
            for row, one, piece in lot.whole
        ]
        engine.candidates.offer(batch, Columns._make(columns), numbers, whole, lot.source)

    def _bytes(self, lot: _Lot) -> Bytes:
        if lot.place is None:
            self._shown = None
            return self._engine.buffer
        if self._shown is None or self._shown[:2] != (lot.place, lot.size):
            self._shown = None
            self._shown = lot.place, lot.size, _show(lot.place, lot.size)
        return self._shown[2].data


def _show(place: Place, size: int) -> Window:
    """The same bytes that the other process sees; InputError where the file is another one now."""
    with Path(place.path).open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        shown = window(file.fileno(), place.begin, size)
    if shown is None or (status.st_dev, status.st_ino) != (place.device, place.inode):
        raise InputError(f"{place.path}: changed while it was read")
    return shown


def _extend(table: PairTable, before: int, keys: tuple[bytes, bytes]) -> None:
    """Numbers behind `before` have these keys; nothing is looked up in this copy."""
    a, b = (np.frombuffer(raw, np.uint64) for raw in keys)
    table.count = before + len(a)
    table.a, table.b = grown(table.a, table.count + 1), grown(table.b, table.count + 1)
    table.a[before + 1 : table.count + 1] = a
    table.b[before + 1 : table.count + 1] = b
