"""Which connection carries the next request to a device, and how long is its answer waited for?

A `Talk` is the conversation with one device: at most one open connection, kept for the next job
where the server offers it; one TLS handshake per port serves certificate, version and requests.
"""

from __future__ import annotations

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Job
from camscan.observe.wire import http
from camscan.observe.wire.answer import Answer, Means
from camscan.observe.wire.channel import Channel, connect
from camscan.observe.wire.pace import RoundTrip
from camscan.observe.wire.reading import Limits, Reading, SilentError, Stream, read
from camscan.observe.wire.tls import Handshake, TlsChannel

_GIVE_UP_MUTE = 2
_GIVE_UP_SPEAKING = 3
"""Silent or dripping ports after which a device is asked nothing more over TCP."""


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
        self._kept: Kept | None = None
        self._slow = False
        self._waited_out: set[int] = set()
        self._spoken: set[int] = set()
        """Ports that answered a request: silence there is slowness."""

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

    def limits(self, job: Job, *, slow: bool = False) -> Limits:
        """Time and size limits for the next answer of this device."""
        return Limits.of(self.means.budget, slow=job.slow or slow)

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
        try:
            seen = await stream.handshake(self.limits(job, slow=True))
        except BaseException:
            await stream.close()
            raise
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
                reading = await self._patiently(job, stream, message)
            except ObserveError as problem:
                await stream.close()
                if again and reused and problem.reason == Reason.ERROR:
                    continue  # the server had closed it meanwhile
                raise
            except BaseException:
                await stream.close()
                raise
            self._spoken.add(job.port)
            if reading.waited > self.means.budget.first_byte / 2:
                self._slow = True
            if reading.complete and http.keeps_alive(reading.data) and stream.alive:
                self.keep(job.port, stream)
            else:
                await stream.close()
            return reading
        raise ObserveError(Reason.ERROR, "closed without an answer")

    async def _patiently(self, job: Job, stream: Stream, message: bytes) -> Reading:
        """Wait with the slow budget, once per port, where nothing came in the normal one.

        On the same connection: a second one would cost the device more than our waiting.
        """
        limits = self.limits(job, slow=self._slow)
        try:
            return await http.exchange(stream, message, limits)
        except SilentError:
            longer = Limits.of(self.means.budget, slow=True)
            if (
                not (self.means.patient or job.port in self._spoken)
                or job.port in self._waited_out
                or longer.first_byte <= limits.first_byte
                or not stream.alive
            ):
                raise
            self._waited_out.add(job.port)
            return await read(stream, http.ending, longer, foreign=http.foreign)


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
