"""Do the datagrams of one direction make a run of RTP or SRTP media (RFC 3550 section 5.1, RFC 3711 section 3.1)?

The head of SRTP is in clear and the same as RTP's, so the two are not told apart. One packet proves nothing: a version
of two bits is all that is fixed. A run does: one source number, sequence numbers that go on by small steps.
"""

from __future__ import annotations

from msgspec import Struct

ENOUGH = 8
"""Packets of one source in sequence."""
MOST = 96
"""Packets after which a direction without a run is left."""
_SOURCES = 8
_STEP = 64
_HEAD = 12


class Run(Struct, array_like=True):
    """Feed datagrams of one direction in order; what goes between (STUN, DTLS, RTCP) is told by RFC 7983."""

    sources: dict[int, tuple[int, int, int]] = {}
    """Source -> (last sequence number, last time stamp, packets in sequence)"""
    seen: int = 0
    found: int = 0
    """Packets of the run, 0 while there is none."""
    over: bool = False

    def add(self, data: bytes) -> bool:
        """Take in one datagram; True once there is a run."""
        self.seen += 1
        self.over = self.over or self.seen > MOST
        if self.over or self.found or not data:
            return self.found > 0
        inner = _of_channel(data)
        if inner is not None:
            data = inner
        first = data[0] if data else 0
        if not 128 <= first <= 191:
            # 0-3 STUN, 20-63 DTLS; anything else does not share a port with media.
            self.over = not (first <= 3 or 20 <= first <= 63)
            return False
        if len(data) < _HEAD or 64 <= data[1] & 0x7F <= 95:
            return False  # RTCP (RFC 5761 section 4)
        return self._media(data)

    def _media(self, data: bytes) -> bool:
        source = int.from_bytes(data[8:12], "big")
        number, stamp = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
        before = self.sources.get(source)
        if before is None:
            self.over = len(self.sources) >= _SOURCES
            self.sources[source] = (number, stamp, 1)
            return False
        step = number - before[0] & 0xFFFF
        if not 0 < step <= _STEP or stamp - before[1] & 0xFFFF_FFFF > 0x7FFF_FFFF:
            return False  # late or twice; a source of another kind never goes on
        self.sources[source] = (number, stamp, before[2] + 1)
        if before[2] + 1 >= ENOUGH:
            self.found = before[2] + 1
        return self.found > 0


def _of_channel(data: bytes) -> bytes | None:
    """What a relay carries in a channel (RFC 8656 section 12.4), None where it is no channel data."""
    if len(data) < 4 or not 0x40 <= data[0] <= 0x4F:
        return None
    size = int.from_bytes(data[2:4], "big")
    return data[4 : 4 + size] if size <= len(data) - 4 <= size + 3 else None
