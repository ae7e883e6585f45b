"""What does one scan hold: devices found so far, the room for more, what went wrong?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from camscan.clock import Clock
from camscan.decode.ports import PortStates
from camscan.errors import ObserveError, UsageError
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.probe import NextJobs, ProbePlan
from camscan.observe.network.announce import Heard
from camscan.observe.network.found import Found, OtherPorts
from camscan.observe.network.host import Host, handshakes
from camscan.observe.network.means import shared_means
from camscan.observe.network.options import Progress, ScanOptions, ScanSummary
from camscan.observe.network.permanent import Permanent
from camscan.observe.network.turns import Turns
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire import neighbours
from camscan.observe.wire.channel import connect
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.interfaces import Segment, interfaces, segments
from camscan.observe.wire.pace import HURRIED, Budget, Speed
from camscan.observe.wire.talk import Talk
from camscan.run import IntakeWriter
from camscan.scope import Scope

_SEARCHES = 3
"""Search messages to one device whose link was searched by group message before."""
_FLAG_OUTSIDE = "out-of-scope"
_FLAG_ANY_PORT = "any-port"


class Session:
    """State and steps of one scan; `engine.scan` and `stages` run them."""

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
        other: OtherPorts | None = None,
    ) -> None:
        self.scope = scope
        self.plan = plan
        self.next_jobs = next_jobs
        self.writer = writer
        self.options = options
        self.progress = progress
        self.helper = helper
        self.earlier = earlier
        self.other = other
        self.gate = Gate(scope, plan.denied_ports, options.speed)
        self.pace = self.gate.pace
        self.budget = msgspec.structs.replace(
            HURRIED if options.speed == Speed.FAST else Budget(), host=options.host_budget
        )
        self.turns = Turns()
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
        self.room = asyncio.Semaphore(self._width())
        self.go = asyncio.Event()
        if not options.canary:
            self.go.set()
        self.permanent = Permanent(helper, on=self._many_on_link())
        self.means = shared_means(plan, options, self.segments, self.gate, self.budget)
        self.overflows_before = neighbours.overflows()

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

    def real(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Where the plan's ports are asked; denied ones left out here already."""
        return tuple(self.options.real_port(p) for p in ports if p not in self.plan.denied_ports)

    # end
    async def close(self) -> None:
        for host in tuple(self.hosts.values()):
            await host.talk.close()
        await self.permanent.close()

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

    # devices
    async def ask(self, found: Found, *, swept: bool = True) -> Host | None:
        """All questions to one device; takes one place of the room, gives it back."""
        try:
            if self.stopped:
                return None
            host = self.begin(
                found.address, Talk(self.means, found.address), searched=found.mac is not None
            )
            if found.rtt is not None:
                host.talk.rtt.add(found.rtt)
            if found.mac and found.interface:
                await self.permanent.add(found.interface, found.address, found.mac)
            try:
                await self.devote(host, found, swept=swept)
            finally:
                if found.mac and found.interface:
                    self.permanent.drop(found.interface, found.address)
            return host
        finally:
            self.room.release()

    def begin(self, address: str, talk: Talk, *, searched: bool = False) -> Host:
        """`searched`: it is on a link where the group search was sent."""
        observations, attempts = self.earlier.get(address, ([], []))
        host = Host(
            address,
            talk,
            self.writer,
            self.next_jobs,
            overflowed=lambda: neighbours.overflows() > self.overflows_before,
            turns=self.turns,
            observations=[*observations, *self.heard.pop(address, [])],
            attempts=list(attempts),
            searches=_SEARCHES if searched and self.options.announcements else None,
        )
        self.hosts[address] = host
        return host

    async def devote(self, host: Host, found: Found, *, swept: bool = True) -> None:
        """Write down what the port stage found, then ask until settled."""
        address = host.address
        self.answered.add(address)
        host.mac, host.interface = found.mac, found.interface
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
        if found.rest is not None:
            self.gate.sweeping(address)
            host.expect(found, lambda whole: self._ports(host, whole))
        elif swept:
            self._ports(host, found)
        life = await host.identify(self.budget.host)
        self.finished += life.finished
        self.observations += life.answers + swept + bool(found.mac)
        self.attempts += len(host.attempts)
        self.done.add(address)
        self.hosts.pop(address, None)
        self.progress.stage("devices", len(self.done), len(self.answered))
        self.progress.device(address, f"{life.answers} answers to {life.asked} questions")

    def _ports(self, host: Host, found: Found) -> None:
        """All ports of a device are known: write them down."""
        if found.swept:
            self.gate.swept(host.address, found.swept)
        host.open_ports = found.open
        host.observations.append(
            self.writer.observe(
                device_id=host.address,
                kind=Kind.PORTS,
                response=msgspec.json.encode(
                    PortStates(open=found.open, closed=found.closed, silent=found.silent)
                ),
                transport="tcp",
                address=host.address,
                mac=found.mac,
                interface=found.interface,
                job="port-stage",
                flags=(_FLAG_ANY_PORT,) if found.any_port else (),
            )
        )
        if found.unfinished:
            host.attempt("port-stage", Reason.BUDGET, found.unfinished)

    async def resume(self, asking: asyncio.TaskGroup) -> None:
        """Devices an earlier part of this scan had begun: their ports are known."""
        for address, (observations, attempts) in self.earlier.items():
            if not self.scope.allows(address):
                continue
            self.answered.add(address)
            used = handshakes(observations, attempts, self.plan)
            self.gate.used(address, min(used, self.gate.connections))
            if not any(o.kind is Kind.PORTS for o in observations):
                continue
            self.done.add(address)
            if self.next_jobs(observations, attempts):
                await self.room.acquire()
                asking.create_task(self.ask(Found(address=address), swept=False))
            else:
                self.finished += 1

    async def check_canaries(self, first: list[Host]) -> None:
        """Wait, then see whether the first devices still live; stop the scan if one does not."""
        await asyncio.sleep(self.options.canary_wait)
        dead = [h.address for h in first if h.open_ports and not await self.alive(h)]
        if dead:
            self.stopped = (
                f"stopped: {', '.join(dead)} no longer answered {self.options.canary_wait:.0f} s "
                f"after being asked as one of {len(first)} canary devices; nothing else was asked"
            )
            self.attempt("site", "canary", Reason.REFUSED_BY_POLICY, self.stopped)
        self.go.set()

    async def alive(self, host: Host) -> bool:
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
    def hear(self, heard: Heard) -> None:
        inside = self.scope.allows(heard.address)
        observation = self.writer.observe(
            device_id=heard.address,
            kind=heard.kind,
            response=heard.data,
            port=heard.port,
            transport="udp",
            request=f"{heard.announcement} {heard.how}",
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

    def attempt(self, subject: str, test: str, reason: Reason, detail: str) -> None:
        self.attempts += 1
        self.writer.attempt(device_id=subject, test=test, reason=reason, detail=detail)

    def stage_done(self, name: str) -> None:
        self.stages[name] = asyncio.get_running_loop().time() - self._started
