"""How do the logs of a network monitor become the records of a capture?

The lines of all files of one import are added up: flows per client, remote and port, names per client. What
the log does not hold (volumes per minute, packets) is said, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sized

from camscan.decode.host_name import host_name, is_address, is_odd
from camscan.decode.layout import mac_of_text
from camscan.decode.text import clean
from camscan.model.observation import Kind
from camscan.model.traffic import (
    Captured,
    CaptureSummary,
    ClientFact,
    Flow,
    NameSeen,
    ServiceSeen,
)

MAX_FLOWS = 200_000
MAX_NAMES = 100_000
MAX_CERTIFICATES = 50_000
MAX_FACTS = 20_000
_MAX_SHOWN = 32
_MAX_ANSWERS = 64


class _Span:
    __slots__ = ("first", "last")

    def __init__(self, at: float) -> None:
        self.first = self.last = at

    def widen(self, begin: float, end: float) -> None:
        self.first, self.last = min(self.first, begin), max(self.last, end)


class _Flow(_Span):
    __slots__ = ("down", "mac", "names", "packets_down", "packets_up", "up")

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.up = self.down = self.packets_up = self.packets_down = 0
        self.mac: str | None = None
        self.names: dict[str, None] = {}


class _Name(_Span):
    __slots__ = ("aliases", "alpn", "answers", "asked", "mac", "told")

    def __init__(self, at: float) -> None:
        super().__init__(at)
        self.asked = self.told = 0
        self.answers: dict[str, None] = {}
        self.aliases: tuple[str, ...] = ()
        self.alpn: tuple[str, ...] = ()
        self.mac: str | None = None


class TrafficLog:
    """Adds up; `done` gives the records."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.not_examined: Counter[str] = Counter()
        self.lost: int | None = None
        self.dns_visible = False
        self._flows: dict[tuple[str, str, int, str], _Flow] = {}
        self._names: dict[tuple[str, str, str, str | None, int | None], _Name] = {}
        self._certificates: dict[str, tuple[str, ...]] = {}
        self._shown: dict[tuple[str, str, int, str], _Span] = {}
        self._facts: dict[tuple[str, bytes], ClientFact] = {}
        self._services: dict[tuple[str, str, str, int, str, str], _Span] = {}

    def flow(
        self,
        *,
        client: str,
        remote: str,
        port: int,
        transport: str,
        begin: float,
        end: float,
        up: int,
        down: int,
        packets_up: int,
        packets_down: int,
        mac: str | None = None,
    ) -> None:
        """One connection of the log."""
        if not (is_address(client) and is_address(remote)) or not 0 <= port < 65536:
            self.not_examined["log lines without addresses"] += 1
            return
        key = (client, remote, port, transport)
        record = self._flows.get(key)
        if record is None:
            if self._full(self._flows, MAX_FLOWS):
                return
            record = self._flows[key] = _Flow(begin)
        record.widen(begin, max(begin, end))
        record.up += max(up, 0)
        record.down += max(down, 0)
        record.packets_up += max(packets_up, 0)
        record.packets_down += max(packets_down, 0)
        record.mac = record.mac or _mac(mac)

    def name(
        self,
        *,
        client: str,
        proto: str,
        name: str,
        at: float,
        remote: str | None = None,
        port: int | None = None,
        answers: Iterable[str] = (),
        aliases: Iterable[str] = (),
        alpn: str = "",
        mac: str | None = None,
        answer: bool = False,
    ) -> None:
        """One name of the log; with `answer` the answer to a question that has a line of its own."""
        text = host_name(name)
        if not text or is_address(text) or not is_address(client):
            return
        if proto == "dns":
            self.dns_visible = True
        key = (client, proto, text, remote, port)
        record = self._names.get(key)
        if record is None:
            if self._full(self._names, MAX_NAMES):
                return
            record = self._names[key] = _Name(at)
        record.widen(at, at)
        record.told += answer
        record.asked += not answer
        for address in answers:
            if is_address(address) and len(record.answers) < _MAX_ANSWERS:
                record.answers.setdefault(address)
        record.aliases = tuple(host_name(a) for a in aliases)[:16] or record.aliases
        record.alpn = (alpn,) if alpn else record.alpn
        record.mac = record.mac or _mac(mac)

    def certificate(self, key: str, names: Iterable[str]) -> None:
        """The names of a certificate, under what the log calls it."""
        found = dict.fromkeys(host_name(n) for n in names)
        if key and not self._full(self._certificates, MAX_CERTIFICATES):
            self._certificates[key] = tuple(n for n in found if "." in n)[:_MAX_SHOWN]

    def shown(self, *, client: str, remote: str, port: int, key: str, at: float) -> None:
        """A server showed a certificate to a client."""
        place = (client, remote, port, key)
        if place not in self._shown and self._full(self._shown, MAX_CERTIFICATES):
            return
        self._shown.setdefault(place, _Span(at)).widen(at, at)

    def lease(self, *, client: str, mac: str, host: str, vendor: str, at: float) -> None:
        """What a client said of itself when it asked for an address."""
        lines = [f"hostname {host}" if host else "", f"vendor-class {vendor}" if vendor else ""]
        payload = "\n".join(clean(line) for line in lines if line).encode()
        hardware = _mac(mac)
        name = client if is_address(client) and client != "0.0.0.0" else hardware
        if not payload or name is None or self._full(self._facts, MAX_FACTS):
            return
        fact = ClientFact(client=name, kind=Kind.DHCP.value, payload=payload, at=at, port=68, client_mac=hardware)  # fmt: skip
        self._facts.setdefault((name, payload), fact)

    def service(
        self, *, client: str, remote: str, port: int, transport: str, service: str, at: float, announced: str = ""
    ) -> None:  # fmt: skip
        """A client spoke a service that the log tells by its protocol."""
        if not (is_address(client) and is_address(remote)):
            self.not_examined["log lines without addresses"] += 1
            return
        key = (client, service, remote, port, transport, announced)
        if key not in self._services and self._full(self._services, MAX_FACTS):
            return
        self._services.setdefault(key, _Span(at)).widen(at, at)

    def _of_certificates(self) -> None:
        for (client, remote, port, key), span in self._shown.items():
            for name in self._certificates.get(key, ()):
                for at in (span.first, span.last):
                    self.name(client=client, proto="tls-cert", name=name, at=at, remote=remote, port=port)  # fmt: skip
        self._shown.clear()
        # QUIC is told by two logs of some versions; the handshake is one.
        for who, proto, name, server, at_port in list(self._names):
            if proto == "quic":
                self._names.pop((who, "tls", name, server, at_port), None)

    def done(self) -> Captured:
        """Everything that was added, sorted."""
        self._of_certificates()
        flows = tuple(
            Flow(
                client=client,
                remote=remote,
                port=port,
                transport=transport,
                bytes_up=r.up,
                bytes_down=r.down,
                packets_up=r.packets_up,
                packets_down=r.packets_down,
                first=r.first,
                last=r.last,
                client_mac=r.mac,
            )
            for (client, remote, port, transport), r in sorted(self._flows.items())
        )
        names = tuple(
            NameSeen(
                client=client,
                client_mac=r.mac,
                proto=proto,
                name=name,
                first=r.first,
                last=r.last,
                count=max(r.asked, r.told),
                remote=remote,
                port=port,
                answers=tuple(r.answers),
                aliases=r.aliases,
                alpn=r.alpn,
                odd=is_odd(name),
            )
            for (client, proto, name, remote, port), r in sorted(
                self._names.items(), key=lambda i: (*i[0][:3], i[0][3] or "", i[0][4] or 0)
            )
        )
        services = tuple(
            ServiceSeen(
                client=client,
                service=service,
                remote=remote,
                port=port,
                transport=transport,
                first=span.first,
                last=span.last,
                packets=0,
                announced=announced,
            )
            for (client, service, remote, port, transport, announced), span in sorted(
                self._services.items(), key=lambda item: item[0]
            )
        )
        return Captured(
            summary=self._summary(flows, names),
            names=names,
            flows=flows,
            services=services,
            facts=tuple(self._facts[key] for key in sorted(self._facts)),
        )

    def _summary(self, flows: tuple[Flow, ...], names: tuple[NameSeen, ...]) -> CaptureSummary:
        begins = [*(f.first for f in flows), *(n.first for n in names)]
        ends = [*(f.last for f in flows), *(n.last for n in names)]
        return CaptureSummary(
            vantage=f"logs of {self.tool}",
            first=min(begins, default=None),
            last=max(ends, default=None),
            packets=sum(f.packets_up + f.packets_down for f in flows),
            bytes=sum(f.bytes_up + f.bytes_down for f in flows),
            lost=self.lost,
            clients=len({f.client for f in flows} | {n.client for n in names}),
            dns_visible=self.dns_visible,
            not_examined=tuple(sorted(self.not_examined.items())),
            media_judged=False,
        )

    def _full(self, table: Sized, most: int) -> bool:
        if len(table) < most:
            return False
        self.not_examined["log lines beyond the limit"] += 1
        return True


def _mac(text: str | None) -> str | None:
    """`aa:bb:..`, None for anything else."""
    found = mac_of_text(text or "")
    return found if len(found) == 17 and found.count(":") == 5 else None
