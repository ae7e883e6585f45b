"""Which names, camera services and facts about clients do the packets of a capture hold?

Fed with the few packets that the engine's gates pick. Every table is bounded; what does not fit, or what
the capture cut, is counted as not examined. Nothing of a payload is kept but the names, the announced
ids, and the heads of answers that describe a device (`camscan.observe.traffic.facts`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from camscan.decode import client_hello, dns_seen, quic, request_head
from camscan.decode.own_networks import Own, is_group, may_ask
from camscan.errors import DecodeError
from camscan.model.service import ServiceSignature
from camscan.model.traffic import ClientFact, NameSeen, ServiceSeen
from camscan.observe.traffic.facts import Facts
from camscan.observe.traffic.initials import Initials
from camscan.observe.traffic.memory import NOT_WHOLE, Parts, taken_up
from camscan.observe.traffic.packet import Again, Packet
from camscan.observe.traffic.pending import FlowKey, Tables, Waiting
from camscan.observe.traffic.register import Register
from camscan.observe.traffic.server_names import certificate_names
from camscan.observe.traffic.services import Services
from camscan.observe.traffic.stream import Stream, begins

if TYPE_CHECKING:
    from camscan.observe.traffic.remembered import Memory

MAX_PENDING = 2048
"""Conversations whose first bytes are being put together."""
MAX_PENDING_BYTES = 16 << 20
_STREAM = 40_960
PENDING_S = 120.0
"""A head that is not whole after this time never will be."""
_CACHE = 4096
_DNS, _MDNS, _LLMNR, _DOT = 53, 5353, 5355, 853
_DOQ = frozenset({784, 853, 8853})
_DATAGRAM_DNS = {_DNS: "dns", _MDNS: "mdns", _LLMNR: "llmnr"}
_NO_DNS = "DNS messages that could not be read"
_SIP = (b"REGI", b"INVI", b"MESS", b"SUBS", b"NOTI")
_MOST_ADDRESSES = 65_536
"""Addresses of which it is remembered whether they are the owner's."""
_PLAIN_HTTP = {"HTTP": "http", "RTSP": "rtsp", "SIP": "sip"}


