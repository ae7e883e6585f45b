"""How do several processes read one large capture with the result of one?

The file is cut into parts of the same size, at places where a record seems to begin. This process reads the first
part, forks read the others (`split`), each everything of its part. When this one comes to a cut exactly, the cut was a
true one, and what the other found is added to what was found so far, in the order of the file:

* flows: five-tuples are entered into a ledger at fixed places of the file, and a cut is at one of them; the other
  process enters those of which the client is known whatever came before, and hands over the rest (TCP that was not
  seen to be opened), which is entered here;
* names, services, facts: counters are sums, times the extremes, texts in the order of their first appearance, and
  what is limited is limited here, where all of it is seen;
* what goes on across the cut (`_across`): packets of the directions of which more was wanted here are asked for and
  read by a namer that knows their beginning, until none is wanted. Meanwhile the other process must not have made
  anything of them; a namer that knows no beginning is asked for that;
* runs of media: of each direction one counts, that of the process that saw it first.

Where the result could be another than that of one process, the part is read again here, as if nobody had read it:
time is lost, nothing else. That is so for a cut that was none; damage; many more five-tuples than usual (a scan);
a handshake of QUIC, an answer over TCP from port 53 or a fragmented datagram that lies across the cut; a stream that
goes on after two minutes' silence; an answer that describes a device, if its request may stand before the cut;
limits reached by names, services or addresses within a part.

Not exact, never with a name that is not there: limits of what waits to become whole (2048 streams, 256 answers, 2048
handshakes, 2048 runs, 4 MB of fragments) hold for each process, so where a capture reaches them more may be read than by
one; texts of a device, and addresses of a name, that those before them leave no room for are counted
anew in each part; datagrams whose fragments lie in two
rounds of parts, or in two files, count as ones of which the beginning was not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from camscan.decode.service_match import RUN
from camscan.errors import RunError
from camscan.limited import Limited
from camscan.model.observation import Kind
from camscan.model.service import ServiceSignature
from camscan.observe.traffic import split, ways
from camscan.observe.traffic.asked import Asked
from camscan.observe.traffic.batch import PAD, TCP, Keys
from camscan.observe.traffic.engine import MOST_ADDRESSES, Engine
from camscan.observe.traffic.flows import MOST_FLOWS
from camscan.observe.traffic.fragments import MOST_MISSED
from camscan.observe.traffic.initials import NOT_OPENED
from camscan.observe.traffic.memory import written
from camscan.observe.traffic.namer import PENDING_S, Namer
from camscan.observe.traffic.packet import Gate, Packet
from camscan.observe.traffic.pending import Waiting
from camscan.observe.traffic.register import MANY_NAMES, MANY_SERVICES, MAX_SERVICES
from camscan.observe.traffic.remembered import Memory
from camscan.observe.traffic.sizes import Sizes
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.state import Segment, absorb, addresses_of, fragments_of, keys_of
from camscan.worker import Limits

_LIMITS = Limits(memory=1 << 30, cpu_seconds=600, file_bytes=0)
_MOST_AGAIN = 2
"""Parts of a file that had to be read again, after which it is read by one."""
_HEAD_START = 0.4
"""Of a part: by so much the first is larger, because the other processes read anew what all parts have in common."""
_DNS = 53
_DESCRIBED = frozenset({Kind.RTSP.value, Kind.ONVIF.value, Kind.UPNP_XML.value, Kind.ISAPI.value})
"""Texts of which it matters what was asked."""
_Datagrams = tuple[tuple[Keys, Keys], tuple[Keys, Keys]]
"""In fragments: ends and kinds, and the IPv6 addresses of the process that saw them."""
_encode = msgspec.msgpack.Encoder().encode


class _Other:
    """Another process, and the part it reads."""

    def __init__(self, part: split.Part, asked: Asked, gates: Sequence[Gate], every: int) -> None:
        self.part = part
        self._found: split.Findings | None = None
        self._heard = False
        split.handed.append((part, asked, gates, every))
        try:
            self._child = Limited(f"{split.__name__}:{split.serve.__name__}", _LIMITS)
        finally:
            split.handed.clear()

    def close(self) -> None:
        self._child.close()

    @property
    def found(self) -> split.Findings | None:
        """What it found; None where that is nothing, or the process ended before its time."""
        if not self._heard:
            self._heard = True
            said = self._child.hear()
            if said is not None and said[0] == split.FOUND and said[1]:
                self._found = msgspec.msgpack.decode(said[1], type=split.Findings)
        return self._found

    def more(self, wanted: Sequence[ways.Way]) -> Iterator[split.Came]:
        """What came in these directions, a segment at a time."""
        question = _encode(wanted)
        while True:
            came = msgspec.msgpack.decode(self._ask(split.MORE, question), type=split.Came)
            if came.last:
                return
            yield came

    def segments(self, count: int) -> Iterator[Segment]:
        for number in range(count):
            said = self._ask(split.SEGMENT, number.to_bytes(4, "big"))
            yield msgspec.msgpack.decode(said, type=Segment)

    def _ask(self, kind: int, question: bytes) -> bytes:
        self._child.tell(kind, question)
        said = self._child.hear()
        if said is None or said[0] not in {split.PACKETS, split.SEGMENT}:
            words = said[1].decode("utf-8", "replace") if said else self._child.ending()
            raise RunError(f"a process that reads a part ended: {words}")
        return said[1]


class Joining:
    """One file that others read parts of; for `Filling`. Close it at the end."""

    def __init__(
        self,
        engine: Engine,
        namer: Namer,
        asked: Asked,
        source: Source,
        *,
        gates: Sequence[Gate],
        processes: int,
        sizes: Sizes,
    ) -> None:
        self._engine = engine
        self._namer = namer
        self._asked = asked
        self._gates = gates
        self._path = source.name
        self._end = source.windows
        self._processes = processes
        self._sizes = sizes
        self._others: list[_Other] = []
        self._planned = 0
        """End of the parts that were given to somebody."""
        self.again = 0
        """Parts that were read again here."""

    def close(self) -> None:
        for other in self._others:
            other.close()
        self._others.clear()

    def way(self, place: int) -> int:
        """A record begins here: add what others read from here on, and tell where to go on."""
        while self._others and self._others[0].part.begin == place:
            other = self._others.pop(0)
            try:
                place = self._joined(other)
            finally:
                other.close()
            if place == other.part.begin:
                self.again += 1
                break
        if place >= self._planned and self.again < _MOST_AGAIN:
            self._plan(place)
        return place

    def stop(self, place: int) -> int | None:
        """The next place behind this one where another part begins; those before it began at no record."""
        while self._others and self._others[0].part.begin <= place:
            self._others.pop(0).close()
            self.again += 1
        return self._others[0].part.begin if self._others else None

    def _plan(self, place: int) -> None:
        """Cut what comes next into parts, one for each process."""
        self._planned = self._end
        left = self._end - place
        if left < self._sizes.worth:
            return
        size = min(left / (self._processes + _HEAD_START), self._sizes.most)
        cuts: list[int] = []
        for number in range(self._processes):
            # The first record behind a place where all five-tuples are entered.
            begin = place + (number + 1 + _HEAD_START) * size
            whole = round(begin / self._sizes.every) * self._sizes.every
            cut = split.cut_near(Path(self._path), whole) if whole < self._end - PAD else None
            if cut is not None and place < cut < self._end - PAD and cut not in cuts:
                cuts.append(cut)
        if self._processes * self._sizes.most >= left:
            cuts = [*cuts[: self._processes - 1], self._end]
        self._planned = cuts[-1] if cuts else self._end
        for part in pairwise(cuts):
            one = split.Part(self._path, *part)
            self._others.append(_Other(one, self._asked, self._gates, self._sizes.every))

    def _joined(self, other: _Other) -> int:
        """Where to go on: behind the part, or at its beginning where it has to be read again."""
        self._engine.reach(other.part.begin)
        found = other.found
        if found is None or not self._fits(found) or self._is_torn(found):
            return other.part.begin
        across = self._across(other, found)
        if across is None:
            return other.part.begin
        reader, wanted = across
        opened = reader.parts().pending.initials.later_opened(found.waiting.unopened)
        engine, namer = self._engine, self._namer
        engine.candidates.want(np.empty(0, np.int64))
        absorb(engine, found.state, other.segments(found.segments))
        engine.tuples.minutes.kept += found.minutes
        engine.next = found.next
        namer.hand_over()
        namer.take_up(written(reader.parts()), reader.waiting())
        namer.take_up(self._without_runs(found), found.waiting)
        namer.parts().register.not_examined[NOT_OPENED] -= opened
        table = engine.tuples.table
        before = table.count
        numbers = engine.tuples.reserve(*ways.keys(wanted.union(found.wanted), engine.addresses))
        engine.candidates.welcome(table, before)
        engine.candidates.want(numbers.astype(np.int64))
        return found.stopped

    def _fits(self, found: split.Findings) -> bool:
        """Whether no limit is reached that one process would have reached at another place."""
        engine, memory = self._engine, found.memory
        tuples, register = engine.tuples, self._namer.parts().register
        return (
            not tuples.used  # they were entered here, or it is not where one would enter them
            and tuples.minutes.kept + found.minutes <= tuples.minutes.most
            and engine.ledger.count + found.flows <= MOST_FLOWS
            and engine.addresses.count + len(addresses_of(found.state)[0]) <= MOST_ADDRESSES
            and register.conversations + len(memory.services) <= MAX_SERVICES
            and not {MANY_NAMES, MANY_SERVICES} & memory.not_examined.keys()
        )

    def _is_torn(self, found: split.Findings) -> bool:
        """Whether a datagram in fragments lies across the cut before or behind the part."""
        begun, alone = fragments_of(found.state), keys_of(found.alone)
        fragments, addresses = self._engine.fragments, addresses_of(found.state)
        kinds = np.concatenate((begun[1], alone[1]))
        if fragments.follows_any and (kinds >> np.uint64(32) & np.uint64(0xFF) == TCP).any():
            return True
        following = self._others[0].found if len(begun[0]) and self._others else None
        if following is not None and _share(
            (begun, addresses), (keys_of(following.alone), addresses_of(following.state))
        ):
            return True
        table = self._engine.addresses
        used = slice(1, table.count + 1)
        before = fragments.begun()[:2], (table.a[used], table.b[used])
        return _share(before, (alone, addresses))

    def _across(self, other: _Other, found: split.Findings) -> tuple[Namer, set[ways.Way]] | None:
        """A namer that went on with what began before the part, and of what more is wanted behind it.

        None where the other process made something of the packets this one read.
        """
        engine, asked = self._engine, self._asked
        numbers = engine.candidates.wanted()
        wanted = set(ways.of_tuples(engine.places, engine.tuples.table, numbers))
        # Messages of services were counted there: of those only what makes a run is left.
        reader = asked._replace(services=_runs_of(asked.services)).namer()
        reader.take_up(Memory(), _copied(self._namer.waiting()))
        heard = asked._replace(services=()).namer()
        theirs: set[ways.Way] = set()
        for came in other.more(tuple(wanted)) if wanted else ():
            for packet, gated in came.packets:
                way = ways.of_packet(packet)
                if way not in wanted:
                    continue
                if _is_late(packet, reader):
                    return None
                if gated or way in theirs:
                    (theirs.add if heard.feed(packet) else theirs.discard)(way)
                if not reader.feed(packet):
                    wanted.discard(way)
            if not wanted:
                break
            if came.cut:
                return None
        reader.passed(found.waiting.now)
        if (
            _made_something(heard)
            or self._misses_requests(found.memory, reader)
            or _greets_again(reader.waiting(), found.waiting)
        ):
            return None
        return reader, wanted

    def _misses_requests(self, memory: Memory, reader: Namer) -> bool:
        """Whether an answer that describes a device may belong to a request before the part."""
        asked = {key[:2] for key in reader.parts().pending.bodies.asked}
        facts = self._namer.parts().facts
        return any(
            fact.kind in _DESCRIBED
            and fact.request is None
            and (fact.client, fact.port) in asked
            and not facts.holds(fact)
            for fact in memory.facts
        )

    def _without_runs(self, found: split.Findings) -> Memory:
        """What it found, but the runs of directions that had one before: one counts of each."""
        known = self._namer.parts().pending.runs.known
        twice = {key for key, _ in found.waiting.runs if key in known}
        if not twice:
            return found.memory
        names = {service.id for service in _runs_of(self._asked.services)}
        left = tuple(
            s
            for s in found.memory.services
            if s.signature not in names
            or twice.isdisjoint(
                ((s.client, s.own, s.remote, s.port), (s.remote, s.port, s.client, s.own))
            )
        )
        return replace(found.memory, services=left)


def _share(begun: _Datagrams, alone: _Datagrams) -> bool:
    """Whether datagrams that begin in one part go on in the other."""
    if not len(begun[0][0]) or not len(alone[0][0]):
        return False
    if len(alone[0][0]) >= MOST_MISSED:
        return True  # and more of them that are not told
    return not ways.datagrams(*begun).isdisjoint(ways.datagrams(*alone))


def _runs_of(services: Sequence[ServiceSignature]) -> tuple[ServiceSignature, ...]:
    """Services that are runs of packets, without their other messages."""
    found = []
    for service in services:
        runs = tuple(message for message in service.message if message.check == RUN)
        if runs:
            found.append(replace(service, message=runs))
    return tuple(found)


def _copied(waiting: Waiting) -> Waiting:
    return msgspec.msgpack.decode(_encode(waiting), type=Waiting)


def _is_late(packet: Packet, reader: Namer) -> bool:
    """Whether what one process made of it depends on what came between."""
    streams = reader.parts().pending.streams
    stream = streams.get((packet.src, packet.sport, packet.dst, packet.dport))
    if packet.transport != "tcp" or stream is None:
        return False
    return _DNS in {packet.sport, packet.dport} or packet.at - stream.first >= PENDING_S


def _greets_again(before: Waiting, there: Waiting) -> bool:
    """Whether a handshake of QUIC there is one that was whole before."""
    known = dict(before.greeted)
    later = ((flow, pieces.connection) for flow, pieces in there.hellos)
    return any(known.get(flow) == connection for flow, connection in (*there.greeted, *later))


def _made_something(namer: Namer) -> bool:
    parts = namer.parts()
    return bool(
        parts.register.count
        or parts.facts.records()[0]
        or parts.register.not_examined
        or parts.facts.not_examined
        or parts.encrypted
        or namer.waiting().any_begun
    )
