"""What do these captures show: names, flows, services, facts, and what could not be read?

The engine reads and counts, the namer reads the few packets that say something.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.own_networks import Own
from camscan.model.service import ServiceSignature
from camscan.model.traffic import Captured
from camscan.observe.traffic.engine import Engine, Problem, Progress
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.live import Live, LiveOptions, listen, watch
from camscan.observe.traffic.media import judge
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import Source, open_source
from camscan.observe.wire.listen import TzspListener

Phases = tuple[tuple[str, float, float], ...]


class TakeOptions(Struct, frozen=True, kw_only=True):
    """How to look at a capture; all of it is recorded with the intake."""

    vantage: str = "file"
    local: tuple[str, ...] = ()
    phases: Phases = ()
    """(name, begin, end); (name, 0, 0) stands for the whole capture."""


@contextmanager
def _settled() -> Iterator[None]:
    """The collector of cycles leaves alone what is there already: tables of thousands of records hold none."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Taking:
    """One capture under way: give it inputs, then ask for what it found."""

    def __init__(
        self,
        services: Sequence[ServiceSignature],
        resolvers: Mapping[str, str],
        options: TakeOptions,
    ) -> None:
        self._options = options
        self._namer = Namer(services, local=Own(options.local), resolvers=resolvers)
        self._problems: list[Problem] = []
        self.engine = Engine(
            gates=(*GATES, *service_gates(services)), feed=self._namer, scope=options.local
        )

    def read(
        self, source: Source | Path, *, on_chunk: Callable[[Progress], None] | None = None
    ) -> None:
        """One file to its end. InputError where it cannot be opened at all."""
        opened = open_source(source) if isinstance(source, Path) else source
        with _settled():
            self.engine.read(opened, on_chunk=on_chunk)

    def watch(
        self, options: LiveOptions, *, on_chunk: Callable[[Progress], None] | None = None
    ) -> None:
        """One interface until its time is over or somebody stops it; PrivilegeError without the right."""
        seen = watch(Live(self.engine, options, on_chunk=on_chunk))
        self.engine.lost = seen.lost
        if not seen.complete:
            self._problems.append(Problem(options.interface, seen.why or "ended early"))
        if not seen.promiscuous:
            words = "the interface shows only frames to this host: other devices were not watched"
            self._problems.append(Problem(options.interface, words))

    def listen(
        self,
        listener: TzspListener,
        *,
        duration: float | None = None,
        on_chunk: Callable[[Progress], None] | None = None,
    ) -> None:
        """A mirror that a router sends as datagrams, until its time is over or Ctrl-C."""
        seen = listen(self.engine, listener, duration=duration, on_chunk=on_chunk)
        self.engine.lost = seen.lost
        if not seen.complete:
            self._problems.append(Problem("tzsp", seen.why))

    def done(self) -> tuple[Captured, tuple[Problem, ...]]:
        """Everything found, and what could not be read."""
        with _settled():
            return self._done()

    def _done(self) -> tuple[Captured, tuple[Problem, ...]]:
        namer, options = self._namer, self._options
        flows = tuple(judge(flow) for flow in self.engine.flows())
        summary = self.engine.summary(vantage=options.vantage)
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
        ), (*self.engine.problems, *self._problems)
