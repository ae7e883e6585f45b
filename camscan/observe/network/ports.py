"""Which addresses live, and which of their ports are open: by the packet helper?

On-link segments: ARP or neighbour solicitation, then SYN to what answered, batch by batch while
the sweep goes on. Routed segments: SYN to the liveness ports, the rest where something answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

import msgspec

from camscan.model.observation import Reason
from camscan.observe.network.found import CANARY_PORT, Found, hosts, suspicious
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.pace import SWEEP_RATE, Pace

_BATCH = 512
"""Devices swept together; the first of them are identified when the batch is done."""
_GATHER = 0.1
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
        swept_at: Callable[[], None],
        skip: Collection[str] = (),
        first_batch: int = 0,
    ) -> None:
        self.helper = helper
        self.pace = pace
        self.ports = tuple(ports)
        self.liveness = tuple(p for p in liveness if p in self.ports) or self.ports[:3]
        self.go = asyncio.Event()
        """Set when more than the first batch may be touched."""
        self.losses: list[float] = []
        self.neighbours = 0
        self._emit = emit
        self._failed = failed
        self.swept_at = swept_at
        """Called whenever all ports of a batch are known."""
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
        macs = {address: mac for address, (mac, _) in batch.items()}
        rtts = {address: rtt for address, (_, rtt) in batch.items()}
        await self._two_turns(segment, tuple(batch), macs, rtts)

    async def _two_turns(
        self,
        segment: Segment,
        targets: tuple[str, ...],
        macs: dict[str, str],
        rtts: dict[str, float],
    ) -> None:
        """The liveness ports first: what is open there is asked while the others are swept."""
        turn = _Turn(self, segment, macs, rtts)
        rest: asyncio.Task[None] | None = None
        try:
            await turn.sweep(targets, self.liveness)
            living = targets if macs else tuple(turn.states)
            talking = {a: turn.found(a) for a in living if turn.opened(a)}
            for address in talking:
                turn.rest[address] = asyncio.get_running_loop().create_future()
            rest = asyncio.ensure_future(turn.others(living, slowly=bool(talking)))
            # Sweeping goes on while these wait for room among the devices that are asked.
            rest.add_done_callback(lambda _: self._slots.release())
            for address, found in talking.items():
                await self._emit(msgspec.structs.replace(found, rest=turn.rest[address]))
            await rest
            for address in living:
                if address not in talking:
                    await self._emit(turn.found(address))
        finally:
            if rest is None:
                self._slots.release()
            else:
                rest.cancel()
            turn.tell()

    async def _routed(self, segment: Segment, batches: asyncio.TaskGroup) -> None:
        chunk: list[str] = []
        groups = _directed(segment.prefix)
        for address in hosts(segment.ranges):
            if address not in self._skip and address not in groups:
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
        await self._two_turns(segment, chunk, {}, {})
        self._asked += len(chunk)
        self._stage("liveness", self._asked, segment.hosts)

    async def syn(
        self,
        segment: Segment,
        targets: tuple[str, ...],
        ports: tuple[int, ...],
        *,
        macs: dict[str, str],
        per_host: int,
    ) -> dict[str, dict[int, str]]:
        """One sweep: `{address: {port: open | closed | unreachable}}`."""
        states: dict[str, dict[int, str]] = {}
        if not targets or not ports:
            return states
        sweep = self.helper.syn_sweep(
            targets,
            ports,
            interface=segment.interface or "",
            source=segment.source or "",
            rate=self.pace.syn / _SIDE_BY_SIDE,
            per_host_rate=per_host,
            macs=macs,
        )
        async for answer in sweep:
            states.setdefault(answer.address, {})[answer.port] = answer.state
        self._note(sweep.summary, segment, "ports")
        return states

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


def _directed(prefix: str) -> frozenset[str]:
    """Network and broadcast address of a routed network: no device, but all of them at once."""
    network = ipaddress.ip_network(prefix or "0.0.0.0/0")
    if network.version != 4 or network.prefixlen > 30:
        return frozenset()
    return frozenset((str(network.network_address), str(network.broadcast_address)))


class _Turn:
    """One batch of devices between its first ports and all of them."""

    def __init__(
        self,
        stage: HelperPorts,
        segment: Segment,
        macs: dict[str, str],
        rtts: dict[str, float],
    ) -> None:
        self.states: dict[str, dict[int, str]] = {}
        self.rest: dict[str, asyncio.Future[Found]] = {}
        self._stage = stage
        self._segment = segment
        self._macs = macs
        self._rtts = rtts
        self._wild: set[str] = set()
        self._asked = 0

    async def sweep(
        self, targets: tuple[str, ...], ports: tuple[int, ...], *, slowly: bool = False
    ) -> None:
        if not targets:
            return
        pace = self._stage.pace.syn_per_host
        states = await self._stage.syn(
            self._segment,
            targets,
            ports,
            macs={a: self._macs[a] for a in targets} if self._macs else {},
            per_host=min(pace, SWEEP_RATE) if slowly else pace,
        )
        self._asked = min(self._asked + len(ports), len(self._stage.ports))
        for address, found in states.items():
            self.states.setdefault(address, {}).update(found)

    async def others(self, targets: tuple[str, ...], *, slowly: bool) -> None:
        """The ports that are left, then the canary port of hosts where nearly all are open."""
        first = set(self._stage.liveness)
        ports = tuple(p for p in self._stage.ports if p not in first)
        await self.sweep(targets, ports, slowly=slowly)
        doubtful = tuple(
            address
            for address, found in self.states.items()
            if suspicious(sum(s == "open" for s in found.values()), len(self._stage.ports))
        )
        await self.sweep(doubtful, (CANARY_PORT,), slowly=slowly)
        self._wild = {a for a in doubtful if self.states.get(a, {}).get(CANARY_PORT) == "open"}
        self._stage.swept_at()
        self.tell()

    def tell(self) -> None:
        """Whoever waits for the other ports of a device gets what there is."""
        for address, waiting in self.rest.items():
            if not waiting.done():
                waiting.set_result(self.found(address))

    def opened(self, address: str) -> bool:
        return "open" in self.states.get(address, {}).values()

    def found(self, address: str) -> Found:
        states = self.states.get(address, {})
        ports = self._stage.ports
        opened = [p for p in ports if states.get(p) == "open"]
        if address in self._wild:
            opened.append(CANARY_PORT)
        return Found(
            address=address,
            open=tuple(opened),
            closed=tuple(p for p in ports if states.get(p) == "closed"),
            silent=tuple(p for p in ports if states.get(p) not in {"open", "closed"}),
            mac=self._macs.get(address),
            interface=self._segment.interface,
            rtt=self._rtts.get(address),
            any_port=address in self._wild,
            swept=self._asked,
        )
