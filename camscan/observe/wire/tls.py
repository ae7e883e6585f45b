"""What does a device show of itself in a TLS handshake, down to TLS 1.0?

One context for all devices: nothing is verified, nothing is refused; old ciphers and small keys
are what an audit must be able to see (facts: scanning 3, TLS). No SNI: devices are addresses.
The handshake runs over memory buffers, so the server's clear bytes stay readable where OpenSSL
gives up after ServerHello.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import warnings

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.channel import Channel
from camscan.observe.wire.reading import Limits, SilentError

_LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT; `ssl` names it only from Python 3.12 on."""
_FLIGHT = 32 * 1024
"""Clear bytes of the server kept from the handshake."""


class Handshake(Struct, frozen=True, kw_only=True):
    """What one completed handshake showed."""

    version: str
    cipher: str
    certificate: bytes | None
    """DER; None for anonymous suites."""


class HandshakeError(ObserveError):
    """OpenSSL gave up. `flight`: the server's bytes so far, in clear up to TLS 1.2."""

    def __init__(self, detail: str, flight: bytes) -> None:
        super().__init__(Reason.ERROR, detail)
        self.flight = flight


@functools.cache
def context() -> ssl.SSLContext:
    """The one lenient client context."""
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is what is looked for
        lenient.minimum_version = ssl.TLSVersion.TLSv1
    try:
        lenient.set_ciphers("ALL:@SECLEVEL=0")
    except ssl.SSLError:  # a build without the lowest level: the hand-made hello remains
        lenient.set_ciphers("ALL")
    lenient.options |= _LEGACY_SERVER_CONNECT
    return lenient


class TlsChannel:
    """TLS over a Channel; same reading interface as the channel itself."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.received = bytearray()
        self.handshake_seen: Handshake | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context().wrap_bio(self._incoming, self._outgoing, server_side=False)
        self._flight = bytearray()
        self._ended = False

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def alive(self) -> bool:
        return not self._ended and self.channel.alive

    async def handshake(self, limits: Limits) -> Handshake:
        """Raises HandshakeError, SilentError, or ObserveError(timeout)."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            try:
                self._tls.do_handshake()
                self._flush()
                break
            except ssl.SSLWantReadError:
                self._flush()
            except (ssl.SSLError, ValueError) as problem:
                self._flush(quietly=True)
                raise HandshakeError(_words(problem), bytes(self._flight)) from None
            deadline = started + (limits.total if self._flight else limits.first_byte)
            try:
                await self._pull(deadline)
            except TimeoutError:
                if not self._flight:
                    raise SilentError(loop.time() - started) from None
                raise ObserveError(
                    Reason.TIMEOUT, f"TLS handshake not finished in {limits.total:.1f} s"
                ) from None
            if self.channel.ended and not self.channel.received and not self._incoming.pending:
                self._incoming.write_eof()
        cipher = self._tls.cipher()
        self.handshake_seen = Handshake(
            version=self._tls.version() or "",
            cipher=cipher[0] if cipher else "",
            certificate=self._tls.getpeercert(binary_form=True),
        )
        self._flight.clear()
        return self.handshake_seen

    def send(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as problem:
            raise ObserveError(Reason.ERROR, _words(problem)) from None
        self._flush()

    async def more(self, deadline: float) -> bool:
        """As `Channel.more`, for decrypted bytes."""
        while True:
            if self._decrypt():
                return True
            if self._ended:
                return False
            if self.channel.ended and not self.channel.received:
                self._ended = True
                return False
            await self._pull(deadline)

    def take(self, count: int) -> bytes:
        data = bytes(self.received[:count])
        del self.received[:count]
        return data

    async def close(self) -> None:
        """Without close_notify: the FIN follows at once and nothing more is wanted."""
        self._ended = True
        await self.channel.close()

    async def _pull(self, deadline: float) -> None:
        if not self.channel.received:
            await self.channel.more(deadline)
        data = self.channel.take(len(self.channel.received))
        if self.handshake_seen is None and len(self._flight) < _FLIGHT:
            self._flight += data[: _FLIGHT - len(self._flight)]
        if data:
            self._incoming.write(data)

    def _decrypt(self) -> bool:
        got = False
        try:
            while len(self.received) < _FLIGHT * 4:
                piece = self._tls.read(16384)
                if not piece:
                    self._ended = True
                    break
                self.received += piece
                got = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # close_notify, or a broken record: nothing more can be read
            self._ended = True
        self._flush(quietly=True)
        return got

    def _flush(self, *, quietly: bool = False) -> None:
        data = self._outgoing.read()
        if not data:
            return
        if quietly and not self.channel.alive:
            return
        try:
            self.channel.send(data)
        except ObserveError:
            # While shaking hands the reader notices the end and reports it with the flight.
            self._ended = self.handshake_seen is not None


def _words(problem: Exception) -> str:
    reason = getattr(problem, "reason", None)
    return f"TLS: {reason or problem}".replace("_", " ").lower().replace("tls:", "TLS:")
