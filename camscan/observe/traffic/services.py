"""Which camera services do the packets of a capture speak, and which packets should be looked at for them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from camscan.decode.own_networks import is_group
from camscan.decode.service_match import Matched, Pattern, ServiceTable, may_settle
from camscan.model.service import ServiceSignature
from camscan.observe.traffic.facts import FACT_GATES
from camscan.observe.traffic.packet import Again, Ends, Gate, Packet
from camscan.observe.traffic.register import Register
from camscan.observe.traffic.runs import PREPARED_BY, Runs, prepare


class Services:
    """Enters what packets say into a register."""

    def __init__(
        self,
        signatures: Iterable[ServiceSignature],
        local: Callable[[str], bool],
        register: Register,
    ) -> None:
        self._table = ServiceTable(signatures)
        self._local = local
        self._register = register
        self.runs = Runs(self._table.runs)

    @property
    def wanted(self) -> frozenset[tuple[str, int, str, int]]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return self.runs.wanted

    def alone(self, packet: Packet) -> list[Matched] | None:
        """The messages in a packet; None where it may begin something, so that the next ones count too."""
        matches = self._matches(packet)
        return None if prepare(matches) else matches

    def feed(self, packet: Packet) -> tuple[tuple[Again, ...], bool]:
        """Count what the packet says, alone and as part of a run.

        What to call when it is repeated, and whether the following packets of this direction are wanted.
        """
        matches = self._matches(packet)
        if not matches and not self.runs.known:
            return (), False
        outward = self._local(packet.src)
        packet, matches, more = self.runs.feed(packet, matches, outward=outward)
        return self.count(packet, matches), more

    def count(self, packet: Packet, matches: list[Matched]) -> tuple[Again, ...]:
        """Count these messages of the packet; what to call when the packet is repeated."""
        if not matches:
            return ()
        return self.count_all([packet.ends], matches, packet.transport, packet.times)[0]

    def count_all(
        self, ends: Iterable[Ends], matches: list[Matched], transport: str, times: int = 1
    ) -> list[tuple[Again, ...]]:
        """The same where the same messages were sent between many ends, so often each."""
        local, count = self._local, self._register.service
        by_port = any(m.by_port for m in matches)
        found: list[tuple[Again, ...]] = []
        for one in ends:
            _, src, dst, sport, dport, _, _ = one
            settling = matches
            if by_port:
                settling = [m for m in matches if may_settle(m, sport, dport)]
            outward = local(src)
            if outward == local(dst):
                # Both ends are the owner's, or neither is known to be.
                outward = sport >= dport or all(sport not in m.service.ports for m in settling)
            if not settling or is_group(src if outward else dst, sends=outward):
                found.append(())
            elif len(settling) == 1:
                found.append((count(settling[0], one, transport, times, outward),))
            else:
                said = [count(m, one, transport, times, outward) for m in settling]
                found.append(tuple(said))
        return found

    def _matches(self, packet: Packet) -> list[Matched]:
        return self._table.match(packet.payload, packet.transport, packet.length)


def service_gates(signatures: Iterable[ServiceSignature]) -> tuple[Gate, ...]:
    """Gates of the engine for the camera services and for what devices say of themselves."""
    table = ServiceTable(signatures)
    found = [
        Gate(
            id=f"service:{p.service}",
            transport=p.transport,
            ports=p.ports,
            offset=p.offset,
            pattern=p.value,
            mask=p.mask,
            shortest=p.shortest,
            longest=p.longest,
            alike=_alike(p),
        )
        for p in table.patterns()
    ]
    return (*dict.fromkeys(found), *FACT_GATES)


def _alike(pattern: Pattern) -> str:
    if pattern.transport != "udp" or pattern.service in PREPARED_BY:
        return ""  # what follows such a packet may be wanted: none of them stands for another
    return "ends" if pattern.plain else "payload"