class Namer:
    """Feed packets in capture order; ask for the result at the end."""

    def __init__(
        self,
        signatures: Iterable[ServiceSignature] = (),
        *,
        local: Callable[[str], bool] | None = None,
        resolvers: Mapping[str, str] | None = None,
    ) -> None:
        """`local`: whether an address is the owner's. `resolvers`: name or address -> whose resolver."""
        # Asked several times for every packet.
        self._local = lru_cache(_MOST_ADDRESSES)(local or Own())
        self._asks = partial(may_ask, self._local)
        self._resolvers = dict(resolvers or {})
        self._register = Register()
        self._services = Services(signatures, self._local, self._register)
        self._facts = Facts(self._local)
        self._streams: OrderedDict[FlowKey, Stream] = OrderedDict()
        self._initials = Initials(MAX_PENDING)
        self._held = 0
        self._now = -math.inf
        self._dns: OrderedDict[bytes, dns_seen.DnsSeen | None] = OrderedDict()
        self._again: tuple[Again, ...] = ()
        self._encrypted: dict[str, None] = {}
        self.dns_visible = False

    @property
    def wanted(self) -> frozenset[FlowKey]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return (
            frozenset(self._streams)
            | self._initials.wanted
            | self._facts.wanted
            | self._services.wanted
        )

    def feed(self, packet: Packet) -> bool:
        """Read one packet; True: the following packets of this direction of the flow are wanted too."""
        payload = packet.payload
        self._again, more = self._services.feed(packet) if payload else ((), False)
        if payload or packet.fin:
            more = self._facts.feed(packet) or more
        if packet.transport == "udp":
            return self._datagram(packet) or more
        return self._segment(packet) or more

    def again(self) -> tuple[Again, ...]:
        """What to call when the packet that was fed last is repeated."""
        return self._again

    def passed(self, at: float) -> None:
        """Time went on with packets that were not fed: heads that are old now will never be whole."""
        self._make_room(at)

    @property
    def count(self) -> int:
        """Distinct names so far."""
        return self._register.count

    def names(self) -> tuple[NameSeen, ...]:
        return self._register.names()

    def services(self) -> tuple[ServiceSeen, ...]:
        return self._register.services()

    def facts(self) -> tuple[ClientFact, ...]:
        return self._facts.done()

    def encrypted_resolvers(self) -> tuple[str, ...]:
        """Resolvers that were spoken to under encryption: what was asked there is hidden."""
        return tuple(sorted(self._encrypted))

    def not_examined(self) -> tuple[tuple[str, int], ...]:
        """(reason in words, how often)."""
        counts = self._register.not_examined + self._facts.not_examined
        return tuple(sorted(counts.items()))

    def parts(self) -> Parts:
        """What `memory` writes down and fills again."""
        facts, runs = self._facts, self._services.runs
        pending = Tables(self._streams, self._initials, facts.bodies, runs)
        return Parts(self._register, facts, self._encrypted, pending, self.dns_visible)

    def waiting(self) -> Waiting:
        """What waits for more; to be encoded before the reading goes on."""
        return self.parts().pending.waiting(self._now)

    def take_up(self, memory: Memory, waiting: Waiting | None = None) -> None:
        """Add what was read of the packets that come next, and wait for what waits there."""
        taken_up(self.parts(), memory)
        self.dns_visible = self.dns_visible or memory.dns_visible
        if waiting is not None:
            self.parts().pending.take_up(waiting)
            self._held += sum(stream.size for _, stream in waiting.streams)
            self._now = max(self._now, waiting.now)

    def hand_over(self) -> None:
        """Wait for nothing: another one does."""
        self.parts().pending.clear()
        self._held = 0

    # Datagrams

    def _datagram(self, packet: Packet) -> bool:
        payload, sport, dport = packet.payload, packet.sport, packet.dport
        if dport in _DATAGRAM_DNS or sport in _DATAGRAM_DNS:
            self._dns_message(packet, payload, _dns_of(sport, dport))
            return False
        if quic.is_initial(payload):
            return self._quic(packet)
        if payload.startswith(b"\x16\xfe"):
            with suppress(DecodeError):
                self._hello(packet, client_hello.of_datagram(payload), "dtls")
        elif payload.startswith(_SIP):
            self._request(packet, payload)
        return False

    def _quic(self, packet: Packet) -> bool:
        if not self._asks(packet.src, packet.dst) or packet.dport < packet.sport < 1024:
            return False
        hello, reason = self._initials.feed(packet)
        if reason:
            self._count(reason)
        if hello is not None:
            self._hello(packet, hello, "quic")
        return self._initials.is_waiting(packet)

    def _dns_message(self, packet: Packet, payload: bytes, proto: str) -> None:
        seen = self._parsed(payload)
        if seen is None:
            self._note(self._register.leave_out(_NO_DNS, packet.times))
            return
        if not seen.question:
            return
        answer = seen.is_response
        if proto == "mdns" and answer:
            return  # an announcement of a service: a fact about the sender, no question of a client
        if answer and _DATAGRAM_DNS.get(packet.sport) != proto:
            return
        client, mac = (packet.dst, packet.dst_mac) if answer else (packet.src, packet.src_mac)
        server = packet.src if answer else packet.dst
        if not self._asks(client, server) or is_group(client):
            return
        if proto == "dns":
            self.dns_visible = True
        for name in (seen.question, *seen.also):
            first = name == seen.question
            self._note(
                self._register.name(
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
            )

    def _parsed(self, payload: bytes) -> dns_seen.DnsSeen | None:
        """Parsed once per payload without its id: cameras ask the same again and again."""
        key = payload[2:]
        if key in self._dns:
            return self._dns[key]
        try:
            seen: dns_seen.DnsSeen | None = dns_seen.parse(payload)
        except DecodeError:
            seen = None
        self._dns[key] = seen
        if len(self._dns) > _CACHE:
            self._dns.popitem(last=False)
        return seen

    # Streams

    def _segment(self, packet: Packet) -> bool:
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        stream = self._streams.get(key)
        if packet.syn and stream is not None:
            self._drop(key)  # the ports are used again
            stream = None
        if not packet.payload:
            if packet.fin and stream is not None:
                self._give_up(packet, key, stream)
            return stream is not None and not packet.fin
        fresh = stream is None
        if stream is None:
            if _DNS not in {packet.sport, packet.dport} and not begins(packet.payload):
                return False
            if self._read_stream(packet, key, packet.payload):  # nothing to put together
                self._make_room(packet.at)
                return False
            stream = Stream(packet.seq + (1 if packet.syn else 0), packet.at, _STREAM)
            self._streams[key] = stream
        before = stream.size
        cut = 0 < len(packet.payload) < packet.length
        stream.add(packet.seq + (1 if packet.syn else 0), packet.payload, cut=cut)
        self._held += stream.size - before
        done = not fresh and self._read_stream(packet, key, bytes(stream.data))
        if done:
            self._drop(key)
        elif stream.over or stream.short or packet.fin:
            self._give_up(packet, key, stream)
            done = True
        self._make_room(packet.at)
        return not done

    def _read_stream(self, packet: Packet, key: FlowKey, data: bytes) -> bool:
        """`data`: the stream so far. True when nothing more is wanted of this direction."""
        _, sport, _, dport = key
        try:
            if _DNS in {sport, dport}:
                found, taken = dns_seen.messages(data)
                for message in found:
                    self._dns_message(packet, message, "dns")
                return taken > 0 and taken == len(data)
            if data[:1] == b"\x16":
                return self._tls(packet, data)
            if not request_head.is_whole(data):
                return len(data) > 4 and not data[:4].isascii()
            self._request(packet, data)
        except DecodeError:
            pass
        return True

    def _tls(self, packet: Packet, data: bytes) -> bool:
        if len(data) < 6:
            return False
        if data[5] == 1:
            hello = client_hello.of_records(data)
            if hello is not None:
                self._hello(packet, hello, "tls")
            return hello is not None
        if data[5] != 2:
            return True
        names = certificate_names(data)
        if names is None:
            return False
        self._certificate(packet, names[0], names[1])
        return True

    def _hello(self, packet: Packet, hello: client_hello.ClientHello, proto: str) -> None:
        if not self._asks(packet.src, packet.dst):
            return
        whose = self._resolvers.get(hello.name or packet.dst, "")
        doq = proto == "quic" and packet.dport in _DOQ
        if packet.dport == _DOT or doq or whose:
            how = "DoQ" if doq else "DoT" if packet.dport == _DOT else "DoH"
            named = hello.name or packet.dst
            self._encrypted.setdefault(f"{named} ({how}{', ' + whose if whose else ''})")
        self._note(
            self._register.name(
                client=packet.src,
                mac=packet.src_mac,
                proto=proto,
                name=hello.name,
                at=packet.at,
                remote=packet.dst,
                port=packet.dport,
                alpn=hello.alpn,
                ech=hello.ech,
            )
        )

    def _certificate(self, packet: Packet, names: tuple[str, ...], der: bytes) -> None:
        """Names of a server's certificate (TLS 1.2 and below); of a local server, a fact about it."""
        if self._local(packet.src):
            self._facts.certificate(packet, der)
            return
        for name in names:
            self._register.name(
                client=packet.dst,
                mac=packet.dst_mac,
                proto="tls-cert",
                name=name,
                at=packet.at,
                remote=packet.src,
                port=packet.sport,
            )

    def _request(self, packet: Packet, data: bytes) -> None:
        try:
            head = request_head.parse(data)
        except DecodeError:
            return
        if not head.host or not self._asks(packet.src, packet.dst):
            return
        proto = "http-connect" if head.method == "CONNECT" else _PLAIN_HTTP[head.protocol]
        self._register.name(
            client=packet.src,
            mac=packet.src_mac,
            proto=proto,
            name=head.host,
            at=packet.at,
            remote=packet.dst,
            port=packet.dport,
        )
        if head.content_type == "application/dns-message":
            self._encrypted.setdefault(f"{head.host} (DoH)")

    def _note(self, again: Again | None) -> None:
        if again is not None:
            self._again += (again,)

    # Bounds

    def _give_up(self, packet: Packet, key: FlowKey, stream: Stream) -> None:
        """What is there of a hello that never became whole may still hold the name."""
        if stream.data[:1] == b"\x16" and len(stream.data) > 5 and stream.data[5] == 1:
            hello = client_hello.partial(bytes(stream.data))
            if hello is not None and hello.name:
                self._hello(packet, hello, "tls")
            else:
                self._count("TLS handshakes that were not whole")
        elif stream.data:
            self._count(NOT_WHOLE)
        self._drop(key)

    def _drop(self, key: FlowKey) -> None:
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._held -= stream.size

    def _make_room(self, now: float) -> None:
        self._now = max(self._now, now)
        while self._streams:
            key, oldest = next(iter(self._streams.items()))
            full = len(self._streams) > MAX_PENDING or self._held > MAX_PENDING_BYTES
            if not full and now - oldest.first < PENDING_S:
                return
            self._count(NOT_WHOLE)
            self._drop(key)

    def _count(self, reason: str) -> None:
        self._register.not_examined[reason] += 1


def _dns_of(sport: int, dport: int) -> str:
    """Between two of its ports it is what the first in the table says."""
    for port, proto in _DATAGRAM_DNS.items():
        if port in {sport, dport}:
            return proto
    return ""
