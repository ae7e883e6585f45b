"""What do these captures show: names, flows, services, facts, and what could not be read?

The engine reads and counts, the namer reads the few packets that say something.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.own_networks import Own
from camscan.model.service import ServiceSignature
from camscan.model.traffic import Captured, Flow
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.messages import Problem, Progress
from camscan.observe.traffic.named import named_by
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import Source, open_source

if TYPE_CHECKING:
    from camscan.observe.traffic.beside import Beside

WORTH = 100_000_000
"""Bytes of a file from which a second process pays."""
Phases = tuple[tuple[str, float, float], ...]


class TakeOptions(Struct, frozen=True, kw_only=True):
    """How to look at a capture; all of it is recorded with the intake."""

    vantage: str = "file"
    local: tuple[str, ...] = ()
    phases: Phases = ()
    """(name, begin, end); (name, 0, 0) stands for the whole capture."""


class Taking:
    """One capture under way: give it inputs, then ask for what it found."""

    def __init__(
        self,
        services: Sequence[ServiceSignature],
        resolvers: Mapping[str, str],
        options: TakeOptions,
        *,
        processes: int = 1,
    ) -> None:
        """`processes`: with two or more, one beside this one reads the names of large files."""
        self._options = options
        self._processes = processes
        self._beside: Beside | None = None
        self._namer = Namer(services, local=Own(options.local), resolvers=resolvers)
        self.engine = Engine(
            gates=(*GATES, *service_gates(services)), feed=self._namer, scope=options.local
        )

    def read(
        self, source: Source | Path, *, on_chunk: Callable[[Progress], None] | None = None
    ) -> None:
        """One file to its end. InputError where it cannot be opened at all."""
        opened = open_source(source) if isinstance(source, Path) else source
        with _fewer_collections():
            if self._beside is None and self._is_worth(opened):
                # Loaded where it pays: most captures are small, and start faster without.
                from camscan.observe.traffic.beside import Beside

                self._beside = Beside(self.engine, self._namer)
            self.engine.read(opened, on_chunk=on_chunk)

    def _is_worth(self, source: Source) -> bool:
        """Whether another process is to read the names; who keeps packets does it alone."""
        alone = self._processes < 2 or not hasattr(os, "fork") or self.engine.keeper is not None
        return not alone and source.windows >= WORTH

    def remember(self) -> bytes:
        """All that was found so far, as `take_up` wants it; the reading goes on unharmed."""
        from camscan.observe.traffic.memory import written
        from camscan.observe.traffic.remembered import encoded
        from camscan.observe.traffic.state import state_of

        self.engine.tell()
        if self._beside is not None:
            return encoded(state_of(self.engine), self._beside.memory())
        namer = self._namer
        memory = written(namer.parts(), dns_visible=namer.dns_visible)
        return encoded(state_of(self.engine), memory)

    def take_up(self, data: bytes) -> None:
        """Go on from what an earlier reading remembered; to be called first. InputError where it is none."""
        from camscan.observe.traffic.memory import taken_up
        from camscan.observe.traffic.remembered import decoded
        from camscan.observe.traffic.state import absorb

        found = decoded(data)
        absorb(self.engine, found.engine)
        taken_up(self._namer.parts(), found.memory)
        self._namer.dns_visible = self._namer.dns_visible or found.memory.dns_visible

    @property
    def names(self) -> int:
        """Distinct names so far."""
        return self._namer.count if self._beside is None else self._beside.count

    def flows(self) -> Iterator[Flow]:
        """Every flow, one at a time. Ends the reading."""
        return self.engine.flows()

    def found(self) -> Captured:
        """Everything but the flows; after `flows`."""
        options = self._options
        if self._beside is None:
            named = named_by(self._namer)
        else:
            named = self._beside.found()
            self._beside.close()
        summary = self.engine.summary(vantage=options.vantage)
        first, last = summary.first or 0.0, summary.last or 0.0
        return Captured(
            summary=replace(
                summary,
                dns_visible=named.dns_visible,
                encrypted_resolvers=named.encrypted_resolvers,
                phases=tuple((n, b or first, e or last) for n, b, e in options.phases),
                not_examined=(*summary.not_examined, *named.not_examined),
                local=options.local,
            ),
            names=named.names,
            services=named.services,
            facts=named.facts,
        )

    def done(self) -> tuple[Captured, tuple[Problem, ...]]:
        """Everything found, and what could not be read."""
        with _fewer_collections():
            flows = tuple(self.flows())
            return replace(self.found(), flows=flows), tuple(self.engine.problems)


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Python looks for cycles after 100,000 new objects instead of 700.

    Names and flows are held in tables and make no cycles, but every look goes over all of them.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
