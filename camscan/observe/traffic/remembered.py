"""What must be written down of names, services and facts, so that a reading can go on after a restart?

Records of the counters as they are, with a version; the columns of the engine are in `state`. Not in it: the
beginnings of streams that were not whole yet. They are counted, and named as not examined when it goes on.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from camscan.errors import InputError
from camscan.model.traffic import ClientFact
from camscan.observe.traffic.state import State

SCHEMA = "camscan-capture-memory/2"


class NameRecord(Struct, frozen=True, kw_only=True, array_like=True):
    """A name, who named it, and how often in questions and in answers."""

    client: str
    mac: str | None
    proto: str
    name: str
    remote: str | None
    port: int | None
    first: float
    last: float
    asked: int
    seen: int
    answers: tuple[str, ...]
    said: float
    """When the aliases and protocols were said."""
    aliases: tuple[str, ...]
    alpn: tuple[str, ...]
    ech: bool


class ServiceRecord(Struct, frozen=True, kw_only=True, array_like=True):
    """Messages of one service in one conversation."""

    client: str
    mac: str | None
    remote: str
    port: int
    transport: str
    signature: str
    own: int
    first: float
    last: float
    packets: int
    needs: int
    """Messages that settle it."""
    settled: bool
    announced: str
    messages: tuple[str, ...]


class Memory(Struct, frozen=True, kw_only=True, array_like=True):
    """All that a namer counted."""

    names: tuple[NameRecord, ...] = ()
    services: tuple[ServiceRecord, ...] = ()
    facts: tuple[ClientFact, ...] = ()
    leases: dict[str, str] = {}
    encrypted: tuple[str, ...] = ()
    dns_visible: bool = False
    not_examined: dict[str, int] = {}
    """Reason -> how often, of the register."""
    facts_not_examined: dict[str, int] = {}


class Remembered(Struct, frozen=True, kw_only=True):
    """A reading under way: what was counted and what was named."""

    schema: str
    engine: State
    memory: Memory


def encoded(engine: State, memory: Memory) -> bytes:
    return msgspec.msgpack.encode(Remembered(schema=SCHEMA, engine=engine, memory=memory))


def decoded(data: bytes) -> Remembered:
    """InputError where the bytes are no such record, or one of another version."""
    try:
        found = msgspec.msgpack.decode(data, type=Remembered)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"no memory of a capture: {error}") from error
    if found.schema != SCHEMA:
        raise InputError(f"memory of a capture {found.schema}: this program reads {SCHEMA}")
    return found
