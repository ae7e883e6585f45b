"""When may the next packet of a sweep leave?

Token buckets (all devices, each /24) and the AIMD rule: a sign of loss halves the rate, quiet
rounds add an eighth of the asked rate back (facts: scanning 3, port stage).
"""

from __future__ import annotations

import threading


class Bucket:
    """At most `rate` per second, at most `burst` at once."""

    __slots__ = ("burst", "level", "rate", "when")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = max(1.0, burst)
        # Starts with one: the first second must not hold a burst and a full second's worth.
        self.level = 1.0
        self.when = now

    def refill(self, now: float) -> float:
        """Whole and part tokens there are now."""
        self.level = min(self.burst, self.level + (now - self.when) * self.rate)
        self.when = now
        return self.level

    def wait(self, now: float, count: float = 1.0) -> float:
        """Seconds until `count` tokens are there."""
        missing = count - self.refill(now)
        return missing / self.rate if missing > 1e-9 else 0.0

    def take(self, count: float = 1.0) -> None:
        self.level -= count


class Ceiling:
    """What all SYN sweeps of one helper together may send: in all, and to one device.

    Sweeps run side by side; each keeps its own pace, this one holds whatever they are asked.
    """

    def __init__(self, total: float, per_host: float) -> None:
        self._gap = 1.0 / total
        self._spacing = 1.0 / per_host
        self._slack = 0.005
        self._next = 0.0
        self._hosts: dict[int, float] = {}
        self._lock = threading.Lock()

    def turn(self, host: int, now: float) -> float:
        """The earliest moment a SYN may leave to `host`; the place is taken."""
        with self._lock:
            start = max(self._next, now - self._slack)
            self._next = start + self._gap
            turn = max(now, start, self._hosts.get(host, 0.0))
            self._hosts[host] = turn + self._spacing
            return turn

    def sent(self, host: int, now: float) -> None:
        """It left at `now`, later than its turn where the sweep's own pace held it back."""
        with self._lock:
            self._hosts[host] = max(self._hosts.get(host, 0.0), now + self._spacing)


class Aimd:
    """The rate of all devices together, between a sixteenth of what was asked and that."""

    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.rate = asked
        self.backoffs = 0

    def lost(self) -> None:
        self.rate = max(self.asked / 16, self.rate / 2)
        self.backoffs += 1

    def quiet(self) -> None:
        self.rate = min(self.asked, self.rate + self.asked / 8)


class RoundTrip:
    """srtt += delta/8, rttvar += (|delta| - rttvar)/4 (RFC 6298, and nmap's timing.cc)."""

    def __init__(self) -> None:
        self.smoothed = 0.0
        self.variance = 0.0
        self.most = 0.0

    def add(self, sample: float) -> None:
        self.most = max(self.most, sample)
        if self.smoothed == 0.0:
            self.smoothed, self.variance = sample, sample / 2
            return
        delta = sample - self.smoothed
        self.smoothed += delta / 8
        self.variance += (abs(delta) - self.variance) / 4

    def wait(self, least: float, unknown: float, most: float) -> float:
        """How long answers are waited for after the last packet of a round; seconds."""
        if self.smoothed == 0.0:
            return unknown
        return min(most, max(least, self.smoothed + 4 * self.variance, 1.5 * self.most))
