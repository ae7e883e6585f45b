"""Which addresses live, and which of their ports are open: by the packet helper?

On-link segments: ARP or neighbour solicitation, then SYN to what answered, batch by batch while
the sweep goes on. Routed segments: SYN to the liveness ports, the rest where something answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from camscan.model.observation import Reason
from camscan.observe.network.found import CANARY_PORT, Found, hosts, suspicious
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.pace import Pace

_BATCH = 512
"""Devices swept together; the first of them are identified when the batch is done."""
_GATHER = 0.2
"""Seconds a batch that is not full waits for more neighbours."""
_CHUNK = 1024
"""Routed addresses swept together."""
_SIDE_BY_SIDE = 3
"""Batches in flight; each gets its share of the rate."""

Emit = Callable[[Found], Awaitable[None]]
Failed = Callable[[str, Reason, str], None]
"""(subject, reason, detail)"""


class Swept(Protocol):
    """What the helper says of a finished sweep."""

    @property
    def loss(self) -> float: ...
    @property
    def complete(self) -> bool: ...
    @property
    def dropped(self) -> int: ...
    @property
    def overflows(self) -> int: ...


class HelperPorts:
    """The port stage of one scan through the helper."""

    def __init__(
        self,
        helper: PacketHelper,
        pace: Pace,
        ports: Sequence[int],
        liveness: Sequence[int],
        *,
        emit: Emit,
        failed: Failed,
        stage: Callable[[str, int, int], None],
        skip: Collection[str] = (),
        first_batch: int = 0,
    ) -> None:
        self.helper = helper
        self.pace = pace
        self.ports = tuple(ports)
        self.liveness = tuple(liveness)
        self.go = asyncio.Event()
        """Set when more than the first batch may be touched."""
        self.losses: list[float] = []
        self.neighbours = 0
        self._emit = emit
        self._failed = failed
        self._stage = stage
        self._skip = skip
        self._first = first_batch
        self._slots = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._asked = 0
        if not first_batch:
            self.go.set()

    async def run(self, segments: Sequence[Segment]) -> None:
        """Sweep every segment; returns when the last batch has been emitted."""
        async with asyncio.TaskGroup() as batches:
            for segment in segments:
                if segment.on_link:
                    await self._on_link(segment, batches)
                else:
                    await self._routed(segment, batches)

    async def _on_link(self, segment: Segment, batches: asyncio.TaskGroup) -> None:
        begin = self.helper.nd_sweep if ":" in segment.cidr else self.helper.arp_sweep
        sweep = begin(
            segment.ranges,
            interface=segment.interface or "",
            source=segment.source or "",
            rate=self.pace.arp,
        )
        waiting: dict[str, tuple[str, float]] = {}
        seen: set[str] = set()
        done = asyncio.Event()
        more = asyncio.Event()

        async def listen() -> None:
            try:
                async for neighbour in sweep:
                    if neighbour.address in seen or neighbour.address in self._skip:
                        continue
                    seen.add(neighbour.address)
                    self.neighbours += 1
                    waiting[neighbour.address] = (neighbour.mac, neighbour.rtt)
                    more.set()
                self._note(sweep.summary, segment, "neighbours")
            finally:
                done.set()
                more.set()

        listening = asyncio.ensure_future(listen())
        try:
            while True:
                await more.wait()
                if not done.is_set():
                    await asyncio.sleep(_GATHER)
                more.clear()
                while waiting:
                    size = self._first or _BATCH
                    batch = {a: waiting.pop(a) for a in list(waiting)[:size]}
                    await self._slots.acquire()
                    batches.create_task(self._batch(segment, batch))
                    if self._first:
                        self._first = 0
                        await self.go.wait()
                    self._stage("neighbours", self.neighbours, segment.hosts)
                if done.is_set() and not waiting:
                    break
            await listening
        finally:
            listening.cancel()

    async def _batch(self, segment: Segment, batch: dict[str, tuple[str, float]]) -> None:
        try:
            macs = {address: mac for address, (mac, _) in batch.items()}
            states = await self._syn(segment, tuple(batch), self.ports, macs=macs)
            wild = await self._wild(segment, states, macs)
            for address, (mac, rtt) in batch.items():
                await self._emit(
                    self._found(
                        address, states.get(address, {}), segment, mac=mac, rtt=rtt, wild=wild
                    )
                )
        finally:
            self._slots.release()

    async def _routed(self, segment: Segment, batches: asyncio.TaskGroup) -> None:
        chunk: list[str] = []
        for address in hosts(segment.ranges):
            if address not in self._skip:
                chunk.append(address)
            if len(chunk) == (self._first or _CHUNK):
                await self._slots.acquire()
                batches.create_task(self._chunk(segment, tuple(chunk)))
                chunk = []
                if self._first:
                    self._first = 0
                    await self.go.wait()
        if chunk:
            await self._slots.acquire()
            batches.create_task(self._chunk(segment, tuple(chunk)))

    async def _chunk(self, segment: Segment, chunk: tuple[str, ...]) -> None:
        try:
            states = await self._syn(segment, chunk, self.ports, liveness=self.liveness)
            self._asked += len(chunk)
            self._stage("liveness", self._asked, segment.hosts)
            wild = await self._wild(segment, states, {})
            for address, ports in states.items():
                await self._emit(self._found(address, ports, segment, wild=wild))
        finally:
            self._slots.release()

    async def _syn(
        self,
        segment: Segment,
        targets: tuple[str, ...],
        ports: tuple[int, ...],
        *,
        macs: dict[str, str] | None = None,
        liveness: tuple[int, ...] = (),
    ) -> dict[str, dict[int, str]]:
        states: dict[str, dict[int, str]] = {}
        sweep = self.helper.syn_sweep(
            targets,
            ports,
            interface=segment.interface or "",
            source=segment.source or "",
            rate=self.pace.syn / _SIDE_BY_SIDE,
            per_host_rate=self.pace.syn_per_host,
            macs=macs or {},
            liveness=liveness,
        )
        async for answer in sweep:
            states.setdefault(answer.address, {})[answer.port] = answer.state
        self._note(sweep.summary, segment, "ports")
        return states

    async def _wild(
        self, segment: Segment, states: dict[str, dict[int, str]], macs: dict[str, str]
    ) -> set[str]:
        """Hosts with nearly every port open whose canary port is open too."""
        doubtful = tuple(
            address
            for address, ports in states.items()
            if suspicious(sum(s == "open" for s in ports.values()), len(self.ports))
        )
        if not doubtful:
            return set()
        found = await self._syn(
            segment, doubtful, (CANARY_PORT,), macs={a: macs[a] for a in doubtful if a in macs}
        )
        return {a for a, ports in found.items() if ports.get(CANARY_PORT) == "open"}

    def _found(
        self,
        address: str,
        states: dict[int, str],
        segment: Segment,
        *,
        wild: set[str],
        mac: str | None = None,
        rtt: float | None = None,
    ) -> Found:
        opened = [p for p in self.ports if states.get(p) == "open"]
        if address in wild:
            opened.append(CANARY_PORT)
        return Found(
            address=address,
            open=tuple(opened),
            closed=tuple(p for p in self.ports if states.get(p) == "closed"),
            silent=tuple(p for p in self.ports if states.get(p) not in {"open", "closed"}),
            mac=mac,
            interface=segment.interface,
            rtt=rtt,
            any_port=address in wild,
            swept=len(self.ports),
        )

    def _note(self, summary: Swept | None, segment: Segment, stage: str) -> None:
        if summary is None:
            return
        self.losses.append(summary.loss)
        if not summary.complete:
            self._failed(
                segment.cidr,
                Reason.LOSS,
                f"{stage}: {summary.dropped} answers dropped, {summary.overflows} table overflows",
            )
