"""Which names and services were seen how often, by whom, from when to when? Bounded counters.

What does not fit is counted, never dropped in silence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from msgspec import Struct

from camscan.decode.host_name import is_address, is_odd
from camscan.decode.service_match import Matched, enough
from camscan.model.traffic import NameSeen, ServiceSeen
from camscan.observe.traffic.packet import Again, Ends

if TYPE_CHECKING:
    from camscan.observe.traffic.remembered import NameRecord, ServiceRecord

MAX_NAMES = 100_000
MAX_SERVICES = 50_000
MANY_NAMES, MANY_SERVICES = "names beyond the limit", "services beyond the limit"
_MANY_ADDRESSES = "addresses of names beyond the limit"
_MAX_ANSWERS = 512
"""Addresses of one name: pools and clouds answer with others every time."""
_MOST_ANSWERS = 500_000
_Texts = tuple[str, ...]
_NameKey = tuple[str, str, str, str, int, str]
"""Client, protocol, name, remote, port, MAC: in the order of the result. Empty and 0 where there is none."""
_ServiceKey = tuple[str, str | None, str, int, str, str, int]
_SeenKey = tuple[tuple[str, str, int, str], str]
"""Service, remote, port and MAC, by which results are in order; the transport, which is in none."""
_first = itemgetter(0)


class _Name(Struct, gc=False):
    first: float
    last: float
    asked: int = 0
    seen: int = 0
    answers: _Texts = ()
    aliases: _Texts = ()
    alpn: _Texts = ()
    ech: bool = False
    said: float = -math.inf
    """When aliases and protocols were last told."""

    def __call__(self, times: int, at: float) -> None:
        """Asked once more."""
        self.asked += times
        if at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at

    def answer(self, times: int, at: float) -> None:
        self.seen += times
        if at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at

    def add(self, answers: _Texts, most: int) -> tuple[int, int]:
        """Of those that are not there yet as many as there is room for: how many were added, and how many left out."""
        known = set(self.answers)
        new = [text for text in answers if text not in known]
        room = max(0, min(_MAX_ANSWERS - len(known), most))
        self.answers += tuple(new[:room])
        return len(new[:room]), len(new[room:])

    def say(self, aliases: _Texts, alpn: _Texts, times: int, at: float, *, answer: bool) -> None:
        self.hold(aliases, alpn, at)
        if answer:
            self.answer(times, at)
        else:
            self(times, at)

    def hold(self, aliases: _Texts, alpn: _Texts, at: float) -> None:
        """What was said last holds, in whatever order it is counted."""
        before = self.said, self.aliases, self.alpn
        self.said, self.aliases, self.alpn = max(before, (at, aliases, alpn))


class _Service(Struct, gc=False):
    first: float
    last: float
    needs: int = 0
    packets: int = 0
    settled: bool = False
    announced: str = ""
    messages: _Texts = ()

    def __call__(self, times: int, at: float) -> None:
        """Said once more."""
        self.packets += times
        if at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at
        if self.packets >= self.needs > 0:
            self.settled = True


class Register:
    """All counters of one capture."""

    def __init__(self) -> None:
        self._names: dict[_NameKey, _Name] = {}
        self._services: dict[_ServiceKey, _Service] = {}
        self._answers = 0
        self.not_examined: Counter[str] = Counter()

    def name(
        self,
        *,
        client: str,
        mac: str | None,
        proto: str,
        name: str,
        at: float,
        remote: str = "",
        port: int = 0,
        answers: _Texts = (),
        aliases: _Texts = (),
        alpn: _Texts = (),
        ech: bool = False,
        answer: bool = False,
        times: int = 1,
    ) -> Again | None:
        """Count a name `times`; with `answer` as the answer to a question that may have been counted.

        `answers`: each once. What to call when the same is said again.
        """
        key = (client, proto, name, remote, port, mac or "")
        record = self._names.get(key)
        if record is None:
            if not name or is_address(name):
                return None
            if len(self._names) >= MAX_NAMES:
                return self.leave_out(MANY_NAMES, times)
            record = self._names[key] = _Name(at, at)
        if answers and answers != record.answers:
            self._add(record, answers)
        if ech:
            record.ech = True
        if aliases or alpn:
            say = partial(record.say, aliases, alpn, answer=answer)
            say(times, at)
            return say
        count = record.answer if answer else record
        count(times, at)
        return count

    def service(
        self, matched: Matched, ends: Ends, transport: str, times: int, outward: bool
    ) -> Again:
        """Count one message of a service; `outward`: sent by the client. What to call when it is repeated."""
        if outward:
            at, client, remote, own, port, mac, _ = ends
        else:
            at, remote, client, port, own, _, mac = ends
        signature = matched.service
        key = (client, mac, remote, port, transport, signature.id, own)
        record = self._services.get(key)
        if record is None:
            if len(self._services) >= MAX_SERVICES:
                return self.leave_out(MANY_SERVICES, times)
            record = self._services[key] = _Service(at, at)
        if matched.message.name not in record.messages:
            record.messages += (matched.message.name,)
        if matched.announced and outward:
            record.announced = record.announced or matched.announced
        record.needs = signature.needs
        if not record.settled:
            record.settled = enough(signature, matched.message, (port, own), 0)
        record(times, at)
        return record

    def _add(self, record: _Name, answers: _Texts) -> None:
        added, left = record.add(answers, _MOST_ANSWERS - self._answers)
        self._answers += added
        if left:
            self.not_examined[_MANY_ADDRESSES] += left

    def leave_out(self, reason: str, times: int) -> Again:
        """Count what is not examined. What to call when it is repeated."""
        self.not_examined[reason] += times
        return partial(self._left_out, reason)

    def _left_out(self, reason: str, times: int, at: float) -> None:
        del at
        self.not_examined[reason] += times

    @property
    def count(self) -> int:
        """Distinct names so far."""
        return len(self._names)

    @property
    def conversations(self) -> int:
        """Records of services."""
        return len(self._services)

    def names(self) -> tuple[NameSeen, ...]:
        """In order of client, protocol, name."""
        by_client: dict[str, list[tuple[_NameKey, _Name]]] = {}
        for item in self._names.items():
            by_client.setdefault(item[0][0], []).append(item)
        odd = {name: is_odd(name) for name in {key[2] for key in self._names}}
        return tuple(
            [
                NameSeen(
                    client=client,
                    client_mac=mac or None,
                    proto=proto,
                    name=name,
                    first=r.first,
                    last=r.last,
                    count=max(r.asked, r.seen),
                    remote=remote or None,
                    port=port if remote else None,
                    answers=tuple(r.answers),
                    aliases=r.aliases,
                    alpn=r.alpn,
                    ech=r.ech,
                    odd=odd[name],
                )
                # Many short sorts cost less than one long one.
                for _, items in sorted(by_client.items(), key=_first)
                for (client, proto, name, remote, port, mac), r in sorted(items, key=_first)
            ]
        )

    def services(self) -> tuple[ServiceSeen, ...]:
        """Settled services; the conversations of one client with one remote port are one record."""
        by_client: dict[str, dict[_SeenKey, list[_Service]]] = {}
        for (client, mac, remote, port, transport, name, _), record in self._services.items():
            if record.settled:
                joined = by_client.setdefault(client, {})
                joined.setdefault(((name, remote, port, mac or ""), transport), []).append(record)
        return tuple(
            [
                _seen(client, key, records)
                for client, joined in sorted(by_client.items(), key=_first)
                for key, records in sorted(joined.items(), key=_first_of_key)
            ]
        )

    def records(self) -> tuple[tuple[NameRecord, ...], tuple[ServiceRecord, ...]]:
        """Every counter as it stands, for `remembered`."""
        # Loaded when a reading is interrupted or saved, and not with every start.
        from camscan.observe.traffic.remembered import NameRecord, ServiceRecord

        names = tuple(
            NameRecord(
                client=client, mac=mac or None, proto=proto, name=name, remote=remote or None,
                port=port if remote else None,
                first=r.first, last=r.last, asked=r.asked, seen=r.seen, answers=tuple(r.answers),
                said=r.said, aliases=r.aliases, alpn=r.alpn, ech=r.ech,
            )
            for (client, proto, name, remote, port, mac), r in self._names.items()
        )  # fmt: skip
        services = tuple(
            ServiceRecord(
                client=client, mac=mac, remote=remote, port=port, transport=transport, own=own,
                signature=signature, first=r.first, last=r.last, packets=r.packets,
                needs=r.needs, settled=r.settled, announced=r.announced, messages=tuple(sorted(r.messages)),
            )
            for (client, mac, remote, port, transport, signature, own), r in self._services.items()
        )  # fmt: skip
        return names, services

    def take_up(self, names: Iterable[NameRecord], services: Iterable[ServiceRecord]) -> None:
        """Count on from the records of an earlier reading, or add those of packets that come next."""
        for n in names:
            key = (n.client, n.proto, n.name, n.remote or "", n.port or 0, n.mac or "")
            name = self._names.get(key)
            if name is None:
                if len(self._names) >= MAX_NAMES:
                    self.leave_out(MANY_NAMES, n.asked + n.seen)
                    continue
                name = self._names[key] = _Name(n.first, n.first)
            name(n.asked, n.first)
            name.answer(n.seen, n.last)
            self._add(name, n.answers)
            name.hold(n.aliases, n.alpn, n.said)
            name.ech = name.ech or n.ech
        for s in services:
            place = (s.client, s.mac, s.remote, s.port, s.transport, s.signature, s.own)
            service = self._services.get(place)
            if service is None:
                if len(self._services) >= MAX_SERVICES:
                    self.leave_out(MANY_SERVICES, s.packets)
                    continue
                service = self._services[place] = _Service(s.first, s.first)
            service.needs = s.needs
            service.settled = service.settled or s.settled
            service(0, s.first)
            service(s.packets, s.last)
            service.announced = service.announced or s.announced
            service.messages += tuple(m for m in s.messages if m not in service.messages)


def _first_of_key(item: tuple[_SeenKey, object]) -> tuple[str, str, int, str]:
    return item[0][0]


def _seen(client: str, key: _SeenKey, records: list[_Service]) -> ServiceSeen:
    (service, remote, port, mac), transport = key
    whole = records[0]
    if len(records) > 1:
        whole = _Service(
            min(r.first for r in records),
            max(r.last for r in records),
            packets=sum(r.packets for r in records),
        )
        whole.announced = next((r.announced for r in records if r.announced), "")
        whole.messages = tuple(set().union(*(r.messages for r in records)))
    return ServiceSeen(
        client=client,
        client_mac=mac or None,
        service=service,
        remote=remote,
        port=port,
        transport=transport,
        first=whole.first,
        last=whole.last,
        packets=whole.packets,
        announced=whole.announced,
        detail=", ".join(sorted(whole.messages)),
    )
