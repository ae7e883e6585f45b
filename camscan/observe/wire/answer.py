"""What does one exchange need, and what does it give?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from camscan.model.observation import Kind, Reason
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.pace import Budget


class Answer(Struct, frozen=True, kw_only=True):
    """One answer as it came: the circumstances of an Observation."""

    kind: Kind
    response: bytes
    port: int
    request: str
    transport: str = "tcp"
    tls: bool = False
    truncated: bool = False
    flags: tuple[str, ...] = ()


class Refusal(Struct, frozen=True, kw_only=True):
    """Something an answer asked for that was not done, or a part that failed."""

    reason: Reason
    detail: str


class Outcome(Struct, frozen=True, kw_only=True):
    answers: tuple[Answer, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class Search(Struct, frozen=True, kw_only=True):
    """A search message that may be sent to one device: fixed bytes from `decode`."""

    message: bytes
    request: str
    """In words of the protocol, for the record."""
    answer_port: int = 0
    """Where the protocol sends answers to; 0 for the sender's port."""
    accepts: Callable[[bytes], bool] = bool


class Means(Struct, frozen=True, kw_only=True):
    """What every conversation of a scan shares."""

    gate: Gate
    budget: Budget
    listed: frozenset[str]
    """HTTP paths of the probe plan: the only ones a redirect may lead to."""
    searches: Mapping[str, Search]
    greetings: Mapping[str, bytes]
    snmp_engine: Search
    describe_favicon: Callable[[bytes], bytes]
    """The stored text of an icon; DecodeError where the answer holds none."""
    source: str | None = None
    """Local address to send from, where an interface was chosen."""
