"""Which ClientHellos do the Initial packets of QUIC clients hold, over as many datagrams as it takes?

A client goes on to send Initials when its hello is whole: they acknowledge the server's and hold no hello.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress

from camscan.decode.client_hello import ClientHello
from camscan.decode.quic import HelloPieces
from camscan.errors import DecodeError
from camscan.observe.traffic.packet import Packet

NOT_WHOLE = "QUIC handshakes that were not whole"
NOT_OPENED = "QUIC handshakes that could not be opened"
_MOST_UNOPENED = 256

_Key = tuple[str, int, str, int]


class Initials:
    """Hellos under way, and the flows whose hello was whole; at most so many of each, the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.pieces: OrderedDict[_Key, HelloPieces] = OrderedDict()
        self.greeted: OrderedDict[_Key, bytes] = OrderedDict()
        """Connection id that opened the hello of a flow."""
        self.unopened: list[tuple[_Key, bytes]] = []
        """The first datagrams that could not be opened."""

    @property
    def wanted(self) -> frozenset[_Key]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return frozenset(self.pieces)

    def is_waiting(self, packet: Packet) -> bool:
        """Whether the hello of the packet's flow is not whole yet."""
        return _key(packet) in self.pieces

    def feed(self, packet: Packet) -> tuple[ClientHello | None, str]:
        """(the hello that this datagram makes whole, what could not be examined in words)."""
        key = _key(packet)
        known = self.greeted.get(key, b"")
        pieces = self.pieces.get(key) or HelloPieces(connection=known)
        try:
            hello = pieces.add(packet.payload)
        except DecodeError:
            self.pieces.pop(key, None)
            if packet.sport < packet.dport:
                return None, ""  # what a server sends is under keys of its own
            if len(self.unopened) < _MOST_UNOPENED:
                self.unopened.append((key, packet.payload))
            return None, NOT_OPENED
        if hello is not None:
            self.pieces.pop(key, None)
            self.greet(key, pieces.connection)
            return hello, ""
        if known and pieces.connection == known:
            return None, ""
        self.pieces[key] = pieces
        if len(self.pieces) <= self._most:
            return None, ""
        self.pieces.popitem(last=False)
        return None, NOT_WHOLE

    def greet(self, key: _Key, connection: bytes) -> None:
        """The hello of a flow was whole."""
        self.greeted[key] = connection
        self.greeted.move_to_end(key)
        if len(self.greeted) > self._most:
            self.greeted.popitem(last=False)

    def later_opened(self, waiting: Iterable[tuple[_Key, bytes]]) -> int:
        """How many datagrams that another reader could not open are those of flows that greeted here."""
        count = 0
        for key, datagram in waiting:
            if key in self.greeted:
                with suppress(DecodeError):
                    HelloPieces(connection=self.greeted[key]).add(datagram)
                    count += 1
        return count


def _key(packet: Packet) -> _Key:
    return packet.src, packet.sport, packet.dst, packet.dport
