"""camscan schema: the JSON Schema of every file format camscan writes, from the types themselves."""

from __future__ import annotations

import click
import msgspec

from camscan.journal import AttemptLine, ObservationLine
from camscan.model.finding import Assessment
from camscan.model.run import IntakeInfo, RunInfo, Seal
from camscan.model.site import Site

_FORMATS: dict[str, type] = {
    "run": RunInfo,
    "intake": IntakeInfo,
    "seal": Seal,
    "observation": ObservationLine,
    "attempt": AttemptLine,
    "assessment": Assessment,
    "site": Site,
}


@click.command()
@click.argument("name", type=click.Choice([*_FORMATS, "report"]), required=False)
def schema(name: str | None) -> int:
    """Print the JSON Schema (2020-12) of NAME, or list the names."""
    if name is None:
        click.echo("\n".join([*_FORMATS, "report"]))
        return 0
    if name == "report":
        from camscan.report.json import Document

        kind: type = Document
    else:
        kind = _FORMATS[name]
    document = msgspec.json.schema(kind)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    return 0
