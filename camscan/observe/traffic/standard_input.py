"""How is a capture read that comes through standard input? Through a pipe to the reading process, hashed on its way."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from camscan.limited import Limited
from camscan.model.run import Input
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.collected import Collected, Outcome, hear_out

_STEP = 1 << 18
_NAME = "-"


class StandardInput:
    """Begins at once; `run` waits for the end."""

    def __init__(self, job: m.TakeJob, child: Limited) -> None:
        self._job = job
        self._child = child
        self._digest = hashlib.sha256()
        self._size = 0
        child.tell(m.JOB, msgspec.msgpack.encode(job))
        self._copier = threading.Thread(target=self._copy, daemon=True)
        self._copier.start()

    def run(self, on_count: Callable[[m.Count], None]) -> tuple[Outcome, Input]:
        """What was read, and its name, size and hash."""
        collected = Collected()

        def take(kind: int, message: Any) -> None:
            if kind == m.PROGRESS:
                on_count(message)
            else:
                collected.add(kind, message)

        words = hear_out(self._child, take)
        self._copier.join(5.0)
        outcome = collected.outcome(self._job)
        if words:
            problem = m.Problem(_NAME, f"not examined: {words}")
            outcome = replace(outcome, problems=(*outcome.problems, problem))
        return outcome, Input(name=_NAME, size=self._size, sha256=self._digest.hexdigest())

    def _copy(self) -> None:
        try:
            while part := os.read(sys.stdin.fileno(), _STEP):
                self._digest.update(part)
                self._size += len(part)
                view = memoryview(part)
                while view:
                    view = view[os.write(self._child.stream, view) :]
        except (OSError, ValueError):
            return  # the reader is gone, or standard input: the child's end says what was read
        finally:
            self._child.close_stream()
