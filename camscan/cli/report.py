"""camscan report: write a run's newest assessment in the form a reader needs."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from camscan import assessments
from camscan.cli.closing import terminal_width
from camscan.cli.judging import read_knowledge
from camscan.clock import SystemClock
from camscan.errors import RunError
from camscan.report.model import build
from camscan.run import Run

_FORMATS = ("table", "markdown", "html", "csv", "json", "cyclonedx")


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-f", "--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File; default: stdout.")
@click.option("--number", type=int, help="Number of the assessment; default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Same as -f json.")
def report(
    run_folder: Path, *, form: str, out: Path | None, number: int | None, as_json: bool
) -> int:
    """Write the report of RUN. Not in this version: PDF, XLSX, SARIF, languages other than English."""
    run = Run.open(run_folder, SystemClock())
    knowledge = read_knowledge(None)
    assessment = assessments.read(run.path, number)
    if assessment.knowledge_hash != knowledge.content_hash:
        click.echo(
            f"camscan: this assessment was made with signatures {assessment.knowledge_hash[:12]}, texts come from "
            f"{knowledge.content_hash[:12]}; `camscan assess {run_folder}` brings both together",
            err=True,
        )
    form = "json" if as_json else form
    writer = importlib.import_module(f"camscan.report.{form}")
    width = (terminal_width(),) if form == "table" and out is None else ()
    text: str = writer.write(build(assessment, knowledge), *width)
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
        return 0
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error.strerror})") from error
    click.echo(f"camscan: wrote {out}", err=True)
    return 0
