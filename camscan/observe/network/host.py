"""What does one device answer to the questions that are still worth asking?

Strictly serial: ask the plan which question is best, put it, write down the answer or why there
was none, ask the plan again. Ends when the plan is settled, the budget is used or the device died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Attempt, Observation, Reason
from camscan.model.probe import Job, NextJobs
from camscan.observe.wire import exchanges
from camscan.observe.wire.answer import Outcome
from camscan.observe.wire.talk import Talk
from camscan.run import IntakeWriter

_GONE_AFTER = 2
"""Failed connections in a row, on ports that were open, after which the device is checked."""
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
        overflows: Callable[[], int],
        observations: list[Observation] | None = None,
        attempts: list[Attempt] | None = None,
        mac: str | None = None,
        interface: str | None = None,
    ) -> None:
        self.address = address
        self.talk = talk
        self.observations = observations if observations is not None else []
        self.attempts = attempts if attempts is not None else []
        self.open_ports: tuple[int, ...] = ()
        self.mac = mac
        self.interface = interface
        self.life = Life()
        self._writer = writer
        self._next_jobs = next_jobs
        self._overflows = overflows
        self._asked: set[tuple[str, int, str, bool]] = set()
        self._failed_in_a_row = 0

    async def identify(self, budget: float) -> Life:
        """Ask until settled; `budget` in seconds. The connection is closed when it returns."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget
        try:
            while jobs := self.jobs():
                if loop.time() >= deadline:
                    self._not_asked(jobs, Reason.BUDGET, f"{budget:.0f} s for this device used")
                    return self.life
                await self.put(self._pick(jobs))
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

    def jobs(self) -> tuple[Job, ...]:
        """What the plan still wants to know and was not asked yet, best first."""
        return tuple(
            job
            for job in self._next_jobs(self.observations, self.attempts)
            if _key(job) not in self._asked
        )

    async def put(self, job: Job) -> Outcome | None:
        """Put one job and write down what came; None where nothing came."""
        self._asked.add(_key(job))
        self.life.asked += 1
        before = self._overflows()
        try:
            outcome = await exchanges.ask(self.talk, job)
        except ObserveError as problem:
            reason = Reason(problem.reason)
            if (
                reason in {Reason.TIMEOUT, Reason.DEVICE_OFFLINE}
                and "no connection" in f"{problem.detail}no route"
                and self._overflows() > before
            ):
                reason = Reason.LOSS  # the neighbour table was full, not the device away
            if (job.transport == "tcp" and problem.detail.endswith(_NOT_CONNECTED)) or (
                job.transport == "tcp" and any(w in problem.detail for w in _NOT_CONNECTED)
            ):
                self._failed_in_a_row += 1
            elif reason is not Reason.BUDGET:
                self._failed_in_a_row = 0
            self.attempt(job.probe, reason, problem.detail, job)
            return None
        self._failed_in_a_row = 0
        for answer in outcome.answers:
            self.life.answers += 1
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
                    flags=answer.flags,
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
        """The best job; one of the next best if it can use the connection that is open."""
        kept = self.talk.kept_port
        if kept is not None and jobs[0].port != kept:
            for job in jobs[1:4]:
                if job.port == kept and job.transport == "tcp":
                    return job
        return jobs[0]


def _key(job: Job) -> tuple[str, int, str, bool]:
    return job.probe, job.port, job.path, job.tls
