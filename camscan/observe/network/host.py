"""What does one device answer to the questions that are still worth asking?

Strictly serial over TCP: ask the plan which question is best, put it, write down the answer or why there
was none, ask the plan again. Ends when the plan is settled, the budget is used or the device died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from camscan.decode.ports import PortStates
from camscan.errors import ObserveError
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.probe import Exchange, Job, NextJobs, ProbePlan
from camscan.observe.network.found import Found
from camscan.observe.network.turns import Turns, Urgency
from camscan.observe.wire import exchanges
from camscan.observe.wire.answer import Outcome
from camscan.observe.wire.talk import Talk
from camscan.run import IntakeWriter

_GONE_AFTER = 2
"""Failed connections in a row, on ports that were open, after which the device is checked."""
_TOGETHER = 4
"""Datagrams to one device whose answers are waited for at the same time."""
_CONNECTIONS = "connections="
"""Flag of an answer that did not cost exactly one handshake: 0 over a kept connection, or several."""
_NOT_CONNECTED = ("connection refused", "no route", "no connection", "connection reset")


class Life(Struct, kw_only=True):
    """How a device fared."""

    finished: bool = False
    died: bool = False
    asked: int = 0
    answers: int = 0


class Host:
    """One device during a scan: what it has said, and the conversation with it."""

    def __init__(
        self,
        address: str,
        talk: Talk,
        writer: IntakeWriter,
        next_jobs: NextJobs,
        *,
        overflowed: Callable[[], bool],
        turns: Turns,
        observations: list[Observation] | None = None,
        attempts: list[Attempt] | None = None,
        searches: int | None = None,
    ) -> None:
        self.address = address
        self.talk = talk
        self.observations = observations if observations is not None else []
        self.attempts = attempts if attempts is not None else []
        self.open_ports: tuple[int, ...] = ()
        self.mac: str | None = None
        self.interface: str | None = None
        self.rest: asyncio.Future[Found] | None = None
        """Set while other ports of the device are still being swept."""
        self.learn: Callable[[Found], None] | None = None
        """Called with `rest` when it is there."""
        self.life = Life()
        self._turns = turns
        self._searches = searches
        """Search messages this device may be asked one by one; None: all the plan wants."""
        self._before = {(o.job, o.port) for o in self.observations if o.job}
        self._before |= {(a.test, a.port) for a in self.attempts}
        self._plan: tuple[Job, ...] = ()
        self._planned: tuple[int, int] | None = None
        self._failures = 0
        """Failed questions after which the plan may say something else."""
        self._quiet = 0
        """Observations the plan does not depend on."""
        self._slow_left = talk.means.budget.slow_jobs
        self._writer = writer
        self._next_jobs = next_jobs
        self._overflowed = overflowed
        self._asked: set[tuple[str, int, str, bool]] = set()
        self._failed_in_a_row = 0

    async def identify(self, budget: float) -> Life:
        """Ask until settled; `budget` in seconds of exchanges, waiting for other devices apart.

        The connection is closed when it returns.
        """
        loop = asyncio.get_running_loop()
        used = 0.0
        try:
            while True:
                await self._turns.wait(self._urgency())
                if self.rest is not None and self.rest.done():
                    self._all_ports()
                jobs = self._worth(self.jobs())
                if not jobs:
                    if self.rest is None:
                        break
                    await asyncio.wait([self.rest])
                    continue
                if used >= budget:
                    self._not_asked(jobs, Reason.BUDGET, f"{budget:.0f} s for this device used")
                    return self.life
                started = loop.time()
                if jobs[0].transport == "udp":
                    together = [j for j in jobs if j.transport == "udp"][:_TOGETHER]
                    await asyncio.gather(*map(self.put, together))
                else:
                    await self.put(self._pick(jobs))
                used += loop.time() - started
                if self._failed_in_a_row >= _GONE_AFTER and not await self.lives():
                    self.life.died = True
                    self.attempt(
                        "liveness", Reason.DEVICE_OFFLINE, "stopped answering during the scan"
                    )
                    self._not_asked(
                        self.jobs(), Reason.DEVICE_OFFLINE, "stopped answering during the scan"
                    )
                    return self.life
            self.life.finished = True
            return self.life
        finally:
            await self.talk.close()

    def expect(self, found: Found, learn: Callable[[Found], None]) -> None:
        """Some ports are known; the others come with `found.rest`."""
        self.rest, self.learn = found.rest, learn
        self.open_ports = found.open
        self.observations.append(provisional(self.address, found.open))

    def _urgency(self) -> Urgency:
        if self.talk.slow:
            return Urgency.SLOW
        return Urgency.TALKING if self.life.asked else Urgency.BEGINNING

    def _all_ports(self) -> None:
        self.observations = [o for o in self.observations if not o.id.startswith(_SO_FAR)]
        self._planned = None
        if self.rest is not None and self.learn is not None:
            self.learn(self.rest.result())
        self.rest = None

    def jobs(self) -> tuple[Job, ...]:
        """What the plan still wants to know and was not asked yet, best first."""
        state = (len(self.observations) - self._quiet, self._failures)
        if state != self._planned:
            self._plan = self._next_jobs(self.observations, self.attempts)
            self._planned = state
        return tuple(
            job
            for job in self._plan
            if _key(job) not in self._asked and (job.probe, job.port) not in self._before
        )

    def _worth(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        """Without what is left out here: the reason is written down."""
        if self.rest is not None:
            jobs = tuple(job for job in jobs if job.transport == "tcp")
        searches = [job for job in jobs if job.exchange is Exchange.UDP_SEARCH]
        if self._searches is not None and len(searches) > self._searches:
            beyond = searches[self._searches :]
            self._asked.update(map(_key, beyond))
            self.attempt(
                "udp-searches",
                Reason.NOT_REQUESTED,
                "searched for by group message only: " + ", ".join(j.path for j in beyond),
            )
            jobs = tuple(job for job in jobs if job not in beyond)
        if self._slow_left <= 0 and (costly := tuple(filter(self.talk.costly, jobs))):
            seconds = max(map(self.talk.price, costly))
            self._not_asked(costly, Reason.BUDGET, f"slow device: one answer takes {seconds:.1f} s")
            jobs = tuple(job for job in jobs if job not in costly)
        return jobs

    async def put(self, job: Job) -> Outcome | None:
        """Put one job and write down what came; None where nothing came."""
        self._asked.add(_key(job))
        self.life.asked += 1
        tcp = job.transport == "tcp"
        if job.exchange is Exchange.UDP_SEARCH and self._searches is not None:
            self._searches -= 1
        self._slow_left -= self.talk.costly(job)
        left = self.talk.means.gate.left(self.address)
        try:
            outcome = await exchanges.ask(self.talk, job)
        except ObserveError as problem:
            reason = Reason(problem.reason)
            if (
                reason in {Reason.TIMEOUT, Reason.DEVICE_OFFLINE}
                and "no connection" in f"{problem.detail}no route"
                and self._overflowed()
            ):
                reason = Reason.LOSS  # the neighbour table was full, not the device away
            if tcp and any(words in problem.detail for words in _NOT_CONNECTED):
                self._failed_in_a_row += 1
            elif reason is not Reason.BUDGET:
                self._failed_in_a_row = 0
            if tcp and reason is not Reason.BUDGET:
                self._failures += 1
            self.attempt(job.probe, reason, problem.detail, job)
            return None
        self._failed_in_a_row = 0
        opened = left - self.talk.means.gate.left(self.address)
        cost = () if not tcp or opened == 1 else (f"{_CONNECTIONS}{opened}",)
        for answer in outcome.answers:
            self.life.answers += 1
            self._quiet += answer.kind is Kind.PORTS
            self.observations.append(
                self._writer.observe(
                    device_id=self.address,
                    kind=answer.kind,
                    response=answer.response,
                    port=answer.port,
                    transport=answer.transport,
                    tls=answer.tls,
                    request=answer.request,
                    job=job.probe,
                    address=self.address,
                    mac=self.mac,
                    interface=self.interface,
                    truncated=answer.truncated,
                    canary=job.canary and answer.kind is job.kind,
                    flags=(*answer.flags, *cost),
                )
            )
        for refusal in outcome.refusals:
            self.attempt(job.probe, refusal.reason, refusal.detail, job)
        return outcome

    async def lives(self) -> bool:
        """Whether it still accepts a connection on a port that was open, after a pause."""
        await asyncio.sleep(4 * max(self.talk.means.gate.pace.gap, 0.05))
        for port in self.open_ports[:2]:
            try:
                channel = await self.talk.plain(port)
            except ObserveError as problem:
                if problem.reason == Reason.BUDGET:
                    return True  # nothing left to ask with, nothing known against it
                continue
            await channel.close()
            self._failed_in_a_row = 0
            return True
        return False

    def attempt(self, test: str, reason: Reason, detail: str, job: Job | None = None) -> None:
        self.attempts.append(
            self._writer.attempt(
                device_id=self.address,
                test=test,
                reason=reason,
                detail=detail,
                port=None if job is None else job.port,
                kind=None if job is None else job.kind,
            )
        )

    def _not_asked(self, jobs: tuple[Job, ...], reason: Reason, detail: str) -> None:
        for job in jobs:
            self._asked.add(_key(job))
            self.attempt(job.probe, reason, detail, job)

    def _pick(self, jobs: tuple[Job, ...]) -> Job:
        """The best job; one of the next best if it can use the connection that is open.

        While nothing is known about the device's speed, a port that is surely served comes
        before one that may stay silent.
        """
        kept = self.talk.kept_port
        if kept is not None and jobs[0].port != kept:
            for job in jobs[1:4]:
                if job.port == kept and job.transport == "tcp":
                    return job
        if kept is None and not self.talk.answered:
            surest = min(jobs, key=lambda job: _SUREST.get(job.port, 9))
            if _SUREST.get(jobs[0].port, 9) > _SUREST.get(surest.port, 9):
                return surest
        return jobs[0]


_SO_FAR = "so-far:"
_SUREST = {80: 0, 554: 1, 443: 2}
"""Ports on which something nearly always speaks the protocol of the number."""


def provisional(address: str, opened: tuple[int, ...]) -> Observation:
    """What the plan needs before the port stage has ended; never written down."""
    return Observation(
        id=_SO_FAR + ",".join(map(str, opened)),
        device_id=address,
        kind=Kind.PORTS,
        response=msgspec.json.encode(PortStates(open=opened)),
        address=address,
    )


def _key(job: Job) -> tuple[str, int, str, bool]:
    return job.probe, job.port, job.path, job.tls


def handshakes(
    observations: Iterable[Observation], attempts: Iterable[Attempt], plan: ProbePlan
) -> int:
    """Connections an earlier part of a scan used for these; never fewer than it really used.

    Each question that was answered counts with what it cost, each that was put in vain with one,
    and one more for the exchange that was under way when the scan was killed.
    """
    cost: dict[tuple[str | None, int | None], int] = {}
    for seen in observations:
        if seen.transport == "tcp" and seen.port and seen.job:
            flags = [f for f in seen.flags if f.startswith(_CONNECTIONS)]
            cost[seen.job, seen.port] = int(flags[0][len(_CONNECTIONS) :]) if flags else 1
    datagrams = {p.id for p in plan.probes if p.transport == "udp"}
    for tried in attempts:
        if (
            tried.port
            and tried.test not in datagrams
            and tried.reason in {Reason.TIMEOUT, Reason.ERROR, Reason.WINDOW_TOO_SHORT}
            and not tried.detail.startswith(("no connection", "not asked"))
            and not tried.detail.endswith(("connection refused", "no route to the device"))
        ):
            cost.setdefault((tried.test, tried.port), 1)
    return sum(cost.values()) + 1
