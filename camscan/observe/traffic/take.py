"""What do these captures show: names, flows, services, facts, and what could not be read?

The engine reads and counts, the namer reads the few packets that say something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.own_networks import Own
from camscan.model.service import ServiceSignature
from camscan.model.traffic import Captured
from camscan.observe.traffic.engine import Engine, Problem, Progress
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.media import judge
from camscan.observe.traffic.namer import Namer, service_gates
from camscan.observe.traffic.source import Source, open_source

Phases = tuple[tuple[str, float, float], ...]


class TakeOptions(Struct, frozen=True, kw_only=True):
    """How to look at a capture; all of it is recorded with the intake."""

    vantage: str = "file"
    local: tuple[str, ...] = ()
    phases: Phases = ()
    """(name, begin, end); (name, 0, 0) stands for the whole capture."""


def take(
    sources: Sequence[Source | Path],
    *,
    services: Sequence[ServiceSignature],
    resolvers: Mapping[str, str],
    options: TakeOptions,
    on_chunk: Callable[[Progress], None] | None = None,
) -> tuple[Captured, tuple[Problem, ...]]:
    """Read the sources as one capture. InputError where one cannot be opened at all."""
    namer = Namer(services, local=Own(options.local), resolvers=resolvers)
    engine = Engine(gates=(*GATES, *service_gates(services)), feed=namer.feed, scope=options.local)
    for source in sources:
        engine.read(open_source(source) if isinstance(source, Path) else source, on_chunk=on_chunk)
    flows = tuple(judge(flow) for flow in engine.flows())
    summary = engine.summary(vantage=options.vantage)
    first, last = summary.first or 0.0, summary.last or 0.0
    return Captured(
        summary=replace(
            summary,
            dns_visible=namer.dns_visible,
            encrypted_resolvers=namer.encrypted_resolvers(),
            phases=tuple((n, b or first, e or last) for n, b, e in options.phases),
            not_examined=(*summary.not_examined, *namer.not_examined()),
            local=options.local,
        ),
        names=namer.names(),
        flows=flows,
        services=namer.services(),
        facts=namer.facts(),
    ), tuple(engine.problems)
