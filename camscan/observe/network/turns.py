"""Which device may think next, so that packets and other devices never wait long for it?

Deciding what to ask costs a millisecond of computing; hundreds of devices become ready at once.
One at a time is let through per round of the event loop, so that sockets are served in between:
those with a conversation under way before those that have not begun.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Hands out turns in one event loop."""

    def __init__(self) -> None:
        self._talking: deque[asyncio.Future[None]] = deque()
        self._beginning: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    async def wait(self, *, talking: bool) -> None:
        """Returns when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        (self._talking if talking else self._beginning).append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        waiting = self._talking or self._beginning
        while waiting and waiting[0].done():  # cancelled meanwhile
            waiting.popleft()
            waiting = self._talking or self._beginning
        if not waiting:
            self._scheduled = False
            return
        waiting.popleft().set_result(None)
        asyncio.get_running_loop().call_soon(self._next)
