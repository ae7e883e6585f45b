"""What does one scan hold: devices found so far, the room for more, what went wrong?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from camscan.clock import Clock
from camscan.decode import favicon, snmp
from camscan.decode import http as http_decode
from camscan.decode.ports import PortStates
from camscan.errors import DecodeError, ObserveError, UsageError
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.probe import Exchange, Job, NextJobs, ProbePlan
from camscan.observe.network.announce import Announcer, Heard, ways
from camscan.observe.network.connects import ConnectPorts
from camscan.observe.network.found import Found, hosts, usable
from camscan.observe.network.greetings import GREETINGS
from camscan.observe.network.host import Host
from camscan.observe.network.options import Progress, ScanOptions, ScanSummary
from camscan.observe.network.permanent import Permanent
from camscan.observe.network.ports import HelperPorts
from camscan.observe.network.protocols.registry import chosen, searches
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire import neighbours
from camscan.observe.wire.answer import Means, Search
from camscan.observe.wire.channel import connect
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.interfaces import Segment, interfaces, segments
from camscan.observe.wire.pace import Budget, Speed
from camscan.observe.wire.talk import Talk
from camscan.run import IntakeWriter
from camscan.scope import Scope

_LOOKING = 1024
"""Addresses whose first SYN is waited for at the same time, without the helper."""
_FLAG_OUTSIDE = "out-of-scope"
_FLAG_ANY_PORT = "any-port"


class Session:
    """State and steps of one scan; `engine.scan` runs them."""

    def __init__(
        self,
        *,
        scope: Scope,
        plan: ProbePlan,
        next_jobs: NextJobs,
        writer: IntakeWriter,
        options: ScanOptions,
        clock: Clock,
        progress: Progress,
        helper: PacketHelper | None,
        earlier: Mapping[str, tuple[list[Observation], list[Attempt]]],
    ) -> None:
        self.scope = scope
        self.plan = plan
        self.next_jobs = next_jobs
        self.writer = writer
        self.options = options
        self.progress = progress
        self.helper = helper
        self.earlier = earlier
        self.gate = Gate(scope, plan.denied_ports, options.speed)
        self.pace = self.gate.pace
        self.budget = Budget(host=options.host_budget)
        self.segments = self._segments()
        self.heard: dict[str, list[Observation]] = {}
        """Answers to group messages of devices not asked yet."""
        self.hosts: dict[str, Host] = {}
        """Devices being asked."""
        self.done: set[str] = set()
        self.answered: set[str] = set()
        self.notes: list[str] = []
        self.stopped = ""
        self.finished = self.observations = self.attempts = 0
        self.incomplete = False
        self.loss = 0.0
        self.stages: dict[str, float] = {}
        self._clock = clock
        self._started = asyncio.get_running_loop().time()
        self._room = asyncio.Semaphore(self._width())
        self._go = asyncio.Event()
        if not options.canary:
            self._go.set()
        self._permanent = Permanent(helper, on=self._many_on_link())
        self._means = self._shared_means()
        self._overflows_before = neighbours.overflows()

    # what is used
    def _segments(self) -> tuple[Segment, ...]:
        found = segments(self.scope)
        name = self.options.interface
        if name is not None and name not in {i.name for i in interfaces()}:
            known = ", ".join(i.name for i in interfaces())
            raise UsageError(f"interface {name!r} does not exist; this machine has {known}")
        return found

    def _width(self) -> int:
        """Devices asked at once; without permanent neighbours the table must hold them."""
        if self.helper is None:
            return min(self.pace.hosts, neighbours.limit() // 2)
        return self.pace.hosts

    def _many_on_link(self) -> bool:
        return sum(s.hosts for s in self.segments if s.on_link) > neighbours.limit() // 4

    def _shared_means(self) -> Means:
        source = None
        if self.options.interface is not None:
            source = next(
                (s.source for s in self.segments if s.interface == self.options.interface), None
            )
        listed = {
            p.path
            for p in self.plan.probes
            if p.exchange is Exchange.HTTP_GET and p.path and not p.canary
        }
        return Means(
            gate=self.gate,
            budget=self.budget,
            listed=frozenset(listed),
            searches=searches(),
            greetings=GREETINGS,
            snmp_engine=Search(
                message=snmp.discovery_request(0x63616D), request="SNMPv3 engine id discovery"
            ),
            describe_favicon=describe_icon,
            patient=self.options.speed != Speed.FAST,
            source=source,
        )

    def real(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Where the plan's ports are asked; denied ones left out here already."""
        return tuple(self.options.real_port(p) for p in ports if p not in self.plan.denied_ports)

    # steps
    async def announce(self) -> None:
        """Group search by every interface that overlaps the scope."""
        if not self.options.announcements:
            return
        protocols = chosen(self.plan.announcements)
        reach = [s for s in self.segments if usable(s, self.options.interface)]
        indexes = {i.name: i.index for i in interfaces()}
        over = ways(reach, lambda name: indexes.get(name, 0))
        if not over or not protocols:
            if protocols:
                self._attempt(
                    "site",
                    "announcements",
                    Reason.ENCAPSULATED,
                    "no interface of this machine is in the scope: group search reaches only "
                    "the own segment",
                )
            return
        await self._go.wait()

        def failed(name: str, reason: Reason, detail: str) -> None:
            self._attempt("site", f"announce.{name}", reason, detail)

        announcer = Announcer(self.gate, protocols, over, heard=self._hear, failed=failed)
        await announcer.run()
        self._stage_done("announcements")
        self.progress.stage("announcements", announcer.count, announcer.count)

    async def look(self) -> None:
        """Find live addresses and their ports; ask each device as soon as they are known."""
        reach = [s for s in self.segments if usable(s, self.options.interface)]
        for segment in self.segments:
            if segment not in reach:
                self._attempt(
                    segment.cidr,
                    "port-stage",
                    Reason.DEVICE_OFFLINE if segment.interface is None else Reason.NOT_REQUESTED,
                    "no route from this machine"
                    if segment.interface is None
                    else f"reached by {segment.interface}, not by {self.options.interface}",
                )
                self.incomplete |= segment.interface is None
        async with asyncio.TaskGroup() as asking:
            await self._resume(asking)
            if self.helper is not None:
                raw = [s for s in reach if not s.local]
                await self._by_helper(self.helper, raw, asking)
                reach = [s for s in reach if s.local]
            await self._by_connects(reach, asking)
        self._stage_done("devices")

    async def finish(self) -> None:
        """Devices that only spoke to group messages: what can be asked of them without ports."""
        async with asyncio.TaskGroup() as asking:
            for address in tuple(self.heard):
                if self.scope.allows(address) and address not in self.done:
                    await self._room.acquire()
                    asking.create_task(self._ask(Found(address=address), swept=False))
        overflows = neighbours.overflows() - self._overflows_before
        if overflows:
            self.incomplete = True
            self._attempt(
                "site",
                "neighbours",
                Reason.LOSS,
                f"the kernel's neighbour table overflowed {overflows} times: some devices could "
                "not be reached",
            )

    async def close(self) -> None:
        for host in tuple(self.hosts.values()):
            await host.talk.close()
        await self._permanent.close()

    def summary(self) -> ScanSummary:
        sent = self.gate.sent
        return ScanSummary(
            complete=not self.incomplete and not self.stopped,
            addresses=self.scope.size,
            answered=len(self.answered),
            finished=self.finished,
            observations=self.observations,
            attempts=self.attempts,
            stopped=self.stopped,
            notes=tuple(self.notes),
            loss=self.loss,
            seconds=asyncio.get_running_loop().time() - self._started,
            stages=tuple(self.stages.items()),
            sent=tuple((name, getattr(sent, name)) for name in sent.__struct_fields__),
        )

    # port stage
    async def _by_helper(
        self, helper: PacketHelper, reach: list[Segment], asking: asyncio.TaskGroup
    ) -> None:
        if not reach:
            return
        first: list[Host] = []
        canary = self.options.canary

        async def emit(found: Found) -> None:
            await self._room.acquire()
            task = asking.create_task(self._ask(found))
            if not self._go.is_set():
                await task
                host = task.result()
                if host is not None:
                    first.append(host)
                if len(first) >= canary:
                    await self._check_canaries(first)
                    stage.go.set()

        def failed(subject: str, reason: Reason, detail: str) -> None:
            self.incomplete = True
            self._attempt(subject, "port-stage", reason, detail)

        stage = HelperPorts(
            helper,
            self.pace,
            self.real(self.plan.tcp_ports),
            self.real(self.plan.liveness_ports),
            emit=emit,
            failed=failed,
            stage=self.progress.stage,
            skip=self.done,
            first_batch=canary,
        )
        await stage.run(reach)
        self.loss = max(stage.losses, default=0.0)
        self._stage_done("ports")

    async def _by_connects(self, reach: list[Segment], asking: asyncio.TaskGroup) -> None:
        if not reach:
            return
        stage = ConnectPorts(
            self.gate,
            self.budget,
            self.real(self.plan.tcp_ports),
            self.real(self.plan.liveness_ports),
        )
        looking = asyncio.Semaphore(min(_LOOKING, neighbours.limit() // 2))
        total = sum(s.hosts for s in reach)
        first: list[Host] = []
        count = 0
        for segment in reach:
            for address in hosts(segment.ranges):
                count += 1
                if address in self.done or self.stopped:
                    continue
                if not self._go.is_set():
                    host = await self._look_at(stage, address, segment, None)
                    if host is not None:
                        first.append(host)
                    if len(first) >= self.options.canary:
                        await self._check_canaries(first)
                    continue
                await looking.acquire()
                asking.create_task(self._look_at(stage, address, segment, looking))
                if count % 64 == 0:
                    self.progress.stage("addresses", count, total)
        self._go.set()

    async def _look_at(
        self,
        stage: ConnectPorts,
        address: str,
        segment: Segment,
        looking: asyncio.Semaphore | None,
    ) -> Host | None:
        """One address by plain connections: does it live, its ports, its questions."""
        talk = Talk(self._means, address)
        try:
            try:
                live, states, in_hand = await stage.alive(talk, on_link=segment.on_link)
            finally:
                if looking is not None:
                    looking.release()
            if not live:
                return None
            async with self._room:
                host = self._host(address, talk)

                async def opened(port: int) -> None:
                    host.open_ports = (*host.open_ports, port)
                    job = self._first_job(host, port)
                    if job is not None:
                        await host.put(job)

                found = await stage.sweep(talk, states, opened, in_hand=in_hand)
                if segment.local and not found.open:
                    return None  # every loopback address refuses; that is no device
                await self._devote(host, found)
                return host
        finally:
            await talk.close()

    def _first_job(self, host: Host, port: int) -> Job | None:
        """What the plan would ask on a port that has just been opened."""
        states = PortStates(open=host.open_ports)
        so_far = Observation(
            id="so-far",
            device_id=host.address,
            kind=Kind.PORTS,
            response=msgspec.json.encode(states),
            address=host.address,
        )
        jobs = self.next_jobs([*host.observations, so_far], host.attempts)
        return next((j for j in jobs if j.port == port and j.transport == "tcp"), None)

    # devices
    async def _ask(self, found: Found, *, swept: bool = True) -> Host | None:
        """All questions to one device; takes one place of the room, gives it back."""
        try:
            if self.stopped:
                return None
            host = self._host(found.address, Talk(self._means, found.address))
            if found.rtt is not None:
                host.talk.rtt.add(found.rtt)
            if found.mac and found.interface:
                await self._permanent.add(found.interface, found.address, found.mac)
            try:
                await self._devote(host, found, swept=swept)
            finally:
                if found.mac and found.interface:
                    self._permanent.drop(found.interface, found.address)
            return host
        finally:
            self._room.release()

    def _host(self, address: str, talk: Talk) -> Host:
        observations, attempts = self.earlier.get(address, ([], []))
        host = Host(
            address,
            talk,
            self.writer,
            self.next_jobs,
            overflows=neighbours.overflows,
            observations=[*observations, *self.heard.pop(address, [])],
            attempts=list(attempts),
        )
        self.hosts[address] = host
        return host

    async def _devote(self, host: Host, found: Found, *, swept: bool = True) -> None:
        """Write down what the port stage found, then ask until settled."""
        address = host.address
        self.answered.add(address)
        host.mac, host.interface = found.mac, found.interface
        if found.swept:
            self.gate.swept(address, found.swept)
        if found.mac:
            host.observations.append(
                self.writer.observe(
                    device_id=address,
                    kind=Kind.NEIGHBOUR,
                    response=f"mac={found.mac}".encode(),
                    transport="l2",
                    address=address,
                    mac=found.mac,
                    interface=found.interface,
                    job="neighbours",
                )
            )
        if swept:
            host.open_ports = found.open
            host.observations.append(
                self.writer.observe(
                    device_id=address,
                    kind=Kind.PORTS,
                    response=msgspec.json.encode(
                        PortStates(open=found.open, closed=found.closed, silent=found.silent)
                    ),
                    transport="tcp",
                    address=address,
                    mac=found.mac,
                    interface=found.interface,
                    job="port-stage",
                    flags=(_FLAG_ANY_PORT,) if found.any_port else (),
                )
            )
        if found.unfinished:
            host.attempt("port-stage", Reason.BUDGET, found.unfinished)
        life = await host.identify(self.budget.host)
        self.finished += life.finished
        self.observations += life.answers + swept + bool(found.mac)
        self.attempts += len(host.attempts)
        self.done.add(address)
        self.hosts.pop(address, None)
        self.progress.stage("devices", len(self.done), len(self.answered))
        self.progress.device(address, f"{life.answers} answers to {life.asked} questions")

    async def _resume(self, asking: asyncio.TaskGroup) -> None:
        """Devices an earlier part of this scan had begun: their ports are known."""
        for address, (observations, attempts) in self.earlier.items():
            if not self.scope.allows(address):
                continue
            self.answered.add(address)
            tcp = {(o.job, o.port) for o in observations if o.transport == "tcp" and o.port}
            tcp |= {(a.test, a.port) for a in attempts if a.port}
            self.gate.used(address, min(len(tcp), self.gate.connections))
            if not any(o.kind is Kind.PORTS for o in observations):
                continue
            self.done.add(address)
            if self.next_jobs(observations, attempts):
                await self._room.acquire()
                asking.create_task(self._ask(Found(address=address), swept=False))
            else:
                self.finished += 1

    async def _check_canaries(self, first: list[Host]) -> None:
        """Wait, then see whether the first devices still live; stop the scan if one does not."""
        await asyncio.sleep(self.options.canary_wait)
        dead = [h.address for h in first if h.open_ports and not await self._alive(h)]
        if dead:
            self.stopped = (
                f"stopped: {', '.join(dead)} no longer answered {self.options.canary_wait:.0f} s "
                f"after being asked as one of {len(first)} canary devices; nothing else was asked"
            )
            self._attempt("site", "canary", Reason.REFUSED_BY_POLICY, self.stopped)
        self._go.set()

    async def _alive(self, host: Host) -> bool:
        for port in host.open_ports[:2]:
            try:
                channel = await connect(self.gate, host.address, port, budget=self.budget)
            except ObserveError as problem:
                if problem.reason == Reason.BUDGET:
                    return True
                continue
            await channel.close()
            return True
        return False

    # what comes in
    def _hear(self, heard: Heard) -> None:
        inside = self.scope.allows(heard.address)
        observation = self.writer.observe(
            device_id=heard.address,
            kind=heard.kind,
            response=heard.data,
            port=heard.port,
            transport="udp",
            request=f"{heard.announcement} search",
            job=f"announce.{heard.announcement}",
            address=heard.address,
            interface=heard.interface,
            flags=() if inside else (_FLAG_OUTSIDE,),
        )
        self.observations += 1
        if not inside:
            return
        self.answered.add(heard.address)
        host = self.hosts.get(heard.address)
        if host is not None:
            host.observations.append(observation)
        elif heard.address not in self.done:
            self.heard.setdefault(heard.address, []).append(observation)

    def _attempt(self, subject: str, test: str, reason: Reason, detail: str) -> None:
        self.attempts += 1
        self.writer.attempt(device_id=subject, test=test, reason=reason, detail=detail)

    def _stage_done(self, name: str) -> None:
        self.stages[name] = asyncio.get_running_loop().time() - self._started


def describe_icon(answer: bytes) -> bytes:
    """Hashes of the icon in an HTTP answer, as text; DecodeError where there is none."""
    response = http_decode.parse(answer)
    if response.status != "200" or not response.body:
        raise DecodeError(f"status {response.status}, {len(response.body)} bytes")
    if response.body.lstrip()[:5].lower() in {b"<html", b"<!doc"}:
        raise DecodeError("a page, not an icon")
    return favicon.describe(response.body).encode("ascii")
