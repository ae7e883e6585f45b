"""Which ClientHellos do the Initial packets of QUIC clients hold, over as many datagrams as it takes?

A client goes on to send Initials when its hello is whole: they acknowledge the server's and hold no hello.
"""

from __future__ import annotations

from collections import OrderedDict

from camscan.decode.client_hello import ClientHello
from camscan.decode.quic import HelloPieces
from camscan.errors import DecodeError
from camscan.observe.traffic.packet import Packet

NOT_WHOLE = "QUIC handshakes that were not whole"
_NOT_OPENED = "QUIC handshakes that could not be opened"

_Key = tuple[str, int, str, int]


class Initials:
    """Hellos under way, and the flows whose hello was whole; at most so many of each, the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: OrderedDict[_Key, HelloPieces] = OrderedDict()
        self._greeted: OrderedDict[_Key, bytes] = OrderedDict()
        """Connection id that opened the hello of a flow."""

    @property
    def wanted(self) -> frozenset[_Key]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return frozenset(self._pieces)

    def is_waiting(self, packet: Packet) -> bool:
        """Whether the hello of the packet's flow is not whole yet."""
        return _key(packet) in self._pieces

    def feed(self, packet: Packet) -> tuple[ClientHello | None, str]:
        """(the hello that this datagram makes whole, what could not be examined in words)."""
        key = _key(packet)
        known = self._greeted.get(key, b"")
        pieces = self._pieces.get(key) or HelloPieces(known)
        try:
            hello = pieces.add(packet.payload)
        except DecodeError:
            self._pieces.pop(key, None)
            # What a server sends is under keys of its own.
            return None, _NOT_OPENED if packet.sport >= packet.dport else ""
        if hello is not None:
            self._pieces.pop(key, None)
            self._greeted[key] = pieces.connection
            self._greeted.move_to_end(key)
            if len(self._greeted) > self._most:
                self._greeted.popitem(last=False)
            return hello, ""
        if known and pieces.connection == known:
            return None, ""
        self._pieces[key] = pieces
        if len(self._pieces) <= self._most:
            return None, ""
        self._pieces.popitem(last=False)
        return None, NOT_WHOLE


def _key(packet: Packet) -> _Key:
    return packet.src, packet.sport, packet.dst, packet.dport
