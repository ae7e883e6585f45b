"""What does a command say when it has judged a run: the table, the files, the exit code?

Shared by scan, ingest and assess, so that all three end alike.
"""

from __future__ import annotations

import gc
import shutil
import sys
from pathlib import Path

import click

from camscan import assessments, audit
from camscan.assess_options import AssessOptions
from camscan.errors import RunError
from camscan.model.knowledge import Knowledge
from camscan.report import csv as csv_report
from camscan.report import html as html_report
from camscan.report import json as json_report
from camscan.report import table as table_report
from camscan.report.model import ReportModel, build
from camscan.run import Run
from camscan.withdrawals import rested_on


def terminal_width() -> int:
    """Columns of the terminal that standard output is; 0 for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def close(
    run: Run,
    knowledge: Knowledge,
    options: AssessOptions,
    *,
    as_json: bool,
    intake: str | None = None,
) -> int:
    """Assess, write the files, print the result; the exit code.

    `intake`: the one this command took. 2 where a test of it did not finish for something in scope;
    what an earlier command left open is in the coverage, not in the exit code of this one.
    """
    _name_withdrawn(run, knowledge)
    gc.disable()  # what is built here lives until the end: nothing to collect meanwhile
    try:
        assessment, folder = audit.assess(run, knowledge, options)
        model = build(assessment, knowledge)
        html, csv = write_files(model, folder)
        if as_json:
            for part in json_report.parts(model):
                click.echo(part, nl=False)
        else:
            click.echo(table_report.write(model, terminal_width()))
            click.echo(f"Findings: {csv}")
            if model.paths.devices:
                click.echo(f"Paths:    {csv.with_name('paths.csv')}")
            click.echo(f"Report:   {html}")
            click.echo(
                f"Explain:  camscan explain {run.path} FINDING    Next: camscan next {run.path}"
            )
    finally:
        gc.enable()
    if intake is None:
        return 0
    return 2 if audit.unfinished(run, intake, assessment, knowledge) else 0


def _name_withdrawn(run: Run, knowledge: Knowledge) -> None:
    """On stderr, what the newest earlier assessment rested on and is no longer believed."""
    if not knowledge.withdrawn or not assessments.numbers(run.path):
        return
    try:
        earlier = assessments.read(run.path)
    except RunError as error:
        click.echo(
            f"camscan: what the earlier assessment rested on was not compared: {error}", err=True
        )
        return
    for one in rested_on(earlier, knowledge.withdrawn):
        click.echo(f"camscan: earlier finding {one.text()}", err=True)


def close_quietly(run: Run, knowledge: Knowledge, options: AssessOptions, *, err: bool) -> None:
    """Assess and write the files; only their places are printed, on stderr where stdout is data."""
    assessment, folder = audit.assess(run, knowledge, options)
    html, csv = write_files(build(assessment, knowledge), folder)
    click.echo(f"Findings: {csv}\nReport:   {html}", err=err)


def write_files(model: ReportModel, folder: Path) -> tuple[Path, Path]:
    """report.html and findings.csv beside the assessment."""
    html = folder / "report.html"
    csv = folder / "findings.csv"
    for path, parts in ((html, html_report.parts(model)), (csv, csv_report.parts(model))):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
    if model.paths.devices:
        with (folder / "paths.csv").open("w", encoding="utf-8", newline="") as file:
            file.writelines(csv_report.path_parts(model))
    return html, csv
