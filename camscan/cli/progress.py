"""How does long work show on stderr that it is alive?

On a terminal: one status line, rewritten. Elsewhere: a line every few seconds, so logs stay readable.
"""

from __future__ import annotations

import sys
from typing import TextIO

from camscan.clock import Clock
from camscan.decode.text import clean

_TERMINAL_SECONDS = 0.1
_LOG_SECONDS = 5.0


class StatusLine:
    """Implements the engine's Progress."""

    def __init__(self, clock: Clock, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._quiet = quiet
        self._stages: dict[str, tuple[int, int]] = {}
        self._last_device = ""
        self._words = ""
        self._shown = 0.0
        self._width = 0

    def stage(self, name: str, done: int, total: int) -> None:
        """`done` of `total` in a stage; total 0 = not known yet."""
        self._stages[name] = (done, total)
        self._show()

    def text(self, text: str) -> None:
        """The whole line, in words of the caller."""
        self._words = clean(text)
        self._show()

    def device(self, address: str, text: str) -> None:
        """A device said something worth showing."""
        self._last_device = f"{address} {clean(text)}"[:60]
        self._show()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self._quiet:
            return
        self._erase()
        self._stream.write(f"camscan: {clean(text)}\n")
        self._stream.flush()

    def close(self) -> None:
        if not self._quiet and (self._stages or self._words) and not self._terminal:
            self._stream.write(f"camscan: {self._text()}\n")
        self._erase()
        self._stream.flush()

    def _text(self) -> str:
        if self._words:
            return self._words
        parts = [
            f"{name} {done}/{total}" if total else f"{name} {done}"
            for name, (done, total) in self._stages.items()
        ]
        return "  ".join([*parts, self._last_device]).rstrip()

    def _show(self) -> None:
        now = self._clock.now()
        every = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        if self._quiet or (0 <= now - self._shown < every):
            return
        if self._shown == 0.0 and not self._terminal:
            self._shown = now  # short work in a log stays silent
            return
        self._shown = now
        text = self._text()[:150]
        if self._terminal:
            padding = " " * max(0, self._width - len(text))
            self._stream.write(f"\r{text}{padding}")
            self._width = len(text)
        else:
            self._stream.write(f"camscan: {text}\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
