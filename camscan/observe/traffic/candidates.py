"""Which few packets of a batch are handed to the feed, and in which order?

Those that pass a gate, those of directions the feed asked for, and datagrams put together from fragments,
in capture order; packets that only repeat others at the end.
"""

from __future__ import annotations

import ctypes
import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps
from camscan.observe.traffic.alike import Alike, Asked
from camscan.observe.traffic.batch import (
    FIN,
    RST,
    SYN,
    TCP,
    Batch,
    Bytes,
    Columns,
    Ints,
    Keys,
    gather,
)
from camscan.observe.traffic.contents import LONGEST, Contents
from camscan.observe.traffic.echo import Echoes
from camscan.observe.traffic.fragments import Whole
from camscan.observe.traffic.gating import NO_RANK, PORT_BITS, Bits, Gating, Looked
from camscan.observe.traffic.handing import Maker
from camscan.observe.traffic.packet import ALIKE, HEAD, Feed, Gate, Reader, Told
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.table import Numbers, PairTable, grown

_WANTED = np.uint32(1)
"""What is known of a five-tuple: whether more is wanted of it, and above that one bit per gate of its ports."""
_BACK, _AHEAD = 256, 1 << 16
"""Packets, and bytes of a stream: how far a segment may have come too early."""
_PAYLOAD, _ENDS = ALIKE.index("payload"), ALIKE.index("ends")


class _Offered(NamedTuple):
    """One lot of packets on offer."""

    batch: Batch
    columns: Columns
    numbers: Numbers
    whole: list[tuple[int, Columns, Whole]]
    source: int
    picked: Ints
    """Rows that are handed over whatever is wanted."""
    counted: Ints
    """Rows that are counted, since they only repeat others: they are not handed over, whatever is wanted."""


_Ranked = tuple[Ints, Bytes, NDArray[np.uint8], Keys]
"""Rows, HEAD bytes of the payload of each, and what the gates say of it: rank and number of those it passed."""


class _Picked(NamedTuple):
    """Rows that may pass a gate or were asked for, and what the gates say of each."""

    rows: Ints
    ranks: NDArray[np.uint8]
    passed: Keys
    looked: Looked
    pending: NDArray[np.bool_]
    """More of their five-tuple is wanted."""


