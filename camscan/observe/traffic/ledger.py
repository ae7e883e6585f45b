"""What did each client exchange with each remote port? The client's own ports are forgotten here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.errors import InputError
from camscan.model.traffic import Flow, Minute
from camscan.observe.traffic.batch import FAMILY6, Ints, Keys, Tally
from camscan.observe.traffic.flows import MOST_FLOWS, TOO_MANY, Paired, Tuples, paired
from camscan.observe.traffic.media import judged_each
from camscan.observe.traffic.minutes import Lot
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.roles import Roles
from camscan.observe.traffic.table import PairTable, distinct, grown

_LOW32 = np.uint64(0xFFFF_FFFF)
_LOW16 = np.uint64(0xFFFF)
_BYTE = np.uint64(0xFF)
_32, _16 = np.uint64(32), np.uint64(16)
_MINUTE_BITS = 33
"""Of minutes since 1970; more than any capture can state (the year 9999 has 4 billion)."""
_AT_ONCE = 4096
"""Flows made in one go."""
_MOST_TEXTS = 1 << 14
_TRANSPORTS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp"}


class Entries(NamedTuple):
    """Flows, one row each."""

    a: Keys
    """client << 32 | remote"""
    b: Keys
    """family bit | protocol << 32 | remote port"""
    packets_up: Ints
    packets_down: Ints
    bytes_up: Ints
    bytes_down: Ints
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    mac: Keys
    mac_at: NDArray[np.float64]


class Minutes(NamedTuple):
    number: NDArray[np.int32]
    minute: Ints
    up: Ints
    down: Ints


class Ledger:
    def __init__(self, places: Places, tally: Tally, *, most: int = MOST_FLOWS) -> None:
        self._places = places
        self._tally = tally
        self.roles = Roles(places)
        self._table = PairTable(most)
        self._counts: list[Ints] = [np.zeros(256, np.int64) for _ in range(4)]
        """Packets up, packets down, bytes up, bytes down."""
        self._first = np.full(256, np.inf)
        self._last = np.full(256, -np.inf)
        self._mac: Keys = np.zeros(256, np.uint64)
        self._mac_at = np.full(256, np.inf)
        """When the five-tuple was first seen that the MAC address is of."""
        self._minutes: list[Minutes] = []
        self._texts: dict[int, str] = {}
        self._macs: dict[int, str | None] = {0: None}

    def __len__(self) -> int:
        return self._table.count

    def take(self, tuples: Tuples, lots: list[Lot]) -> None:
        """Enter five-tuples, and minutes that are counted by their place in `tuples` + 1."""
        pair = _counted(paired(tuples.a, tuples.b), tuples.packets)
        there, back = pair.forward, np.maximum(pair.backward, 0)
        silent = pair.backward < 0
        if not len(there):
            return
        a, b = tuples.a[there], tuples.b[there]
        client_first = self.roles.source_is_client(
            a,
            b,
            (tuples.marks[there], np.where(silent, 0, tuples.marks[back]).astype(np.uint8)),
            (tuples.first[there], np.where(silent, np.inf, tuples.first[back])),
        )
        source, target = a >> _32, a & _LOW32
        client = np.where(client_first, source, target)
        remote = np.where(client_first, target, source)
        port = np.where(client_first, b & _LOW16, b >> _16 & _LOW16)
        numbers = self._table.numbers(client << _32 | remote, (b & ~_LOW32) | port)
        kept = numbers > 0
        self._room()
        index = numbers.astype(np.int64)
        for direction, rows, present in (
            (client_first, there, np.ones(len(there), np.bool_)),
            (~client_first, back, ~silent),
        ):
            self._enter(tuples, index, kept & present, rows, direction)
        lost = np.flatnonzero(~kept)
        if len(lost):
            packets = int(tuples.packets[there[lost]].sum())
            both = lost[~silent[lost]]
            packets += int(tuples.packets[back[both]].sum())
            self._tally.skip(TOO_MANY, packets)
        self._enter_minutes(len(tuples.a), lots, pair, index, client_first)

    @property
    def count(self) -> int:
        """Flows entered so far."""
        return self._table.count

    def entries(self) -> Entries:
        """What is entered so far."""
        part = slice(1, self._table.count + 1)
        columns = (
            self._table.a, self._table.b, *self._counts, self._first, self._last, self._mac,
            self._mac_at,
        )  # fmt: skip
        return Entries._make(column[part] for column in columns)

    def minutes(self) -> Minutes:
        """Bytes per flow (from 1, in the order of `entries`) and minute."""
        self._minutes = [_summed(self._minutes)] if self._minutes else [_no_minutes()]
        return self._minutes[0]

    def absorb(self, entries: Entries, minutes: Minutes) -> None:
        """Add what another ledger holds; its minutes count flows by their place in `entries` + 1."""
        numbers = self._table.numbers(entries.a, entries.b)
        self._room()
        kept = np.flatnonzero(numbers)
        index = numbers[kept].astype(np.int64)
        for column, more in zip(self._counts, entries[2:6], strict=True):
            np.add.at(column, index, more[kept])
        np.minimum.at(self._first, index, entries.first[kept])
        np.maximum.at(self._last, index, entries.last[kept])
        self._enter_macs(entries.mac[kept], entries.mac_at[kept], index)
        lost = numbers == 0
        self._tally.skip(
            TOO_MANY, int((entries.packets_up[lost] + entries.packets_down[lost]).sum())
        )
        if len(minutes.number):
            if int(minutes.number.max()) > len(numbers) or int(minutes.number.min()) < 0:
                raise InputError("no state of a capture: minutes of unknown flows")
            known = np.concatenate((np.zeros(1, np.int32), numbers))
            self._minutes.append(minutes._replace(number=known[minutes.number]))

    def _enter(
        self,
        tuples: Tuples,
        index: Ints,
        use: NDArray[np.bool_],
        rows: Ints,
        up: NDArray[np.bool_],
    ) -> None:
        for upward in (True, False):
            which = np.flatnonzero(use & (up == upward))
            if not len(which):
                continue
            to, at = index[which], rows[which]
            packets, size = self._counts[0 if upward else 1], self._counts[2 if upward else 3]
            np.add.at(packets, to, tuples.packets[at])
            np.add.at(size, to, tuples.size[at])
            np.minimum.at(self._first, to, tuples.first[at])
            np.maximum.at(self._last, to, tuples.last[at])
            if upward:
                self._enter_macs(tuples.mac[at], tuples.first[at], to)

    def _enter_macs(self, mac: Keys, first: NDArray[np.float64], to: Ints) -> None:
        """Of several five-tuples of a flow, the MAC address of the one that was seen first."""
        before = self._mac_at[to]
        new = (first < before) | ((first == before) & (mac > self._mac[to]))
        new &= mac > 0
        if not new.any():
            return
        mac, first, to, before = mac[new], first[new], to[new], before[new]
        np.minimum.at(self._mac_at, to, first)
        best = first == self._mac_at[to]
        self._mac[to[best & (first < before)]] = 0
        np.maximum.at(self._mac, to[best], mac[best])

    def _room(self) -> None:
        old, size = len(self._first), self._table.count + 1
        if size <= old:
            return
        self._counts = [grown(c, size) for c in self._counts]
        self._first, self._last = grown(self._first, size), grown(self._last, size)
        self._mac = grown(self._mac, size)
        self._mac_at = grown(self._mac_at, size)
        self._first[old:] = self._mac_at[old:] = np.inf
        self._last[old:] = -np.inf

    def _enter_minutes(
        self, count: int, lots: list[Lot], pair: Paired, index: Ints, upward: NDArray[np.bool_]
    ) -> None:
        """`index` and `upward`: per conversation, its flow and whether `pair.forward` is the client's."""
        if not lots:
            return
        flow = np.zeros(count + 1, np.int32)
        is_up = np.zeros(count + 1, np.bool_)
        flow[pair.forward + 1] = index
        is_up[pair.forward + 1] = upward
        both = pair.backward >= 0
        flow[pair.backward[both] + 1] = index[both]
        is_up[pair.backward[both] + 1] = ~upward[both]
        number = np.concatenate([lot.number for lot in lots])
        minute = np.concatenate([lot.minute for lot in lots])
        size = np.concatenate([lot.size for lot in lots])
        up = is_up[number]
        parts = Minutes(flow[number], minute, np.where(up, size, 0), np.where(up, 0, size))
        self._minutes.append(_summed([parts]))
        if len(self._minutes) > 16:
            self._minutes = [_summed(self._minutes)]

    def flows(self) -> Iterator[Flow]:
        """Every flow, by address and port; one at a time, so that millions need no memory."""
        count = self._table.count
        part = slice(1, count + 1)
        a, b = self._table.a[part], self._table.b[part]
        ranks = self._ranks(a, b)
        ends, service = ranks[0] << _32 | ranks[1], (b & _LOW16) << _16 | b >> _32 & _BYTE
        order = np.lexsort((service, ends, b & np.uint64(FAMILY6)))
        series = self.minutes()
        begins = np.searchsorted(series.number, np.arange(count + 2))
        for begin in range(0, count, _AT_ONCE):
            yield from self._some(order[begin : begin + _AT_ONCE] + 1, series, begins)

    def _some(self, numbers: Ints, series: Minutes, begins: Ints) -> list[Flow]:
        """The flows with these numbers; `begins`: where the minutes of each number begin."""
        a, b = self._table.a[numbers], self._table.b[numbers]
        six = b & np.uint64(FAMILY6)
        clients = self._address_texts((a >> _32 | six).tolist())
        remotes = self._address_texts((a & _LOW32 | six).tolist())
        sent, got, up, down = (column[numbers].tolist() for column in self._counts)
        first, last = self._first[numbers], self._last[numbers]
        minutes = _by_flow(series, begins[numbers], begins[numbers + 1])
        seconds = np.maximum(last - first, 1.0).tolist()
        rows = zip(
            clients, remotes, (b & _LOW16).tolist(), (b >> _32 & _BYTE).tolist(), sent, got, up, down,
            first.tolist(), last.tolist(), self._mac_texts(self._mac[numbers].tolist()), minutes,
            judged_each(sent, up, down, seconds, minutes), strict=True,
        )  # fmt: skip
        return [
            Flow(
                client=client,
                remote=remote,
                port=port,
                transport=_TRANSPORTS.get(proto) or str(proto),
                packets_up=packets_up,
                packets_down=packets_down,
                bytes_up=bytes_up,
                bytes_down=bytes_down,
                first=begin,
                last=end,
                client_mac=mac,
                minutes=some,
                media=media,
                media_why=why,
            )
            for (
                client, remote, port, proto, packets_up, packets_down, bytes_up, bytes_down, begin,
                end, mac, some, (media, why),
            ) in rows
        ]  # fmt: skip

    def _address_texts(self, ends: list[int]) -> list[str]:
        """Addresses, IPv6 ones with their bit, in text; those of the last flows are remembered."""
        if len(self._texts) >= _MOST_TEXTS:
            self._texts.clear()
        known, text = self._texts, self._places.text
        for end in set(ends).difference(known):
            known[end] = text(end & 0xFFFF_FFFF, six=end & FAMILY6 != 0)
        return [known[end] for end in ends]

    def _mac_texts(self, macs: list[int]) -> list[str | None]:
        """Of numbers + 1; 0 = none."""
        if len(self._macs) >= _MOST_TEXTS:
            self._macs = {0: None}
        known = self._macs
        for mac in set(macs).difference(known):
            known[mac] = mac_text(mac - 1)
        return [known[mac] for mac in macs]

    def _ranks(self, a: Keys, b: Keys) -> tuple[Keys, Keys]:
        """Client and remote in the order of their addresses; IPv6 numbers are in order of appearance."""
        client, remote = a >> _32, a & _LOW32
        six = b & np.uint64(FAMILY6) != 0
        if six.any():
            table = self._places.addresses
            used = slice(1, table.count + 1)
            order = np.lexsort((table.b[used], table.a[used]))
            rank = np.zeros(table.count + 1, np.uint64)
            rank[order + 1] = np.arange(1, table.count + 1, dtype=np.uint64)
            client, remote = client.copy(), remote.copy()
            client[six] = rank[client[six].astype(np.int64)]
            remote[six] = rank[remote[six].astype(np.int64)]
        return client, remote

    def clients(self) -> int:
        """Distinct client addresses."""
        part = slice(1, self._table.count + 1)
        family = self._table.b[part] & np.uint64(FAMILY6)
        return len(distinct(self._table.a[part] >> _32 | family))


