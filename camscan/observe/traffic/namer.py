"""Which names, camera services and facts about clients do the packets of a capture hold?

Fed with the few packets that the engine's gates pick. Every table is bounded; what does not fit, or what
the capture cut, is counted as not examined. Nothing of a payload is kept but the names, the announced
ids, and the heads of answers that describe a device (`camscan.observe.traffic.facts`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from itertools import compress
from typing import TYPE_CHECKING

from camscan.decode import client_hello, quic, request_head
from camscan.decode.own_networks import Own, may_ask
from camscan.decode.service_match import Matched
from camscan.errors import DecodeError
from camscan.model.service import ServiceSignature
from camscan.model.traffic import ClientFact, NameSeen, ServiceSeen
from camscan.observe.traffic import lookups, said
from camscan.observe.traffic.facts import FACT_PORTS, Facts
from camscan.observe.traffic.initials import Initials
from camscan.observe.traffic.memory import NOT_WHOLE, Parts, taken_up
from camscan.observe.traffic.packet import Again, Ends, Meaning, Packet
from camscan.observe.traffic.pending import FlowKey, Tables, Waiting
from camscan.observe.traffic.register import Register
from camscan.observe.traffic.server_names import MAX_NAMES, certificate_names
from camscan.observe.traffic.services import Services
from camscan.observe.traffic.stream import Stream, starts_something

if TYPE_CHECKING:
    from camscan.observe.traffic.remembered import Memory

MAX_PENDING = 2048
"""Conversations whose first bytes are being put together."""
MAX_PENDING_BYTES = 16 << 20
_STREAM = 40_960
PENDING_S = 120.0
"""A head that is not whole after this time never will be."""
_DOT = 853
_DOQ = frozenset({784, 853, 8853})
_DTLS = b"\x16\xfe"
_SIP = (b"REGI", b"INVI", b"MESS", b"SUBS", b"NOTI")
_READ_BY_PORT = FACT_PORTS | lookups.PORTS
"""Between any others only what `_is_named` is more than a message of a service."""
_MOST_ADDRESSES = 65_536
"""Addresses of which it is remembered whether they are the owner's."""
_HELLO_NOT_WHOLE = "TLS handshakes that were not whole"
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
        self._lookups = lookups.Lookups(self._register, self._local)
        self._facts = Facts(self._local)
        self._streams: OrderedDict[FlowKey, Stream] = OrderedDict()
        self._initials = Initials(MAX_PENDING)
        self._held = 0
        self._now = -math.inf
        self._again: tuple[Again, ...] = ()
        self._encrypted: dict[str, None] = {}

    @property
    def dns_visible(self) -> bool:
        """Whether questions of DNS in clear were seen, here or by the reading that this one goes on from."""
        return self._lookups.visible

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
        if packet.transport == "udp":
            return self._datagram(packet)
        self._again, more = self._services.feed(packet) if packet.payload else ((), False)
        if packet.payload or packet.fin:
            more = self._facts.segment(packet) or more
        return self._segment(packet) or more

    def again(self) -> tuple[Again, ...]:
        """What to call when the packet that was fed last is repeated."""
        return self._again

    def meaning(self, packet: Packet) -> Meaning | None:
        """What a datagram says whoever sends it; None where that is not all there is to it."""
        matches = None if _is_named(packet.payload) else self._services.alone(packet)
        if matches is None or any(m.announced for m in matches):
            return None  # of several ids, the first counts
        return partial(self._told, matches)

    def _told(self, matches: list[Matched], ends: Sequence[Ends]) -> list[tuple[Again, ...] | None]:
        """The same datagram was sent between all of these."""
        count, named = self._services.count_all, _READ_BY_PORT
        free = [one.sport not in named and one.dport not in named for one in ends]
        if all(free):
            return [*count(ends, matches, "udp")]
        told = iter(count(compress(ends, free), matches, "udp"))
        return [next(told) if one else None for one in free]

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
        self._lookups.visible = self.dns_visible or memory.dns_visible
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
        self._again, more = (), False
        if packet.payload:
            self._again, more = self._services.feed(packet)
            self._facts.datagram(packet)
        if packet.sport in lookups.PORTS or packet.dport in lookups.PORTS:
            self._again += self._lookups.datagram(packet)
            return more
        return self._message(packet) or more

    def _message(self, packet: Packet) -> bool:
        payload = packet.payload
        if quic.is_initial(payload):
            return self._quic(packet)
        if payload.startswith(_DTLS):
            with suppress(DecodeError):
                self._hello(packet, client_hello.of_datagram(payload), "dtls")
        elif payload.startswith(_SIP):
            with suppress(DecodeError):
                head = request_head.parse(payload)
                if head.protocol == "SIP":
                    self._request(packet, head)
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

    # Streams

    def _segment(self, packet: Packet) -> bool:
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        stream = self._streams.get(key)
        if packet.syn and stream is not None:
            self._drop(key)  # the ports are used again
            stream = None
        if not packet.payload:
            if packet.fin and stream is not None:
                self._give_up(key, stream)
            return stream is not None and not packet.fin
        fresh = stream is None
        if stream is None:
            if not starts_something(packet):
                return False
            if self._read_stream(packet, key, packet.payload):  # nothing to put together
                self._make_room(packet.at)
                return False
            seq = packet.seq + (1 if packet.syn else 0)
            stream = Stream(seq, packet.at, _STREAM, packet._replace(payload=b""))
            self._streams[key] = stream
        before = stream.size
        cut = 0 < len(packet.payload) < packet.length
        stream.add(packet.seq + (1 if packet.syn else 0), packet.payload, cut=cut)
        self._held += stream.size - before
        done = not fresh and self._read_stream(packet, key, bytes(stream.data))
        if done:
            self._drop(key)
        elif stream.over or stream.short or packet.fin:
            self._give_up(key, stream)
            done = True
        self._make_room(packet.at)
        return not done

    def _read_stream(self, packet: Packet, key: FlowKey, data: bytes) -> bool:
        """`data`: the stream so far. True when nothing more is wanted of this direction."""
        _, sport, _, dport = key
        try:
            if lookups.DNS in {sport, dport}:
                again, whole = self._lookups.stream(packet, data)
                self._again += again
                return whole
            if data[:1] == b"\x16":
                return self._tls(packet, data)
            if not request_head.is_whole(data):
                return len(data) > 4 and not data[:4].isascii()
            for head in request_head.parse_all(data):
                self._request(packet, head)
        except DecodeError:
            pass
        return True

    def _tls(self, packet: Packet, data: bytes) -> bool:
        if len(data) < 6:
            return data[1:2] not in {b"", b"\x03"}
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
        if len(names) > MAX_NAMES:
            self._count("certificates with more names than are kept")
        for name in names[:MAX_NAMES]:
            self._register.name(
                client=packet.dst,
                mac=packet.dst_mac,
                proto="tls-cert",
                name=name,
                at=packet.at,
                remote=packet.src,
                port=packet.sport,
            )

    def _request(self, packet: Packet, head: request_head.RequestHead) -> None:
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

    def end(self) -> None:
        """Nothing more comes: what is there of heads that are not whole is read."""
        for key, stream in list(self._streams.items()):
            self._give_up(key, stream)

    def _give_up(self, key: FlowKey, stream: Stream) -> None:
        """What is there of a head that never became whole may still hold the name."""
        begin, data = stream.begin, bytes(stream.data)
        self._drop(key)
        if begin is None or not data:
            return
        is_hello = data[:1] == b"\x16" and data[5:6] == b"\x01"
        if is_hello:
            hello = client_hello.partial(data)
            if hello is not None and hello.name:
                self._hello(begin, hello, "tls")
                return
        else:
            with suppress(DecodeError):
                head = request_head.parse_cut(data)
                self._request(begin, head)
                if head.host:
                    return
        self._count(_HELLO_NOT_WHOLE if is_hello else NOT_WHOLE)

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
            self._give_up(key, oldest)

    def _count(self, reason: str) -> None:
        self._register.not_examined[reason] += 1


def _is_named(payload: bytes) -> bool:
    """Whether a datagram between any ports may hold a name, or what a device says of itself."""
    if quic.is_initial(payload) or payload.startswith((_DTLS, *_SIP)):
        return True
    return said.may_begin(payload)
