"""How are the first bytes of one direction of a TCP flow put together, within bounds?

Segments may come twice, late, or overlap; nothing before the first segment that was handed over is
wanted, and nothing beyond the limit.
"""

from __future__ import annotations

from msgspec import Struct, field

from camscan.observe.traffic.packet import Packet

_MAX_SEGMENTS = 64
_DNS = 53


class Stream(Struct, array_like=True):
    """The head of a stream from the sequence number of its first segment on."""

    base: int
    """Sequence number of the first byte."""
    first: float
    """Time of the first segment."""
    limit: int
    """Most bytes that are put together."""
    begin: Packet | None = None
    """The packet that began it, for whoever has to say whose it was."""
    data: bytearray = field(default_factory=bytearray)
    later: dict[int, bytes] = {}
    """Segments behind a gap, by their place."""
    over: bool = False
    """No more can be added: the limit is reached or too many segments are missing."""
    short: bool = False
    """The capture cut a segment (snap length): what follows it can never be whole."""

    def add(self, seq: int, payload: bytes, *, cut: bool = False) -> None:
        """Take in one segment."""
        place = (seq - self.base) & 0xFFFFFFFF
        if place >= self.limit:
            # Behind the limit, or before the first segment: neither is wanted.
            self.over = self.over or place < 0x80000000
            return
        self.short = self.short or cut
        if len(payload) > len(self.later.get(place, b"")):
            self.later[place] = payload
        for start in sorted(self.later):
            if start > len(self.data):
                break
            piece = self.later.pop(start)
            if start + len(piece) > len(self.data):
                self.data[start:] = piece
        if len(self.data) >= self.limit:
            del self.data[self.limit :]
            self.over = True
        if len(self.later) > _MAX_SEGMENTS:
            self.over = True

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.data) + sum(map(len, self.later.values()))


def starts_something(packet: Packet) -> bool:
    """Whether the first bytes are those of a DNS message, a TLS handshake or a text request."""
    head = packet.payload[:8]
    if _DNS in {packet.sport, packet.dport}:
        return True
    if head[:1] == b"\x16":
        return len(head) < 3 or head[1] == 3
    word = head.partition(b" ")[0]
    return word.replace(b"_", b"").isalpha() and word.isupper() and len(word) > 2
