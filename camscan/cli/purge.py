"""camscan purge: delete kept packets that have expired, and leave a note of it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from camscan import kept
from camscan.clock import SystemClock
from camscan.run import Run


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also what has not expired yet.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, delete nothing.")
@click.option("--json", "as_json", is_flag=True)
def purge(run_folder: Path, *, everything: bool, dry_run: bool, as_json: bool) -> int:
    """Delete packets kept by `camscan traffic --keep` whose retention is over.

    Names, flows and findings stay; `camscan verify` knows from the note what was deleted on purpose.
    """
    clock = SystemClock()
    run = Run.open(run_folder, clock)
    now = clock.now()
    lines = []
    for what in kept.due(run.path, now, everything=everything):
        files = [f"{kept.KEPT}/{what.intake}/{path.name}" for path in what.files]
        if not dry_run:
            kept.purge(run.path, what, now)
        lines.append({"intake": what.intake, "why": what.why, "files": files})
    if as_json:
        click.echo(
            msgspec.json.encode(
                {"run": run.info.run_id, "deleted": not dry_run, "purged": lines}
            ).decode()
        )
        return 0
    word = "would be deleted" if dry_run else "deleted"
    for line in lines:
        count = len(line["files"])
        click.echo(
            f"{line['intake']}: {count} {'file' if count == 1 else 'files'} {word} ({line['why']})"
        )
    if not lines:
        click.echo("nothing to delete")
    for info in kept.left(run.path):
        end = f"until {info.until}" if info.until else "no retention was named: only --all deletes"
        click.echo(f"{info.intake}: packets are kept ({info.mode}), {end}")
    return 0
