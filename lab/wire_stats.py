"""What did the scanner put on the wire, and was all of it within the plan?"""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network

from lab.sniffer import Packet
from lab.stats import DENIED_PORTS, DeviceStats, Stats

# groups of facts discovery 1, and IGMP (RFC 3376 section 4.2.14) which the kernel sends on joining
GROUPS = frozenset(
    ("239.255.255.250", "239.255.255.251", "224.0.0.251", "233.89.188.1", "224.0.0.22")
)
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_SYN, _ACK, _FIN, _RST = 0x02, 0x10, 0x01, 0x04
_TCP, _UDP, _ICMP, _IGMP = 6, 17, 1, 2


def _text(value: int) -> str:
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class WireStats:
    """Reads the packets of the scan veth; fills the wire part of DeviceStats."""

    def __init__(
        self, stats: Stats, networks: Iterable[str], scanner: str, units: Collection[str]
    ) -> None:
        self._stats = stats
        nets = [IPv4Network(text) for text in networks]
        self._nets = [(int(n.network_address), int(n.netmask)) for n in nets]
        self._broadcasts = {int(n.broadcast_address) for n in nets} | {0xFFFFFFFF}
        self._scanner = scanner
        self._live = {_number(address) for address in units}
        self._denied: Counter[int] = Counter()
        self._flows: dict[tuple[int, int, int], str] = {}
        self._held: Counter[int] = Counter()
        self._recent: dict[int, deque[float]] = {}
        self.frames = 0
        self.lab_frames = 0
        self.outside: Counter[str] = Counter()
        self.group: Counter[str] = Counter()
        self.group_ttl: Counter[int] = Counter()
        self.wrong_ttl = 0
        self.dead_probes = 0
        self.arp = 0
        self.other = Counter[str]()

    def _inside(self, address: int) -> bool:
        return any(address & mask == net for net, mask in self._nets)

    def read(self, packets: Iterable[Packet]) -> None:
        """All frames of a run, in order."""
        for packet in packets:
            data = packet.data
            if len(data) < 14:
                continue
            kind = data[12] << 8 | data[13]
            if packet.outgoing:
                self.lab_frames += 1
                if kind == _IPV4 and data[23] == _TCP:
                    self._from_device(data)
                continue
            self.frames += 1
            if kind == _ARP:
                self._arp(data)
            elif kind == _IPV4:
                self._ipv4(packet.time, data)
            else:
                self.outside[f"frame of type {kind:04x}"] += 1

    def _arp(self, data: bytes) -> None:
        self.arp += 1
        target = int.from_bytes(data[38:42], "big")
        if not self._inside(target):
            self.outside[f"ARP for {_text(target)}"] += 1

    def _ipv4(self, time: float, data: bytes) -> None:
        target = int.from_bytes(data[30:34], "big")
        protocol, ttl = data[23], data[22]
        start = 14 + (data[14] & 15) * 4
        port = int.from_bytes(data[start + 2 : start + 4], "big") if protocol in {_TCP, _UDP} else 0
        if target >> 28 == 14 or target in self._broadcasts:
            self._group(target, protocol, ttl, port, data)
            return
        if not self._inside(target):
            name = {_TCP: "TCP", _UDP: "UDP", _ICMP: "ICMP"}.get(protocol, f"protocol {protocol}")
            self.outside[f"{name} to {_text(target)}" + (f":{port}" if port else "")] += 1
            return
        if target not in self._live:
            self.dead_probes += 1
            return
        device = self._stats.device(_text(target))
        total = int.from_bytes(data[16:18], "big")
        if protocol == _TCP:
            self._tcp(time, data, start, target, port, total, device)
        elif protocol == _UDP:
            self._probe(time, target, device)
            if port in DENIED_PORTS:
                device.bytes_to_denied += max(0, total - 28)
        elif protocol == _ICMP and data[start] == 8:
            self._probe(time, target, device)

    def _group(self, target: int, protocol: int, ttl: int, port: int, data: bytes) -> None:
        text = _text(target)
        if target >> 28 == 14:
            if text not in GROUPS:
                self.outside[f"group {text}:{port}"] += 1
                return
            self.group_ttl[ttl] += 1
            if ttl != 1:
                self.wrong_ttl += 1
        if protocol == _IGMP:
            self.other["igmp"] += 1
            return
        self.group[f"{text}:{port}"] += 1
        if protocol != _UDP:
            self.outside[f"protocol {protocol} to group {text}"] += 1

    def _probe(self, time: float, target: int, device: DeviceStats) -> None:
        device.probes += 1
        recent = self._recent.setdefault(target, deque())
        recent.append(time)
        while recent[0] <= time - 1.0:
            recent.popleft()
        device.max_probes_per_second = max(device.max_probes_per_second, len(recent))

    def _tcp(
        self,
        time: float,
        data: bytes,
        start: int,
        target: int,
        port: int,
        total: int,
        device: DeviceStats,
    ) -> None:
        source = int.from_bytes(data[start : start + 2], "big")
        flags = data[start + 13]
        payload = total - (start - 14) - (data[start + 12] >> 4) * 4
        flow = (target, source, port)
        if flags & _SYN:
            device.syns += 1
            self._probe(time, target, device)
            self._flows[flow] = "syn"
            return
        if payload > 0:
            self._probe(time, target, device)
            if port in DENIED_PORTS:
                self._denied[target] += payload
        state = self._flows.get(flow)
        if flags & (_RST | _FIN):
            if state == "open":
                self._held[target] -= 1
            if state == "answered" and flags & _FIN:
                device.handshakes += 1
            self._flows.pop(flow, None)
        elif flags & _ACK and state == "answered":
            self._flows[flow] = "open"
            device.handshakes += 1
            self._held[target] += 1
            device.wire_max_concurrent = max(device.wire_max_concurrent, self._held[target])

    def _from_device(self, data: bytes) -> None:
        start = 14 + (data[14] & 15) * 4
        address = int.from_bytes(data[26:30], "big")
        port, peer, flags = (
            int.from_bytes(data[start : start + 2], "big"),
            int.from_bytes(data[start + 2 : start + 4], "big"),
            data[start + 13],
        )
        flow = (address, peer, port)
        state = self._flows.get(flow)
        if flags & _SYN and flags & _ACK and state == "syn":
            self._flows[flow] = "answered"
        elif flags & _RST and state is not None:
            if state == "open":
                self._held[address] -= 1
            del self._flows[flow]

    def finish(self) -> None:
        """Denied bytes seen on the wire replace those the listeners counted."""
        for address, count in self._denied.items():
            device = self._stats.device(_text(address))
            device.bytes_to_denied = max(device.bytes_to_denied, count)

    def to_json(self) -> dict[str, object]:
        return {
            "frames_from_scanner": self.frames,
            "frames_from_devices": self.lab_frames,
            "arp_requests": self.arp,
            "probes_to_dead_addresses": self.dead_probes,
            "outside_plan": sum(self.outside.values()),
            "outside_plan_examples": dict(self.outside.most_common(20)),
            "group_packets": dict(sorted(self.group.items())),
            "group_packets_total": sum(self.group.values()),
            "multicast_ttl": {str(ttl): n for ttl, n in sorted(self.group_ttl.items())},
            "multicast_ttl_not_1": self.wrong_ttl,
            "igmp": self.other["igmp"],
        }


def _number(address: str) -> int:
    return int(struct.unpack(">I", bytes(int(part) for part in address.split(".")))[0])
