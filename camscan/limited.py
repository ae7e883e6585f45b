"""How does one long piece of work run in a limited child of this process, and say how far it is?

`camscan.workers` gives many short jobs to children that are started anew; here one child is a fork of this process,
made before anything large is imported and before threads exist: that costs two milliseconds. It is told and it
tells by messages (bytes of a kind); what they mean is the caller's affair. When it dies, the parent reads the end
and asks how. A piece of work may also be given a stream: a pipe that the parent, or who it hands it to, fills.

    child = Limited("package.module:function", limits)
    child.tell(1, b"the job")
    while (said := child.hear()) is not None: ...
    words = child.ending()

The function gets a `Line`. Where a platform cannot fork it runs in a thread of this process, without limits.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import warnings
from typing import IO, Self

from camscan.worker import (
    DETAIL,
    FAILED,
    HEADER,
    NO_MEMORY,
    Limits,
    limit,
    limit_cpu,
    receive,
    send,
)

MESSAGE = 512 << 20
"""Largest message in bytes; longer results come in several."""
_CODE_FAILED = 70
_PR_SET_PDEATHSIG = 1
_ours: set[int] = set()
"""Descriptors of this process that no child may hold open."""


def keep_to_ourselves(descriptor: int) -> None:
    """No child that is made from now on holds this open (a lock would live on with it)."""
    _ours.add(descriptor)


def let_go(descriptor: int) -> None:
    _ours.discard(descriptor)


class Line:
    """The child's end."""

    def __init__(self, inward: IO[bytes], outward: IO[bytes], stream: int, limits: Limits) -> None:
        self._inward = inward
        self._outward = outward
        self._limits = limits
        self.stream = stream
        """Descriptor of the stream, -1 without one."""

    def hear(self) -> tuple[int, bytes] | None:
        """The next message; None where the parent is gone or has no more to say."""
        return receive(self._inward, MESSAGE)

    def tell(self, kind: int, data: bytes) -> None:
        """Raises BrokenPipeError where the parent is gone: then no work is worth finishing."""
        send(self._outward, kind, data)

    def breathe(self, cpu_seconds: int) -> None:
        """From now on at most so much processor time until the next call."""
        limit_cpu(Limits(cpu_seconds=cpu_seconds) if self._limits.cpu_seconds else self._limits)


