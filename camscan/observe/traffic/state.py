"""What has an engine counted, as bytes: for a checkpoint on the disk, and from one process to another?

Columns as they are, little-endian, with their lengths checked when they are read again. Of packets in fragments it is
known which ports they have; what waits to be put together, and the feed's own memory, are not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from camscan.errors import InputError
from camscan.observe.traffic.batch import FAMILY6, Keys
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.flows import Tuples, paired
from camscan.observe.traffic.ledger import Entries, Minutes
from camscan.observe.traffic.messages import Problem
from camscan.observe.traffic.minutes import Lot
from camscan.observe.traffic.roles import depends

SCHEMA = "camscan-capture-state/2"
_32, _LOW32 = np.uint64(32), np.uint64(0xFFFF_FFFF)
_TUPLES = ("<u8", "<u8", "<i8", "<i8", "<f8", "<f8", "u1", "<u8")
_LOTS = ("<i4", "<i8", "<i8")
_ENTRIES = ("<u8", "<u8", "<i8", "<i8", "<i8", "<i8", "<f8", "<f8", "<u8", "<f8")
_FRAGMENTS = ("<u8", "<u8", "<u8")
_MINUTES = ("<i4", "<i8", "<i8", "<i8")


class Segment(Struct, frozen=True, kw_only=True, array_like=True):
    """Five-tuples that were counted between two places of an input."""

    begin: int
    """Offset of the first record."""
    tuples: tuple[bytes, ...]
    lots: tuple[bytes, ...]
    servers: tuple[bytes, bytes] = (b"", b"")
    """Endpoints that were opened to in the five-tuples that are entered already (`Roles.servers`)."""


class State(Struct, frozen=True, kw_only=True, array_like=True):
    schema: str
    addresses: tuple[bytes, bytes]
    """Upper and lower halves of IPv6 addresses 1, 2, 3 ..."""
    segment: Segment
    """What is not entered into the ledger yet."""
    entries: tuple[bytes, ...]
    minutes: tuple[bytes, ...]
    unwrapped: dict[str, int]
    not_examined: dict[str, int]
    links: dict[str, int]
    packets: int
    size: int
    first: float | None
    last: float | None
    lost: int | None
    problems: list[tuple[str, str]]
    fragments: tuple[bytes, ...] = ()
    """Ends, identification with protocol and family, ports of the datagrams in fragments that were seen to begin."""


def state_of(engine: Engine) -> State:
    """What the engine counted so far; it goes on counting unharmed."""
    table = engine.addresses
    part = slice(1, table.count + 1)
    missed = Counter(engine.tally.not_examined)
    missed.update(engine.apart())
    return State(
        schema=SCHEMA,
        addresses=raw_keys((table.a[part], table.b[part])),
        segment=segment_of(engine, 0),
        entries=_raws(engine.ledger.entries(), _ENTRIES),
        minutes=_raws(engine.ledger.minutes(), _MINUTES),
        unwrapped=dict(engine.tally.unwrapped),
        not_examined=dict(missed),
        links=dict(engine.tally.links),
        packets=engine.packets,
        size=engine.bytes,
        first=engine.first if engine.packets else None,
        last=engine.last if engine.packets else None,
        lost=engine.lost,
        problems=[(p.source, p.what) for p in engine.problems],
        fragments=_raws(engine.fragments.begun(), _FRAGMENTS),
    )


def segment_of(engine: Engine, begin: int) -> Segment:
    """The five-tuples counted since the last time they were numbered anew; `begin`: where that was."""
    return _segment(begin, engine.tuples.tuples(), engine.tuples.lots())


def entered(engine: Engine, begin: int) -> Segment:
    """The same, but for those that the engine could enter into its own ledger: it is told which depend on others."""
    tuples, lot = engine.tuples.tuples(), engine.tuples.lots()
    pair = paired(tuples.a, tuples.b)
    open_ = depends(tuples.b, pair, tuples.marks)
    left = np.zeros(len(tuples.a), np.bool_)
    left[pair.forward[open_]] = True
    left[pair.backward[open_ & (pair.backward >= 0)]] = True
    roles = engine.ledger.roles
    before = roles.count
    for which in (~left, left):
        numbers = np.cumsum(which, dtype=np.int32)
        rows = which[lot.number - 1]
        part = Lot(numbers[lot.number[rows] - 1], lot.minute[rows], lot.size[rows])
        some = Tuples._make(column[which] for column in tuples)
        if which is not left:
            engine.ledger.take(some, [part])
    return _segment(begin, some, part, raw_keys(roles.servers(before)))


def _segment(
    begin: int, tuples: Tuples, lot: Lot, servers: tuple[bytes, bytes] = (b"", b"")
) -> Segment:
    return Segment(
        begin=begin, tuples=_raws(tuples, _TUPLES), lots=_raws(lot, _LOTS), servers=servers
    )


def addresses_of(state: State) -> tuple[Keys, Keys]:
    """Upper and lower halves of its IPv6 addresses."""
    return keys_of(state.addresses)


def raw_keys(columns: tuple[Keys, Keys]) -> tuple[bytes, bytes]:
    """Two columns of keys as bytes; `keys_of` reads them."""
    return _raw(columns[0], "<u8"), _raw(columns[1], "<u8")


def keys_of(raw: tuple[bytes, bytes]) -> tuple[Keys, Keys]:
    first, second = _columns(raw, ("<u8", "<u8"))
    return first, second


def fragments_of(state: State) -> tuple[Keys, Keys]:
    """Ends and kinds of the datagrams in fragments that were seen to begin."""
    ends, kinds, _ = _columns(state.fragments or (b"", b"", b""), _FRAGMENTS)
    return ends, kinds


def tuples_of(segment: Segment) -> Tuples:
    """As columns; InputError where they are none."""
    return Tuples._make(_columns(segment.tuples, _TUPLES))


def absorb(engine: Engine, state: State, segments: Iterable[Segment] = ()) -> None:
    """Add what another engine counted, or this one before it was restarted.

    `segments`: of five-tuples that one engine would have entered before, but for those in the other's ledger; no
    others may be counted here then.
    """
    if state.schema != SCHEMA:
        raise InputError(f"capture state {state.schema}: this program reads {SCHEMA}")
    high, low = addresses_of(state)
    numbers = np.zeros(len(high) + 1, np.uint64)
    if len(high):
        numbers[1:] = engine.addresses.numbers(high, low)
    for segment in segments:
        address, service = keys_of(segment.servers)
        six = service & np.uint64(FAMILY6) != 0
        address = np.where(six, numbers[np.where(six, address, 0).astype(np.int64)], address)
        engine.ledger.roles.learn(address, service)
        tuples, lot = _counted(segment, numbers)
        engine.ledger.take(tuples, [lot])
    engine.absorb_tuples(*_counted(state.segment, numbers))
    entries = Entries._make(_columns(state.entries, _ENTRIES))
    entries = entries._replace(a=_renumbered(entries.a, entries.b, numbers))
    engine.ledger.absorb(entries, Minutes._make(_columns(state.minutes, _MINUTES)))
    engine.tally.unwrapped.update(state.unwrapped)
    engine.tally.not_examined.update(state.not_examined)
    engine.tally.links.update(state.links)
    engine.packets += state.packets
    engine.bytes += state.size
    if state.first is not None and state.last is not None:
        engine.first = min(engine.first, state.first)
        engine.last = max(engine.last, state.last)
    if state.lost is not None:
        engine.lost = (engine.lost or 0) + state.lost
    engine.problems += [Problem(*pair) for pair in state.problems]
    if state.fragments:
        a, b, ports = _columns(state.fragments, _FRAGMENTS)
        engine.fragments.take_up(_renumbered(a, b, numbers), b, ports)


def _counted(segment: Segment, numbers: Keys) -> tuple[Tuples, Lot]:
    """`numbers`: ours of its IPv6 addresses."""
    tuples = tuples_of(segment)
    renumbered = tuples._replace(a=_renumbered(tuples.a, tuples.b, numbers))
    return renumbered, Lot._make(_columns(segment.lots, _LOTS))


def encoded(state: State) -> bytes:
    return msgspec.msgpack.encode(state)


def decoded(data: bytes) -> State:
    """InputError where the bytes are no state."""
    try:
        return msgspec.msgpack.decode(data, type=State)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"no state of a capture: {error}") from error


def _renumbered(a: Keys, b: Keys, numbers: Keys) -> Keys:
    six = b & np.uint64(FAMILY6) != 0
    if not six.any():
        return a
    a = a.copy()
    source, target = (a[six] >> _32).astype(np.int64), (a[six] & _LOW32).astype(np.int64)
    if max(int(source.max()), int(target.max())) >= len(numbers):
        raise InputError("no state of a capture: an address is missing")
    a[six] = numbers[source] << _32 | numbers[target]
    return a


def _raw(column: NDArray[np.generic], form: str) -> bytes:
    return np.ascontiguousarray(column).astype(form, copy=False).tobytes()


def _raws(columns: tuple[NDArray[np.generic], ...], forms: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(_raw(column, form) for column, form in zip(columns, forms, strict=True))


def _column(raw: bytes, form: str) -> NDArray[Any]:
    kind = np.dtype(form)
    if len(raw) % kind.itemsize:
        raise InputError("no state of a capture: a column is cut")
    return np.frombuffer(raw, kind).astype(kind.newbyteorder("="))


def _columns(raws: tuple[bytes, ...], forms: tuple[str, ...]) -> list[NDArray[Any]]:
    if len(raws) != len(forms):
        raise InputError("no state of a capture: columns are missing")
    columns = [_column(raw, form) for raw, form in zip(raws, forms, strict=True)]
    if len({len(column) for column in columns}) > 1:
        raise InputError("no state of a capture: columns differ in length")
    return columns
