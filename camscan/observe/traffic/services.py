"""Which camera services do the packets of a capture speak, and which packets should be looked at for them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from camscan.decode.own_networks import is_group
from camscan.decode.service_match import Matched, Pattern, ServiceTable, may_settle
from camscan.model.service import ServiceSignature
from camscan.observe.traffic.facts import FACT_GATES
from camscan.observe.traffic.packet import Again, Gate, Packet
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

    @property
    def watching(self) -> bool:
        """Whether there are directions in which any packet may be part of a run."""
        return bool(self.runs.known)

    def alone(self, packet: Packet) -> list[Matched] | None:
        """The messages of a packet that is no part of a run; None where it may be, or the next ones."""
        matches = self._matches(packet)
        return None if self.runs.known or prepare(matches) else matches

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
        sport, dport = packet.sport, packet.dport
        matches = [m for m in matches if not m.by_port or may_settle(m, sport, dport)]
        if not matches:
            return ()
        outward = self._local(packet.src)
        if outward == self._local(packet.dst):
            # Both ends are the owner's, or neither is known to be.
            outward = sport >= dport or all(sport not in m.service.ports for m in matches)
        if is_group(packet.src if outward else packet.dst):
            return ()
        count = self._register.service
        return tuple([count(m, packet, outward=outward) for m in matches])

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
