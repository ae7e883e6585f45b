"""What waits for packets that come later: beginnings of streams and handshakes, requests, runs of media?

As data, so that one process goes on where another stopped. It holds payloads, so it is never written to a disk:
a reading that goes on from the disk counts it as not whole (`memory`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

from msgspec import Struct

from camscan.decode.quic import HelloPieces
from camscan.decode.rtp import Run
from camscan.observe.traffic.bodies import Asked, Bodies
from camscan.observe.traffic.initials import Initials
from camscan.observe.traffic.runs import Runs
from camscan.observe.traffic.stream import Stream

FlowKey = tuple[str, int, str, int]
"""(src, sport, dst, dport) of one direction."""


class Waiting(Struct, frozen=True, array_like=True, kw_only=True):
    """All of it, in the order in which it began; and what was said that later packets refer to."""

    streams: list[tuple[FlowKey, Stream]] = []
    hellos: list[tuple[FlowKey, HelloPieces]] = []
    greeted: list[tuple[FlowKey, bytes]] = []
    unopened: list[tuple[FlowKey, bytes]] = []
    """Datagrams that no id could open, for who knows one."""
    answers: list[tuple[FlowKey, Stream]] = []
    headed: list[FlowKey] = []
    """Of the answers, those whose head was told."""
    asked: list[tuple[FlowKey, Asked]] = []
    runs: list[tuple[FlowKey, Run]] = []
    now: float = -math.inf
    """The newest time at which it was looked which of it is too old."""

    @property
    def any_begun(self) -> bool:
        """Whether there is more than requests that were seen."""
        return bool(self.streams or self.hellos or self.answers or self.runs)


class Tables(NamedTuple):
    """Where a namer keeps it."""

    streams: OrderedDict[FlowKey, Stream]
    initials: Initials
    bodies: Bodies
    runs: Runs

    def waiting(self, now: float) -> Waiting:
        """The very objects: to be encoded before the reading goes on."""
        return Waiting(
            streams=list(self.streams.items()),
            hellos=list(self.initials.pieces.items()),
            greeted=list(self.initials.greeted.items()),
            unopened=self.initials.unopened,
            answers=list(self.bodies.pending.items()),
            headed=list(self.bodies.headed),
            asked=list(self.bodies.asked.items()),
            runs=list(self.runs.known.items()),
            now=now,
        )

    def clear(self) -> None:
        """Forget all of it: somebody else goes on with it."""
        for table in (self.streams, self.bodies.pending, self.bodies.asked, self.runs.known):
            table.clear()
        self.bodies.headed.clear()
        self.initials.pieces.clear()
        self.initials.greeted.clear()

    def take_up(self, waiting: Waiting) -> None:
        """Go on with what began behind all that is here. A run that is known here stays what it is."""
        self.streams.update(waiting.streams)
        self.initials.pieces.update(waiting.hellos)
        for flow, connection in waiting.greeted:
            self.initials.greet(flow, connection)
        self.bodies.pending.update(waiting.answers)
        self.bodies.headed.update(waiting.headed)
        for key, asked in waiting.asked:
            self.bodies.remember(key, asked)
        for key, run in waiting.runs:
            self.runs.remember(key, run)
