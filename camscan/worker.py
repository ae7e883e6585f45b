"""What does a child of `camscan.workers` do: jobs in, results out, within its limits?

`python -I -m camscan.worker`, started by camscan.workers and by nothing else. It ends when the parent
closes the pipe or is gone, in the middle of a job too.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

HEADER = 9
"""Bytes before each message: one that says what it is, eight of its length, big-endian."""
RESULT, FAILED, TOO_LARGE = 0, 1, 2
NO_MEMORY = 71
"""Exit code of a child that met its memory limit."""
DETAIL = 400
"""Characters kept of a reason."""


class Limits(Struct, frozen=True, kw_only=True):
    """What one child may use; None = not limited."""

    memory: int | None = 2 << 30
    """Bytes of address space."""
    cpu_seconds: int | None = None
    """Processor time of one job."""
    job_seconds: float | None = 600.0
    """Wall time of one job."""
    file_bytes: int | None = None
    """Largest file it may write."""
    message: int = 256 << 20
    """Largest job or result in bytes."""
    tries: int = 3
    """Children a job may cost before it counts as failed."""


class Start(Struct, frozen=True):
    """First message to a child."""

    function: str
    limits: Limits


class Raised(Struct, frozen=True):
    """What a child says instead of a result."""

    text: str
    trace: str


def send(file: IO[bytes], what: int, data: bytes) -> None:
    """One message."""
    file.write(bytes((what,)) + len(data).to_bytes(8, "big"))
    file.write(data)
    file.flush()


def receive(file: IO[bytes], limit: int) -> tuple[int, bytes] | None:
    """The next message, None at the end; (TOO_LARGE, b"") if it is larger than `limit`."""
    head = file.read(HEADER)
    if len(head) < HEADER:
        return None
    size = int.from_bytes(head[1:], "big")
    if size > limit:
        return TOO_LARGE, b""
    data = file.read(size)
    return (head[0], data) if len(data) == size else None


def serve(inward: IO[bytes], outward: IO[bytes]) -> None:
    """The child's side: jobs in, results out, until the parent closes the pipe."""
    first = receive(inward, 1 << 20)
    if first is None:
        return
    start = msgspec.msgpack.decode(first[1], type=Start)
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while (message := receive(inward, start.limits.message)) is not None:
                jobs.put(message[1])
        except MemoryError:
            os._exit(NO_MEMORY)
        os._exit(0)  # the parent is gone or done: no work is worth finishing

    limit(start.limits)
    threading.Thread(target=listen, daemon=True).start()
    function: Any = None
    while True:
        job = jobs.get()
        limit_cpu(start.limits)
        try:
            if function is None:
                function = _function(start.function)
            send(outward, RESULT, function(job))
        except MemoryError:
            os._exit(NO_MEMORY)
        except Exception as error:  # noqa: BLE001 - the one place: it becomes the job's Failure
            import traceback

            text = str(error) or type(error).__name__
            said = Raised(f"{type(error).__name__}: {text}"[:DETAIL], traceback.format_exc(8))
            send(outward, FAILED, msgspec.msgpack.encode(said))


def _function(name: str) -> Any:
    """The named function, from message to message."""
    import importlib
    import typing

    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    (job,) = hints.values()
    decoder, encoder = msgspec.msgpack.Decoder(job), msgspec.msgpack.Encoder()
    return lambda data: encoder.encode(function(decoder.decode(data)))


def limited(platform: str) -> bool:
    """Whether a child's memory can be limited: Windows has no such limit, macOS refuses this one."""
    return platform not in {"win32", "darwin"}


def available() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit(limits: Limits, *, grown: bool = False) -> None:
    """Hold this process to the limits. `grown`: memory counts from what it has mapped already."""
    if sys.platform == "win32":
        return
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    memory = limits.memory
    if memory is not None and grown:
        memory += _mapped()
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
    )
    for what, most in wanted:
        if most is not None:
            with contextlib.suppress(OSError, ValueError):  # macOS refuses RLIMIT_AS
                resource.setrlimit(what, (most, most))


def _mapped() -> int:
    """Bytes of address space this process has; 0 where the platform does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        told = Path("/proc/self/statm").read_bytes()
        return int(told.split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def limit_cpu(limits: Limits) -> None:
    """The soft limit moves with each job, so a child that did many jobs is not ended for it."""
    if sys.platform == "win32" or limits.cpu_seconds is None:
        return
    import math
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def main() -> None:
    """Serve on the standard pipes; what anything prints goes to stderr."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in camscan.cli.main
    outward = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, outward)


if __name__ == "__main__":
    main()
