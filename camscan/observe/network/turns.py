"""Which device may think next, so that packets and other devices never wait long for it?

Deciding what to ask costs a millisecond of computing; hundreds of devices become ready at once.
One at a time is let through per round of the event loop, so that sockets are served in between.
Devices known to be slow come first, then those never asked: their answers take time that the
others can use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum


class Urgency(IntEnum):
    SLOW = 0
    BEGINNING = 1
    TALKING = 2


class Turns:
    """Hands out turns in one event loop."""

    def __init__(self) -> None:
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in Urgency)
        self._scheduled = False

    async def wait(self, urgency: Urgency) -> None:
        """Returns when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[urgency].append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        for queue in self._waiting:
            while queue:
                turn = queue.popleft()
                if not turn.done():  # else cancelled meanwhile
                    turn.set_result(None)
                    asyncio.get_running_loop().call_soon(self._next)
                    return
        self._scheduled = False