class Limited:
    """The parent's end. Use as a context manager; leaving it ends the child."""

    def __init__(
        self,
        function: str,
        limits: Limits,
        *,
        stream: bool = False,
        wait: bool = False,
    ) -> None:
        """`function`: `package.module:name`. `wait`: import it only when the first message is there."""
        self.limits = limits
        self.stream = -1
        """Write end of the stream; the caller closes it (`close_stream`)."""
        self._pid = 0
        self._status: int | None = None
        down, up = os.pipe(), os.pipe()
        flow = os.pipe() if stream else (-1, -1)
        self.stream = flow[1]
        mine = {down[1], up[0], flow[1]} - {-1}
        _ours.update(mine)
        theirs = (down[0], up[1], flow[0])
        if hasattr(os, "fork"):
            sys.stdout.flush()
            sys.stderr.flush()
            parent = os.getpid()
            with warnings.catch_warnings():
                # Threads of libraries (not of ours) make newer Pythons warn.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._pid = os.fork()
            if self._pid == 0:
                _child(function, limits, theirs, parent=parent, wait=wait)
            for descriptor in theirs:
                if descriptor >= 0:
                    os.close(descriptor)
        else:  # pragma: no cover - no such platform in the tests
            threading.Thread(
                target=_work, args=(function, limits, theirs), kwargs={"wait": wait}, daemon=True
            ).start()
        self._outward = os.fdopen(down[1], "wb")
        self._inward = os.fdopen(up[0], "rb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id; 0 where it is a thread."""
        return self._pid

    def fileno(self) -> int:
        """For select: readable where a message, or the end, is there."""
        return self._inward.fileno()

    def tell(self, kind: int, data: bytes) -> None:
        """Send a message; a child that is gone is noticed by `hear`."""
        with contextlib.suppress(BrokenPipeError, ValueError):  # gone, or closed by us
            send(self._outward, kind, data)

    def hear(self) -> tuple[int, bytes] | None:
        """The next message; None when the child has ended, or said what no child says."""
        head = self._exactly(HEADER)
        if head is None:
            return None
        data = self._exactly(int.from_bytes(head[1:], "big"))
        return None if data is None else (head[0], data)

    def _exactly(self, size: int) -> bytes | None:
        """Unbuffered, so that `select` on the descriptor sees every message."""
        if size > MESSAGE:
            return None
        found = bytearray()
        while len(found) < size:
            part = self._inward.read(min(size - len(found), 1 << 20))
            if not part:
                return None
            found += part
        return bytes(found)

    def close_stream(self) -> None:
        """The stream ends here."""
        if self.stream >= 0:
            _ours.discard(self.stream)
            os.close(self.stream)
            self.stream = -1

    def ending(self) -> str:
        """Why it ended, in words; empty where it ended well. Waits for the end."""
        code = self._wait()
        if code == 0:
            return ""
        if code == NO_MEMORY:
            most = self.limits.memory
            what = "" if most is None else f" of {most >> 20} MB"
            return f"needed more memory than its limit{what}"
        if sys.platform != "win32" and code == -signal.SIGXCPU:
            return "used more processor time than its limit"
        if code < 0:
            return f"the process that read it was ended by signal {-code}"
        return f"the process that read it ended with code {code}"

    def close(self) -> None:
        """End it now, if it still lives."""
        self.close_stream()
        if self._pid and self._status is None:
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
        self._wait()
        for file in (self._outward, self._inward):
            _ours.discard(file.fileno() if not file.closed else -1)
            with contextlib.suppress(OSError):
                file.close()

    def _wait(self) -> int:
        if self._status is None:
            self._status = 0
            if self._pid:
                with contextlib.suppress(ChildProcessError):
                    _, status = os.waitpid(self._pid, 0)
                    self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _place(error: Exception) -> str:
    """Where it was raised, for whoever mends it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


def _end_with(parent: int) -> None:
    """Where the kernel offers it, this process ends when its parent does, whatever it is busy with."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it died before that
        os._exit(0)


def _child(
    function: str, limits: Limits, ends: tuple[int, int, int], *, parent: int, wait: bool
) -> None:
    """In the fork: never returns."""
    code = _CODE_FAILED
    try:
        _end_with(parent)
        for descriptor in _ours:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _ours.clear()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a service is stopped through its parent
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # It prints nothing: where output goes to a file, that file has no room for it either.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        sys.stdout = sys.stderr = os.fdopen(nowhere, "w")
        limit(limits, grown=True)
        code = _work(function, limits, ends, wait=wait)
    except BaseException:  # noqa: BLE001 - a fork must not unwind into its parent's frames
        code = _CODE_FAILED
    finally:
        os._exit(code)


def _work(function: str, limits: Limits, ends: tuple[int, int, int], *, wait: bool) -> int:
    with os.fdopen(ends[0], "rb") as inward, os.fdopen(ends[1], "wb") as outward:
        line = Line(inward, outward, ends[2], limits)
        try:
            if wait and not inward.peek(1):
                return 0
            module, _, name = function.partition(":")
            getattr(importlib.import_module(module), name)(line)
        except MemoryError:
            return NO_MEMORY
        except BrokenPipeError:
            return 0
        except Exception as error:  # noqa: BLE001 - the one place: it is said to the parent
            text = f"{type(error).__name__}: {error}"[:DETAIL] + _place(error)
            with contextlib.suppress(OSError, MemoryError):
                line.tell(FAILED, text.encode("utf-8", "replace"))
            return _CODE_FAILED
    return 0
