"""How is a network port watched for hours or days: in constant memory, saved every minute, ended cleanly?

Three processes: the packet helper takes packets from the kernel and writes a pcap stream into a pipe; a child with
limits reads the pipe, counts and names; this one writes states to the disk and knows when to stop. A child that dies
is followed by one that waited, from the last state; what passed meanwhile is a gap, and named as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from camscan.clock import Clock
from camscan.errors import ObserveError
from camscan.limited import Limited
from camscan.observe.packet.client import CaptureStream, PacketHelper
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.collected import Collected, hear_out
from camscan.observe.wire.listen import TzspListener
from camscan.scope import Scope
from camscan.worker import Limits

_NOTHING_TO_SEND = Scope(
    owner="", authority="listening only", document="", ranges=("127.0.0.1/32",)
)
"""The helper holds to a scope in whatever it sends; a capture sends nothing."""
EVERY = 60.0
"""Seconds between two states."""
NOTHING = m.Saved(state=b"", packets=0, last=None)
INTERRUPTED = "interrupted"
READERS = 3
"""Processes that are made at the beginning: one reads, the others wait until one dies."""
_encode = msgspec.msgpack.Encoder().encode


class LiveOptions(Struct, frozen=True, kw_only=True):
    interface: str
    duration: float | None = None
    """Seconds; None = until stopped."""
    filter: str = ""
    """Kernel filter in the words of tcpdump; only chooses what is read."""
    snaplen: int = 65_535


class LiveSummary(Struct, frozen=True, kw_only=True):
    packets: int
    lost: int
    """Packets the kernel dropped because we were too slow (PACKET_STATISTICS)."""
    promiscuous: bool
    """False: the card shows only frames to this host, broadcast and multicast."""
    complete: bool
    """False: ended early, or packets were lost."""
    why: str = ""


class TapEnd(Struct, frozen=True, kw_only=True):
    """How a stream went."""

    packets: int = 0
    lost: int = 0
    complete: bool = True
    """False: packets were lost, or the link went away."""
    promiscuous: bool = True


class Tap(Protocol):
    """Where packets come from."""

    @property
    def packets(self) -> int:
        """Handed over since the last `open`."""

    @property
    def lost(self) -> int:
        """The same, dropped by the kernel."""

    async def start(self) -> None: ...

    async def open(self, descriptor: int) -> None:
        """Begin to write a pcap stream into a pipe of the caller's."""

    async def stop(self) -> None:
        """End the stream behind what has arrived."""

    async def ended(self) -> TapEnd:
        """How it went, when the stream is at its end."""

    async def close(self) -> None: ...


class InterfaceTap:
    """One interface, by the packet helper; PrivilegeError from `start` where the kernel does not allow it."""

    def __init__(self, options: LiveOptions) -> None:
        self._options = options
        self._helper = PacketHelper()
        self._stream: CaptureStream | None = None

    @property
    def packets(self) -> int:
        return self._stream.packets if self._stream is not None else 0

    @property
    def lost(self) -> int:
        return self._stream.dropped if self._stream is not None else 0

    async def start(self) -> None:
        await self._helper.start(_NOTHING_TO_SEND, neighbours=False)

    async def open(self, descriptor: int) -> None:
        options = self._options
        self._stream = await self._helper.capture(
            options.interface, options.filter, options.snaplen, into=descriptor
        )

    async def stop(self) -> None:
        assert self._stream is not None
        with contextlib.suppress(ObserveError):  # the helper is gone: `ended` says so
            await self._stream.tell_stop()

    async def ended(self) -> TapEnd:
        assert self._stream is not None
        seen = await self._stream.ended()
        return TapEnd(
            packets=seen.answered,
            lost=seen.dropped,
            complete=seen.complete,
            promiscuous=seen.promiscuous,
        )

    async def close(self) -> None:
        await self._helper.close()


class MirrorTap:
    """A mirror that arrives as datagrams (TZSP)."""

    def __init__(self, address: str, port: int, clock: Clock) -> None:
        self._place = (address, port)
        self._clock = clock
        self._listener: TzspListener | None = None

    @property
    def packets(self) -> int:
        return self._listener.datagrams if self._listener is not None else 0

    @property
    def lost(self) -> int:
        return self._listener.lost() if self._listener is not None else 0

    async def start(self) -> None:
        return

    async def open(self, descriptor: int) -> None:
        self._listener = TzspListener(*self._place, self._clock, into=descriptor)

    async def stop(self) -> None:
        assert self._listener is not None
        await asyncio.to_thread(self._listener.close)

    async def ended(self) -> TapEnd:
        assert self._listener is not None
        listener = self._listener
        await asyncio.to_thread(listener.join)
        lost = listener.dropped
        return TapEnd(packets=listener.datagrams, lost=lost, complete=not lost)

    async def close(self) -> None:
        if self._listener is not None:
            await asyncio.to_thread(self._listener.close)


