"""Where in a capture, or in a log, does a record of a run come from, and how does a reader see it with his own eyes?

A run keeps no packets: it keeps counts, names and the SHA-256 of the file. So the way to the bytes is the file itself
and a filter in the words of tcpdump that shows the packets which were counted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from camscan.clock import iso
from camscan.decode import capture_record
from camscan.decode.text import clean
from camscan.errors import DecodeError
from camscan.model.observation import Kind, Observation
from camscan.model.run import IntakeInfo

KINDS = frozenset({Kind.FLOW, Kind.NAME, Kind.SERVICE})
_PORTS = {"dns": 53, "mdns": 5353, "llmnr": 5355}
_OVER_UDP = frozenset({"quic", "coap"})
_SOME = 3


def of_packets(observation: Observation) -> bool:
    """Whether the record was counted from packets, not taken from a log of another tool."""
    return observation.id.partition(":")[0].endswith("-traffic")


def record_lines(observation: Observation) -> list[str]:
    """What the record says, in words; of packets the filter too. Empty where the bytes are no such record."""
    lines = _lines(observation)
    return lines if of_packets(observation) else lines[:-1]


def _lines(observation: Observation) -> list[str]:
    try:
        match observation.kind:
            case Kind.FLOW:
                f = capture_record.flow(observation.response)
                words = (
                    f"{f.client} with {f.remote} {f.transport} {f.port}: {f.bytes_up} bytes in {f.packets_up} packets "
                    f"sent, {f.bytes_down} bytes in {f.packets_down} packets received, {_span(f.first, f.last)}"
                )
                return [
                    words,
                    *([f.media_why] if f.media_why else []),
                    _filter(f.client, f.remote, f.transport, f.port),
                ]
            case Kind.NAME:
                n = capture_record.name(observation.response)
                times = "once" if n.count == 1 else f"{n.count} times"
                answers = f", answered with {', '.join(n.answers)}" if n.answers else ""
                words = f"{n.client} named {n.name} in {n.proto}, {times}{answers}, {_span(n.first, n.last)}"
                port = n.port if n.port is not None else _PORTS.get(n.proto, 0)
                transport = "" if n.remote is None else "udp" if n.proto in _OVER_UDP else "tcp"
                return [words, _filter(n.client, n.remote or "", transport, port)]
            case Kind.SERVICE:
                s = capture_record.service(observation.response)
                told = f" ({s.detail})" if s.detail else ""
                count = "1 packet" if s.packets == 1 else f"{s.packets} packets"
                words = f"{s.client} spoke {s.service}{told} with {s.remote} {s.transport} {s.port}: {count}, {_span(s.first, s.last)}"
                return [words, _filter(s.client, s.remote, s.transport, s.port)]
    except DecodeError:
        pass
    return []


def origin(observation: Observation, intakes: Mapping[str, IntakeInfo]) -> str:
    """The files the record was counted in, by name and SHA-256."""
    intake = intakes.get(observation.id.partition(":")[0])
    if intake is None:
        return ""
    if not intake.inputs:
        return f"{intake.id}: captured live; packets are there only if --keep was given (kept/{intake.id})"
    shown = [f"{clean(i.name)} (sha256 {i.sha256})" for i in intake.inputs[:_SOME]]
    left = len(intake.inputs) - len(shown)
    more = f" and {left} more, see intakes/{intake.id}/intake.json" if left else ""
    which = "in one of: " if len(intake.inputs) > 1 else "in "
    return f"{intake.id}, {which}{'; '.join(shown)}{more}"


def origins(observations: Iterable[Observation], intakes: Mapping[str, IntakeInfo]) -> list[str]:
    """Each once, in the order in which they are met."""
    found = (origin(o, intakes) for o in observations if o.kind in KINDS)
    return [text for text in dict.fromkeys(found) if text]


def _filter(client: str, remote: str, transport: str, port: int) -> str:
    parts = [f"host {client}"]
    if remote:
        parts.append(f"host {remote}")
    if port:
        parts.append(f"{transport} port {port}".strip())
    elif transport:
        parts.append(transport if transport in {"tcp", "udp", "icmp"} else f"proto {transport}")
    return f"to see it: tcpdump -nr FILE {shlex.quote(' and '.join(map(clean, parts)))}"


def _span(first: float, last: float) -> str:
    try:
        return f"{iso(first)} to {iso(last)}"
    except (ValueError, OverflowError, OSError):
        return "at a time no calendar has"
