"""What was a call of `camscan traffic` asked to do?"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from camscan.observe.traffic.phases import Phase


class Judging(NamedTuple):
    """The options of every command that assesses, as they were given."""

    site_file: Path | None
    networks: Path | None
    jurisdiction: str
    as_of: str
    local: Path | None


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
