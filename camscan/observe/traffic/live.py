"""How is a network port watched for hours or days: in constant memory, saved every minute, ended cleanly?

Packets come from the raw-packet helper as a pcap stream on a pipe and go through the same engine as files.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from msgspec import Struct

from camscan.observe.packet.client import PacketHelper
from camscan.observe.traffic.engine import Engine, Progress
from camscan.observe.traffic.source import open_descriptor
from camscan.observe.wire.listen import TzspListener
from camscan.scope import Scope

_NOTHING_TO_SEND = Scope(
    owner="", authority="listening only", document="", ranges=("127.0.0.1/32",)
)
"""The helper holds to a scope in whatever it sends; a capture sends nothing."""


class LiveOptions(Struct, frozen=True, kw_only=True):
    interface: str
    duration: float | None = None
    """Seconds; None = until stopped."""
    filter: str = ""
    """Kernel filter in the words of tcpdump; only chooses what is read."""
    snaplen: int = 65_535
    every: float = 60.0
    """Seconds between checkpoints."""


class LiveSummary(Struct, frozen=True, kw_only=True):
    packets: int
    lost: int
    """Packets the kernel dropped because we were too slow (PACKET_STATISTICS)."""
    promiscuous: bool
    """False: the card shows only frames to this host, broadcast and multicast."""
    complete: bool
    """False: interrupted, the link went away, or packets were lost."""
    why: str = ""


class Live:
    """One capture of one interface into an engine. `stop` may be called from a signal handler."""

    def __init__(
        self,
        engine: Engine,
        options: LiveOptions,
        *,
        on_chunk: Callable[[Progress], None] | None = None,
        on_checkpoint: Callable[[], bool] | None = None,
    ) -> None:
        """`on_checkpoint`: called every minute between two chunks; False ends the capture (disk limit)."""
        self._engine = engine
        self._options = options
        self._on_chunk = on_chunk
        self._on_checkpoint = on_checkpoint
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._why = ""
        self._next = 0.0

    def stop(self, why: str = "interrupted") -> None:
        """End the capture; what arrived until now is still read."""
        self._why = self._why or why
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def run(self) -> LiveSummary:
        """Capture to the end. PrivilegeError where the kernel does not allow it."""
        self._loop = asyncio.get_running_loop()
        options = self._options
        helper = PacketHelper()
        await helper.start(_NOTHING_TO_SEND, neighbours=False)
        try:
            stream = await helper.capture(options.interface, options.filter, options.snaplen)
            source = open_descriptor(stream.fd, options.interface)
            reading = asyncio.create_task(
                asyncio.to_thread(self._engine.read, source, on_chunk=self._chunk, live=True)
            )
            waiting = asyncio.create_task(self._wait())
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            summary = await stream.stop()
            await reading
        finally:
            await helper.close()
        why = self._why
        if not why and not summary.complete:
            why = "packets were lost" if summary.dropped else "the link went away"
        return LiveSummary(
            packets=summary.answered,
            lost=summary.dropped,
            promiscuous=summary.promiscuous,
            complete=summary.complete and not self._why,
            why=why,
        )

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), self._options.duration)

    def _chunk(self, progress: Progress) -> None:
        """In the reading thread, after every buffer."""
        if self._on_chunk is not None:
            self._on_chunk(progress)
        assert self._loop is not None
        now = self._loop.time()
        if self._next == 0.0:
            self._next = now + self._options.every
        if self._on_checkpoint is not None and now >= self._next:
            self._next = now + self._options.every
            if not self._on_checkpoint():
                self.stop("the disk limit is reached")


def listen(
    engine: Engine,
    listener: TzspListener,
    *,
    duration: float | None = None,
    on_chunk: Callable[[Progress], None] | None = None,
) -> LiveSummary:
    """Read a mirror that arrives as datagrams until the time is over or Ctrl-C."""
    source = open_descriptor(listener.fd, "tzsp")
    reading = threading.Thread(
        target=engine.read, args=(source,), kwargs={"on_chunk": on_chunk, "live": True}
    )
    reading.start()
    why = ""
    try:
        reading.join(duration)
    except KeyboardInterrupt:
        why = "interrupted"
    listener.close()
    reading.join()
    if not why and listener.dropped:
        why = "packets were lost"
    return LiveSummary(
        packets=listener.datagrams,
        lost=listener.dropped,
        promiscuous=True,
        complete=not why,
        why=why,
    )


def watch(live: Live) -> LiveSummary:
    """Run to the end; Ctrl-C ends the capture, not the program."""
    import signal

    async def run() -> LiveSummary:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(signal.SIGINT, live.stop)
            loop.add_signal_handler(signal.SIGTERM, live.stop)
        return await live.run()

    return asyncio.run(run())
