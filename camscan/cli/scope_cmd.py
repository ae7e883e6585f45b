"""camscan scope: what would a scan of these targets touch, by which way, and for how long?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec import Struct

from camscan.errors import KnowledgeError, UsageError
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire.interfaces import Segment, segments
from camscan.observe.wire.pace import PACES, Pace, Speed
from camscan.observe.wire.resolve import resolve_host
from camscan.scope import Scope, build_scope
from camscan.scope_file import TEMPLATE
from camscan.site_file import TEMPLATE as SITE_TEMPLATE

_DEVICES = 0.24
"""Share of addresses taken to answer, for the estimate alone (60 of 254 in facts scanning 2)."""
_IDENTIFY_SECONDS = 5.0
"""Exchanges with one device, typical (facts: scanning 2.6); many devices at the same time."""
_ROUNDS = 2


class Estimate(Struct, frozen=True, kw_only=True):
    """What a scan would send into one segment; nothing was sent to find out."""

    cidr: str
    reach: str
    interface: str | None
    gateway: str | None
    source: str | None
    addresses: int
    group_packets: int
    neighbour_packets: int
    liveness_packets: int
    port_packets: int
    minutes: float
    excludes: tuple[str, ...]
    would_help: tuple[str, ...]


class Check(Struct, frozen=True, kw_only=True):
    """`camscan scope check --json`"""

    owner: str
    authority: str
    document: str
    ranges: tuple[str, ...]
    excluded: tuple[str, ...]
    pinned: tuple[tuple[str, str], ...]
    addresses: int
    digest: str
    speed: str
    assumed_devices_share: float
    raw_packets: bool
    raw_packets_note: str
    segments: tuple[Estimate, ...]


@click.group()
def scope() -> None:
    """Check a scope before anything is sent, or write a scope file."""


@scope.command()
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--exclude", multiple=True, help="CIDR, range, host or @FILE to leave out.")
@click.option("--scope", "scope_file", type=click.Path(path_type=Path), help="A scope file.")
@click.option("--authority", default="(check only)", help="On whose order; printed in a scan.")
@click.option("--speed", type=click.Choice([s.value for s in Speed]), default="polite")
@click.option("--json", "as_json", is_flag=True)
def check(
    targets: tuple[str, ...],
    *,
    exclude: tuple[str, ...],
    scope_file: Path | None,
    authority: str,
    speed: str,
    as_json: bool,
) -> int:
    """Show per segment how it is reached and what a scan would send. Sends nothing itself."""
    allowed = build_scope(
        targets,
        exclude=exclude,
        authority=authority,
        scope_file=scope_file,
        resolve=resolve_host,
    )
    result = examine(allowed, Speed(speed))
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    else:
        _show(result)
    return 0


@scope.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--site", is_flag=True, help="A site file: places, declarations, documents, asset list."
)
@click.option("--json", "as_json", is_flag=True)
def init(file: Path | None, *, site: bool, as_json: bool) -> int:
    """Write a commented scope file (default scope.toml), or site file (--site). Never overwrites."""
    file = file or Path("site.toml" if site else "scope.toml")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(SITE_TEMPLATE if site else TEMPLATE)
    except FileExistsError as error:
        raise UsageError(f"{file}: exists and is not overwritten; name another file") from error
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from error
    following = (
        f"camscan assess RUN --site {file}" if site else f"camscan scope check --scope {file}"
    )
    fill = "what you know of the site" if site else "owner, document and ranges"
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "next": following}).decode())
    else:
        click.echo(f"Wrote {file}. Fill in {fill}, then: {following}")
    return 0


def examine(allowed: Scope, speed: Speed) -> Check:
    """The scope, its segments, and what a scan at `speed` would send into each."""
    raw, note = PacketHelper.available()
    ports, liveness, groups = _plan()
    return Check(
        owner=allowed.owner,
        authority=allowed.authority,
        document=allowed.document,
        ranges=allowed.ranges,
        excluded=allowed.excluded,
        pinned=allowed.pinned,
        addresses=allowed.size,
        digest=allowed.digest,
        speed=speed.value,
        assumed_devices_share=_DEVICES,
        raw_packets=raw,
        raw_packets_note=note,
        segments=tuple(
            estimate(segment, PACES[speed], raw=raw, ports=ports, liveness=liveness, groups=groups)
            for segment in segments(allowed)
        ),
    )


def _plan() -> tuple[int, int, int]:
    """(TCP ports, liveness ports, announcement protocols) of the shipped probe plan."""
    from camscan.knowledge import load

    try:
        plan = load().probe_plan
    except KnowledgeError as error:
        raise UsageError(f"the probe plan cannot be read: {error}") from error
    return len(plan.tcp_ports), len(plan.liveness_ports), len(plan.announcements)


def estimate(
    segment: Segment, pace: Pace, *, raw: bool, ports: int, liveness: int, groups: int
) -> Estimate:
    """Packets per stage and minutes; each stage at most `_ROUNDS` times, as the stages do."""
    count = segment.hosts
    devices = max(1, round(count * _DEVICES)) if count > 1 else 1
    excludes: list[str] = []
    helps: list[str] = []
    group = neighbour = alive = tcp = 0
    if segment.reach == "none":
        excludes.append("everything: there is no route")
        helps.append("a route, or a scan from a machine inside that network")
    else:
        if segment.local:
            excludes.append("announcements and MAC address (it is this machine itself)")
            helps.append("a scan from another machine of that network")
        elif segment.on_link:
            group = groups * pace.repeats
        else:
            excludes.append("announcements (group packets do not pass a router)")
            helps.append("a scan from inside the segment, or a capture taken there")
        if segment.on_link and raw:
            neighbour = count * _ROUNDS
            tcp = devices * ports * _ROUNDS
        elif segment.on_link:
            excludes.append("MAC addresses (ARP needs raw packets)")
            helps.append("run as root, or give CAP_NET_RAW")
            tcp = count * ports
        else:
            if not segment.local:
                excludes.append("MAC addresses (only the router's is seen)")
                helps.append("the asset list with MAC addresses in site.toml")
            if raw:
                alive = count * liveness * _ROUNDS
                tcp = devices * max(0, ports - liveness) * _ROUNDS
            else:
                tcp = count * ports
    seconds = 0.0
    if segment.reach != "none":
        seconds += pace.repeat_span + pace.window if group else 0.0
        seconds += neighbour / pace.arp + alive / pace.syn
        seconds += max(tcp / pace.syn, ports * _ROUNDS / pace.syn_per_host)
        seconds += -(-devices // pace.hosts) * _IDENTIFY_SECONDS
    return Estimate(
        cidr=segment.cidr,
        reach=segment.reach,
        interface=segment.interface,
        gateway=segment.gateway,
        source=segment.source,
        addresses=count,
        group_packets=group,
        neighbour_packets=neighbour,
        liveness_packets=alive,
        port_packets=tcp,
        minutes=round(seconds / 60, 2),
        excludes=tuple(excludes),
        would_help=tuple(helps),
    )


def _show(result: Check) -> None:
    from tabulate import tabulate

    rows = [
        (
            e.cidr,
            e.reach,
            (e.interface or "-") + (f" via {e.gateway}" if e.gateway else ""),
            e.addresses,
            e.group_packets,
            e.neighbour_packets,
            e.liveness_packets,
            e.port_packets,
            f"{e.minutes:.1f}",
        )
        for e in result.segments
    ]
    head = (
        "segment", "reach", "interface", "addresses", "group", "ARP/ND", "liveness", "ports", "minutes",
    )  # fmt: skip
    click.echo(
        f"{result.addresses:,} addresses at speed {result.speed}; packets a scan would send:"
    )
    click.echo(tabulate(rows, headers=head, disable_numparse=True))
    click.echo(
        f"At most; minutes assume that {result.assumed_devices_share:.0%} of the addresses answer."
    )
    for e in result.segments:
        for what in e.excludes:
            click.echo(f"{e.cidr} not examined: {what}")
        for what in e.would_help:
            click.echo(f"{e.cidr} would help: {what}")
    for name, address in result.pinned:
        click.echo(f"{name} is pinned to {address}")
    if not result.raw_packets:
        click.echo(f"No raw packets: {result.raw_packets_note}")
    click.echo("Nothing was sent.")
