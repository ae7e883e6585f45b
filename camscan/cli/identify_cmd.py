"""Which devices do these recorded answers come from? (camscan identify)"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from camscan import knowledge
from camscan.decode.exchange import Skipped, bounded, read
from camscan.errors import InputError
from camscan.identify.devices import Identifier
from camscan.identify.stream import devices
from camscan.model.identity import Identity, identity
from camscan.model.observation import Observation


@click.command(name="identify")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per device.")
@click.option(
    "--signatures",
    "local",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Your own signatures, added under the prefix local.",
)
def identify_command(files: tuple[str, ...], as_json: bool, local: Path | None) -> int:
    """Name devices from recorded answers: observation NDJSON in, one device per line out.

    FILE may be - for standard input. Nothing is sent anywhere. Lines that are no observation are
    counted on stderr, and the exit code is then 2.
    """
    identifier = Identifier(knowledge.load(local=local))
    skipped: list[Skipped] = []
    for device in devices(_observations(files, skipped), identifier):
        printed = identity(device)
        click.echo(msgspec.json.encode(printed).decode() if as_json else text(printed))
    for one in skipped[:20]:
        click.echo(f"line {one.line}: not read: {one.reason}", err=True)
    if len(skipped) > 20:
        click.echo(f"{len(skipped) - 20} more lines were not read", err=True)
    return 2 if skipped else 0


def text(device: Identity) -> str:
    """One line for a person."""
    camera = {True: "camera system", False: "other device", None: "unknown"}[device.is_camera]
    named = [
        f"{name} {value}"
        for name, value in (
            ("role", device.role),
            ("maker", device.maker),
            ("brand", device.brand),
            ("platform", device.platform),
            ("model", device.model),
            ("firmware", device.firmware),
        )
        if value is not None
    ]
    conflicts = [f"CONFLICT {c}" for c in device.conflicts]
    return "  ".join((device.device_id, camera, f"({device.confidence})", *named, *conflicts))


def _observations(files: tuple[str, ...], skipped: list[Skipped]) -> Iterator[Observation]:
    for name in files:
        try:
            if name == "-":
                yield from _good(read(bounded(sys.stdin.buffer)), skipped)
                continue
            with Path(name).open("rb") as file:
                yield from _good(read(bounded(file)), skipped)
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror}") from error


def _good(
    records: Iterator[Observation | Skipped], skipped: list[Skipped]
) -> Iterator[Observation]:
    for record in records:
        if isinstance(record, Skipped):
            skipped.append(record)
        else:
            yield record
