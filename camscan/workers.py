"""How is work done in child processes with limits, so that nothing is lost when one of them dies?

A `Workers` runs one named function over many jobs. Each child does one job at a time and is held to
limits; a child that dies is replaced and its job given to the next one, at most `tries` times. Every
job ends in exactly one `Outcome`. Jobs and results are msgpack with declared types (no pickle: a
child has read foreign bytes), so the parent believes nothing but the shape it asked for.

    from camscan.worker import Limits
    with Workers("camscan.x:function", Result, count=4, limits=Limits(memory=1 << 30)) as pool:
        for outcome in pool.run(jobs): ...

The function takes one annotated argument, the job, and returns the result. It runs in
`python -I -m camscan.worker`; what it keeps between jobs (a cache) lives as long as the child.
Where the platform has no rlimits (Windows), time and tries still hold, memory does not.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from camscan.decode.text import clean, clean_lines
from camscan.worker import (
    DETAIL,
    FAILED,
    NO_MEMORY,
    RESULT,
    Limits,
    Raised,
    Start,
    available,
    receive,
    send,
)

T = TypeVar("T")

_TRACE = 4000
"""Characters kept of a traceback."""
_KEPT = ("PATH", "LANG", "LC_ALL", "HOME", "XDG_CACHE_HOME", "TMPDIR", "SYSTEMROOT", "USERPROFILE")
"""Of the environment, what a child gets."""
_ENDING = 5.0
"""Seconds a child may take to end by itself before it is killed."""
_TICK = 0.2
"""Seconds after which waiting looks up, so that Ctrl-C is noticed everywhere."""


class Ended(StrEnum):
    """Why a job has no result."""

    ERROR = "error"
    """The function raised; it would raise again, so it is not tried again."""
    KILLED = "killed"
    """Its children died, the allowed number of times."""
    TIMEOUT = "timeout"
    CPU = "cpu"
    MEMORY = "memory"
    TOO_LARGE = "too-large"
    """The result, or the job, is larger than a message may be."""


class Failure(Struct, frozen=True, kw_only=True):
    reason: Ended
    detail: str = ""
    trace: str = ""
    """Where the function raised, for whoever mends it."""
    tries: int = 1


class Outcome(Struct, Generic[T], frozen=True, kw_only=True):
    """How one job ended: `value`, or `failure`."""

    number: int
    """Place of the job in the order in which they were given, from 0."""
    value: T | None = None
    failure: Failure | None = None


class _Job(Struct, frozen=True):
    number: int
    data: bytes


class Workers(Generic[T]):
    """Children that all run one function. Use as a context manager; leaving it ends them."""

    def __init__(
        self,
        function: str,
        result: type[T],
        *,
        count: int | None = None,
        limits: Limits | None = None,
        command: Sequence[str] = (sys.executable, "-I", "-m", "camscan.worker"),
    ) -> None:
        """`function`: `package.module:name`. `result`: the type the results are checked against."""
        self.count = max(1, available() if count is None else count)
        self.limits = limits or Limits()
        self._start = msgspec.msgpack.encode(Start(function, self.limits))
        self._decoder = msgspec.msgpack.Decoder(result)
        self._command = tuple(command)
        self._todo: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome[T]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._children: dict[int, _Child] = {}
        self._closed = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Workers[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that live now."""
        with self._lock:
            return tuple(child.pid for child in self._children.values())

    def run(self, jobs: Iterable[object], *, ordered: bool = True) -> Iterator[Outcome[T]]:
        """One Outcome per job: in the order of the jobs, or as they are done.

        Jobs are asked for only as results are taken: never more than four per child are on their way.
        """
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, args=(n,), daemon=True, name=f"worker-{n}")
                for n in range(self.count)
            ]
            for thread in self._threads:
                thread.start()
        window = 4 * self.count
        source = enumerate(jobs)
        given = taken = 0
        more = True
        early: dict[int, Outcome[T]] = {}
        while more or taken < given:
            while more and given - taken < window:
                following = next(source, None)
                if following is None:
                    more = False
                    break
                self._give(*following)
                given += 1
                if not self._done.empty():
                    break
            if taken == given:
                continue
            outcome = self._take()
            if not ordered:
                taken += 1
                yield outcome
                continue
            early[outcome.number] = outcome
            while taken in early:
                taken += 1
                yield early.pop(taken - 1)

    def close(self) -> None:
        """End all children now; jobs under way are dropped."""
        with self._lock:
            self._closed = True
            children = list(self._children.values())
        for child in children:
            child.kill()
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _give(self, number: int, job: object) -> None:
        data = msgspec.msgpack.encode(job)
        if len(data) > self.limits.message:
            failure = Failure(reason=Ended.TOO_LARGE, detail=f"the job has {len(data)} bytes")
            self._done.put(Outcome(number=number, failure=failure))
            return
        self._todo.put(_Job(number, data))

    def _take(self) -> Outcome[T]:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._done.get(timeout=_TICK)

    def _serve(self, place: int) -> None:
        """One thread: one child at a time, one job at a time."""
        child: _Child | None = None
        while (job := self._todo.get()) is not None and not self._closed:
            outcome, child = self._finish(job, child, place)
            self._done.put(outcome)
        if child is not None:
            child.end()
        with self._lock:
            self._children.pop(place, None)

    def _finish(
        self, job: _Job, child: _Child | None, place: int
    ) -> tuple[Outcome[T], _Child | None]:
        """The job's outcome, and the child that still lives."""
        failure = Failure(reason=Ended.KILLED, detail="no child could be started")
        for tries in range(1, self.limits.tries + 1):
            try:
                if child is None:
                    child = self._raise(place)
                fresh = child.jobs == 0
                answer = child.do(job.data)
            except OSError as error:
                failure = Failure(reason=Ended.KILLED, detail=str(error)[:DETAIL], tries=tries)
                child = None
                continue
            if answer is not None and answer[0] == RESULT:
                return self._value(job, answer[1], tries), child
            if answer is not None and answer[0] == FAILED:
                return self._raised(job, answer[1], tries), child
            reason, detail = child.post_mortem(answer)
            child = None
            failure = Failure(reason=reason, detail=detail, tries=tries)
            # Time and size would end the same way again; so would memory in a child that was new.
            final = reason in {Ended.TIMEOUT, Ended.CPU, Ended.TOO_LARGE}
            if final or self._closed or (reason is Ended.MEMORY and fresh):
                break
        return Outcome(number=job.number, failure=failure), child

    def _raise(self, place: int) -> _Child:
        child = _Child(self._command, self._start, self.limits)
        with self._lock:
            self._children[place] = child
            if self._closed:
                child.kill()
        return child

    def _value(self, job: _Job, data: bytes, tries: int) -> Outcome[T]:
        try:
            return Outcome(number=job.number, value=self._decoder.decode(data))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            detail = f"the result has another shape: {error}"[:DETAIL]
            failure = Failure(reason=Ended.ERROR, detail=detail, tries=tries)
            return Outcome(number=job.number, failure=failure)

    @staticmethod
    def _raised(job: _Job, data: bytes, tries: int) -> Outcome[T]:
        try:
            said = msgspec.msgpack.decode(data, type=Raised)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            said = Raised("the child's answer cannot be read", "")
        detail = clean(said.text)[:DETAIL]
        trace = clean_lines(said.trace)[:_TRACE]
        failure = Failure(reason=Ended.ERROR, detail=detail, trace=trace, tries=tries)
        return Outcome(number=job.number, failure=failure)


