"""What does a command say when it has judged a run: the table, the files, the exit code?

Shared by scan, ingest and assess, so that all three end alike.
"""

from __future__ import annotations

import gc
from pathlib import Path

import click

from camscan import assessments, audit, lookups, site
from camscan.errors import RunError, UsageError
from camscan.knowledge import load
from camscan.model.knowledge import Knowledge, Network
from camscan.model.site import Site
from camscan.report import csv as csv_report
from camscan.report import html as html_report
from camscan.report import json as json_report
from camscan.report import table as table_report
from camscan.report.model import ReportModel, build
from camscan.run import Run
from camscan.withdrawals import rested_on


def read_knowledge(local: Path | None) -> Knowledge:
    return load(None, local)


def read_options(
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
) -> audit.AssessOptions:
    """Read and check the files before anything is sent or judged."""
    from camscan.clock import iso, parse_iso

    if jurisdiction and not site.is_jurisdiction(jurisdiction):
        raise UsageError(f"--jurisdiction {jurisdiction!r}: RS or EU:xx (for example EU:HR)")
    if as_of:
        try:
            as_of = iso(parse_iso(as_of))
        except ValueError as error:
            raise UsageError(f"--as-of {as_of!r}: not a date or time of ISO 8601") from error
    inputs: list[tuple[str, str]] = []
    declared = Site()
    if site_file is not None:
        declared = site.load_site(site_file)
        inputs.append((site_file.name, site.file_digest(site_file)))
        if declared.asset_list:
            listed = site_file.parent / declared.asset_list
            inputs.append((listed.name, site.file_digest(listed)))
    owned: tuple[Network, ...] = ()
    if networks is not None:
        owned = site.load_networks(networks)
        inputs.append((networks.name, site.file_digest(networks)))
    kept = getattr(click.get_current_context(silent=True), "meta", {})
    return audit.AssessOptions(
        lookups=lookups.lookups(kept.get("camscan.located"), kept.get("camscan.asn")),
        site=declared,
        networks=owned,
        jurisdiction=jurisdiction,
        as_of=as_of,
        inputs=tuple(inputs),
    )


def close(
    run: Run,
    knowledge: Knowledge,
    options: audit.AssessOptions,
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
            click.echo(table_report.write(model))
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


def close_quietly(
    run: Run, knowledge: Knowledge, options: audit.AssessOptions, *, err: bool
) -> None:
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
