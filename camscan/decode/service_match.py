"""Which camera services does one payload look like a message of?

The tables of signatures/services, compiled. A match of one message is no service yet: `enough` says
whether the message alone, its port, or a number of messages settles it (facts: traffic 4, caveat).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from camscan.decode import gwell, pppp_key, tutk
from camscan.decode.announced import READERS
from camscan.errors import KnowledgeError
from camscan.model.service import BytesAt, LengthAt, ServiceMessage, ServiceSignature

HEAD = 16
"""Bytes of a payload that a gate of the capture engine can see."""
_MANY, _RARE, _SHORT = 16, 24, 1400
"""Of short messages of a service that is known on its ports alone: more alternatives, or less that is fixed, and
ports and length are the first look."""
RUN = "rtp-run"
"""A message that is none alone: only a run of packets makes it (camscan.decode.rtp)."""
_CHECKS: Mapping[str, Callable[[bytes], bool]] = {
    "": lambda _: True,
    "tutk": tutk.is_message,
    "pppp-key": lambda data: bool(pppp_key.plain(data)),
    "gwell": gwell.is_sound,
    "announced": lambda _: True,
    RUN: lambda _: False,
}


class Matched(Struct, frozen=True):
    """One message of one service."""

    service: ServiceSignature
    message: ServiceMessage
    announced: str
    by_port: bool = False
    """Nothing but a port of the service can settle it: one message does not, however many come."""


class Pattern(Struct, frozen=True):
    """Fixed bits at an offset, for the engine's own gates."""

    service: str
    transport: str
    offset: int
    value: bytes
    mask: bytes
    shortest: int
    longest: int
    ports: tuple[int, ...] = ()
    """Where given, the message counts on these alone."""
    plain: bool = False
    """The pattern and the length are all there is to the message: what stands behind them says nothing."""


class _Compiled(Struct, frozen=True):
    service: ServiceSignature
    message: ServiceMessage
    tests: tuple[tuple[int, bytes, tuple[bytes, ...]], ...]
    """(offset, mask, allowed values under the mask)"""
    numbers: tuple[tuple[int, int, int, frozenset[int]], ...]
    """The same as (begin, end, mask, values): big-endian numbers."""
    shortest: int
    longest: int
    by_port: bool
    plain: Matched | None
    """The match, where it is the same for every payload that fits: no further check, and no id to be read."""


class ServiceTable:
    """All service signatures, ready to match."""

    def __init__(self, signatures: Iterable[ServiceSignature]) -> None:
        self.signatures = tuple(signatures)
        self._by_transport: dict[str, list[_Compiled]] = {"udp": [], "tcp": []}
        for signature in self.signatures:
            for message in signature.message:
                one = _compile(signature, message)
                if message.check == RUN:
                    continue
                for transport in ("udp", "tcp"):
                    if signature.transport in {"", transport}:
                        self._by_transport[transport].append(one)
        self.runs = tuple(
            Matched(s, m, "") for s in self.signatures for m in s.message if m.check == RUN
        )
        """What a run of media packets is (camscan.decode.rtp)."""
        # Most payloads are ruled out by their first byte.
        self._by_first = {
            transport: _by_first(every) for transport, every in self._by_transport.items()
        }

    def match(self, payload: bytes, transport: str, length: int = 0) -> list[Matched]:
        """Every message the payload looks like; `length`: bytes on the wire where a capture cut it."""
        size = length or len(payload)
        found: list[Matched] = []
        every = self._by_first.get(transport)
        if not every or not payload:
            return found
        held = len(payload)
        for one in every[payload[0]]:
            if not one.shortest <= size <= one.longest:
                continue
            for begin, end, mask, values in one.numbers:
                if end > held or int.from_bytes(payload[begin:end], "big") & mask not in values:
                    break
            else:
                matched = one.plain or _read(one, payload, size)
                if matched is not None:
                    found.append(matched)
        return found

    def patterns(self) -> tuple[Pattern, ...]:
        """What a fast first look can test: one entry per message and alternative."""
        return tuple(
            pattern
            for transport, compiled in self._by_transport.items()
            for one in compiled
            for pattern in _patterns(one, transport)
        )


def may_settle(matched: Matched, one: int, other: int) -> bool:
    """Whether messages between these ports can ever settle the service."""
    ports = matched.service.ports
    return not matched.by_port or one in ports or other in ports


def enough(
    signature: ServiceSignature, message: ServiceMessage, ports: Iterable[int], seen: int
) -> bool:
    """Whether `seen` messages in one flow with these ports settle the service."""
    if message.enough or any(map(signature.ports.__contains__, ports)):
        return True
    return signature.needs > 0 and seen >= signature.needs


def _compile(signature: ServiceSignature, message: ServiceMessage) -> _Compiled:
    where = f"service {signature.id}, message {message.name}"
    if message.check not in _CHECKS or signature.announced not in READERS:
        raise KnowledgeError(
            f"{where}: check {message.check!r} or reader {signature.announced!r} unknown"
        )
    if not message.bytes:
        raise KnowledgeError(f"{where}: a message without bytes matches everything")
    try:
        tests = tuple(_test(b) for b in message.bytes)
    except ValueError as error:
        raise KnowledgeError(f"{where}: {error}") from error
    numbers = tuple(
        (
            at,
            at + len(mask),
            int.from_bytes(mask, "big"),
            frozenset(int.from_bytes(value, "big") for value in values),
        )
        for at, mask, values in tests
    )
    by_port = not message.enough and signature.needs <= 0
    plain = None
    if message.length is None and not message.check and not signature.announced:
        plain = Matched(signature, message, "", by_port)
    return _Compiled(
        signature, message, tests, numbers, message.shortest, message.longest, by_port, plain
    )


