"""What do the owner's devices say of themselves in a capture?

Requests for an address, announcements, answers to a search (`said`), heads of their answers and the few documents
that describe them (`bodies`): the same texts a scan would ask for, so the same signatures read them. Nothing else
of a payload is kept (facts: report sections 4), and secrets are cut before a text is held at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from camscan.decode import dhcp
from camscan.decode.layout import ipv4_of_bytes, mac_of_bytes
from camscan.decode.own_networks import is_link_local
from camscan.errors import DecodeError
from camscan.model.observation import Kind
from camscan.model.traffic import ClientFact
from camscan.observe.traffic import bodies, said
from camscan.observe.traffic.packet import Gate, Packet

MAX_FACTS = 20_000
MAX_PER_CLIENT = 64
_MAX_PER_KIND = 24
_MAX_TITLES = 8
"""A device has few pages that name it; who has more titles than that has them of other things."""
_DATAGRAM = 8192
_DHCP_CLIENT, _DHCP_SERVER = 68, 67
_MDNS = 5353

_PASSED_ON = "announcements that a host passed on for others (mDNS)"
FACT_GATES: tuple[Gate, ...] = (*said.gates(), *bodies.GATES)
FACT_PORTS = said.PORTS | {_DHCP_SERVER, _MDNS}
"""Datagrams between other ports hold a fact only where `said.may_begin`."""


class Facts:
    """Collects what clients said, each text once."""

    def __init__(self, local: Callable[[str], bool]) -> None:
        self._local = local
        self._seen: dict[tuple[str, str, int | None, bytes], ClientFact] = {}
        self._per_client: Counter[str] = Counter()
        self._per_kind: Counter[tuple[str, str]] = Counter()
        self._leases: dict[str, str] = {}
        """MAC -> address that a DHCP server acknowledged, the last one."""
        self.bodies = bodies.Bodies()
        self.not_examined: Counter[str] = Counter()

    @property
    def wanted(self) -> frozenset[tuple[str, int, str, int]]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return self.bodies.wanted

    def segment(self, packet: Packet) -> bool:
        """Look at one packet of TCP; True: the following packets of this direction are wanted."""
        if self._local(packet.dst):
            self.bodies.ask(packet)
        if not self._local(packet.src):
            return False
        found, more = self.bodies.answer(packet)
        for one in found:
            self._keep(packet, one.kind, one.payload, port=packet.sport, told=one)
        return more

    def datagram(self, packet: Packet) -> None:
        """Look at one datagram."""
        payload, sport, dport = packet.payload, packet.sport, packet.dport
        if not (sport in FACT_PORTS or dport in FACT_PORTS or said.may_begin(payload)):
            return
        if _DHCP_SERVER in {sport, dport}:
            self._dhcp(packet, payload[:_DATAGRAM])
            return
        if not self._local(packet.src) or len(payload) < packet.length:
            return
        if sport == _MDNS and len(payload) > 12 and payload[2] & 0x80:
            self._keep(packet, Kind.MDNS, payload[:_DATAGRAM], port=_MDNS)
            return
        found = said.read(packet)
        if found is not None:
            self._keep(packet, found.kind, found.payload[:_DATAGRAM], port=found.port)

    def certificate(self, packet: Packet, der: bytes) -> None:
        """The certificate a local server showed."""
        if der:
            self._keep(packet, Kind.HTTPS_CERT, der, port=packet.sport)

    def done(self) -> tuple[ClientFact, ...]:
        """All facts in order of client and time; requests for an address under the address given."""
        found = []
        passed_on = _passed_on(self._seen.values())
        if passed_on:
            self.not_examined[_PASSED_ON] = len(passed_on)
        for fact in self._seen.values():
            if id(fact) in passed_on:
                continue
            address = self._leases.get(fact.client_mac or "")
            if fact.kind == Kind.DHCP.value and address:
                fact = replace(fact, client=address)
            found.append(fact)
        return tuple(sorted(found, key=lambda f: (f.client, f.kind, f.at, f.payload)))

    def records(self) -> tuple[tuple[ClientFact, ...], dict[str, str]]:
        """Everything kept, and the leases, for `remembered`."""
        return tuple(self._seen.values()), dict(self._leases)

    def take_up(self, facts: Iterable[ClientFact], leases: Mapping[str, str]) -> None:
        """Go on from the records of an earlier reading, or add those of packets that come next."""
        for fact in facts:
            kind = Kind(fact.kind)
            place = (fact.client, kind.value, fact.port, key_of(kind, fact.payload, fact.port))
            if place not in self._seen and self._has_room(fact.client, kind):
                self._seen[place] = fact
        for mac, address in leases.items():
            self._lease(mac, address)

    def holds(self, fact: ClientFact) -> bool:
        """Whether this text is kept already."""
        key = key_of(Kind(fact.kind), fact.payload, fact.port)
        return (fact.client, fact.kind, fact.port, key) in self._seen

    def _dhcp(self, packet: Packet, payload: bytes) -> None:
        if len(payload) < 240 or payload[236:240] != b"\x63\x82\x53\x63":
            return
        mac = mac_of_bytes(payload[28:34]) if payload[2] == 6 else ""
        if payload[0] == 2:
            address = ipv4_of_bytes(payload[16:20])
            if mac and address:
                self._lease(mac, address)
            return
        try:
            dhcp.parse(payload)
        except DecodeError:
            return
        # What a relay passes on comes from the relay, not from the client (RFC 2131 section 4.1).
        relayed = packet.sport == _DHCP_SERVER or any(payload[24:28])
        address = ipv4_of_bytes(payload[12:16]) if relayed else packet.src
        nobody = address in {"", "0.0.0.0"}
        client = (mac or packet.src_mac or packet.src) if nobody else address
        self._keep(packet, Kind.DHCP, payload, port=_DHCP_CLIENT, client=client, mac=mac)

    def _lease(self, mac: str, address: str) -> None:
        self._leases[mac] = address
        if len(self._leases) > MAX_FACTS:
            self._leases.pop(next(iter(self._leases)))

    def _has_room(self, client: str, kind: Kind) -> bool:
        """Whether one more text of a client is kept; it is counted either way."""
        most = _MAX_TITLES if kind is Kind.TITLE else _MAX_PER_KIND
        crowded = self._per_kind[client, kind.value] >= most
        if crowded or len(self._seen) >= MAX_FACTS or self._per_client[client] >= MAX_PER_CLIENT:
            self.not_examined["answers of devices beyond the limit"] += 1
            return False
        self._per_client[client] += 1
        self._per_kind[client, kind.value] += 1
        return True

    def _keep(
        self,
        packet: Packet,
        kind: Kind,
        payload: bytes,
        *,
        port: int | None,
        client: str = "",
        mac: str | None = None,
        told: bodies.Said | None = None,
    ) -> None:
        name = client or packet.src
        # Its patterns take 10 ms to build: only where there is something to keep.
        from camscan.decode.secrets import cut

        payload = cut(kind, payload)[0]
        place = (name, kind.value, port, key_of(kind, payload, port))
        if place in self._seen or not self._has_room(name, kind):
            return
        self._seen[place] = ClientFact(
            client=name,
            client_mac=mac or packet.src_mac,
            kind=kind.value,
            payload=payload,
            at=packet.at,
            port=port,
            transport=packet.transport,
            request=told.request if told is not None else None,
            flags=told.flags if told is not None else (),
        )


def _passed_on(facts: Iterable[ClientFact]) -> set[int]:
    """The ids of announcements of a host that repeats what others said, as routers do between segments.

    Such a host states addresses and not the one it sends from. What it says and does not state with its own address
    is somebody else's word.
    """
    stated = [(f, _states_own(f)) for f in facts if f.kind == Kind.MDNS.value]
    repeaters = {f.client for f, is_own in stated if is_own is False}
    return {id(f) for f, is_own in stated if f.client in repeaters and not is_own}


def _states_own(fact: ClientFact) -> bool | None:
    """Whether an announcement states the address it came from; None where it states none of that family."""
    # Its library is large: only where there is an announcement.
    from camscan.decode import mdns

    try:
        stated = mdns.parse(fact.payload).addresses
    except DecodeError:
        return None
    if fact.client.startswith("169.254."):
        return None  # beside an address of its own, by whoever has that too
    alike = is_link_local if ":" in fact.client else _is_four
    if not alike(fact.client):
        return None
    some = [a for a in stated if alike(a)]
    return fact.client in some if some else None


def _is_four(address: str) -> bool:
    return ":" not in address


def key_of(kind: Kind, payload: bytes, port: int | None) -> bytes:
    """What tells a kept text from another one of its kind."""
    match kind:
        case Kind.MDNS:
            return payload[2:]
        case Kind.DHCP:
            return payload[240:]
        case Kind.HTTP | Kind.RTSP:
            return _steady(payload)
        case Kind.HTTPS_CERT | Kind.TITLE:
            return payload
        case _:
            return said.steady(kind, payload, port)


_TURNING = (
    b"date:",
    b"www-authenticate:",
    b"cseq:",
    b"set-cookie:",
    b"content-length:",
    b"content-type:",
    b"session:",
    b"etag:",
    b"last-modified:",
    b"expires:",
    b"cache-control:",
    b"x-request-id:",
    b"transport:",
    b"rtp-info:",
    b"range:",
)


def _steady(text: bytes) -> bytes:
    """A head without lines that differ from answer to answer; what follows a head counts whole."""
    head, _, body = text.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(_TURNING)]
    return b"\n".join((*lines, body))