def _counted(pair: Paired, packets: Ints) -> Paired:
    """Without conversations of which only the number was kept."""
    total = packets[pair.forward] + np.where(pair.backward < 0, 0, packets[pair.backward])
    some = total > 0
    return pair if some.all() else Paired(pair.forward[some], pair.backward[some])


def _no_minutes() -> Minutes:
    none = np.empty(0, np.int64)
    return Minutes(none.astype(np.int32), none, none, none)


def _summed(parts: list[Minutes]) -> Minutes:
    """One row per flow and minute, sorted; rows of flows that were not kept (0) fall out."""
    number = np.concatenate([p.number for p in parts])
    minute = np.concatenate([p.minute for p in parts])
    up = np.concatenate([p.up for p in parts])
    down = np.concatenate([p.down for p in parts])
    kept = np.flatnonzero((number > 0) & (minute >= 0) & (minute < 1 << _MINUTE_BITS))
    if not len(kept):
        return Minutes(number[:0], minute[:0], up[:0], down[:0])
    # One key of both: far quicker to sort than two, one after the other.
    key = number[kept].astype(np.uint64) << np.uint64(_MINUTE_BITS) | minute[kept].astype(np.uint64)
    order = np.argsort(key)
    key, order = key[order], kept[order]
    number, minute, up, down = number[order], minute[order], up[order], down[order]
    begins = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    return Minutes(
        number[begins], minute[begins], np.add.reduceat(up, begins), np.add.reduceat(down, begins)
    )


def _by_flow(series: Minutes, begins: Ints, ends: Ints) -> list[tuple[Minute, ...]]:
    """The minutes of flows, by the rows of `series` where those of each begin and end."""
    counts = ends - begins
    stops = np.cumsum(counts)
    rows = np.repeat(begins - (stops - counts), counts) + np.arange(int(stops[-1]))
    made = tuple(
        map(
            Minute,
            (series.minute[rows] * 60).tolist(),
            series.up[rows].tolist(),
            series.down[rows].tolist(),
        )
    )
    return [
        made[begin:stop]
        for begin, stop in zip((stops - counts).tolist(), stops.tolist(), strict=True)
    ]


def mac_text(number: int) -> str:
    return (number & 0xFFFF_FFFF_FFFF).to_bytes(6, "big").hex(":")
