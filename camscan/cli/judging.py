"""Which options has every command that assesses a run, and what do they mean?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from camscan.errors import UsageError

if TYPE_CHECKING:
    # Imported where they are needed: a command that reads captures makes its child before it imports anything large.
    from camscan.assess_options import AssessOptions
    from camscan.model.knowledge import Knowledge, Network, TrafficKnowledge

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


def read_knowledge(local: Path | None) -> Knowledge:
    from camscan.knowledge import load

    return load(None, local)


def read_traffic_knowledge(local: Path | None) -> TrafficKnowledge:
    """The part that a capture needs which is printed and not judged."""
    from camscan.knowledge import load_part
    from camscan.model.knowledge import TrafficKnowledge

    return load_part(TrafficKnowledge, None, local)


def read_options(
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
) -> AssessOptions:
    """Read and check the files before anything is sent or judged."""
    from camscan import lookups, site
    from camscan.assess_options import AssessOptions
    from camscan.clock import iso, parse_iso
    from camscan.model.site import Site

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
    return AssessOptions(
        lookups=lookups.lookups(kept.get("camscan.located"), kept.get("camscan.asn")),
        site=declared,
        networks=owned,
        jurisdiction=jurisdiction,
        as_of=as_of,
        inputs=tuple(inputs),
    )
