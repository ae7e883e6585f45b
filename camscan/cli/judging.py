"""Which options has every command that assesses a run?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def _remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Keep it in the context: no command does anything with a database but hand it on to read_options."""
    context.meta[f"camscan.{parameter.name}"] = value


_OPTIONS = (
    click.option("--site", "site_file", type=click.Path(path_type=Path), help="site.toml: what only people know."),
    click.option("--networks", type=click.Path(path_type=Path), help="Your own table of networks (TOML); outranks the shipped one."),
    click.option("--located", type=click.Path(path_type=Path), expose_value=False, callback=_remember, help="Your own MMDB of countries, for the place of an address; `none` for no place. Default: Debian's tor-geoipdb if installed."),
    click.option("--asn", type=click.Path(path_type=Path), expose_value=False, callback=_remember, help="Your own MMDB of autonomous systems, for addresses the shipped table does not hold."),
    click.option("--jurisdiction", default="", help="Whose rules to print: RS or EU:xx."),
    click.option("--as-of", default="", help="Judge ages and expiries at this time (ISO 8601); default: end of the last intake."),
    click.option("--signatures", "local", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Folder of your own signatures, added under local."),
)  # fmt: skip


def judging_options(command: _F) -> _F:
    """The options of every command that assesses."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
