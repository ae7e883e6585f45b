"""What time is it, in UTC, and can a test decide that?

The only module that reads the wall clock. Everything else is handed a `Clock`.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()  # noqa: TID251 - the one place that may


class FixedClock:
    """A clock for tests: stands still, moves only when told."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def iso(seconds: float) -> str:
    """`2026-11-23T22:30:01.250Z`: UTC, milliseconds, sorts as text."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def compact(seconds: float) -> str:
    """`20261123T223001Z`: for names of folders."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}"


def parse_iso(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (a date alone means 00:00 UTC); ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def day_of(text: str) -> date:
    """The UTC calendar day of an ISO time or date."""
    return datetime.fromtimestamp(parse_iso(text), UTC).date()
