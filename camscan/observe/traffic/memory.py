"""How does a reading write down what was named, and go on from it, or from what was named beside it?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from camscan.observe.traffic import initials
from camscan.observe.traffic.facts import Facts
from camscan.observe.traffic.pending import Tables
from camscan.observe.traffic.register import Register

if TYPE_CHECKING:
    from camscan.observe.traffic.remembered import Memory

NOT_WHOLE = "heads of streams that were not whole"


class Parts(NamedTuple):
    """Where a namer keeps what it found."""

    register: Register
    facts: Facts
    encrypted: dict[str, None]
    pending: Tables
    dns_visible: bool


def written(parts: Parts) -> Memory:
    """All that was found; the reading goes on unharmed. What waits for more is not in it (`pending`)."""
    # Loaded when a reading is interrupted or saved, and not with every start.
    from camscan.observe.traffic.remembered import Memory

    names, services = parts.register.records()
    facts, leases = parts.facts.records()
    return Memory(
        names=names,
        services=services,
        facts=facts,
        leases=leases,
        encrypted=tuple(parts.encrypted),
        dns_visible=parts.dns_visible,
        not_examined=dict(parts.register.not_examined),
        facts_not_examined=dict(parts.facts.not_examined),
    )


def broken_off(parts: Parts) -> Memory:
    """The same for a reading that ends here: what waits for more is counted as not whole."""
    memory, pending = written(parts), parts.pending
    missed = Counter(memory.not_examined)
    missed[NOT_WHOLE] += len(pending.streams) + len(pending.bodies.pending)
    missed[initials.NOT_WHOLE] += len(pending.initials.pieces)
    return replace(memory, not_examined={why: count for why, count in missed.items() if count})


def taken_up(parts: Parts, memory: Memory) -> None:
    """Go on from what an earlier reading knew, or add what was read of the packets that come next."""
    parts.register.take_up(memory.names, memory.services)
    parts.facts.take_up(memory.facts, memory.leases)
    parts.register.not_examined.update(memory.not_examined)
    parts.facts.not_examined.update(memory.facts_not_examined)
    parts.encrypted.update(dict.fromkeys(memory.encrypted))
