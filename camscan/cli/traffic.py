"""camscan traffic: what do captures say of names, camera services, volumes and parties?"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camscan.cli.judging import judging_options
from camscan.clock import SystemClock, parse_iso
from camscan.errors import UsageError
from camscan.observe.traffic.phases import Phase, name_of

if TYPE_CHECKING:
    from camscan.cli.traffic_wish import Wish

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MODES = ("headers", "handshakes", "all")


@click.command()
@click.argument("captures", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Run folder; an existing run gets a new intake.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the unfinished capture of the run given with -o: its options are those of then.",
)
@click.option(
    "--local",
    "--scope",
    "own_ranges",
    multiple=True,
    help="Range of your own network (CIDR); may be repeated. Default: private ranges.",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    help="What was done to the devices: NAME for the whole capture, or NAME=BEGIN/END (ISO 8601). "
    "With -o of a capture that runs, and nothing else: begins the phase now (`end` ends it). "
    "power-cycle, login, motion, time-change and internet-cut count as stimuli.",
)
@click.option(
    "--vantage",
    type=click.Choice(["file", "mirror", "host", "bench"]),
    help="Where the capture was taken; default: file, with --interface host.",
)
@click.option("--interface", help="Capture live here instead of reading files (needs CAP_NET_RAW).")
@click.option(
    "--listen",
    "mirror",
    help="Receive a mirror here that a router sends as datagrams: tzsp:ADDRESS:37008.",
)
@click.option(
    "--duration", help="With --interface or --listen: 90s, 30m, 24h, 7d; default: until Ctrl-C."
)
@click.option(
    "--checkpoint",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    help="With --interface or --listen: seconds between two checkpoints; what a crash can cost.",
)
@click.option(
    "--filter", "bpf", default="", help="With --interface: kernel filter in the words of tcpdump."
)
@click.option(
    "--check",
    "check_port",
    is_flag=True,
    help="With --interface: look for a minute whether this port is worth capturing at; no run.",
)
@click.option(
    "--show-filter",
    is_flag=True,
    help="Print a tcpdump filter that leaves local video out of a long capture; on stderr what it costs.",
)
@click.option(
    "--keep",
    type=click.Choice(MODES),
    help="Also keep packets in the run: headers, handshakes (what was read for names), or all.",
)
@click.option(
    "--retention",
    type=click.IntRange(1, 3650),
    help="With --keep: days until camscan purge may delete the packets; `all` needs it.",
)
@click.option("--keep-limit", default=2048, show_default=True, help="With --keep: megabytes.")
@click.option(
    "--carve",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With capture files: also write firmware that came over plain HTTP to a new or empty folder, with a "
    "carve.json that says which client got it when and from where, and what is missing of it.",
)
@click.option(
    "--carve-limit", default=4096, show_default=True, help="With --carve: megabytes in all."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One name or flow per line on stdout; for files without -o that is all, no run is written.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@judging_options
def traffic(
    captures: tuple[Path, ...],
    *,
    out: Path | None,
    resume: bool,
    own_ranges: tuple[str, ...],
    phases: tuple[str, ...],
    vantage: str | None,
    interface: str | None,
    mirror: str | None,
    duration: str | None,
    checkpoint: int,
    bpf: str,
    check_port: bool,
    show_filter: bool,
    keep: str | None,
    retention: int | None,
    keep_limit: int,
    carve: Path | None,
    carve_limit: int,
    as_json: bool,
    quiet: bool,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Read CAPTURE... (pcap, pcapng, .gz, .zst, a folder, - for stdin): names, flows, services, who is behind them.

    Several files are read in the order of their time, as one capture.
    Packets are never stored: a run keeps names, counts, and the heads of what devices say of themselves.
    """
    if show_filter:
        from camscan.observe.traffic.kernel_filter import explained

        text, _, words = explained(_ranges(own_ranges)).partition("\n\n")
        click.echo(text)
        click.echo(
            words, err=True
        )  # so that "$(camscan traffic --show-filter)" is the filter alone
        return 0
    seconds = _seconds(duration) if duration else None
    if check_port:
        if interface is None or captures:
            raise UsageError("--check looks at a port: camscan traffic --check --interface IFACE")
        _there(interface)
        from camscan.cli.traffic_check import check

        return check(interface, seconds or 60.0, bpf, _ranges(own_ranges), as_json=as_json)
    source = bool(captures or interface or mirror)
    if phases and out is not None and not source and not resume:
        from camscan.cli.traffic_phase import mark

        return mark(out, phases)
    if resume:
        if out is None or source or duration or bpf or phases or own_ranges or keep:
            raise UsageError(
                "--resume takes captures and options from the run: camscan traffic --resume -o RUN"
            )
    else:
        _check(captures, interface, mirror, duration=duration, bpf=bpf, keep=keep, days=retention)

    from camscan.cli.traffic_wish import Judging, Wish

    wish = Wish(
        captures=captures,
        out=out,
        resume=resume,
        local=_ranges(own_ranges),
        phases=tuple(map(_phase, phases)),
        vantage=vantage or ("mirror" if mirror else "host" if interface else "file"),
        interface=interface or "",
        listen=mirror or "",
        duration=seconds,
        every=checkpoint,
        filter=bpf,
        keep=keep or "",
        keep_days=retention,
        keep_limit=keep_limit << 20,
        as_json=as_json,
        quiet=quiet or (as_json and not interface and not mirror),
        judging=Judging(site_file, networks, jurisdiction, as_of, local),
    )
    if carve is None:
        return _take(wish)
    if wish.live or wish.resume or Path("-") in captures:
        raise UsageError(
            "--carve reads capture files; of a live capture keep the packets (--keep all) and carve those"
        )
    from camscan.cli import traffic_carve
    from camscan.observe.traffic.carve import Limits

    files = traffic_carve.begin(captures, carve)
    code = _take(wish)
    limits = Limits(all=carve_limit << 20)
    whole = traffic_carve.carve(files, carve, limits=limits, quiet=wish.quiet)
    return code if whole else code or 2


