"""How does the rest of camscan ask for raw packets? (the only door to the packet helper)"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from camscan.errors import (
    CamscanError,
    ObserveError,
    PrivilegeError,
    ProgramMissingError,
    ScopeError,
    UsageError,
)
from camscan.observe.packet.messages import (
    NET_CAP,
    AnyReply,
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
from camscan.scope import DENIED_PORTS, Scope

_T = TypeVar("_T")
_decoder = msgspec.json.Decoder(AnyReply)
_START_WITHIN = 20.0
_KINDS: dict[str, type[CamscanError]] = {
    "scope": ScopeError,
    "privilege": PrivilegeError,
    "usage": UsageError,
}


def _error(refused: Refused) -> CamscanError:
    kind = _KINDS.get(refused.kind)
    return kind(refused.message) if kind else ObserveError("error", refused.message)


class Sweep(Generic[_T]):
    """Results as they come: `async for item in sweep`; afterwards `summary` says how it went."""

    def __init__(self, helper: PacketHelper, order: ArpSweep | SynSweep) -> None:
        self._helper = helper
        self._order = order
        self._job = 0
        self._items: list[_T] = []
        self._at = 0
        self.summary: SweepSummary | None = None

    def __aiter__(self) -> Sweep[_T]:
        return self

    async def __anext__(self) -> _T:
        if not self._job and self.summary is None:
            self._job = await self._helper.begin(self._order)
        while self._at >= len(self._items):
            if self.summary is not None:
                raise StopAsyncIteration
            reply = await self._helper.reply(self._job)
            if isinstance(reply, Done):
                self.summary = reply.summary
            elif isinstance(reply, Refused):
                self.summary = SweepSummary(complete=False)
                raise _error(reply)
            elif isinstance(reply, Neighbours | PortAnswers):
                self._items, self._at = list(reply.items), 0  # type: ignore[arg-type]  # the order decides which
        item = self._items[self._at]
        self._at += 1
        return item

    async def stop(self) -> None:
        """Ask the helper to end this sweep; what was found still comes, then the summary."""
        if self._job:
            await self._helper.tell(Stop(job=self._job))


class PacketHelper:
    """One helper process, one scope. Start it before any foreign byte is read."""

    def __init__(self) -> None:
        self.ready: Ready | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._sock: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._queues: dict[int, asyncio.Queue[AnyReply]] = {}
        self._jobs = 0
        self._lock = asyncio.Lock()

    @staticmethod
    def available() -> tuple[bool, str]:
        """(True, "") or why not, in words. Opens and closes a packet socket; sends nothing."""
        if not hasattr(socket, "AF_PACKET"):
            return False, f"raw packets are offered on Linux only, this is {sys.platform}"
        if importlib.util.find_spec("scapy") is None:
            return False, "scapy is not installed (pip install 'camscan[packets]')"
        try:
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except OSError:
            return False, "raw packets need root or CAP_NET_RAW"
        return True, ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(
        self,
        scope: Scope,
        *,
        denied_ports: Collection[int] = DENIED_PORTS,
        neighbours: bool = True,
    ) -> Ready:
        """Start the process and hand it the frozen scope, once.

        PrivilegeError where the kernel refuses, ScopeError where the helper refuses the scope.
        """
        if self._process is not None:
            raise UsageError("the packet helper is already started; its scope is frozen")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            keep = ("PATH", "LANG", "SUDO_UID", "SUDO_GID")
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", "camscan.observe.packet", str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={name: os.environ[name] for name in keep if name in os.environ},
            )  # fmt: skip
        ours.setblocking(False)
        self._sock = ours
        self._queues[0] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())
        await self.tell(
            Start(scope=scope.to_json(), denied=tuple(sorted(denied_ports)),
                  neighbours=neighbours)
        )  # fmt: skip
        try:
            reply = await asyncio.wait_for(self._queues[0].get(), _START_WITHIN)
        except TimeoutError:
            reply = Refused(job=0, kind="error", message="the packet helper did not start in time")
        if not isinstance(reply, Ready):
            await self.close()
            why = _error(reply) if isinstance(reply, Refused) else ObserveError("error", "helper")
            # A helper that cannot run at all is like one that may not: there is the other way.
            raise PrivilegeError(str(why)) if isinstance(why, ObserveError) else why
        self.ready = reply
        return reply

    def arp_sweep(
        self,
        targets: Iterable[str],
        *,
        interface: str,
        source: str,
        rate: float,
        rounds: int = 2,
        seed: int = 0,
    ) -> Sweep[Neighbour]:
        """Who is on the link? `rate` in requests per second (at most 20,000)."""
        return Sweep(self, ArpSweep(targets=tuple(targets), interface=interface, source=source,
                                    rate=rate, rounds=rounds, seed=seed))  # fmt: skip

    def nd_sweep(
        self,
        targets: Iterable[str],
        *,
        interface: str,
        source: str,
        rate: float,
        rounds: int = 2,
        seed: int = 0,
    ) -> Sweep[Neighbour]:
        """The same for IPv6."""
        return Sweep(self, NdSweep(targets=tuple(targets), interface=interface, source=source,
                                   rate=rate, rounds=rounds, seed=seed))  # fmt: skip

    def syn_sweep(
        self,
        targets: Iterable[str],
        ports: Iterable[int],
        *,
        interface: str,
        source: str,
        rate: float,
        per_host_rate: float,
        per_net_rate: float = NET_CAP,
        macs: Mapping[str, str] | None = None,
        liveness: Iterable[int] = (),
        retries: int = 1,
        seed: int = 0,
    ) -> Sweep[PortAnswer]:
        """Which ports answer? With `macs` (address -> MAC) as frames on the link, else routed.

        `liveness`: ports asked first; the rest goes only to devices that answered one of them.
        Rates in SYN per second: all together (<= 50,000), per device (<= 40), per /24.
        """
        return Sweep(self, SynSweep(
            targets=tuple(targets), ports=tuple(ports), interface=interface, source=source,
            rate=rate, per_host_rate=per_host_rate, per_net_rate=per_net_rate,
            macs=dict(macs or {}), liveness=tuple(liveness), retries=retries, seed=seed,
        ))  # fmt: skip

    async def add_neighbours(
        self, entries: Iterable[tuple[str, str]], *, interface: str
    ) -> SweepSummary:
        """Set (address, MAC) as permanent neighbours; `skipped` were permanent before."""
        return await self._set(entries, interface, add=True)

    async def remove_neighbours(
        self, entries: Iterable[tuple[str, str]], *, interface: str
    ) -> SweepSummary:
        """Take them away. The helper does so by itself when the client goes."""
        return await self._set(entries, interface, add=False)

    async def _set(
        self, entries: Iterable[tuple[str, str]], interface: str, *, add: bool
    ) -> SweepSummary:
        order = SetNeighbours(add=add, interface=interface, entries=tuple(entries))
        return await self._finish(await self.begin(order))

    async def capture(
        self,
        interface: str,
        bpf: str = "",
        snaplen: int = 65_535,
        *,
        program: tuple[tuple[int, int, int, int], ...] = (),
        into: int = -1,
    ) -> CaptureStream:
        """Packets of one interface as a pcap stream.

        A text filter needs tcpdump to compile it; `program` is classic BPF as it is. `into`: write end of the
        caller's own pipe (it stays the caller's to close); else the stream has a pipe of its own.
        """
        program = compile_filter(bpf) if bpf else program
        order = Capture(interface=interface, program=program, snaplen=snaplen)
        if into >= 0:
            return CaptureStream(self, await self.begin(order, into), -1)
        read, write = os.pipe()
        try:
            job = await self.begin(order, write)
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        return CaptureStream(self, job, read)

    async def close(self) -> None:
        """End the process; neighbours it set are removed first."""
        if self._sock is not None:
            self._sock.shutdown(socket.SHUT_WR)
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), 5.0)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    async def begin(
        self, order: ArpSweep | SynSweep | SetNeighbours | Capture, fd: int = -1
    ) -> int:
        """Send one verb; its job number."""
        self._jobs += 1
        job = self._jobs
        self._queues[job] = asyncio.Queue()
        await self.tell(msgspec.structs.replace(order, job=job), fd)
        return job

    async def reply(self, job: int) -> AnyReply:
        reply = await self._queues[job].get()
        if isinstance(reply, Done | Refused):
            self._queues.pop(job, None)
        return reply

    async def _finish(self, job: int) -> SweepSummary:
        while True:
            reply = await self.reply(job)
            if isinstance(reply, Done):
                return reply.summary
            if isinstance(reply, Refused):
                raise _error(reply)

    async def tell(
        self, request: Start | ArpSweep | SynSweep | SetNeighbours | Capture | Stop, fd: int = -1
    ) -> None:
        if self._sock is None:
            raise UsageError("the packet helper is not running; start it first")
        line = msgspec.json.encode(request) + b"\n"
        loop = asyncio.get_running_loop()
        async with self._lock:
            try:
                if fd >= 0:
                    # The descriptor travels with the first byte; the rest follows as usual.
                    socket.send_fds(self._sock, [line[:1]], [fd])
                    line = line[1:]
                await loop.sock_sendall(self._sock, line)
            except OSError as error:
                raise ObserveError("error", "the packet helper ended") from error

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        assert self._sock is not None
        try:
            while data := await loop.sock_recv(self._sock, 1 << 18):
                buffer += data
                *lines, rest = buffer.split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    reply = _decoder.decode(line)
                    job = 0 if isinstance(reply, Ready) else reply.job
                    if queue := self._queues.get(job):
                        queue.put_nowait(reply)
        except (OSError, msgspec.MsgspecError):
            pass  # told to every waiting verb below
        for job, queue in self._queues.items():
            queue.put_nowait(Refused(job=job, kind="error", message="the packet helper ended"))


class CaptureStream:
    """`fd` reads a pcap stream; `stop` ends the capture and gives its summary."""

    def __init__(self, helper: PacketHelper, job: int, fd: int) -> None:
        self.fd = fd
        self.packets = 0
        """Handed over so far, by the helper's last count (one a second)."""
        self.dropped = 0
        self._helper = helper
        self._job = job

    async def stop(self) -> SweepSummary:
        """The stream ends when the last packet is read; the reader must keep reading."""
        await self.tell_stop()
        return await self.ended()

    async def tell_stop(self) -> None:
        """Ask for the end; `ended` waits for it."""
        await self._helper.tell(Stop(job=self._job))

    async def ended(self) -> SweepSummary:
        """Wait for the end, which comes with `stop`, with the link, or where the reader closes the pipe."""
        while True:
            reply = await self._helper.reply(self._job)
            if isinstance(reply, Counted):
                self.packets, self.dropped = reply.packets, reply.dropped
            elif isinstance(reply, Done):
                return reply.summary
            elif isinstance(reply, Refused):
                raise _error(reply)


def compile_filter(text: str) -> tuple[tuple[int, int, int, int], ...]:
    """Classic BPF of a filter expression, by `tcpdump -ddd` (opens nothing, sends nothing)."""
    program = shutil.which("tcpdump", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise ProgramMissingError("a capture filter needs tcpdump: apt install tcpdump")
    done = subprocess.run(
        [program, "-y", "EN10MB", "-ddd", "--", text],
        capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise UsageError(f"capture filter {text!r}: {done.stderr.strip().splitlines()[-1:]}")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in rows)
