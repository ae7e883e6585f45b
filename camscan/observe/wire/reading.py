"""When is an answer complete, and when is waiting for it over?

Deadlines for the first byte and for the whole, a size cap, and a least throughput: slow, endless
and silent servers cost their budget and nothing more (facts: scanning 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.pace import Budget


class Stream(Protocol):
    """What readers need of a connection, plain or through TLS."""

    received: bytearray

    @property
    def ended(self) -> bool: ...
    @property
    def alive(self) -> bool: ...
    def send(self, data: bytes) -> None: ...
    async def more(self, deadline: float) -> bool: ...
    def take(self, count: int) -> bytes: ...
    async def close(self) -> None: ...


class SilentError(ObserveError):
    """Not one byte came within the first-byte budget."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Reason.TIMEOUT, f"no answer within {seconds:.1f} s")


class TarpitError(ObserveError):
    """Bytes come too slowly to ever be an answer."""

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(Reason.TIMEOUT, f"tarpit: {count} bytes in {seconds:.1f} s")


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of one answer; seconds and bytes."""

    first_byte: float
    total: float
    cap: int
    drip_after: float
    drip_bytes: int
    idle: float
    """Seconds of silence after which bytes of another protocol are taken to be all."""

    @classmethod
    def of(cls, budget: Budget, *, slow: bool = False, first_byte: float | None = None) -> Limits:
        """`first_byte`: where the device has been measured; `slow`: the budgets of slow ones."""
        if first_byte is None:
            first_byte = budget.slow_first_byte if slow else budget.first_byte
        return cls(
            first_byte=first_byte,
            total=budget.slow_total if slow else budget.total,
            cap=budget.cap,
            drip_after=budget.drip_after,
            drip_bytes=budget.drip_bytes,
            idle=budget.idle,
        )


class Reading(Struct, frozen=True, kw_only=True):
    """What was read. `complete`: the message ended by its own rules, or with the connection."""

    data: bytes
    complete: bool
    capped: bool = False
    waited: float = 0.0
    """Seconds until the first byte."""


Ending = Callable[[bytearray], int | None]
"""Length of the whole message at the front of the bytes, None while it is not complete."""


async def read(
    stream: Stream,
    ending: Ending,
    limits: Limits,
    *,
    idle: float | None = None,
    foreign: Callable[[bytearray], bool] | None = None,
) -> Reading:
    """Read one message.

    `idle`: a pause of this many seconds after the first byte also ends it (for servers that
    talk without framing). `foreign` tells bytes of another protocol than the expected one:
    they are ended by a pause too. Returns what came when the total runs out or the cap is reached.
    Raises SilentError, TarpitError, ObserveError(error) when closed without a byte.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    first: float | None = None
    framed = idle is None
    heard = started
    while True:
        now = loop.time()
        if stream.received:
            if first is None:
                first = now
            whole = ending(stream.received)
            if whole is not None:
                return Reading(
                    data=stream.take(min(whole, limits.cap)),
                    complete=whole <= limits.cap,
                    capped=whole > limits.cap,
                    waited=first - started,
                )
            if len(stream.received) >= limits.cap:
                return Reading(
                    data=stream.take(limits.cap),
                    complete=False,
                    capped=True,
                    waited=first - started,
                )
            if idle is None and foreign is not None and foreign(stream.received):
                idle = limits.idle
            if (
                framed
                and now - first >= limits.drip_after
                and len(stream.received) < limits.drip_bytes
            ):
                raise TarpitError(len(stream.received), now - first)
        if stream.ended:
            if first is None:
                raise ObserveError(Reason.ERROR, "closed without an answer")
            return Reading(
                data=stream.take(len(stream.received)),
                complete=True,
                waited=first - started,
            )
        deadline = started + limits.total
        if first is None:
            deadline = min(deadline, started + limits.first_byte)
        elif idle is not None:
            deadline = min(deadline, now + idle)
            if framed and now < first + limits.drip_after:
                deadline = min(deadline, first + limits.drip_after)
        elif now < first + limits.drip_after:
            deadline = min(deadline, first + limits.drip_after)
        try:
            await stream.more(deadline)
            heard = loop.time()
        except TimeoutError:
            now = loop.time()
            if first is None:
                if stream.received:
                    continue
                raise SilentError(now - started) from None
            silent_for = now - heard
            if now >= started + limits.total or (idle is not None and silent_for >= idle * 0.99):
                return Reading(
                    data=stream.take(len(stream.received)),
                    complete=idle is not None,
                    waited=first - started,
                )