def _test(given: BytesAt) -> tuple[int, bytes, tuple[bytes, ...]]:
    values = tuple(bytes.fromhex(text) for text in (given.any or (given.hex,)))
    mask = bytes.fromhex(given.mask) if given.mask else b"\xff" * len(values[0])
    if not values[0] or {len(v) for v in values} != {len(mask)}:
        raise ValueError("hex, mask and alternatives need the same, non-zero length")
    return given.at, mask, tuple(_and(v, mask) for v in values)


def _by_first(every: Iterable[_Compiled]) -> tuple[tuple[_Compiled, ...], ...]:
    """For each first byte, what may begin with it."""
    found: list[list[_Compiled]] = [[] for _ in range(256)]
    for one in every:
        for byte in _first_bytes(one):
            found[byte].append(one)
    return tuple(map(tuple, found))


def _first_bytes(one: _Compiled) -> Iterable[int]:
    allowed: Iterable[int] = range(256)
    for at, mask, values in one.tests:
        if at == 0:
            wanted, fixed = {value[0] for value in values}, mask[0]
            if fixed == 0xFF and isinstance(allowed, range):
                allowed = sorted(wanted)
            else:
                allowed = [byte for byte in allowed if byte & fixed in wanted]
    return allowed


def _read(one: _Compiled, payload: bytes, size: int) -> Matched | None:
    """What a payload whose fixed bits fit says; None where its length or a further check does not."""
    message = one.message
    if message.length is not None and not _agrees(message.length, payload, size):
        return None
    if not _CHECKS[message.check](payload):
        return None
    announced = READERS[one.service.announced](payload)
    if message.check == "announced" and not announced:
        return None
    return Matched(one.service, message, announced, one.by_port)


def _and(left: bytes, right: bytes) -> bytes:
    size = len(left)
    return (int.from_bytes(left, "big") & int.from_bytes(right[:size], "big")).to_bytes(size, "big")


def _agrees(rule: LengthAt, payload: bytes, size: int) -> bool:
    part = payload[rule.at : rule.at + rule.size]
    if len(part) < rule.size:
        return False
    value = int.from_bytes(part, "little" if rule.order == "little" else "big")
    return value + rule.add == size


def _patterns(one: _Compiled, transport: str) -> list[Pattern]:
    """The tests inside the first bytes as patterns, alternatives become entries.

    A pattern is found by its first two bytes, so it begins at the test that fixes most of those.
    """
    message, signature = one.message, one.service
    visible = [t for t in one.tests if t[0] < HEAD - 1 or (t[0] < HEAD and len(t[1]) == 1)]
    if not visible:
        return []
    begins = [[t for t in visible if t[0] >= begin[0]] for begin in visible]
    # The author of a signature lists first what is rarest.
    chosen = next((b for b in begins if _fixed(b) >= _RARE), max(begins, key=_fixed))
    # Where one message is never enough but on ports of the service, the others need no look.
    ports = signature.ports if one.by_port else ()
    found = _joined(chosen)
    short = message.longest < _SHORT
    told = len(chosen) == len(visible) and any(mask for _, _, mask in found)
    told &= all(at + len(mask) <= HEAD for at, mask, _ in one.tests)
    # Many patterns, or ones that are everywhere, are no quicker than the ports, unless they tell all.
    if ports and short and not told and (len(found) > _MANY or _fixed(chosen) < _RARE):
        found = [(0, b"", b"")]
    plain = told and not (message.length or message.check or signature.announced)
    return [
        Pattern(
            service=signature.id,
            transport=transport,
            offset=offset,
            value=value,
            mask=mask,
            shortest=message.shortest,
            longest=message.longest,
            ports=ports,
            plain=plain,
        )
        for offset, value, mask in found
    ]


def _fixed(given: list[tuple[int, bytes, tuple[bytes, ...]]]) -> int:
    """How rare the first two bytes of these tests are: twice the fixed bits, less the doublings of alternatives."""
    tests = sorted(given)
    begin = tests[0][0]
    if not any(value[:2].strip(b"\0") for value in tests[0][2]):
        return 0  # zeros stand everywhere
    bits = sum(
        mask[n].bit_count() for at, mask, _ in tests for n in range(len(mask)) if at + n < begin + 2
    )
    return 2 * bits - len({v[:2] for v in tests[0][2]}).bit_length()


def _joined(tests: list[tuple[int, bytes, tuple[bytes, ...]]]) -> list[tuple[int, bytes, bytes]]:
    """All tests as single masked patterns; the product of the alternatives, at most 256."""
    start = min(at for at, _, _ in tests)
    end = min(HEAD, max(at + len(mask) for at, mask, _ in tests))
    grown = [(bytearray(end - start), bytearray(end - start))]
    for at, mask, values in tests:
        part = mask[: end - at]
        following = []
        for value, fixed in grown:
            for wanted in dict.fromkeys(v[: len(part)] for v in values):
                v, f = bytearray(value), bytearray(fixed)
                v[at - start : at - start + len(part)] = wanted
                f[at - start : at - start + len(part)] = part
                following.append((v, f))
        grown = following[:256]
    return [(start, bytes(value), bytes(mask)) for value, mask in grown]
