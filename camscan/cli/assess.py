"""camscan assess: judge a run again, with newer knowledge, a site file or another date."""

from __future__ import annotations

from pathlib import Path

import click

from camscan.cli.closing import close
from camscan.cli.judging import judging_options, read_knowledge, read_options
from camscan.clock import SystemClock
from camscan.run import Run


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document on stdout.")
@judging_options
def assess(
    run_folder: Path,
    *,
    as_json: bool,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Judge RUN again; nothing is sent. The earlier assessments stay where they are."""
    run = Run.open(run_folder, SystemClock())
    options = read_options(site_file, networks, jurisdiction, as_of)
    if (unfinished := run.unsealed()) is not None:
        click.echo(
            f"camscan: intake {unfinished} was not finished; what it has is judged. "
            f"Finish it with: camscan scan --resume -o {run_folder}",
            err=True,
        )
    return close(run, read_knowledge(local), options, as_json=as_json)
