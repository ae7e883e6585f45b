"""How are capture files read by a child process, so that no file can take this one along?

The child says which file it opens; when it dies, that file is named as not examined and another child goes on from
the last state, with the files that are left. Beside it a second child hashes the files.
"""

from __future__ import annotations

import select
import signal
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from camscan.limited import Limited
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.collected import Collected, Outcome, ending, hear, limits_of
from camscan.observe.traffic.hashing import HASHED, Hashed
from camscan.worker import FAILED, Limits

_HASHING = Limits(memory=None, cpu_seconds=None, file_bytes=0)
_BUS = f"ended by signal {int(getattr(signal, 'SIGBUS', 7))}"
_encode = msgspec.msgpack.Encoder().encode


class Reading:
    """One reading of files. `read` and `hashed` grow while `run` works."""

    def __init__(
        self,
        job: m.TakeJob,
        *,
        on_count: Callable[[m.Count], None] | None = None,
        on_state: Callable[[m.Saved, tuple[int, ...]], None] | None = None,
    ) -> None:
        """`on_state`: a state, and the numbers of the files that are in it, all of them hashed."""
        self.read: dict[int, m.FileRead] = {}
        self.hashed: dict[int, Hashed] = {}
        self.failed: dict[int, str] = {}
        self.looked: dict[int, float | None] = {}
        self._job = job
        self._paths = {w.number: w.path for w in job.files}
        self._on_count = on_count
        self._on_state = on_state
        self._current: int | None = None
        self._sizes: dict[int, int] = {}
        """Of the files that were begun."""
        self._unmapped: set[int] = set()
        self._told: list[tuple[str, str]] = []
        """Problems that belong into the next state, beside what was read of their files."""
        self._saved: tuple[m.Saved, tuple[int, ...]] | None = None
        self._waiting = False
        self._hashes_done = False
        self._collected = Collected()
        self._child: Limited | None = None
        self._hasher: Limited | None = None

    def begin(self, child: Limited) -> None:
        """Set the processes to work; `run` hears what they say, so that other things can be done meanwhile."""
        self._child = child
        self._hasher = Limited("camscan.observe.traffic.hashing:hash_files", _HASHING)
        self._hasher.tell(m.JOB, _encode(self._job.files))
        child.tell(m.JOB, _encode(self._job))

    def close(self) -> None:
        """End the processes, wherever they are."""
        for one in (self._child, self._hasher):
            if one is not None:
                one.close()

    def run(self) -> Outcome:
        """Read and hash to the end; KeyboardInterrupt passes through, states written so far hold."""
        assert self._child is not None
        assert self._hasher is not None
        job = self._job
        paths = self._paths
        problems: list[m.Problem] = []
        last = False
        while True:
            words = self._listen(self._child, self._hasher)
            self._child.close()
            if not words and self._collected.ended is not None:
                break
            words = words or "its reader ended before its time"
            if last:
                problems.append(m.Problem("captures", f"not examined: {words}"))
                break
            if self._current is not None and not self._collected.begun:
                problems += self._lost(self._current, paths[self._current], words)
            else:
                # No file is to blame: what the last state holds is all there will be.
                last = True
                problems.append(m.Problem("captures", f"not wholly examined: {words}"))
            job = self._rest(job, give_up=last)
            self._collected = Collected()
            self._child = Limited(m.TAKE, limits_of(job))
            self._child.tell(m.JOB, _encode(job))
        while (said := hear(self._hasher)) is not None:
            self._take_hash(*said)
        self.close()
        outcome = self._collected.outcome(job)
        return replace(outcome, problems=(*outcome.problems, *problems))

    def _lost(self, number: int, path: str, words: str) -> list[m.Problem]:
        """A reader died by this file: what is to be said, and whether it is tried once more."""
        then, now = self._sizes.get(number, 0), m.on_disk(path)
        if number not in self._unmapped and (now < then or _BUS in words):
            # Looking at a place that a file lost ends a process; reading there does not.
            self._unmapped.add(number)
            if now < then:
                self._told.append((path, m.cut_short(now, then)))
            return []
        self.failed[number] = words
        begun = self._begun(number)
        if begun is None:
            return [m.Problem(path, f"not examined: {words}")]
        self._told.append((path, f"not examined behind its first {begun.going.at} bytes: {words}"))
        return []

    def _begun(self, number: int) -> m.Halfway | None:
        """How much of a file is in the last state."""
        if self._saved is not None:
            halfway = self._saved[0].halfway
            return halfway if halfway is not None and halfway.read.number == number else None
        return next((w.halfway for w in self._job.files if w.number == number), None)

    def _rest(self, job: m.TakeJob, *, give_up: bool) -> m.TakeJob:
        done = self._saved[1] if self._saved is not None else ()
        self.read = {n: r for n, r in self.read.items() if n in done}
        left: list[m.Wanted] = []
        for wanted in self._job.files:
            number, begun = wanted.number, self._begun(wanted.number)
            if give_up or number in self.failed:
                if begun is not None:
                    self.read[number] = begun.read
            elif number not in done:
                if begun is not None and number in self._unmapped:
                    begun = replace(begun, size=-1)
                mapped = number not in self._unmapped
                left.append(m.Wanted(number, wanted.path, begun, mapped))
        self._current = None
        job = replace(job, files=tuple(left), problems=tuple(self._told))
        if self._saved is None:
            return job
        saved = self._saved[0]
        keep = None if job.keep is None else replace(job.keep, packets=saved.kept)
        return replace(job, state=saved.state, keep=keep)

    def _listen(self, child: Limited, hasher: Limited) -> str:
        failed = ""
        open_to = [child, hasher] if not self._hashes_done else [child]
        while child in open_to:
            for one in select.select(open_to, [], [])[0]:
                said = hear(one)
                if said is None:
                    open_to.remove(one)
                    self._hashes_done = self._hashes_done or one is hasher
                elif one is hasher:
                    self._take_hash(*said)
                elif said[0] == FAILED:
                    failed = said[1]
                else:
                    self._take(*said)
        return ending(child, failed)

    def _take_hash(self, kind: int, data: Any) -> None:
        if kind == HASHED:
            found = msgspec.msgpack.decode(data, type=Hashed)
            self.hashed[found.number] = found
            self._hand_over()

    def _take(self, kind: int, message: Any) -> None:
        if kind == m.PROGRESS:
            if self._on_count is not None:
                self._on_count(message)
        elif kind == m.BEGUN:
            self._current = message.number
            self._sizes[message.number] = message.size
        elif kind == m.LOOKED:
            self.looked[message.number] = message.first
            self._current = None
        elif kind == m.READ:
            self.read[message.number] = message
            self._current = None
        elif kind == m.STATE:
            self._saved = message, tuple(self.read)
            self._told.clear()
            self._waiting = True
            self._hand_over()
        else:
            self._collected.add(kind, message)

    def _hand_over(self) -> None:
        """A state is worth its files' hashes: without them nobody could tell later what is in it."""
        if (
            self._saved is not None
            and self._waiting
            and all(n in self.hashed for n in self._saved[1])
        ):
            self._waiting = False
            if self._on_state is not None:
                self._on_state(*self._saved)
