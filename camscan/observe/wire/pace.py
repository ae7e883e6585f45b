"""How fast may each kind of packet leave, and how long is an answer waited for?

Rates: facts scanning 2.6 (polite defaults) and 3 (budgets); the rates of `fast` are what a
laboratory network took without loss (facts: scanning 2.1).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

CONNECTIONS_PER_DEVICE = 12
"""Completed handshakes per address in one scan (DESIGN rule 10)."""
PROBES_PER_SECOND = 40
"""SYN, datagrams and requests to one device in any second (DESIGN rule 10)."""
PROBE_RATE = 26
"""Sustained probes per second to one device."""
SWEPT_RATE, SWEPT_BURST = 8, 2
"""Probes per second beside a sweep of the device's other ports, which takes the rest."""
SWEEP_RATE = 24
"""SYN per second to a device that is asked other questions meanwhile."""
PROBE_BURST = 4
"""Probes that may leave at once. Rate and burst stay below PROBES_PER_SECOND together, with room
for the kernel's own SYN repeats and for packets a busy machine sends late."""
RESPONSE_CAP = 64 * 1024
"""Bytes kept of one answer, head and body together."""


class Speed(StrEnum):
    POLITE = "polite"
    NORMAL = "normal"
    FAST = "fast"


class Pace(Struct, frozen=True, kw_only=True):
    """Global and per-device rates; packets per second, seconds."""

    arp: int
    """ARP or neighbour solicitations per second; they reach every device of the segment."""
    syn: int
    """SYN and connection attempts per second, all devices together."""
    syn_per_host: int
    datagrams: int
    """Unicast UDP searches per second, all devices together."""
    hosts: int
    """Devices talked to at the same time, one connection each."""
    gap: float
    """Seconds between the end of a connection and the next one to the same device."""
    repeats: int
    """How often a group search message is sent."""
    repeat_span: float
    """Seconds from the first to the last repeat."""
    window: float
    """Seconds answers to group messages are waited for after the last repeat."""
    listen: float
    """Seconds in which devices that announce themselves every few seconds are heard."""


# 36 SYN/s per host in `fast` stays below the 40 of rule 10 with the exchanges that follow.
PACES: dict[Speed, Pace] = {
    Speed.POLITE: Pace(
        arp=500, syn=2000, syn_per_host=25, datagrams=500, hosts=32, gap=0.05,
        repeats=3, repeat_span=2.0, window=2.0, listen=10.0,
    ),
    Speed.NORMAL: Pace(
        arp=2000, syn=10_000, syn_per_host=30, datagrams=2000, hosts=128, gap=0.02,
        repeats=3, repeat_span=1.2, window=1.5, listen=7.5,
    ),
    Speed.FAST: Pace(
        arp=20_000, syn=50_000, syn_per_host=36, datagrams=20_000, hosts=768, gap=0.0,
        repeats=2, repeat_span=0.6, window=1.0, listen=5.2,
    ),
}  # fmt: skip


class Budget(Struct, frozen=True, kw_only=True):
    """Time and size limits of one exchange; seconds and bytes."""

    connect: float = 1.5
    """Without a measured round trip; with one it is 4 x RTT + 1 s."""
    first_byte: float = 1.5
    total: float = 3.0
    """On further ports of a device that never answered."""
    least_first_byte: float = 1.5
    """A device that has been measured is waited for 0.3 s + 4 x its mean answer, at least this."""
    slow_first_byte: float = 5.0
    """Once, for the first question to a device; and for one measured as slow."""
    slow_total: float = 8.0
    cap: int = RESPONSE_CAP
    drip_after: float = 2.0
    """Fewer than `drip_bytes` this long after the first byte is a tarpit."""
    drip_bytes: int = 100
    idle: float = 0.3
    """A server that speaks first is taken to have finished after this silence."""
    close_wait: float = 0.05
    """How long the other side's FIN is waited for, so that two connections never overlap."""
    datagram: float = 1.0
    """Wait for the answer of one unicast datagram; asked twice."""
    host: float = 20.0
    """All exchanges with one device together."""
    slow_jobs: int = 16
    """Questions over TCP to a device measured as slow, after its first answer."""

    def connect_within(self, rtt: float | None) -> float:
        return self.connect if rtt is None else min(self.connect * 2, 4 * rtt + 1.0)

    def answer_within(self, typical: float) -> float:
        """First-byte budget of a device whose answers take `typical` seconds."""
        return min(self.slow_first_byte, max(self.least_first_byte, 0.3 + 4 * typical))


# A laboratory, or a network whose owner is in a hurry: the slowest personas of facts: scanning 5
# (1.2 s to the first byte) and real cameras (20-300 ms, scanning 2.6) are inside these.
HURRIED = Budget(
    first_byte=1.5, least_first_byte=1.0, slow_first_byte=4.0, slow_total=6.0, idle=0.15,
    datagram=0.6, slow_jobs=1,
)  # fmt: skip


class RoundTrip:
    """Smoothed round-trip time as in RFC 6298; seconds."""

    __slots__ = ("smoothed", "variance")

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self.variance = 0.0

    def add(self, sample: float) -> None:
        if self.smoothed is None:
            self.smoothed, self.variance = sample, sample / 2
            return
        delta = sample - self.smoothed
        self.smoothed += delta / 8
        self.variance += (abs(delta) - self.variance) / 4

    def timeout(self, least: float, most: float) -> float:
        """Wait for one answer; `most` while nothing has been measured."""
        if self.smoothed is None:
            return most
        return min(most, max(least, self.smoothed + 4 * self.variance))
