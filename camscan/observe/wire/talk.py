"""Which connection carries the next request to a device, and how long is its answer waited for?

A `Talk` is the conversation with one device: at most one open connection, kept for the next job
where the server offers it; one TLS handshake per port serves certificate, version and requests.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Job
from camscan.observe.wire import http
from camscan.observe.wire.answer import Answer, Means
from camscan.observe.wire.channel import Channel, connect
from camscan.observe.wire.pace import RoundTrip
from camscan.observe.wire.reading import Limits, Reading, Stream
from camscan.observe.wire.tls import Handshake, TlsChannel

_GIVE_UP_MUTE = 2
_GIVE_UP_SPEAKING = 3
"""Silent or dripping ports after which a device is asked nothing more over TCP."""


_SLOW = 0.75
"""Seconds to the first byte from which a device counts as slow."""


class Kept(Struct, frozen=True):
    """A connection that may carry another request."""

    port: int
    tls: bool
    stream: Channel | TlsChannel


class Talk:
    """The conversation with one device. Not for concurrent use."""

    def __init__(self, means: Means, address: str) -> None:
        self.means = means
        self.address = address
        self.rtt = RoundTrip()
        self.given_up: dict[int, str] = {}
        """TCP ports not worth another request, with what was seen: silent, tarpit."""
        self.tls_seen: dict[int, tuple[Answer, ...]] = {}
        """Certificate and version per port, from its first handshake."""
        self.tls_told: set[int] = set()
        """Ports whose `tls_seen` has been handed out."""
        self.answered = False
        """Whether any TCP job was answered."""
        self.not_http: set[int] = set()
        """Ports where a request was answered in another protocol."""
        self.slowest: float | None = None
        """Longest wait for the first byte of an answer, seconds; None: never answered."""
        self.handshakes: dict[int, float] = {}
        """Port -> seconds its TLS handshake took."""
        self._kept: Kept | None = None
        self._waited_out = False
        self._answers = 0
        self._waited = 0.0

    async def close(self) -> None:
        """End the kept connection, if any."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.stream.close()

    def adopt(self, port: int, channel: Channel) -> None:
        """Use a connection the port stage has opened for the next job on that port."""
        self.rtt.add(channel.rtt)
        self._kept = Kept(port, False, channel)

    @property
    def kept_port(self) -> int | None:
        return None if self._kept is None else self._kept.port

    @property
    def hopeless(self) -> bool:
        """A tarpit on several ports must cost one budget, not one per port."""
        return len(self.given_up) >= (_GIVE_UP_SPEAKING if self.answered else _GIVE_UP_MUTE)

    @property
    def slow(self) -> bool:
        """Measured as slow: its answers take about a second."""
        slowest = max(self.slowest or 0.0, *self.handshakes.values(), 0.0)
        return slowest > _SLOW

    def price(self, job: Job) -> float:
        """Seconds the next question to that port is expected to cost."""
        expected = self.slowest or 0.0
        if job.tls and not (self._kept is not None and self._kept.port == job.port):
            expected += self.handshakes.get(job.port, 0.0)
        return expected

    def costly(self, job: Job) -> bool:
        """Whether it would cost about a second or more."""
        return job.transport == "tcp" and self.price(job) > _SLOW

    def measured(self, waited: float) -> None:
        """An answer came after `waited` seconds, counted from the request."""
        self.slowest = waited if self.slowest is None else max(self.slowest, waited)
        self._answers += 1
        self._waited += waited
        self.answered = True

    def limits(self, job: Job, *, slow: bool = False, speaks_first: bool = False) -> Limits:
        """Time and size limits for the next answer of this device.

        A device that was never heard gets the slow budget once; one that was measured gets what
        its own answers need (facts: scanning 3, adaptive). `speaks_first`: a greeting may take
        longer than any answer (a server that looks our name up).
        """
        budget = self.means.budget
        if job.slow or slow:
            return Limits.of(budget, slow=True)
        if self.slowest is None:
            return Limits.of(budget, slow=not self._waited_out)
        # The mean: one answer that came late because this machine was busy says little.
        within = budget.answer_within(self._waited / self._answers)
        if speaks_first:
            within = max(within, budget.first_byte)
        return Limits.of(budget, slow=self.slowest > _SLOW, first_byte=within)

    def waited_out(self) -> None:
        """A port that accepted the connection said nothing within its limits."""
        self._waited_out = True

    async def plain(self, port: int) -> Channel:
        """The kept connection to that port, else a new one. ObserveError as `connect`."""
        kept, self._kept = self._kept, None
        if kept is not None:
            if (
                (kept.port, kept.tls) == (port, False)
                and isinstance(kept.stream, Channel)
                and kept.stream.alive
            ):
                return kept.stream
            await kept.stream.close()
        budget = self.means.budget
        channel = await connect(
            self.means.gate,
            self.address,
            port,
            budget=budget,
            timeout=budget.connect_within(self.rtt.smoothed),
            source=self.means.source,
        )
        self.rtt.add(channel.rtt)
        return channel

    async def secure(self, job: Job) -> TlsChannel:
        """The kept TLS connection to the job's port, else a new handshake.

        With the slow budget: old chips take seconds for it (facts: scanning 3). HandshakeError
        where OpenSSL gives up.
        """
        kept = self._kept
        if (
            kept is not None
            and (kept.port, kept.tls) == (job.port, True)
            and isinstance(kept.stream, TlsChannel)
            and kept.stream.alive
        ):
            self._kept = None
            return kept.stream
        stream = TlsChannel(await self.plain(job.port))
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            seen = await stream.handshake(self.limits(job, slow=True))
        except BaseException:
            await stream.close()
            raise
        self.handshakes[job.port] = loop.time() - started
        self.tls_seen.setdefault(job.port, handshake_answers(job.port, seen))
        return stream

    async def stream(self, job: Job) -> Stream:
        return await self.secure(job) if job.tls else await self.plain(job.port)

    def keep(self, port: int, stream: Stream) -> None:
        """Hold a connection for the next job."""
        if isinstance(stream, Channel | TlsChannel):
            self._kept = Kept(port, isinstance(stream, TlsChannel), stream)

    async def fetch(self, job: Job, message: bytes) -> Reading:
        """One HTTP request on a kept or new connection; once more if a kept one had died."""
        for again in (True, False):
            kept = self._kept
            reused = kept is not None and (kept.port, kept.tls) == (job.port, job.tls)
            stream = await self.stream(job)
            try:
                await self.means.gate.request(self.address, job.port, len(message))
                reading = await http.exchange(stream, message, self.limits(job))
            except http.NotHttpError:
                await stream.close()
                raise
            except ObserveError as problem:
                await stream.close()
                if again and reused and problem.reason == Reason.ERROR:
                    continue  # the server had closed it meanwhile
                raise
            except BaseException:
                await stream.close()
                raise
            self.measured(reading.waited)
            if reading.complete and http.keeps_alive(reading.data) and stream.alive:
                self.keep(job.port, stream)
            else:
                await stream.close()
            return reading
        raise ObserveError(Reason.ERROR, "closed without an answer")


def handshake_answers(port: int, seen: Handshake) -> tuple[Answer, ...]:
    """Certificate (DER) and `version=... cipher=...` of one handshake."""
    answers = [
        Answer(
            kind=Kind.TLS,
            response=f"version={seen.version} cipher={seen.cipher}".encode("ascii", "replace"),
            port=port,
            request="ClientHello",
            tls=True,
        )
    ]
    if seen.certificate:
        answers.append(
            Answer(
                kind=Kind.HTTPS_CERT,
                response=seen.certificate,
                port=port,
                request="ClientHello",
                tls=True,
            )
        )
    return tuple(answers)
