"""Which names and services were seen how often, by whom, from when to when? Bounded counters.

What does not fit is counted, never dropped in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from camscan.decode.host_name import is_address, is_odd
from camscan.decode.service_match import Matched, enough
from camscan.model.traffic import NameSeen, ServiceSeen
from camscan.observe.traffic.packet import Packet
from camscan.observe.traffic.remembered import NameRecord, ServiceRecord

MAX_NAMES = 100_000
MAX_SERVICES = 50_000
_MAX_ANSWERS = 64
_NameKey = tuple[str, str | None, str, str, str | None, int | None]


class _Name:
    __slots__ = ("aliases", "alpn", "answers", "asked", "ech", "first", "last", "seen")

    def __init__(self, at: float) -> None:
        self.first = self.last = at
        self.asked = self.seen = 0
        self.answers: dict[str, None] = {}
        self.aliases: tuple[str, ...] = ()
        self.alpn: tuple[str, ...] = ()
        self.ech = False


class _Service:
    __slots__ = ("announced", "first", "last", "messages", "packets", "settled")

    def __init__(self, at: float) -> None:
        self.first = self.last = at
        self.packets = 0
        self.settled = False
        self.announced = ""
        self.messages: set[str] = set()


class Register:
    """All counters of one capture."""

    def __init__(self) -> None:
        self._names: dict[_NameKey, _Name] = {}
        self._services: dict[tuple[str, str | None, str, int, str, str, int], _Service] = {}
        self._signatures: dict[str, Matched] = {}
        self.not_examined: Counter[str] = Counter()

    def name(
        self,
        *,
        client: str,
        mac: str | None,
        proto: str,
        name: str,
        at: float,
        remote: str | None = None,
        port: int | None = None,
        answers: tuple[str, ...] = (),
        aliases: tuple[str, ...] = (),
        alpn: tuple[str, ...] = (),
        ech: bool = False,
        answer: bool = False,
        times: int = 1,
    ) -> None:
        """Count a name `times`; with `answer` as the answer to a question that may have been counted."""
        if not name or is_address(name):
            return
        key = (client, mac, proto, name, remote, port)
        record = self._names.get(key)
        if record is None:
            if len(self._names) >= MAX_NAMES:
                self.not_examined["names beyond the limit"] += 1
                return
            record = self._names[key] = _Name(at)
        record.first, record.last = min(record.first, at), max(record.last, at)
        if answer:
            record.seen += times
        else:
            record.asked += times
        for text in answers:
            if len(record.answers) < _MAX_ANSWERS:
                record.answers.setdefault(text)
        record.aliases = aliases or record.aliases
        record.alpn = alpn or record.alpn
        record.ech = record.ech or ech

    def service(
        self, matched: Matched, packet: Packet, *, client: str, mac: str | None, outward: bool
    ) -> None:
        """Count one message of a service; `outward`: sent by the client."""
        remote, port = (packet.dst, packet.dport) if outward else (packet.src, packet.sport)
        own = packet.sport if outward else packet.dport
        signature = matched.service
        key = (client, mac, remote, port, packet.transport, signature.id, own)
        record = self._services.get(key)
        if record is None:
            if len(self._services) >= MAX_SERVICES:
                self.not_examined["services beyond the limit"] += 1
                return
            record = self._services[key] = _Service(packet.at)
        record.first, record.last = min(record.first, packet.at), max(record.last, packet.at)
        record.packets += packet.times
        record.messages.add(matched.message.name)
        if matched.announced and outward:
            record.announced = record.announced or matched.announced
        if not record.settled:
            record.settled = enough(signature, matched.message, (port, own), record.packets)

    @property
    def count(self) -> int:
        """Distinct names so far."""
        return len(self._names)

    def names(self) -> tuple[NameSeen, ...]:
        """In order of client, protocol, name."""
        found = [
            NameSeen(
                client=client,
                client_mac=mac,
                proto=proto,
                name=name,
                first=r.first,
                last=r.last,
                count=max(r.asked, r.seen),
                remote=remote,
                port=port,
                answers=tuple(r.answers),
                aliases=r.aliases,
                alpn=r.alpn,
                ech=r.ech,
                odd=is_odd(name),
            )
            for (client, mac, proto, name, remote, port), r in self._names.items()
        ]
        return tuple(
            sorted(
                found,
                key=lambda n: (n.client, n.proto, n.name, n.remote or "", n.port or 0, n.client_mac or ""),
            )
        )  # fmt: skip

    def services(self) -> tuple[ServiceSeen, ...]:
        """Settled services; the conversations of one client with one remote port are one record."""
        joined: dict[tuple[str, str | None, str, int, str, str], list[_Service]] = {}
        for (client, mac, remote, port, transport, name, _), record in self._services.items():
            if record.settled:
                joined.setdefault((client, mac, remote, port, transport, name), []).append(record)
        found = [
            ServiceSeen(
                client=client,
                client_mac=mac,
                service=name,
                remote=remote,
                port=port,
                transport=transport,
                first=min(r.first for r in records),
                last=max(r.last for r in records),
                packets=sum(r.packets for r in records),
                announced=next((r.announced for r in records if r.announced), ""),
                detail=", ".join(sorted(set().union(*(r.messages for r in records)))),
            )
            for (client, mac, remote, port, transport, name), records in joined.items()
        ]
        return tuple(
            sorted(found, key=lambda s: (s.client, s.service, s.remote, s.port, s.client_mac or ""))
        )

    def records(self) -> tuple[tuple[NameRecord, ...], tuple[ServiceRecord, ...]]:
        """Every counter as it stands, for `remembered`."""
        names = tuple(
            NameRecord(
                client=client, mac=mac, proto=proto, name=name, remote=remote, port=port,
                first=r.first, last=r.last, asked=r.asked, seen=r.seen, answers=tuple(r.answers),
                aliases=r.aliases, alpn=r.alpn, ech=r.ech,
            )
            for (client, mac, proto, name, remote, port), r in self._names.items()
        )  # fmt: skip
        services = tuple(
            ServiceRecord(
                client=client, mac=mac, remote=remote, port=port, transport=transport, own=own,
                signature=signature, first=r.first, last=r.last, packets=r.packets,
                settled=r.settled, announced=r.announced, messages=tuple(sorted(r.messages)),
            )
            for (client, mac, remote, port, transport, signature, own), r in self._services.items()
        )  # fmt: skip
        return names, services

    def take_up(self, names: Iterable[NameRecord], services: Iterable[ServiceRecord]) -> None:
        """Count on from records; to be called before anything is counted."""
        for n in names:
            name = _Name(n.first)
            name.last, name.asked, name.seen, name.ech = n.last, n.asked, n.seen, n.ech
            name.answers, name.aliases, name.alpn = dict.fromkeys(n.answers), n.aliases, n.alpn
            self._names[n.client, n.mac, n.proto, n.name, n.remote, n.port] = name
        for s in services:
            service = _Service(s.first)
            service.last, service.packets, service.settled = s.last, s.packets, s.settled
            service.announced, service.messages = s.announced, set(s.messages)
            key = (s.client, s.mac, s.remote, s.port, s.transport, s.signature, s.own)
            self._services[key] = service