class Candidates:
    def __init__(self, gates: Sequence[Gate], feed: Feed | Reader, places: Places) -> None:
        self._reader = feed if isinstance(feed, Reader) else Told(feed)
        self._gating = Gating(gates)
        self._alike = Alike()
        self._echoes = Echoes()
        self._contents = Contents(self._alike.sums)
        self._maker = Maker(places)
        self._look: Bits = np.zeros(1024, np.uint32)
        self._slow: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        """Scratch, all False between uses."""
        self._wanted: set[int] = set()
        self.fed = 0
        self.read: Ints = np.empty(0, np.int64)
        """Rows of the last batch that passed a gate or were asked for; repeats among them, short ones aside."""

    def welcome(self, table: PairTable, before: int) -> None:
        """Five-tuples with numbers above `before` are new."""
        count = table.count
        if count == before:
            return
        self._echoes.welcome(before, count)
        self._look, self._slow = grown(self._look, count + 1), grown(self._slow, count + 1)
        fresh = slice(before + 1, count + 1)
        self._look[fresh] = self._gating.by_port(table.b[fresh])

    def wanted(self) -> Ints:
        """Numbers of the five-tuples that more is wanted of."""
        return np.array(sorted(self._wanted), np.int64)

    def renumber(self, table: PairTable, numbers: Numbers) -> None:
        """The table was emptied; these are the new numbers of what is wanted."""
        self._echoes.clear()
        self.welcome(table, 0)
        self._wanted = set(numbers.tolist())
        self._look[numbers] |= _WANTED

    def want(self, numbers: Ints) -> None:
        """Packets of these five-tuples are wanted from now on, and of no others."""
        self._look[self.wanted()] &= ~_WANTED
        self._look[numbers] |= _WANTED
        self._wanted = set(numbers.tolist())

    def tell(self) -> None:
        """Hand over what was only counted so far: one number for all that are alike."""
        self._alike.tell()

    def offer(
        self,
        batch: Batch,
        columns: Columns,
        numbers: Numbers,
        whole: list[tuple[int, Columns, Whole]],
        source: int,
    ) -> None:
        """Feed what is to be fed of these packets."""
        self.read = columns.row[:0]
        pick = self._stepped if steps.compiled is not None else self._begin_well
        chosen, head, ranks, passed = pick(batch, columns, numbers)
        if not len(chosen) and not whole:
            return
        offered = _Offered(batch, columns, numbers, whole, source, chosen[:0], chosen[:0])
        looked = Looked.at(columns, chosen, head)
        pending = self._look[numbers[chosen]] & _WANTED != 0
        picked = _Picked(chosen, ranks, passed, looked, pending)
        use = (ranks != NO_RANK) | pending
        self.read = columns.row[chosen[use]]
        forms = self._merge(offered, picked)
        self._tell_known(offered, picked, forms)
        use &= forms >= 0
        offered = offered._replace(picked=chosen[use], counted=chosen[forms < 0])
        self._deliver(offered, chosen[use], ranks[use] != NO_RANK, forms[use])

    def _stepped(self, batch: Batch, columns: Columns, numbers: Numbers) -> _Ranked:
        """The same as `_begin_well`, by the compiled step, without rows that pass no gate."""
        count = len(numbers)
        rows, echoes = np.empty(count, np.int64), np.empty(count, np.int64)
        ranks, passed = np.empty(count, np.uint8), np.empty(count, np.uint64)
        head, forms = np.empty((count, HEAD), np.uint8), np.empty(count, np.int32)
        heard = ctypes.c_int64()
        given = [
            np.ascontiguousarray(c)
            for c in (columns.payload, columns.held, columns.length, columns.b, numbers)
        ]
        number = steps.compiled.camscan_pick(
            steps.at(batch.data), len(batch.data), *(steps.at(c) for c in given), count,
            steps.at(self._look), self._gating.compiled(), self._echoes.compiled(),
            steps.pointers(rows, ranks, passed, head, echoes, forms), ctypes.byref(heard),
        )  # fmt: skip
        if heard.value:
            echoes = echoes[: heard.value]
            self._alike.count(forms[: heard.value], columns.at[echoes])
        found = rows[:number], head[:number], ranks[:number], passed[:number]
        return self._with_empty(columns, numbers, found) if self._wanted else found

    def _begin_well(self, batch: Batch, columns: Columns, numbers: Numbers) -> _Ranked:
        """Rows that may pass a gate, and those that were asked for, with what the gates say of each."""
        rows = np.flatnonzero(columns.held > 0)
        heads = gather(batch.data, columns.payload[rows], HEAD)
        look = self._look[numbers[rows]]
        hit = self._gating.by_bytes(heads)
        hit |= look != 0
        few = np.flatnonzero(hit)
        rows, heads, look = rows[few], heads[few], look[few]
        owners = numbers[rows]
        echoes, forms = self._echoes.heard(
            owners, columns.held[rows], columns.length[rows], heads, look & _WANTED == 0
        )
        if len(echoes):
            self._alike.count(forms, columns.at[rows[echoes]])
            others = np.ones(len(rows), np.bool_)
            others[echoes] = False
            rows, heads = rows[others], heads[others]
        head = heads.view(np.uint8).reshape(-1, HEAD)
        looked = Looked.at(columns, rows, head)
        found = rows, head, *self._gating.ranks(self._look[numbers[rows]] >> PORT_BITS, looked)
        return self._with_empty(columns, numbers, found) if self._wanted else found

    def _with_empty(self, columns: Columns, numbers: Numbers, found: _Ranked) -> _Ranked:
        """With packets without a payload that were asked for, in order."""
        empty = np.flatnonzero((self._look[numbers] & _WANTED != 0) & (columns.held <= 0))
        if not len(empty):
            return found
        count = len(empty)
        nothing = (
            empty,
            np.zeros((count, HEAD), np.uint8),
            np.full(count, NO_RANK, np.uint8),
            np.zeros(count, np.uint64),
        )
        order = np.argsort(np.concatenate((found[0], empty)), kind="stable")
        return (
            np.concatenate((found[0], nothing[0]))[order],
            np.concatenate((found[1], nothing[1]))[order],
            np.concatenate((found[2], nothing[2]))[order],
            np.concatenate((found[3], nothing[3]))[order],
        )

    def _merge(self, offered: _Offered, picked: _Picked) -> Numbers:
        """Per packet: -1 where it only repeats another and was counted; else its form, 0 = of none."""
        chosen, ranks, passed, looked, pending = picked
        forms = np.zeros(len(chosen), np.int32)
        some = np.flatnonzero(~pending & (ranks > 0) & (ranks != NO_RANK))
        if not len(some):
            return forms
        alike = self._alike
        if alike.full:
            self.tell()
            alike.clear()
            self._echoes.clear()
        part = Looked._make(column[some] for column in looked)
        servers = self._gating.servers
        asked = Asked(offered.columns, chosen[some], ranks[some], passed[some], part, servers)
        forms[some] = alike.numbers(offered.batch.data, asked)
        streams = (ranks != NO_RANK) & (looked.proto == TCP) | pending
        self._without_streams(offered, chosen, forms, streams)
        numbers = forms[some]
        repeats = alike.repeats(numbers)
        at = offered.columns.at[chosen[some[repeats]]]
        alike.count(numbers[repeats], at)
        counted_tcp = at[part.proto[repeats] == TCP]
        if len(counted_tcp):
            self._reader.passed(float(counted_tcp.max()))
        payloads = ranks[some] == _PAYLOAD
        self._echoes.learn(
            offered.numbers[chosen[some[payloads]]],
            numbers[payloads],
            part.held[payloads],
            part.head[payloads],
        )
        forms[some[repeats]] = -1
        return forms

    def _without_streams(
        self, offered: _Offered, chosen: Ints, forms: Numbers, streams: NDArray[np.bool_]
    ) -> None:
        """Packets of a direction of which another may begin a stream in this lot have no form."""
        owners = offered.numbers[chosen]
        slow = owners[streams & (forms == 0)]
        if not len(slow):
            return
        self._slow[slow] = True
        forms[self._slow[owners]] = 0
        self._slow[slow] = False

    def _tell_known(self, offered: _Offered, picked: _Picked, forms: Numbers) -> None:
        """Tell the first packets of forms whose payload others send too, or whose gates say all: from then on, -1 stands in `forms`."""
        batch, columns, owners = offered.batch, offered.columns, offered.numbers[picked.rows]
        by_gates = picked.ranks == _ENDS
        may = (picked.ranks == _PAYLOAD) & (picked.looked.held <= LONGEST) | by_gates
        may &= forms > 0
        # What follows a packet without a form may be wanted, and is then to be read.
        reading = owners[(picked.ranks == 0) | picked.pending]
        self._slow[reading] = True
        some = np.flatnonzero(may & ~self._slow[owners])
        self._slow[reading] = False
        if not len(some):
            return
        rows = picked.rows[some]
        contents = self._contents
        numbers, new = contents.numbers(
            batch.data,
            columns.payload[rows],
            picked.looked.held[some],
            np.where(by_gates[some], picked.passed[some], 0),
        )
        for place in new.tolist():
            packet = self._maker.one(batch, columns, int(rows[place]), offered.source)
            contents.learn(int(numbers[place]), self._reader.meaning(packet))
        told = np.flatnonzero(contents.told(numbers))
        for number in set(numbers[told].tolist()):
            same = told[numbers[told] == number]
            ends = self._maker.ends(batch, columns, rows[same])
            again = contents.meaning(number)(ends)
            which = some[same[[found is not None for found in again]]]
            self._alike.remember_all(forms[which], [found for found in again if found is not None])
            forms[which] = -1
            self.fed += len(which)

    def _deliver(
        self, offered: _Offered, rows: Ints, gated: NDArray[np.bool_], forms: Numbers
    ) -> None:
        batch, columns, numbers, whole, source, _, _ = offered
        pack = self._maker.packets(batch, columns, rows, source)
        owners = numbers[rows].tolist()
        feed, again, wanted = self._reader.feed, self._reader.again, self._wanted
        # Later packets of directions that were asked for in this lot, and datagrams put together.
        extra: list[tuple[int, int]] = [
            (int(np.searchsorted(columns.row, row)), place)
            for place, (row, _, _) in enumerate(whole)
        ]
        heapq.heapify(extra)
        # One more row behind the last, so that what is left in `extra` comes out.
        end = len(columns.row)
        for row, gate, form, owner, packet in zip(
            [*rows.tolist(), end],
            [*gated.tolist(), False],
            [*forms.tolist(), 0],
            [*owners, 0],
            [*pack, None],
            strict=True,
        ):
            while extra and extra[0][0] <= row:
                at, place = heapq.heappop(extra)
                if place >= 0:
                    _, one, datagram = whole[place]
                    if datagram.seq < 0:
                        feed(self._maker.whole(batch, one, source, datagram))
                        self.fed += 1
                    elif int(numbers[at]) in wanted:
                        piece = self._maker.whole(batch, one, source, datagram)
                        self._hand(offered, at, int(numbers[at]), feed(piece), extra)
                elif at != row and int(numbers[at]) in wanted:
                    later = self._maker.one(batch, columns, at, source)
                    self._hand(offered, at, int(numbers[at]), feed(later), extra)
            if packet is None or not (gate or owner in wanted):
                continue
            more = feed(packet)
            if form:
                self._alike.remember(form, again())
            if more or owner in wanted:
                self._hand(offered, row, owner, more, extra)
            else:
                self.fed += 1

    def _hand(
        self, offered: _Offered, row: int, number: int, more: bool, extra: list[tuple[int, int]]
    ) -> None:
        """Note what the feed said of the packet in `row`."""
        self.fed += 1
        if not more:
            self._wanted.discard(number)
            self._look[number] &= ~_WANTED
            return
        if number in self._wanted:
            return
        self._wanted.add(number)
        self._look[number] |= _WANTED
        columns = offered.columns
        later = np.flatnonzero(offered.numbers[row + 1 :] == number) + row + 1
        later = np.setdiff1d(later, offered.counted, assume_unique=True)
        speaks = (columns.held[later] > 0) | (columns.flags[later] & (SYN | FIN | RST) != 0)
        for other in (*_early(offered, row, number), *later[speaks].tolist()):
            heapq.heappush(extra, (other, -1))


def _early(offered: _Offered, row: int, number: int) -> list[int]:
    """Segments captured shortly before the one in `row` that come behind it in the stream."""
    columns = offered.columns
    begin = max(0, row - _BACK)
    rows = np.flatnonzero(offered.numbers[begin:row] == number) + begin
    rows = rows[columns.held[rows] > 0]
    if not len(rows) or int(columns.b[row]) >> 32 & 0xFF != TCP:
        return []
    rows = np.setdiff1d(rows, np.concatenate((offered.picked, offered.counted)))
    places = columns.transport[np.append(rows, row)] + 4
    seq = gather(offered.batch.data, places, 4).view(">u4").astype(np.int64)
    ahead = seq[:-1] - seq[-1] & 0xFFFF_FFFF
    early: list[int] = rows[(ahead > 0) & (ahead < _AHEAD)].tolist()
    return early
