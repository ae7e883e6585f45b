"""What do the owner's devices say of themselves in a capture?

Requests for an address, announcements, and the heads of their answers: the same texts a scan would ask
for, so the same signatures read them. Bodies are not kept (facts: report sections 4: payload only by
explicit choice); secrets in heads are cut where the observation is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from camscan.decode import dhcp
from camscan.decode.layout import ipv4_of_bytes, mac_of_bytes
from camscan.errors import DecodeError
from camscan.model.observation import Kind
from camscan.model.traffic import ClientFact
from camscan.observe.traffic.packet import Gate, Packet

MAX_FACTS = 20_000
MAX_PER_CLIENT = 64
_HEAD = 4096
_DATAGRAM = 8192
_DHCP_CLIENT, _DHCP_SERVER = 68, 67

_BY_SOURCE_PORT: dict[int, tuple[Kind, tuple[bytes, ...]]] = {
    1900: (Kind.SSDP, (b"HTTP/1.1 200", b"NOTIFY ")),
    3702: (Kind.WSD, (b"<",)),
    37020: (Kind.SADP, (b"<",)),
    37810: (Kind.DHDISCOVER, (b"\x20\x00\x00\x00DHIP",)),
    34569: (Kind.DVRIP, (b"\xff\x00\x00\x00", b"\xff\x01\x00\x00")),
    32108: (Kind.PPPP, (b"\xf1\x41", b"\xf1\x42")),
}
"""Source port -> what an answer or announcement is, and how it begins."""
_ANSWERS = (b"ProbeMatch", b"Hello", b"HelloMatch", b"UniviewProbeMatches", b"params", b"NetWork")

_PORTS = frozenset({_DHCP_SERVER, 5353, *_BY_SOURCE_PORT})
"""Datagrams of other ports are no such text."""

FACT_GATES = tuple(
    Gate(id=f"fact:{kind.value}", transport="udp", ports=(port,), shortest=4, alike="payload")
    for port, (kind, _) in _BY_SOURCE_PORT.items()
    if port not in {1900, 3702}
)


class Facts:
    """Collects what clients said, each text once."""

    def __init__(self, local: Callable[[str], bool]) -> None:
        self._local = local
        self._seen: dict[tuple[str, str, int | None, bytes], ClientFact] = {}
        self._per_client: Counter[str] = Counter()
        self._leases: dict[str, str] = {}
        """MAC -> address that a DHCP server acknowledged, the last one."""
        self.not_examined: Counter[str] = Counter()

    def feed(self, packet: Packet) -> None:
        """Look at one packet."""
        if packet.transport == "udp":
            if packet.sport in _PORTS or packet.dport in _PORTS:
                self._datagram(packet)
        elif packet.payload.startswith((b"HTTP/1.", b"RTSP/1.")) and self._local(packet.src):
            head, separator, _ = packet.payload[:_HEAD].partition(b"\r\n\r\n")
            if separator:
                kind = Kind.HTTP if head.startswith(b"HTTP") else Kind.RTSP
                self._keep(packet, kind, head + separator, key=_steady(head), port=packet.sport)

    def certificate(self, packet: Packet, der: bytes) -> None:
        """The certificate a local server showed."""
        if der:
            self._keep(packet, Kind.HTTPS_CERT, der, key=der, port=packet.sport)

    def done(self) -> tuple[ClientFact, ...]:
        """All facts in order of client and time; requests for an address under the address given."""
        found = []
        for fact in self._seen.values():
            address = self._leases.get(fact.client_mac or "")
            if fact.kind == Kind.DHCP.value and address:
                fact = _with_client(fact, address)
            found.append(fact)
        return tuple(sorted(found, key=lambda f: (f.client, f.kind, f.at, f.payload)))

    def _datagram(self, packet: Packet) -> None:
        payload = packet.payload[:_DATAGRAM]
        if _DHCP_SERVER in {packet.dport, packet.sport}:
            self._dhcp(packet, payload)
            return
        if not self._local(packet.src):
            return
        if packet.sport == 5353 and len(payload) > 12 and payload[2] & 0x80:
            self._keep(packet, Kind.MDNS, payload, key=payload[2:], port=5353)
            return
        for port in {packet.sport, packet.dport} & set(_BY_SOURCE_PORT):
            kind, beginnings = _BY_SOURCE_PORT[port]
            if not payload.lstrip().startswith(beginnings):
                continue
            if kind in {Kind.WSD, Kind.SADP, Kind.DHDISCOVER, Kind.DVRIP} and not any(
                word in payload for word in _ANSWERS
            ):
                continue  # a question, not an answer
            self._keep(packet, kind, payload, key=payload, port=port)
            return

    def _dhcp(self, packet: Packet, payload: bytes) -> None:
        if len(payload) < 240 or payload[236:240] != b"\x63\x82\x53\x63":
            return
        mac = mac_of_bytes(payload[28:34]) if payload[2] == 6 else ""
        if payload[0] == 2:
            address = ipv4_of_bytes(payload[16:20])
            if mac and address:
                self._leases[mac] = address
                if len(self._leases) > MAX_FACTS:
                    self._leases.pop(next(iter(self._leases)))
            return
        try:
            dhcp.parse(payload)
        except DecodeError:
            return
        client = packet.src if packet.src != "0.0.0.0" else mac or packet.src_mac or packet.src
        self._keep(
            packet, Kind.DHCP, payload, key=payload[240:], port=_DHCP_CLIENT, client=client, mac=mac
        )

    def _keep(
        self,
        packet: Packet,
        kind: Kind,
        payload: bytes,
        *,
        key: bytes,
        port: int | None,
        client: str = "",
        mac: str | None = None,
    ) -> None:
        name = client or packet.src
        place = (name, kind.value, port, key)
        if place in self._seen:
            return
        if len(self._seen) >= MAX_FACTS or self._per_client[name] >= MAX_PER_CLIENT:
            self.not_examined["answers of devices beyond the limit"] += 1
            return
        self._per_client[name] += 1
        self._seen[place] = ClientFact(
            client=name,
            client_mac=mac or packet.src_mac,
            kind=kind.value,
            payload=payload,
            at=packet.at,
            port=port,
            transport=packet.transport,
        )


_TURNING = (
    b"date:",
    b"www-authenticate:",
    b"cseq:",
    b"set-cookie:",
    b"content-length:",
    b"session:",
)


def _steady(head: bytes) -> bytes:
    """The head without lines that differ from answer to answer."""
    lines = head.split(b"\r\n")
    return b"\n".join(line for line in lines if not line.lower().startswith(_TURNING))


def _with_client(fact: ClientFact, address: str) -> ClientFact:
    return ClientFact(
        client=address,
        kind=fact.kind,
        payload=fact.payload,
        at=fact.at,
        port=fact.port,
        transport=fact.transport,
        client_mac=fact.client_mac,
    )
