"""Which side of a conversation is the client?

In this order, the first that decides:
1. who opened it: the sender of SYN, or the other side of a SYN-ACK (RFC 9293);
2. an address and port that was seen to be opened to before in this capture is a server;
3. whoever sends to a multicast or broadcast address is the client; the last address of an inside /24 that never
   answers counts as its broadcast (one that sends is a host of a larger net);
4. a well-known server port (below 1024, or one of SERVER_PORTS) against one that is not is the server;
5. the side inside the network against one outside is the client;
6. the lower port is the server; where they are equal, who sent first is the client.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import FAMILY6, TCP, Bytes, Keys
from camscan.observe.traffic.flows import Paired
from camscan.observe.traffic.places import GROUP, INSIDE, OUTSIDE, Places
from camscan.observe.traffic.table import PairTable

SERVER_PORTS = (
    *range(1, 1024), 1883, 1900, 1935, 2020, 3478, 3702, 5000, 5060, 5349, 5353, 5355, 6667,
    7070, 7443, 8000, 8080, 8081, 8200, 8443, 8554, 8800, 8802, 8803, 8877, 8883, 8888, 9000,
    9010, 9020, 9999, 10554, 19302, 30005, 32100, 32101, 32102, 32108, 32761, 34567, 34569,
    37008, 37777, 37778, 37810, 51701,
)  # fmt: skip
"""IANA well-known ports, and those camera services listen on (facts: traffic 4, discovery)."""

OPENED, ANSWERED = 1, 2
_32, _16 = np.uint64(32), np.uint64(16)
_LOW32, _LOW16 = np.uint64(0xFFFF_FFFF), np.uint64(0xFFFF)
_MOST_SERVERS = 1 << 17

_is_server = np.zeros(65_536, np.bool_)
_is_server[list(SERVER_PORTS)] = True


class Roles:
    """Decides, and remembers which endpoints were opened to."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._servers = PairTable(_MOST_SERVERS)

    def source_is_client(
        self,
        a: Keys,
        b: Keys,
        marks: tuple[Bytes, Bytes],
        first: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> NDArray[np.bool_]:
        """Per conversation, given as the five-tuple of one direction.

        `marks` and `first`: what this direction showed and the other one (0 and inf where it was silent).
        """
        there, back = marks
        source, target = a >> _32, a & _LOW32
        source_port, target_port = (
            (b >> _16 & _LOW16).astype(np.int64),
            (b & _LOW16).astype(np.int64),
        )
        # 6
        verdict = np.where(
            source_port == target_port, first[0] <= first[1], source_port > target_port
        )
        # 5
        place = self._places.ends(a, b)
        verdict = np.where((place[0] == INSIDE) & (place[1] == OUTSIDE), True, verdict)
        verdict = np.where((place[0] == OUTSIDE) & (place[1] == INSIDE), False, verdict)
        # 4
        known_source, known_target = _is_server[source_port], _is_server[target_port]
        verdict = np.where(known_target & ~known_source, True, verdict)
        verdict = np.where(known_source & ~known_target, False, verdict)
        # 3
        quiet = (place[1] == INSIDE) & (first[1] == np.inf) & (b & np.uint64(FAMILY6) == 0)
        quiet &= target & np.uint64(0xFF) == np.uint64(0xFF)
        verdict = np.where((place[1] == GROUP) | quiet, True, verdict)
        verdict = np.where((place[0] == GROUP) & (place[1] != GROUP), False, verdict)
        # 1 (before 2, which learns from it)
        by_there, by_back = _opened(there, back)
        opened = by_there != by_back
        service = b & ~_LOW32
        kind = service & np.uint64(FAMILY6)
        server_ip = np.where(by_there, target, source)
        server_port = np.where(by_there, target_port, source_port).astype(np.uint64)
        self._servers.numbers(
            (server_ip | kind)[opened], (service | server_port)[opened], insert=True
        )
        # 2
        told = [
            self._servers.numbers(ip | kind, service | port.astype(np.uint64), insert=False) > 0
            for ip, port in ((source, source_port), (target, target_port))
        ]
        verdict = np.where(told[1] & ~told[0], True, verdict)
        verdict = np.where(told[0] & ~told[1], False, verdict)
        result: NDArray[np.bool_] = np.where(opened, by_there, verdict)
        return result

    @property
    def count(self) -> int:
        """Endpoints that were opened to."""
        return self._servers.count

    def servers(self, before: int) -> tuple[Keys, Keys]:
        """Endpoints that were opened to, without the first `before`: address, family bit with protocol and port."""
        part = slice(before + 1, self._servers.count + 1)
        service, bit = self._servers.b[part], np.uint64(FAMILY6)
        return self._servers.a[part] & ~bit, service

    def learn(self, address: Keys, service: Keys) -> None:
        """What another one saw, as it tells it by `servers`."""
        self._servers.numbers(address | service & np.uint64(FAMILY6), service)


def depends(b: Keys, pair: Paired, marks: Bytes) -> NDArray[np.bool_]:
    """Per conversation of `pair`, whether who is the client depends on what was seen before (rule 2).

    That is so of TCP that was not seen to be opened; `b` and `marks` are those of its rows.
    """
    back = np.where(pair.backward < 0, 0, marks[pair.backward])
    by_there, by_back = _opened(marks[pair.forward], back)
    tcp = b[pair.forward] >> _32 & np.uint64(0xFF) == np.uint64(TCP)
    result: NDArray[np.bool_] = tcp & (by_there == by_back)
    return result


def _opened(there: Bytes, back: Bytes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the source of one direction opened a conversation, and whether that of the other did."""
    return (
        (there & OPENED != 0) | (back & ANSWERED != 0),
        (back & OPENED != 0) | (there & ANSWERED != 0),
    )
