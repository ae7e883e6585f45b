"""What does the capture engine hand to whoever reads payloads, and how is it told what to hand over?

The engine decides with numpy, over whole chunks, which few packets are worth a look (`Gate`), and calls
`Feed` with each of them in capture order. A feed that answers True gets the following packets of the
same direction of that flow too, gate or not, until it answers False.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

HEAD = 16
"""Bytes of a payload that gates can see."""


class Ends(NamedTuple):
    """Who sent something to whom, and when; fields as in Packet."""

    at: float
    src: str
    dst: str
    sport: int
    dport: int
    src_mac: str | None
    dst_mac: str | None


class Packet(NamedTuple):
    """One TCP or UDP packet; of a mirror, the inner one."""

    at: float
    """UTC seconds since the epoch."""
    src: str
    """Text form."""
    dst: str
    sport: int
    dport: int
    transport: str
    """tcp | udp"""
    payload: bytes
    """As captured: shorter than `length` where the capture cut it. Reassembled where UDP was fragmented."""
    seq: int
    """TCP sequence number; 0 for UDP."""
    syn: bool
    """SYN set (the first payload byte of that direction has number seq + 1)."""
    src_mac: str | None
    """`aa:bb:cc:dd:ee:ff` of the frame the packet was in; None on links without MAC addresses."""
    dst_mac: str | None
    input_offset: int
    """Offset of the packet's record in its (decompressed) input."""
    length: int = 0
    """Payload bytes on the wire."""
    fin: bool = False
    """FIN or RST set."""
    source: int = 0
    """Number of the input, in the order they are read."""
    times: int = 1
    """Packets this one stands for: more than one only where it repeats one handed over before (`Gate.alike`);
    `at` is then the time of the last of them."""

    @property
    def ends(self) -> Ends:
        return Ends(self.at, self.src, self.dst, self.sport, self.dport, self.src_mac, self.dst_mac)


class Gate(Struct, frozen=True, kw_only=True):
    """Which packets to hand over. Everything stated must hold; at least ports or a pattern is stated."""

    id: str
    transport: str = ""
    """tcp | udp; empty = both."""
    ports: tuple[int, ...] = ()
    """Source or destination; empty = any."""
    offset: int = 0
    """Of the pattern in the payload; offset + len(pattern) <= HEAD."""
    pattern: bytes = b""
    """A pattern's first two bytes are found by one table look-up: let them be rare."""
    mask: bytes = b""
    """Same length as pattern; empty = all bits."""
    shortest: int = 1
    """Payload bytes on the wire, at least."""
    longest: int = 65_535
    alike: str = ""
    """Which packets of the same direction, addresses and server port say the same, so that only the first is
    handed over, and the number of the others at the end. Empty: none. UDP: `payload`: those of the same payload;
    `question`: the same without its first two bytes, a transaction number; `ends`: those that pass the same gates. TCP: `hello`: whole
    ClientHellos that name the same server and protocols; `sealed`: ServerHellos behind which nothing is
    in clear; not even the first is handed over."""


ALIKE = ("", "payload", "question", "hello", "sealed", "ends")
"""A packet that passes several gates is as the first of these says."""

Feed = Callable[[Packet], bool]
"""True: hand over the next packets of this direction of the flow as well."""


Again = Callable[[int, float], None]
"""The same was seen so often again, the last time at."""


Meaning = Callable[[Sequence[Ends]], list[tuple[Again, ...] | None]]
"""A datagram of a known payload was sent between these ends: what to call when it is repeated; None where it was not
counted, since between these ends it must be read. In whatever order it is told, the outcome is the same."""


@runtime_checkable
class Reader(Protocol):
    """A feed that need not read a packet twice."""

    def feed(self, packet: Packet) -> bool:
        """As `Feed`."""

    def again(self) -> tuple[Again, ...]:
        """What to call when the packet that was fed last is repeated."""

    def meaning(self, packet: Packet) -> Meaning | None:
        """What a datagram says whoever sends it; None where that is not all there is to it. It is not fed by this."""

    def passed(self, at: float) -> None:
        """TCP packets up to this time were counted without being fed."""


class Told:
    """Reader of a plain feed: told of repeats with one packet that stands for them all (`Packet.times`)."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._last: Packet | None = None

    def feed(self, packet: Packet) -> bool:
        self._last = packet
        return self._feed(packet)

    def again(self) -> tuple[Again, ...]:
        return () if self._last is None else (partial(_tell, self._feed, self._last),)

    def meaning(self, packet: Packet) -> Meaning | None:
        """A plain feed reads every packet."""
        del packet
        return None

    def passed(self, at: float) -> None:
        """A plain feed is not told."""


def _tell(feed: Feed, packet: Packet, times: int, at: float) -> None:
    feed(packet._replace(times=times, at=at))


def nothing(packet: Packet) -> bool:
    """The feed of a caller who wants flows only."""
    del packet
    return False
