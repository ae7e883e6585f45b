"""camscan next: which test would settle most, and what does it cost?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from camscan import assessments
from camscan.clock import SystemClock
from camscan.run import Run


@click.command(name="next")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def next_(run_folder: Path, *, as_json: bool) -> int:
    """List the tests that would bring the two ends of each action together, cheapest first."""
    run = Run.open(run_folder, SystemClock())
    tests = assessments.read(run.path).next_tests
    if as_json:
        click.echo(msgspec.json.encode(tests).decode())
        return 0
    if not tests:
        click.echo("Nothing is open: both ends of every action agree.")
    for number, test in enumerate(tests, 1):
        click.echo(f"{number}. {test.test}")
        shown = ", ".join(test.subjects[:6]) + (
            f" and {len(test.subjects) - 6} more" if len(test.subjects) > 6 else ""
        )
        click.echo(f"   settles: {', '.join(test.settles)}   for {len(test.subjects)}: {shown}")
        if test.command:
            click.echo(f"   how: {test.command}")
    return 0
