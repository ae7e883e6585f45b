"""What does camscan know, is it sound, and how old is it? (camscan signatures)"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec
from tabulate import tabulate

from camscan import knowledge
from camscan.errors import InputError, UsageError
from camscan.model.knowledge import Knowledge, Signature
from camscan.model.product import ProductLine

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _options(command: Any) -> Any:
    """The options every subcommand has."""
    command = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")(
        command
    )
    command = click.option(
        "--signatures", "local", type=_FOLDER, help="Your own signatures, added under local."
    )(command)
    return click.option(
        "--root", type=_FOLDER, help="Read this folder instead of the shipped one."
    )(command)


@click.group()
def signatures() -> None:
    """Lint, list and show what camscan knows."""


@signatures.command("lint")
@_options
def lint_command(root: Path | None, local: Path | None, as_json: bool) -> int:
    """Run every rule of the house over every record. Exit code 1 if something is to mend."""
    from camscan.knowledge_lint import lint

    known = knowledge.load(root, local)
    problems = lint(known)
    for one in problems:
        if as_json:
            click.echo(msgspec.json.encode(one).decode())
        else:
            click.echo(f"{one.file}: {one.record}: {one.field}: {one.text}")
    click.echo(
        f"{len(known.signatures)} signatures, {len(known.lines)} product lines, "
        f"{len(known.platforms)} platforms, "
        f"{len(known.brands)} brand relations: {len(problems)} problems",
        err=True,
    )
    return 1 if problems else 0


@signatures.command("list")
@_options
@click.option("--platform", help="Only signatures of this platform.")
@click.option("--kind", help="Only signatures on this kind of observation.")
def list_command(
    root: Path | None, local: Path | None, as_json: bool, platform: str | None, kind: str | None
) -> None:
    """One signature per line."""
    from camscan.knowledge_lint import platform_of

    known = knowledge.load(root, local)
    chosen = [
        s
        for s in known.signatures
        if (platform is None or platform_of(s.id) == platform) and (kind is None or s.kind == kind)
    ]
    lines = [x for x in known.lines if kind is None and platform in {None, platform_of(x.id)}]
    if as_json:
        for one in (*map(_brief, chosen), *map(_brief_line, lines)):
            click.echo(msgspec.json.encode(one).decode())
        return
    rows = [(s.id, s.kind.value, s.family.value, s.level.value, s.as_of, s.about) for s in chosen]
    rows += [(x.id, "(any)", "label", x.level.value, x.as_of, x.about) for x in lines]
    headers = ("id", "kind", "family", "level", "as of", "about")
    click.echo(tabulate(rows, headers, disable_numparse=True))


@signatures.command("show")
@_options
@click.argument("record")
def show_command(root: Path | None, local: Path | None, as_json: bool, record: str) -> None:
    """Everything known under one id: signature, platform, party, brand, law, rule, condition ..."""
    found = _find(knowledge.load(root, local), record)
    if not found:
        raise UsageError(f"no record has the id {record!r}; see camscan signatures list")
    for one in found:
        data = msgspec.json.encode(one)
        click.echo((data if as_json else msgspec.json.format(data, indent=2)).decode())


@signatures.command("status")
@_options
def status_command(root: Path | None, local: Path | None, as_json: bool) -> None:
    """How much there is, how old it is, and how much of it is unverified."""
    known = knowledge.load(root, local)
    rows = [_status(name, records) for name, records in _tables(known)]
    if as_json:
        out = {"content_hash": known.content_hash, "as_of": known.as_of, "tables": rows}
        click.echo(msgspec.json.encode(out).decode())
        return
    click.echo(f"content hash {known.content_hash}, newest record {known.as_of}")
    cells = [
        (r["table"], r["records"], r["oldest"], r["newest"], r["unverified"], _share(r))
        for r in rows
    ]
    headers = ("table", "records", "oldest", "newest", "unverified", "share")
    click.echo(tabulate(cells, headers, disable_numparse=True))
    kinds = Counter(s.kind.value for s in known.signatures)
    click.echo("signatures by kind: " + ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())))


@signatures.command("measure")
@_options
@click.option(
    "--leave-out",
    "without",
    multiple=True,
    metavar="MAKER",
    help="Take this maker's device signatures away and measure its cameras; `every`: one by one.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def measure_command(
    root: Path | None, local: Path | None, as_json: bool, without: tuple[str, ...], file: Path
) -> int:
    """Precision and recall on labelled answers (NDJSON with `label`), with 95 % intervals.

    Exit code 1 if something that is no camera was called one, with --leave-out if another maker was
    named.
    """
    from camscan.cli.measure_text import left_out_text, measure_text
    from camscan.identify.devices import Identifier
    from camscan.identify.measure import leave_out, makers, measure

    known = knowledge.load(root, local)
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    if without:
        chosen = makers(lines, Identifier(known)) if "every" in without else without
        left = [leave_out(lines, known, maker) for maker in chosen]
        click.echo(msgspec.json.encode(left).decode() if as_json else left_out_text(left))
        return 1 if any(one.wrong_makers for one in left) else 0
    result = measure(lines, Identifier(known))
    click.echo(msgspec.json.encode(result).decode() if as_json else measure_text(result))
    return 1 if result.false_cameras else 0


def _brief(one: Signature) -> dict[str, str]:
    return {
        "id": one.id,
        "kind": one.kind.value,
        "family": one.family.value,
        "level": one.level.value,
        "as_of": one.as_of,
        "version": one.version,
        "verification": one.verification,
        "about": one.about,
    }


def _brief_line(one: ProductLine) -> dict[str, str]:
    return {
        "id": one.id,
        "kind": "(any)",
        "family": "label",
        "level": one.level.value,
        "as_of": one.as_of,
        "version": one.version,
        "verification": one.verification,
        "about": one.about,
    }


def _tables(known: Knowledge) -> list[tuple[str, list[Any]]]:
    return [
        ("signatures", list(known.signatures)),
        ("product lines", list(known.lines)),
        ("camera services", list(known.services)),
        ("components", list(known.firmware.components)),
        ("component support", [s for c in known.firmware.components for s in c.support]),
        ("component flaws", [f for c in known.firmware.components for f in c.flaw]),
        ("imprints", list(known.firmware.imprints)),
        ("withdrawn", list(known.withdrawn.values())),
        ("platforms", list(known.platforms.values())),
        ("brands", list(known.brands)),
        ("parties", list(known.parties.values())),
        ("MAC blocks", list(known.mac_blocks)),
        ("endpoints", list(known.endpoints)),
        ("networks", list(known.networks)),
        ("advisories", list(known.advisories)),
        ("laws", list(known.laws.values())),
        ("rules", list(known.rules.values())),
        ("concerns", list(known.concerns.values())),
        ("conditions", list(known.conditions.values())),
        ("probes", list(known.probe_plan.probes)),
    ]


def _find(known: Knowledge, record: str) -> list[Any]:
    wanted = record.casefold()
    return [
        one
        for _, records in _tables(known)
        for one in records
        if wanted
        in {
            str(getattr(one, "id", "")).casefold(),
            str(getattr(one, "prefix", "")).casefold(),
            str(getattr(one, "brand", "")).casefold(),
        }
        - {""}
    ]


def _share(row: dict[str, Any]) -> str:
    return f"{row['unverified'] / row['records']:.0%}" if row["records"] else "-"


def _status(name: str, records: list[Any]) -> dict[str, Any]:
    dates = sorted(d for r in records if (d := getattr(r, "as_of", "")))
    unsure = sum(getattr(r, "verification", "sourced") == "unverified" for r in records)
    return {
        "table": name,
        "records": len(records),
        "oldest": dates[0] if dates else "",
        "newest": dates[-1] if dates else "",
        "unverified": unsure,
    }
