"""What does an mDNS answer say (RFC 6762, 6763), and how is it asked for (facts: discovery 1)?"""

from __future__ import annotations

import struct

from msgspec import Struct

from camscan.decode import dns
from camscan.decode.collect import Collector
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = 5353
GROUP = "224.0.0.251"
GROUP6 = "ff02::fb"
SERVICES = (
    "_axis-video._tcp.local",
    "_axis-nvr._tcp.local",
    "_arec._tcp.local",
    "_services._dns-sd._udp.local",
)
"""Asked for: the camera services of facts: discovery 1, and the list of services (RFC 6763 9)."""

_PTR, _IN = 12, 1


class MdnsAnswer(Struct, frozen=True):
    """Names, services (`_axis-video._tcp`), instances, TXT pairs, hosts, addresses and ports."""

    names: tuple[str, ...]
    services: tuple[str, ...]
    instances: tuple[str, ...]
    texts: tuple[str, ...]
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[str, ...]

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.MDNS]`."""
        out = Collector()
        for field, values in (
            ("name", self.names),
            ("service", self.services),
            ("instance", self.instances),
            ("txt", self.texts),
            ("host", self.hosts),
            ("address", self.addresses),
            ("port", self.ports),
        ):
            for value in dict.fromkeys(values):
                out.add(field, value)
        return out.done()


def parse(data: bytes) -> MdnsAnswer:
    """Read DNS bytes or the text form `TXT key=value`; raises DecodeError otherwise."""
    text = decode_text(data[:8192])
    if text.startswith(("TXT ", "PTR ", "SRV ", "A ", "AAAA ")):
        return _parse_text(text)
    message = dns.parse(data)
    if not message.records:
        raise DecodeError("mDNS message without a record")
    names: list[str] = []
    services: list[str] = []
    instances: list[str] = []
    texts: list[str] = []
    hosts: list[str] = []
    addresses: list[str] = []
    ports: list[str] = []
    for record in message.records:
        names.append(record.name)
        if record.kind == "PTR" and record.data:
            instance, service = split_instance(record.data[0])
            services.extend(part for part in (split_instance(record.name)[1], service) if part)
            if instance:
                instances.append(instance)
        elif record.kind == "SRV" and record.data:
            ports.append(record.data[0])
            hosts.append(record.data[1])
            instances.append(split_instance(record.name)[0])
        elif record.kind == "TXT":
            texts.extend(record.data)
        elif record.kind in {"A", "AAAA"}:
            hosts.append(record.name)
            addresses.extend(record.data)
    return MdnsAnswer(
        names=tuple(names),
        services=tuple(services),
        instances=tuple(instances),
        texts=tuple(texts),
        hosts=tuple(hosts),
        addresses=tuple(addresses),
        ports=tuple(ports),
    )


def split_instance(name: str) -> tuple[str, str]:
    """`("AXIS M1065 - ACCC8E", "_axis-video._tcp")` of a full service instance name."""
    labels = name.split(".")
    for index in range(len(labels) - 1):
        if labels[index].startswith("_") and labels[index + 1] in {"_tcp", "_udp"}:
            return ".".join(labels[:index]), f"{labels[index]}.{labels[index + 1]}"
    return "", ""


def _parse_text(text: str) -> MdnsAnswer:
    texts: list[str] = []
    instances: list[str] = []
    services: list[str] = []
    hosts: list[str] = []
    addresses: list[str] = []
    for line in text.splitlines()[:512]:
        kind, _, value = line.strip().partition(" ")
        if kind == "TXT":
            texts.append(value)
        elif kind in {"PTR", "SRV"}:
            instance, service = split_instance(value)
            instances.append(instance or value)
            services.append(service)
        elif kind in {"A", "AAAA"}:
            addresses.append(value)
    return MdnsAnswer(
        (), tuple(services), tuple(instances), tuple(texts), tuple(hosts), tuple(addresses), ()
    )


def search_message(services: tuple[str, ...] = SERVICES) -> bytes:
    """One query with a PTR question for each service (RFC 6762 section 5)."""
    parts = [struct.pack(">HHHHHH", 0, 0, len(services), 0, 0, 0)]
    for service in services:
        for label in service.split("."):
            raw = label.encode("utf-8")
            if not 0 < len(raw) < 64:
                raise ValueError(f"label of {len(raw)} bytes in {service!r}; 1 to 63 are possible")
            parts.append(bytes((len(raw),)) + raw)
        parts.append(b"\x00" + struct.pack(">HH", _PTR, _IN))
    return b"".join(parts)