class _Child:
    """The parent's side of one process."""

    def __init__(self, command: Sequence[str], start: bytes, limits: Limits) -> None:
        self._limits = limits
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        except OSError:
            self._said.close()
            raise
        self.jobs = 0
        self._late = False
        self._start = start

    @property
    def pid(self) -> int:
        return self._process.pid

    def do(self, job: bytes) -> tuple[int, bytes] | None:
        """What the child answered, None if it died or had to be killed."""
        timer = None
        if self._limits.job_seconds is not None:
            timer = threading.Timer(self._limits.job_seconds, self._expire)
            timer.daemon = True
            timer.start()
        try:
            inward, outward = self._process.stdin, self._process.stdout
            assert inward is not None
            assert outward is not None
            with contextlib.suppress(BrokenPipeError):  # dead: the read below finds out
                if self.jobs == 0:
                    send(inward, RESULT, self._start)
                send(inward, RESULT, job)
            answer = receive(outward, self._limits.message)
            self.jobs += 1
            return answer
        finally:
            if timer is not None:
                timer.cancel()

    def _expire(self) -> None:
        self._late = True
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()

    def post_mortem(self, answer: tuple[int, bytes] | None) -> tuple[Ended, str]:
        """Why there is no usable answer; the child is gone afterwards."""
        if answer is not None:
            self.kill()
        code = self.end()
        if self._late:
            return Ended.TIMEOUT, f"stopped after {self._limits.job_seconds:g} s"
        if code == NO_MEMORY:
            limit = "" if self._limits.memory is None else f" of {self._limits.memory} bytes"
            return Ended.MEMORY, f"needed more memory than its limit{limit}"
        if answer is not None:
            return Ended.TOO_LARGE, f"its answer has more than {self._limits.message} bytes"
        if sys.platform != "win32":
            import signal

            if code == -signal.SIGXCPU:
                return Ended.CPU, f"used more than {self._limits.cpu_seconds} s of processor time"
            if code < 0:
                return Ended.KILLED, f"its process was ended by signal {-code}{self._last}"
        return Ended.KILLED, f"its process ended with code {code}{self._last}"

    def end(self) -> int:
        """Close the pipes, so that the child ends; kill it if it does not. Its exit code."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            code = self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._last = ""
        if not self._said.closed:
            self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - DETAIL))
            said = clean(self._said.read().decode("utf-8", "replace"))
            self._last = f": {said}" if said else ""
            self._said.close()
        return code
