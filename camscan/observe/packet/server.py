"""What does the helper process do with each line it is told?

The first line is the scope; it is checked again and frozen. Each verb runs in a thread of its
own, so that `stop` and the end of the client are always heard.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Sequence

import msgspec

from camscan.errors import CamscanError, PrivilegeError, ScopeError, UsageError
from camscan.observe.packet import capture, link_sweep, links, privilege, syn_sweep, templates
from camscan.observe.packet.messages import (
    HOST_CAP,
    LINE_LIMIT,
    SYN_CAP,
    AnyReply,
    AnyRequest,
    ArpSweep,
    Capture,
    Counted,
    Done,
    NdSweep,
    Neighbour,
    Neighbours,
    PortAnswer,
    PortAnswers,
    Ready,
    Refused,
    SetNeighbours,
    Start,
    Stop,
    SweepSummary,
    SynSweep,
)
from camscan.observe.packet.neighbours import NeighbourTable
from camscan.observe.packet.pace import Ceiling
from camscan.scope import DENIED_PORTS, Scope

_decoder = msgspec.json.Decoder(AnyRequest)


class Lines:
    """JSON lines, and descriptors that came with them, from the socketpair."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._seen = 0
        self.descriptors: list[int] = []

    def next(self) -> bytes | None:
        """One line; None at the end or where a line is longer than any real one."""
        while (end := self._buffer.find(b"\n", self._seen)) < 0:
            self._seen = len(self._buffer)
            data, descriptors, _, _ = socket.recv_fds(self._sock, 1 << 18, 4)
            self.descriptors += descriptors
            if not data or len(self._buffer) > LINE_LIMIT:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._seen = 0
        return line


class Server:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = Lines(sock)
        self._lock = threading.Lock()
        self._stops: dict[int, threading.Event] = {}
        self._table = NeighbourTable()
        self._ceiling = Ceiling(SYN_CAP, HOST_CAP)

    def run(self) -> int:
        """Until the client closes; the exit code."""
        try:
            scope, denied, pool = self._start()
        except CamscanError as error:
            self._say(Refused(job=0, kind=_kind(error), message=str(error)))
            return 1
        while (line := self._lines.next()) is not None:
            try:
                request = _decoder.decode(line)
            except msgspec.MsgspecError as error:
                self._say(Refused(job=0, kind="usage", message=f"packet helper: {error}"))
                continue
            if isinstance(request, Stop):
                if stop := self._stops.get(request.job):
                    stop.set()
                continue
            if isinstance(request, Start):
                text = "packet helper: the scope is frozen; start another helper"
                self._say(Refused(job=request.job, kind="scope", message=text))
                continue
            pipe = -1
            if isinstance(request, Capture):
                if not self._lines.descriptors:
                    text = "packet helper: capture came without a pipe"
                    self._say(Refused(job=request.job, kind="usage", message=text))
                    continue
                pipe = self._lines.descriptors.pop(0)
            self._stops[request.job] = threading.Event()
            threading.Thread(
                target=self._work, args=(request, scope, denied, pool, pipe), daemon=True
            ).start()
        for stop in tuple(self._stops.values()):
            stop.set()
        self._table.clear()
        return 0

    def _start(self) -> tuple[Scope, frozenset[int], links.Links]:
        line = self._lines.next()
        try:
            request = _decoder.decode(line or b"")
        except msgspec.MsgspecError as error:
            raise UsageError(f"packet helper: first line: {error}") from error
        if not isinstance(request, Start):
            raise UsageError("packet helper: the first line must be the scope")
        scope = Scope.from_json(request.scope)
        try:
            templates.load(version6=any(":" in cidr for cidr in scope.ranges))
        except ImportError as error:
            raise UsageError("scapy is not installed: pip install 'camscan[packets]'") from error
        try:
            pool = links.Links()
        except PermissionError as error:
            raise PrivilegeError("raw packets need CAP_NET_RAW; run as root") from error
        notes = privilege.drop(neighbours=request.neighbours, environment=os.environ)
        self._say(Ready(uid=os.getuid(), capabilities=privilege.effective(), notes=notes))
        # The caller may add to the deny list, never take from it.
        return scope, DENIED_PORTS | frozenset(request.denied), pool

    def _work(
        self,
        request: AnyRequest,
        scope: Scope,
        denied: frozenset[int],
        pool: links.Links,
        pipe: int,
    ) -> None:
        job = request.job
        stop = self._stops[job]
        try:
            summary = self._verb(request, scope, denied=denied, pool=pool, pipe=pipe, stop=stop)
            self._say(Done(job=job, summary=summary))
        except CamscanError as error:
            self._say(Refused(job=job, kind=_kind(error), message=str(error)))
        except OSError as error:
            text = f"packet helper: {error.strerror or error}"
            kind = "privilege" if isinstance(error, PermissionError) else "error"
            self._say(Refused(job=job, kind=kind, message=text))
        finally:
            self._stops.pop(job, None)

    def _verb(
        self,
        request: AnyRequest,
        scope: Scope,
        *,
        denied: frozenset[int],
        pool: links.Links,
        pipe: int,
        stop: threading.Event,
    ) -> SweepSummary:
        job = request.job

        def heard(items: Sequence[Neighbour]) -> None:
            self._say(Neighbours(job=job, items=tuple(items)))

        def answered(items: Sequence[PortAnswer]) -> None:
            self._say(PortAnswers(job=job, items=tuple(items)))

        def counted(packets: int, dropped: int) -> None:
            self._say(Counted(job=job, packets=packets, dropped=dropped))

        match request:
            case NdSweep():
                return link_sweep.sweep(request, scope, pool, heard, stop, version=6)
            case ArpSweep():
                return link_sweep.sweep(request, scope, pool, heard, stop, version=4)
            case SynSweep():
                return syn_sweep.sweep(
                    request,
                    scope,
                    denied,
                    ceiling=self._ceiling,
                    pool=pool,
                    emit=answered,
                    stopped=stop,
                )
            case SetNeighbours():
                return self._table.apply(request, scope)
            case Capture():
                return capture.stream(request, pipe, pool, stop, counted)
            case _:
                raise UsageError("packet helper: not a verb")

    def _say(self, reply: AnyReply) -> None:
        try:
            with self._lock:
                self._sock.sendall(msgspec.json.encode(reply) + b"\n")
        except OSError:  # the client went; the reading side sees it and ends the process
            return


def _kind(error: CamscanError) -> str:
    if isinstance(error, ScopeError):
        return "scope"
    if isinstance(error, PrivilegeError):
        return "privilege"
    return "usage" if isinstance(error, UsageError) else "error"


def main() -> int:
    """`python -I -m camscan.observe.packet FD`: FD is the helper's end of a socketpair."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.stderr.write("started by camscan itself; there is nothing to call here\n")
        return 3
    return Server(socket.socket(fileno=int(sys.argv[1]))).run()
