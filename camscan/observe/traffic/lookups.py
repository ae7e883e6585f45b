"""Which names do clients ask for in DNS, mDNS and LLMNR, and what is answered?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from camscan.decode import dns_seen
from camscan.decode.own_networks import is_group, may_ask
from camscan.errors import DecodeError
from camscan.observe.traffic.packet import Again, Packet
from camscan.observe.traffic.register import Register

DNS = 53
_PROTOCOLS = {DNS: "dns", 5353: "mdns", 5355: "llmnr"}
PORTS = frozenset(_PROTOCOLS)
_CACHE = 4096
_UNREADABLE = "DNS messages that could not be read"


class Lookups:
    """Enters questions and answers into a register."""

    def __init__(self, register: Register, local: Callable[[str], bool]) -> None:
        self._register = register
        self._local = local
        self._parsed: OrderedDict[bytes, dns_seen.DnsSeen | None] = OrderedDict()
        self.visible = False
        """Whether questions of DNS in clear were seen."""

    def datagram(self, packet: Packet) -> tuple[Again, ...]:
        """A datagram from or to one of PORTS; what to call when it is repeated."""
        ports = {packet.sport, packet.dport}
        if DNS in ports:
            return self._message(packet, packet.payload, "dns")
        # Between two of these ports it is what the first in the table says.
        proto = next(name for port, name in _PROTOCOLS.items() if port in ports)
        return self._message(packet, packet.payload, proto)

    def stream(self, packet: Packet, data: bytes) -> tuple[tuple[Again, ...], bool]:
        """The beginning of a direction of DNS over TCP; whether it ends with a whole message."""
        found, taken = dns_seen.messages(data)
        again: tuple[Again, ...] = ()
        for message in found:
            again += self._message(packet, message, "dns")
        return again, taken > 0 and taken == len(data)

    def _message(self, packet: Packet, payload: bytes, proto: str) -> tuple[Again, ...]:
        # What mDNS answers is an announcement: a fact about the sender, no question of a client.
        announces = proto == "mdns" and payload[2:3] >= b"\x80"
        if announces or payload[4:6] == b"\0\0":  # or holds no question at all
            return ()
        seen = self._seen(payload)
        if seen is None:
            return (self._register.leave_out(_UNREADABLE, packet.times),)
        if not seen.question:
            return ()
        answer = seen.is_response
        if answer:
            if _PROTOCOLS.get(packet.sport) != proto:
                return ()
            client, mac, server = packet.dst, packet.dst_mac, packet.src
        else:
            client, mac, server = packet.src, packet.src_mac, packet.dst
        # Who asks sends; and a DNS server answers to hosts alone.
        sends = proto == "dns" or not answer
        if not may_ask(self._local, client, server) or is_group(client, sends=sends):
            return ()
        if proto == "dns":
            self.visible = True
        found = []
        for name in (seen.question, *seen.also):
            first = name == seen.question
            again = self._register.name(
                client=client,
                mac=mac,
                proto=proto,
                name=name,
                at=packet.at,
                answers=seen.answers if first else (),
                aliases=seen.aliases if first else (),
                answer=answer,
                times=packet.times,
            )
            if again is not None:
                found.append(again)
        return tuple(found)

    def _seen(self, payload: bytes) -> dns_seen.DnsSeen | None:
        """Parsed once per payload without its id: cameras ask the same again and again."""
        key = payload[2:]
        seen = self._parsed.get(key)
        if seen is not None or key in self._parsed:
            return seen
        with suppress(DecodeError):
            seen = dns_seen.parse(payload)
        self._parsed[key] = seen
        if len(self._parsed) > _CACHE:
            self._parsed.popitem(last=False)
        return seen
