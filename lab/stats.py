"""What did the scanner do to each device, as the devices themselves saw it?"""

from __future__ import annotations

import re
import socket
from dataclasses import asdict, dataclass, field

DENIED_PORTS = frozenset((*range(9100, 9108), 515, 102, 502, 20000, 2404, 44818, 47808))
_ESTABLISHED = 1
_CREDENTIALS = re.compile(
    rb"^(?:proxy-)?authorization\s*:"
    rb"|usernametoken|RPC2_Login|global\.login|/ISAPI/Security/(?:sessionLogin|userCheck)"
    rb"|\"(?:method|cmd)\"\s*:\s*\"login|cmd=login|loginPassword|[?&](?:pwd|passwd|password|loginpas)=",
    re.IGNORECASE | re.MULTILINE,
)
# state-changing message names: facts discovery 2, 3, 5 ("never send")
_CHANGES = re.compile(
    rb"<Types>\s*(?!inquiry\b)\w+\s*</Types>"
    rb"|DHDiscover\.setConfig|DevInit\.(?:account|access|leAction)|PasswdFind\.resetPassword"
    rb"|Security\.modifyPwdOutSession|SetDeviceAddrReq|SetDefaultPasswdReq|SetDefaultCfgReq"
    rb"|\b(?:SystemReboot|SetSystemFactoryDefault|Set[A-Z]\w+|CreateUsers|DeleteUsers)\b[^<>]*/?>",
    re.DOTALL,
)
_SAFE_METHODS = frozenset(("GET", "HEAD", "POST", "OPTIONS", "DESCRIBE", "M-SEARCH"))
_XM_CHANGE = b"\xfc\x05"  # message 1532, little endian, at offset 14 (facts: discovery 4)


@dataclass(slots=True)
class DeviceStats:
    """Counters of one address."""

    persona: str = ""
    connections: int = 0
    max_concurrent: int = 0
    """At the moment of an accept, connections the client had not closed yet."""
    tls_handshakes: int = 0
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_to_denied: int = 0
    credential_requests: int = 0
    state_changing: int = 0
    foreign_followed: int = 0
    crashes: int = 0
    udp_in: int = 0
    examples: list[str] = field(default_factory=list)
    # from the packets on the wire (namespaces only)
    handshakes: int = 0
    wire_max_concurrent: int = 0
    syns: int = 0
    probes: int = 0
    max_probes_per_second: int = 0

    def example(self, what: str, data: bytes) -> None:
        if len(self.examples) < 5:
            self.examples.append(f"{what}: {data[:120]!r}")


class Stats:
    """All counters of a city."""

    def __init__(self) -> None:
        self.devices: dict[str, DeviceStats] = {}
        self.groups: dict[str, DeviceStats] = {}
        """Group address:port -> what was sent to it; never part of a device's figures."""
        self._open: dict[str, set[socket.socket]] = {}

    def device(self, address: str) -> DeviceStats:
        return self.devices.setdefault(address, DeviceStats())

    def accepted(self, address: str, sock: socket.socket) -> int:
        """Count a connection; answers how many the client now holds open to the address."""
        device = self.device(address)
        device.connections += 1
        held = self._open.setdefault(address, set())
        held.add(sock)
        now = sum(1 for other in held if _established(other))
        device.max_concurrent = max(device.max_concurrent, now)
        return now

    def closed(self, address: str, sock: socket.socket) -> None:
        self._open.get(address, set()).discard(sock)

    def open_sockets(self, address: str) -> list[socket.socket]:
        return list(self._open.get(address, ()))

    def received(self, address: str, port: int, count: int) -> None:
        device = self.device(address)
        device.bytes_in += count
        if port in DENIED_PORTS:
            device.bytes_to_denied += count

    def request(self, address: str, method: str, target: str, whole: bytes) -> None:
        """One HTTP or RTSP request."""
        device = self.device(address)
        device.requests += 1
        if _CREDENTIALS.search(whole):
            device.credential_requests += 1
            device.example("credentials", whole)
        if method not in _SAFE_METHODS or _CHANGES.search(whole.partition(b"\r\n\r\n")[2]):
            device.state_changing += 1
            device.example("state-changing", whole)
        if "reboot" in target.lower():
            device.foreign_followed += 1
            device.example("followed", whole)

    def raw(self, address: str, data: bytes) -> None:
        """Bytes sent to a private port."""
        device = self.device(address)
        # Dahua login: a0 .. with a user name (facts: device_apis); XM login: message 1000
        dahua = data[:1] == b"\xa0" and any(data[8:24])
        xm = data[:1] == b"\xff" and data[14:16] == b"\xe8\x03"
        if dahua or xm or _CREDENTIALS.search(data):
            device.credential_requests += 1
            device.example("credentials", data)

    def datagram(self, address: str, data: bytes) -> None:
        """A search sent to the device itself."""
        self._search(self.device(address), data)

    def group_datagram(self, group: str, port: int, data: bytes) -> None:
        """A search sent to a group."""
        self._search(self.groups.setdefault(f"{group}:{port}", DeviceStats()), data)

    def _search(self, device: DeviceStats, data: bytes) -> None:
        device.udp_in += 1
        xm_change = data[:1] == b"\xff" and data[14:16] == _XM_CHANGE
        if _CHANGES.search(data) or xm_change:
            device.state_changing += 1
            device.example("state-changing", data)

    def totals(self) -> dict[str, int]:
        names = (
            "connections",
            "requests",
            "bytes_in",
            "bytes_to_denied",
            "credential_requests",
            "state_changing",
            "foreign_followed",
            "crashes",
            "handshakes",
            "probes",
        )
        everyone = (*self.devices.values(), *self.groups.values())
        totals = {name: sum(getattr(d, name) for d in everyone) for name in names}
        for name in (
            "max_concurrent",
            "wire_max_concurrent",
            "max_probes_per_second",
            "handshakes",
        ):
            key = name if name.startswith(("max", "wire")) else f"max_{name}"
            totals[key] = max((getattr(d, name) for d in self.devices.values()), default=0)
        return totals

    def to_json(self) -> dict[str, object]:
        return {
            "totals": self.totals(),
            "devices": {a: asdict(d) for a, d in sorted(self.devices.items())},
            "groups": {
                group: {
                    "received": d.udp_in,
                    "state_changing": d.state_changing,
                    "examples": d.examples,
                }
                for group, d in sorted(self.groups.items())
            },
        }


def _established(sock: socket.socket) -> bool:
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_INFO", 11), 1)
    except (OSError, AttributeError):
        return False
    return bool(info) and info[0] == _ESTABLISHED
