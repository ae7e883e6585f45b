"""Which camera services do the packets of a capture speak, and which packets should be looked at for them?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from camscan.decode.own_networks import is_group
from camscan.decode.service_match import Matched, Pattern, ServiceTable, may_settle
from camscan.model.service import ServiceSignature
from camscan.observe.traffic.facts import FACT_GATES
from camscan.observe.traffic.packet import Again, Gate, Packet
from camscan.observe.traffic.register import Register
from camscan.observe.traffic.runs import PREPARED_BY, Runs

_CACHE = 4096
_SHORT = 16
"""Payload bytes: keep-alives are the same for everyone, so they are matched once."""


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
        self._known: dict[tuple[bytes, str], list[Matched]] = {}

    @property
    def wanted(self) -> frozenset[tuple[str, int, str, int]]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return self.runs.wanted

    def feed(self, packet: Packet) -> tuple[tuple[Again, ...], bool]:
        """Count the messages the packet looks like.

        What to call when it is repeated, and whether the following packets of this direction are wanted.
        """
        matches = self._matches(packet)
        if not matches and not self.runs.known:
            return (), False
        outward = self._local(packet.src)
        packet, matches, more = self.runs.feed(packet, matches, outward=outward)
        sport, dport = packet.sport, packet.dport
        matches = [m for m in matches if may_settle(m, sport, dport)]
        if not matches:
            return (), more
        if outward == self._local(packet.dst):
            # Both ends are the owner's, or neither is known to be.
            outward = sport >= dport or all(sport not in m.service.ports for m in matches)
        client, mac = (packet.src, packet.src_mac) if outward else (packet.dst, packet.dst_mac)
        if is_group(client):
            return (), more
        count = self._register.service
        found = [count(m, packet, client=client, mac=mac, outward=outward) for m in matches]
        return tuple(found), more

    def _matches(self, packet: Packet) -> list[Matched]:
        payload = packet.payload
        if len(payload) > _SHORT or packet.length not in {0, len(payload)}:
            return self._table.match(payload, packet.transport, packet.length)
        key = (payload, packet.transport)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _CACHE:
                self._known.clear()
            found = self._known[key] = self._table.match(*key)
        return found


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
