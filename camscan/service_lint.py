"""Does every camera-service signature keep the rules of the house (DESIGN rule 7)?

Each is run against its own samples and near misses, everybody else's samples, and traffic that no camera
service may match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from camscan.decode.rtp import Run
from camscan.decode.service_match import ServiceTable, enough
from camscan.errors import KnowledgeError
from camscan.model.knowledge import Knowledge
from camscan.model.service import ServiceSample, ServiceSignature

Wrong = tuple[str, str, str]
"""(signature, field, what is wrong)"""

PURPOSES = frozenset(
    {"signalling", "registration", "relay", "media", "telemetry", "update", "time", "local"}
)
_ORIGINS = frozenset({"documented", "constructed"})
_OTHERS: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    ("DNS question", "udp", 53, ("123401000001000000000000076578616d706c6503636f6d0000010001",)),
    ("mDNS question", "udp", 5353, ("000000000001000000000000055f68747470045f746370056c6f63616c00000c0001",)),
    ("RTP audio", "udp", 40002, tuple(f"8000{n:04x}000000a0deadbeef" + "d5" * 160 for n in range(1, 4))),
    ("zeros", "udp", 32100, ("00" * 32, "00" * 32)),
    ("ones", "udp", 9999, ("ff" * 32, "ff" * 32)),
    ("TLS ClientHello", "tcp", 443, ("1603010200010001fc0303" + "5a" * 32,)),
    ("HTTP request", "tcp", 8800, (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".hex(),) * 2),
    ("SIP telephone", "udp", 5060, (b"REGISTER sip:pbx.example SIP/2.0\r\nFrom: <sip:7001@pbx.example>\r\n\r\n".hex(),) * 2),
)  # fmt: skip
"""(what, transport, remote port, payloads of one flow)"""


def services_wrong(knowledge: Knowledge) -> Iterator[Wrong]:
    """Everything that is wrong with the service signatures."""
    sound = []
    for signature in knowledge.services:
        mine = [*_shape(signature), *_compiles(signature)]
        yield from mine
        if not mine:
            sound.append(signature)
    table = ServiceTable(sound)
    for signature in sound:
        yield from _samples(signature, table)
        yield from _misses(signature, table)
    for what, transport, port, payloads in _OTHERS:
        flow = [bytes.fromhex(p) for p in payloads]
        for name in sorted(recognised(table, transport, port, flow)):
            yield (name, "message", f"matches the trap: {what}")


def recognised(
    table: ServiceTable, transport: str, port: int, payloads: Sequence[bytes]
) -> dict[str, str]:
    """Service -> announced id, for the payloads of one flow."""
    seen: dict[str, int] = {}
    ids: dict[str, str] = {}
    found: dict[str, str] = {}
    for payload in payloads:
        for match in table.match(payload, transport):
            name = match.service.id
            seen[name] = seen.get(name, 0) + 1
            ids[name] = ids.get(name, "") or match.announced
            if name in found or enough(match.service, match.message, (port,), seen[name]):
                found[name] = ids[name]
    run = Run()
    if transport == "udp" and any(run.add(payload) for payload in payloads):
        found |= dict.fromkeys((m.service.id for m in table.runs), "")
    return found


def payloads_of(sample: ServiceSample) -> list[bytes]:
    """The payloads of a sample."""
    if sample.payload_hex:
        return [bytes.fromhex(text) for text in sample.payload_hex]
    return [text.encode("latin-1") for text in sample.payload]


def _transports(signature: ServiceSignature) -> tuple[str, ...]:
    return (signature.transport,) if signature.transport else ("udp", "tcp")


def _shape(signature: ServiceSignature) -> Iterator[Wrong]:
    if signature.transport not in {"", "udp", "tcp"}:
        yield (signature.id, "transport", "udp, tcp, or empty for both")
    if signature.purpose not in PURPOSES:
        yield (signature.id, "purpose", f"one of {', '.join(sorted(PURPOSES))}")
    if not signature.sample:
        yield (signature.id, "sample", "no positive sample")
    if not signature.near_miss:
        yield (signature.id, "near_miss", "no near miss")
    if not signature.not_proof_of:
        yield (signature.id, "not_proof_of", "say what the service does not show")
    for number, sample in enumerate((*signature.sample, *signature.near_miss)):
        if sample.origin not in _ORIGINS:
            yield (signature.id, f"sample[{number}].origin", "documented or constructed")
        try:
            if not payloads_of(sample):
                yield (signature.id, f"sample[{number}]", "no payload")
        except ValueError:
            yield (signature.id, f"sample[{number}].payload_hex", "is not hexadecimal")


def _compiles(signature: ServiceSignature) -> Iterator[Wrong]:
    try:
        ServiceTable((signature,))
    except KnowledgeError as error:
        yield (signature.id, "message", str(error))
        return
    for message in signature.message:
        fixed = sum(
            int.from_bytes(bytes.fromhex(b.mask or "ff" * (len(b.hex or b.any[0]) // 2)), "big").bit_count()
            for b in message.bytes
        )  # fmt: skip
        if fixed < 16 and message.length is None and not (message.check or signature.needs == 0):
            yield (signature.id, message.name, f"{fixed} fixed bits and no length: too weak")


def _samples(signature: ServiceSignature, table: ServiceTable) -> Iterator[Wrong]:
    announced = set()
    for number, sample in enumerate(signature.sample):
        for transport in _transports(signature):
            found = recognised(table, transport, sample.port, payloads_of(sample))
            if signature.id not in found:
                yield (signature.id, f"sample[{number}]", "does not match its own sample")
            elif found[signature.id] != sample.announced:
                text = f"announces {found[signature.id]!r}, expected {sample.announced!r}"
                yield (signature.id, f"sample[{number}]", text)
            for other in sorted(set(found) - {signature.id}):
                yield (other, "message", f"matches sample {number} of {signature.id}")
        announced.add(sample.announced)
    if signature.announced and announced <= {""}:
        yield (signature.id, "sample", "no sample shows the id that is read")


def _misses(signature: ServiceSignature, table: ServiceTable) -> Iterator[Wrong]:
    for number, miss in enumerate(signature.near_miss):
        for transport in _transports(signature):
            if signature.id in recognised(table, transport, miss.port, payloads_of(miss)):
                yield (signature.id, f"near_miss[{number}]", "matches its near miss")
