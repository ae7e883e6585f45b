"""Which addresses live, and which of their ports are open: without privileges?

One connection in flight per device. A completed handshake is not wasted: it counts against the
device's twelve, and carries the first question the plan has for that port (DESIGN rule 10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.network.found import CANARY_PORT, Found, suspicious
from camscan.observe.wire import neighbours
from camscan.observe.wire.channel import Channel, connect
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.pace import Budget
from camscan.observe.wire.talk import Talk

_SHORTEST = 0.15
"""Seconds a SYN is waited for at least, however near the device."""
_FIRST_WAIT = 1.0
"""Seconds the first SYN to an address is waited for."""

Opened = Callable[[int], Awaitable[None]]
"""Called with a port whose open connection `talk` holds; may use it up."""


class ConnectPorts:
    """The port stage of one scan by plain connections."""

    def __init__(
        self, gate: Gate, budget: Budget, ports: Sequence[int], liveness: Sequence[int]
    ) -> None:
        self.gate = gate
        self.budget = budget
        self.ports = tuple(ports)
        self.liveness = tuple(p for p in liveness if p in self.ports) or self.ports[:3]
        self._table: dict[str, neighbours.Entry] = {}
        self._read_at = float("-inf")

    async def alive(self, talk: Talk, *, on_link: bool) -> tuple[bool, dict[int, str], int | None]:
        """(whether anything answered, port states so far, port whose connection `talk` holds)."""
        states: dict[int, str] = {}
        for port in self.liveness:
            state, channel = await self._try(talk, port, _FIRST_WAIT)
            states[port] = state
            if channel is not None:
                talk.adopt(port, channel)
                return True, states, port
            if state == "closed":
                return True, states, None
            if on_link and self.neighbour(talk.address) is not None:
                return True, states, None  # it answered ARP: it lives, whatever it drops
            if state == "gone" or on_link:
                return False, states, None
        return False, states, None

    async def sweep(
        self, talk: Talk, states: dict[int, str], opened: Opened, *, in_hand: int | None
    ) -> Found:
        """Ask the ports that are left, one after the other; `opened` uses each open one."""
        address = talk.address
        unfinished = ""
        if in_hand is not None:
            await self._use(talk, in_hand, opened)
        for port in self.ports:
            if states.get(port, "") in {"open", "closed", "silent"}:
                continue
            if self.gate.left(address) == 0:
                unfinished = f"{self.gate.connections} connections are used"
                break
            state, channel = await self._try(
                talk, port, talk.rtt.timeout(_SHORTEST, _FIRST_WAIT / 2)
            )
            states[port] = "silent" if state == "gone" else state
            if channel is not None:
                talk.adopt(port, channel)
                await self._use(talk, port, opened)
        any_port = False
        ports = [p for p in self.ports if states.get(p) == "open"]
        if suspicious(len(ports), len(states)) and self.gate.left(address):
            _, channel = await self._try(talk, CANARY_PORT, talk.rtt.timeout(_SHORTEST, 0.5))
            if channel is not None:
                await channel.close()
                any_port = True
                ports.append(CANARY_PORT)
        entry = self.neighbour(address)
        return Found(
            address=address,
            open=tuple(ports),
            closed=tuple(p for p in self.ports if states.get(p) == "closed"),
            silent=tuple(p for p in self.ports if states.get(p) == "silent"),
            mac=None if entry is None else entry.mac,
            interface=None if entry is None else entry.interface,
            rtt=talk.rtt.smoothed,
            any_port=any_port,
            unfinished=unfinished,
        )

    def neighbour(self, address: str) -> neighbours.Entry | None:
        """The kernel's entry for the address, from a table read at most a moment ago."""
        now = asyncio.get_running_loop().time()
        if address not in self._table and now - self._read_at > 0.1:
            self._table = neighbours.table()
            self._read_at = now
        return self._table.get(address)

    async def _use(self, talk: Talk, port: int, opened: Opened) -> None:
        await opened(port)
        if talk.kept_port is not None:
            await talk.close()

    async def _try(self, talk: Talk, port: int, wait: float) -> tuple[str, Channel | None]:
        """(open | closed | silent | gone, the connection if open)."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            channel = await connect(
                self.gate,
                talk.address,
                port,
                budget=self.budget,
                timeout=wait,
                source=talk.means.source,
            )
        except ObserveError as problem:
            if "refused" in problem.detail:
                talk.rtt.add(loop.time() - started)
                return "closed", None
            if problem.reason == Reason.DEVICE_OFFLINE:
                return "gone", None
            return "silent", None
        return "open", channel