class Watch:
    """One live capture. `stop` may be called from a signal handler or another thread."""

    def __init__(
        self,
        tap: Tap,
        job_of: Callable[[m.Saved], bytes],
        clock: Clock,
        *,
        begin: m.Saved = NOTHING,
        duration: float | None,
        every: float = EVERY,
        lost: int = 0,
        broken: tuple[float, str] | None = None,
        on_begin: Callable[[float], None] | None = None,
        on_count: Callable[[m.Count, int], None] | None = None,
        on_state: Callable[[m.Saved, float, int], str] | None = None,
        also: Callable[[asyncio.AbstractEventLoop], None] | None = None,
    ) -> None:
        """`job_of`: the message to a reader that goes on from a state; the first one from `begin`.

        `lost`: before, by a capture that this one goes on from; `broken`: until when that one reaches, and why no
        further. `on_begin`: told when the first packet can be seen; the duration counts from there. `on_count`: how far it is, and packets lost so far.
        `on_state`: a state, until when it reaches, packets lost until then; words end the capture (the disk is nearly
        full). `also`: may add to the event loop.
        """
        self.gaps: list[m.Gap] = []
        self.lost = lost
        self.collected = Collected()
        """Of the reader that came to its end."""
        self._tap = tap
        self._job_of = job_of
        self._every = every
        self._clock = clock
        self._duration = duration
        self._on_count = on_count
        self._on_state = on_state
        self._also = also
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._why = ""
        self._saved = begin
        self._before = 0
        self._seen = 0
        self._until, self._broken = broken or (clock.now(), "")
        self.began = 0.0
        """When the first packet could be seen."""
        self._on_begin = on_begin
        self._lock = threading.Lock()

    @property
    def saved(self) -> m.Saved:
        """The last state."""
        return self._saved

    def stop(self, why: str = INTERRUPTED) -> None:
        """End the capture; what arrived until now is still read."""
        self._why = self._why or why
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    def run(self, readers: Sequence[Limited]) -> LiveSummary:
        """Capture to the end; Ctrl-C and SIGTERM end the capture, not the program."""

        async def whole() -> LiveSummary:
            self._loop = loop = asyncio.get_running_loop()
            # Windows has no such handlers, and a thread may set none: there Ctrl-C ends the program.
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.add_signal_handler(signal.SIGINT, self.stop)
                loop.add_signal_handler(signal.SIGTERM, self.stop)
            if self._also is not None:
                self._also(loop)
            await self._tap.start()
            try:
                return await self._all(readers)
            finally:
                await self._tap.close()

        return asyncio.run(whole())

    async def _all(self, readers: Sequence[Limited]) -> LiveSummary:
        waiting: asyncio.Task[None] | None = None
        ticking = asyncio.create_task(self._tick())
        packets, seen, died = 0, TapEnd(), self._broken
        try:
            for reader in readers:
                await self._open(reader, died)
                waiting = waiting or asyncio.create_task(self._wait())
                seen, died = await self._one(reader, waiting)
                packets += seen.packets
                self.lost += seen.lost
                if not died or waiting.done():
                    break
        finally:
            for task in (waiting, ticking):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
        if died:
            self._gap(died)
        why = self._why or died
        if not why and not seen.complete:
            why = "packets were lost" if seen.lost else "the link went away"
        return LiveSummary(
            packets=packets,
            lost=self.lost,
            promiscuous=seen.promiscuous,
            complete=not why and not self.gaps,
            why=why,
        )

    async def _open(self, reader: Limited, broken: str) -> None:
        """Begin; with `broken`, what was not seen since the last state is a gap until now."""
        self._before = self._seen = self._saved.packets
        await self._tap.open(reader.stream)
        reader.close_stream()
        if broken:
            self._gap(broken)
        self._until = self._clock.now()
        if not self.began:
            self.began = self._until
            if self._on_begin is not None:
                self._on_begin(self.began)

    def _gap(self, why: str) -> None:
        # A clock that was set back does not tell how long it was.
        self.gaps.append(m.Gap(self._until, max(self._until, self._clock.now()), why))

    async def _one(self, reader: Limited, waiting: asyncio.Task[None]) -> tuple[TapEnd, str]:
        """With one reader until the end or its death: how the tap went, and how it died."""
        reader.tell(m.JOB, self._job_of(self._saved))
        self.collected = Collected()
        hearing = asyncio.create_task(asyncio.to_thread(hear_out, reader, self._take))
        ended = asyncio.create_task(self._tap.ended())
        try:
            await asyncio.wait({hearing, ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._tap.stop()
            seen = await ended
            summary = LiveSummary(
                packets=seen.packets,
                lost=seen.lost,
                promiscuous=seen.promiscuous,
                complete=seen.complete,
            )
            reader.tell(m.SEEN, _encode(summary))
        except ObserveError as error:
            self._why = self._why or str(error)
            seen = TapEnd(complete=False)
        died = await hearing
        return seen, died

    def _take(self, kind: int, message: Any) -> None:
        """In the thread that hears a reader."""
        if kind == m.PROGRESS:
            self._seen = message.packets
            if self._on_count is not None:
                self._on_count(message, self.lost + self._tap.lost)
        elif kind == m.STATE:
            now = self._clock.now()
            last = now if message.last is None else min(message.last, now)
            self._save(message, max(self._until, last))
        else:
            self.collected.add(kind, message)

    def _save(self, saved: m.Saved, until: float) -> None:
        with self._lock:
            self._saved, self._until = saved, until
            self._seen = max(self._seen, saved.packets)
            lost = self.lost + self._tap.lost
            words = self._on_state(saved, until, lost) if self._on_state is not None else ""
        if words:
            self.stop(words)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), self._duration)

    async def _tick(self) -> None:
        """Where nothing arrives, the last state reaches further, and is written anew as often."""
        while True:
            await asyncio.sleep(self._every)
            # Nothing may be under way: what was handed over is counted, and the state holds it.
            quiet = self._tap.packets == self._saved.packets - self._before
            if quiet and self._seen == self._saved.packets:
                await asyncio.to_thread(self._save, self._saved, self._clock.now())


def readers(limits: Limits, function: str = m.TAKE, count: int = READERS) -> list[Limited]:
    """Processes that can read a stream, made before this process has threads."""
    return [Limited(function, limits, stream=True, wait=number > 0) for number in range(count)]
