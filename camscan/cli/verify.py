"""camscan verify: is a run still what was sealed, byte by byte?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from camscan import assessments
from camscan.clock import SystemClock
from camscan.run import Problem, Run


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def verify(run_folder: Path, *, as_json: bool) -> int:
    """Check every seal, file and byte of RUN. Exit code 1 if anything differs."""
    run = Run.open(run_folder, SystemClock())
    problems = [
        *run.verify(),
        *(
            Problem(where=name, what="changed or missing (derived: assess again)")
            for name in assessments.changed(run.path)
        ),
    ]
    intakes = run.intakes()
    if as_json:
        click.echo(
            msgspec.json.encode(
                {"run": run.info.run_id, "intakes": len(intakes), "problems": problems}
            ).decode()
        )
    else:
        for problem in problems:
            click.echo(f"{problem.where}: {problem.what}")
        seals = run.seals()
        found = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        count = "1 intake" if len(intakes) == 1 else f"{len(intakes)} intakes"
        word = found if problems else "intact"
        click.echo(f"{run.info.run_id}: {count}, {len(seals)} sealed, {word}")
        if seals:
            click.echo(f"last seal: sha256 {seals[-1][1]}")
    return 1 if problems else 0
