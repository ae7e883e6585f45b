"""In which conversations that were prepared by STUN or DTLS does a client send media?

Only what a client of the owner sends is looked at, and only the first packets of a direction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from camscan.decode.rtp import Run
from camscan.decode.service_match import Matched
from camscan.observe.traffic.packet import Packet

MOST = 2048
"""Directions that are remembered, the oldest go first."""
PREPARED_BY = frozenset({"stun", "dtls"})

_Key = tuple[str, int, str, int]


class Runs:
    def __init__(self, services: Sequence[Matched]) -> None:
        """`services`: what a run is."""
        self.services = services
        self.known: OrderedDict[_Key, Run] = OrderedDict()
        """By direction; of each there is one run at most."""

    def feed(
        self, packet: Packet, matches: list[Matched], *, outward: bool
    ) -> tuple[Packet, list[Matched], bool]:
        """(the packet, standing for the run it completes; its matches and the run; whether more is wanted)."""
        prepared = prepare(matches)
        if not (prepared or self.known) or packet.transport != "udp" or not outward:
            return packet, matches, False
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        run = self.known.get(key)
        if run is None:
            if not prepared:
                return packet, matches, False
            run = Run()
            self.remember(key, run)
        had = run.found
        if run.add(packet.payload) and not had:
            packet, matches = packet._replace(times=run.found), [*matches, *self.services]
        return packet, matches, not (run.found or run.over)

    def remember(self, key: _Key, run: Run) -> None:
        """What is known of a direction, unless something is."""
        self.known.setdefault(key, run)
        if len(self.known) > MOST:
            self.known.popitem(last=False)

    @property
    def wanted(self) -> frozenset[_Key]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return frozenset(k for k, run in self.known.items() if not (run.found or run.over))


def prepare(matches: list[Matched]) -> bool:
    """Whether one of these messages is of a service that prepares a run."""
    return bool([m for m in matches if m.service.id in PREPARED_BY])
