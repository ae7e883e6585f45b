"""camscan traffic --phase NAME -o RUN: mark what is done to the devices, in a capture that runs."""

from __future__ import annotations

from pathlib import Path

import click

from camscan.clock import Clock, SystemClock, iso
from camscan.errors import UsageError
from camscan.model.traffic import STIMULI
from camscan.observe.traffic import phases, plan
from camscan.run import Run


def mark(out: Path, names: tuple[str, ...], clock: Clock | None = None) -> int:
    """Begin a phase now, or end it; UsageError where no capture runs there."""
    clock = clock or SystemClock()
    if len(names) != 1 or "=" in names[0]:
        raise UsageError("a capture that runs takes one --phase NAME at a time, and it begins now")
    run = Run.open(out, clock)
    intake = run.unsealed()
    folder = run.path / "intakes" / intake if intake is not None else None
    if folder is None or not plan.under_way(folder) or not plan.read(folder).live:
        raise UsageError(f"{out}: no live capture is under way here")
    now = clock.now()
    phases.mark(folder, names[0], now)
    click.echo(said(names[0], now), err=True)
    return 0


def said(name: str, at: float) -> str:
    """What is printed of a mark."""
    name = phases.name_of(name)
    if name == phases.END:
        return f"camscan: phase ended {iso(at)}"
    stimulus = "" if name in STIMULI else f" (a note; stimuli are {', '.join(STIMULI)})"
    return f"camscan: phase {name} since {iso(at)}{stimulus}"
