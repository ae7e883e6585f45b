"""What do these captures show: names, flows, services, facts, and what could not be read?

The engine reads and counts, the namer reads the few packets that say something.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from camscan.model.service import ServiceSignature
from camscan.model.traffic import Captured, Flow
from camscan.observe.traffic.asked import Asked
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.messages import Problem, Progress
from camscan.observe.traffic.named import named_by
from camscan.observe.traffic.sizes import Sizes
from camscan.observe.traffic.source import Source, open_source

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
        sizes: Sizes | None = None,
    ) -> None:
        """`processes`: so many read a large file, each a part of it; `sizes`: what is large."""
        self._options = options
        self._processes = processes
        self._sizes = sizes or Sizes()
        self._asked = Asked(services, resolvers, options.local)
        self._gates = self._asked.gates()
        self._namer = self._asked.namer()
        self.engine = Engine(
            gates=self._gates, feed=self._namer, scope=options.local, every=self._sizes.every
        )
        self.again = 0
        """Parts that were read by another process in vain."""

    def read(
        self, source: Source | Path, *, on_chunk: Callable[[Progress], None] | None = None
    ) -> None:
        """One file to its end. InputError where it cannot be opened at all."""
        opened = open_source(source) if isinstance(source, Path) else source
        with _fewer_collections():
            # Who keeps packets does it alone.
            alone = self._processes < 2 or not hasattr(os, "fork")
            if alone or self.engine.keeper is not None or opened.windows < self._sizes.worth:
                self.engine.read(opened, on_chunk=on_chunk)
                return
            # Loaded where it pays: most captures are small, and start faster without.
            from camscan.observe.traffic.joining import Joining

            others = Joining(
                self.engine,
                self._namer,
                self._asked,
                opened,
                gates=self._gates,
                processes=self._processes,
                sizes=self._sizes,
            )
            try:
                self.engine.read(opened, on_chunk=on_chunk, others=others)
            finally:
                others.close()
                self.again += others.again

    def remember(self) -> bytes:
        """All that was found so far, as `take_up` wants it; the reading goes on unharmed."""
        from camscan.observe.traffic.memory import broken_off
        from camscan.observe.traffic.remembered import encoded
        from camscan.observe.traffic.state import state_of

        self.engine.tell()
        return encoded(state_of(self.engine), broken_off(self._namer.parts()))

    def take_up(self, data: bytes) -> None:
        """Go on from what an earlier reading remembered; to be called first. InputError where it is none."""
        from camscan.observe.traffic.remembered import decoded
        from camscan.observe.traffic.state import absorb

        found = decoded(data)
        absorb(self.engine, found.engine)
        self._namer.take_up(found.memory)

    @property
    def names(self) -> int:
        """Distinct names so far."""
        return self._namer.count

    def flows(self) -> Iterator[Flow]:
        """Every flow, one at a time. Ends the reading."""
        return self.engine.flows()

    def found(self) -> Captured:
        """Everything but the flows; after `flows`."""
        options, named = self._options, named_by(self._namer)
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