def _take(wish: Wish) -> int:
    """The reading process is made before anything large is imported: it starts at once, and small."""
    clock = SystemClock()
    if wish.live or (wish.resume and _resumes_live(wish)):
        from camscan.cli.traffic_live import take_live

        return take_live(wish, clock)
    from camscan.cli.traffic_files import take_files

    return take_files(wish, clock)


def _resumes_live(wish: Wish) -> bool:
    from camscan.cli.traffic_intake import planned

    return planned(wish).live


def _check(
    captures: tuple[Path, ...],
    interface: str | None,
    mirror: str | None,
    *,
    duration: str | None,
    bpf: str,
    keep: str | None,
    days: int | None,
) -> None:
    """UsageError where options do not belong together."""
    if mirror and (captures or interface or bpf):
        raise UsageError("--listen takes no capture files, --interface or --filter")
    if interface and captures:
        raise UsageError("either capture files or --interface, not both")
    if not captures and not interface and not mirror:
        raise UsageError(
            "give at least one capture file or folder, or --interface IFACE, or --listen tzsp:ADDRESS:37008"
        )
    if captures and (duration or bpf):
        raise UsageError("--duration and --filter belong to --interface")
    if interface:
        _there(interface)
    if days is not None and not keep:
        raise UsageError("--retention belongs to --keep: without it no packet is kept")
    if keep == "all" and days is None:
        raise UsageError("--keep all keeps pictures of people: say how long with --retention DAYS")


def _there(interface: str) -> None:
    """UsageError where this machine has no such interface, before anything is made."""
    from camscan.observe.wire.interfaces import interfaces

    names = [one.name for one in interfaces()]
    if names and interface not in names:
        raise UsageError(f"no interface {interface} here; there are: {', '.join(names)}")


def _seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:].lower()
    if unit not in _UNITS or not number.isascii() or not number.isdecimal() or not int(number):
        raise UsageError(
            f"--duration {text!r}: a whole number and its unit s, m, h or d, for example 90s or 24h"
        )
    return float(int(number) * _UNITS[unit])


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError as error:
            raise UsageError(f"--local {text!r}: not a range like 10.20.0.0/16") from error
    return tuple(found)


def _phase(text: str) -> Phase:
    name, equals, span = text.partition("=")
    name = name_of(name)
    if not equals:
        return name, 0.0, 0.0
    begin, slash, end = span.partition("/")
    try:
        times = parse_iso(begin), parse_iso(end)
    except ValueError as error:
        raise UsageError(
            f"--phase {text!r}: write NAME=BEGIN/END in times of ISO 8601, for example power-cycle=2026-11-01T10:00:00Z/2026-11-01T10:10:00Z"
        ) from error
    if not slash or times[0] >= times[1]:
        raise UsageError(f"--phase {text!r}: BEGIN lies before END")
    return name, *times
