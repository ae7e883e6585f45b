"""How does a reading write down what was named, and go on from it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from camscan.observe.traffic.facts import Facts
from camscan.observe.traffic.register import Register

if TYPE_CHECKING:
    from camscan.observe.traffic.remembered import Memory


class Parts(NamedTuple):
    """Where a namer keeps what it found."""

    register: Register
    facts: Facts
    encrypted: dict[str, None]
    waiting: tuple[tuple[str, int], ...]
    """(reason in words, how many): beginnings that are not whole yet."""


def written(parts: Parts, *, dns_visible: bool) -> Memory:
    """What a later reading needs to go on; this one goes on unharmed."""
    # Loaded when a reading is interrupted or saved, and not with every start.
    from camscan.observe.traffic.remembered import Memory

    names, services = parts.register.records()
    facts, leases = parts.facts.records()
    missed = parts.register.not_examined.copy()
    missed.update(dict(parts.waiting))
    return Memory(
        names=names,
        services=services,
        facts=facts,
        leases=leases,
        encrypted=tuple(parts.encrypted),
        dns_visible=dns_visible,
        not_examined={reason: count for reason, count in missed.items() if count},
        facts_not_examined=dict(parts.facts.not_examined),
    )


def taken_up(parts: Parts, memory: Memory) -> None:
    """Go on from what an earlier reading knew; to be called before the first packet."""
    parts.register.take_up(memory.names, memory.services)
    parts.facts.take_up(memory.facts, memory.leases)
    parts.register.not_examined.update(memory.not_examined)
    parts.facts.not_examined.update(memory.facts_not_examined)
    parts.encrypted.update(dict.fromkeys(memory.encrypted))
