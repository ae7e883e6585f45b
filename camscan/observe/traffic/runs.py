"""In which conversations that were prepared by STUN or DTLS does a client send media?

Only what a client of the owner sends is looked at, and only the first packets of a direction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from camscan.decode.rtp import Run
from camscan.decode.service_match import Matched
from camscan.observe.traffic.packet import Packet

MOST = 2048
"""Directions that are remembered, the oldest go first."""
_PREPARED_BY = frozenset({"stun", "dtls"})

_Key = tuple[str, int, str, int]


class Runs:
    def __init__(self) -> None:
        self._runs: OrderedDict[_Key, Run] = OrderedDict()

    def __len__(self) -> int:
        return len(self._runs)

    def feed(self, packet: Packet, matches: Iterable[Matched]) -> tuple[int, bool]:
        """(packets of a run that this one completes, else 0; whether more of this direction is wanted)."""
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        run = self._runs.get(key)
        if run is None:
            if not any(m.service.id in _PREPARED_BY for m in matches):
                return 0, False
            run = self._runs[key] = Run()
            if len(self._runs) > MOST:
                self._runs.popitem(last=False)
        had = run.found
        run.add(packet.payload)
        return (0 if had else run.found), not (run.found or run.over)

    @property
    def wanted(self) -> frozenset[_Key]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return frozenset(k for k, run in self._runs.items() if not (run.found or run.over))
