"""What was a call of `camscan traffic` asked to do?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from camscan.cli.judging import read_knowledge, read_options, read_traffic_knowledge
from camscan.observe.traffic.phases import Phase

if TYPE_CHECKING:
    from camscan.assess_options import AssessOptions
    from camscan.model.knowledge import Knowledge, TrafficKnowledge


class Judging(NamedTuple):
    """The options of every command that assesses, as they were given."""

    site_file: Path | None
    networks: Path | None
    jurisdiction: str
    as_of: str
    local: Path | None

    def knowledge(self) -> Knowledge:
        return read_knowledge(self.local)

    def traffic_knowledge(self) -> TrafficKnowledge:
        """Where nothing is judged."""
        return read_traffic_knowledge(self.local)

    def options(self) -> AssessOptions:
        """Read and checked: UsageError and the like before anything is made."""
        return read_options(self.site_file, self.networks, self.jurisdiction, self.as_of)


class Known(NamedTuple):
    """What is needed to look and to judge."""

    knowledge: Knowledge
    options: AssessOptions


class Wish(NamedTuple):
    """All of it, checked for sense. With `resume` only `out`, `as_json`, `quiet` and `judging` count."""

    captures: tuple[Path, ...]
    out: Path | None
    resume: bool
    local: tuple[str, ...]
    phases: tuple[Phase, ...]
    vantage: str
    interface: str
    listen: str
    duration: float | None
    """Seconds."""
    every: float
    """Seconds between two checkpoints of a live capture."""
    filter: str
    keep: str
    keep_days: int | None
    keep_limit: int
    """Bytes."""
    as_json: bool
    quiet: bool
    judging: Judging

    @property
    def live(self) -> bool:
        return bool(self.interface or self.listen)
