"""camscan traffic: what do captures say of names, camera services, volumes and parties?"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import NamedTuple

import click

from camscan import audit, kept
from camscan.captured import store
from camscan.cli.closing import (
    close,
    judging_options,
    read_knowledge,
    read_options,
    write_files,
)
from camscan.cli.progress import StatusLine
from camscan.cli.traffic_check import check
from camscan.cli.traffic_lines import lines
from camscan.clock import Clock, SystemClock, compact, iso, parse_iso
from camscan.errors import CamscanError, InputError, UsageError
from camscan.journal import file_sha256
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Reason
from camscan.model.run import Input, IntakeInfo
from camscan.model.traffic import Captured
from camscan.observe.traffic.engine import Problem, Progress
from camscan.observe.traffic.keep import MODES, Keeper
from camscan.observe.traffic.kernel_filter import explained
from camscan.observe.traffic.live import LiveOptions
from camscan.observe.traffic.take import TakeOptions, Taking
from camscan.observe.wire.listen import TzspListener, listening
from camscan.report.model import build
from camscan.run import IntakeWriter, Run

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.argument("captures", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Run folder; an existing run gets a new intake.",
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
    help="Print a tcpdump filter that leaves local video out of a long capture, and what it costs.",
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
@click.option("--json", "as_json", is_flag=True, help="One name or flow per line on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@judging_options
def traffic(
    captures: tuple[Path, ...],
    *,
    out: Path | None,
    own_ranges: tuple[str, ...],
    phases: tuple[str, ...],
    vantage: str | None,
    interface: str | None,
    mirror: str | None,
    duration: str | None,
    bpf: str,
    check_port: bool,
    show_filter: bool,
    keep: str | None,
    retention: int | None,
    keep_limit: int,
    as_json: bool,
    quiet: bool,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Read CAPTURE... (pcap, pcapng, also .gz and .zst): names, flows, camera services, and who is behind them.

    Packets are never stored: a run keeps names, counts, and the heads of what devices say of themselves.
    """
    if show_filter:
        click.echo(explained(_ranges(own_ranges)))
        return 0
    clock = SystemClock()
    if check_port:
        live = _live(interface, duration or "60s", bpf, captures)
        if live is None:
            raise UsageError("--check belongs to --interface")
        return check(live, _ranges(own_ranges), as_json=as_json)
    options = read_options(site_file, networks, jurisdiction, as_of)
    knowledge = read_knowledge(local)
    live = None if mirror else _live(interface, duration, bpf, captures)
    listener = None
    if mirror:
        if captures or interface or bpf:
            raise UsageError("--listen takes no capture files, --interface or --filter")
        listener = TzspListener(*listening(mirror), clock)
    if keep == "all" and retention is None:
        raise UsageError("--keep all keeps pictures of people: say how long with --retention DAYS")
    how = TakeOptions(
        vantage=vantage or ("mirror" if listener else "host" if live is not None else "file"),
        local=_ranges(own_ranges),
        phases=tuple(map(_phase, phases)),
    )
    inputs = tuple(_input(path) for path in captures)
    progress = StatusLine(clock, quiet=quiet or as_json)
    run, writer = _start(
        out, owner=options.site.owner, clock=clock, knowledge=knowledge, how=how, inputs=inputs
    )
    keeping = None if keep is None else Keeping(keep, retention, keep_limit << 20)
    live_or_mirror = (
        live if listener is None else Mirror(listener, _seconds(duration) if duration else None)
    )
    try:
        captured, problems = _look(
            captures,
            live_or_mirror,
            knowledge,
            how,
            writer=writer,
            keeping=keeping,
            progress=progress,
        )
    except CamscanError:
        writer.seal(complete=False)
        raise
    finally:
        progress.close()
    store(writer, captured)
    _attempts(writer, problems)
    writer.seal(complete=not problems)
    for problem in problems:
        click.echo(f"camscan: {problem.source}: {problem.what}", err=True)
    if as_json:
        for line in lines(captured, knowledge, options):
            click.echo(line)
        assessment, folder = audit.assess(run, knowledge, options)
        html, _ = write_files(build(assessment, knowledge), folder)
        click.echo(f"camscan: run {run.path}, report {html}", err=True)
        code = 0
    else:
        code = close(run, knowledge, options, as_json=False, intake=writer.info.id)
    return 2 if problems else code


class Keeping(NamedTuple):
    """What of the packets stays in the run (DESIGN rule 11, the one exception)."""

    mode: str
    days: int | None
    limit: int
    """Bytes."""


class Mirror(NamedTuple):
    """A mirror that arrives as datagrams."""

    listener: TzspListener
    duration: float | None


def _live(
    interface: str | None, duration: str | None, bpf: str, captures: tuple[Path, ...]
) -> LiveOptions | None:
    if interface is None:
        if not captures:
            raise UsageError("give at least one capture file, or --interface")
        if duration or bpf:
            raise UsageError("--duration and --filter belong to --interface")
        return None
    if captures:
        raise UsageError("either capture files or --interface, not both")
    return LiveOptions(
        interface=interface, duration=None if duration is None else _seconds(duration), filter=bpf
    )


def _seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:].lower()
    if unit not in _UNITS or not number.isascii() or not number.isdecimal() or not int(number):
        raise UsageError(f"--duration {text!r}: a number and s, m, h or d, for example 24h")
    return float(int(number) * _UNITS[unit])


def _look(
    captures: tuple[Path, ...],
    live: LiveOptions | Mirror | None,
    knowledge: Knowledge,
    how: TakeOptions,
    *,
    writer: IntakeWriter,
    keeping: Keeping | None,
    progress: StatusLine,
) -> tuple[Captured, tuple[Problem, ...]]:
    def shown(p: Progress) -> None:
        progress.stage("packets", p.packets, 0)

    taking = Taking(knowledge.services, audit.resolvers(knowledge), how)
    keeper = None
    if keeping is not None:
        folder = kept.folder_of(writer.run, writer.info.id)
        keeper = taking.engine.keeper = Keeper(folder, keeping.mode, limit=keeping.limit)
    try:
        if live is None:
            for path in captures:
                taking.read(path, on_chunk=shown)
        elif isinstance(live, Mirror):
            taking.listen(live.listener, duration=live.duration, on_chunk=shown)
        else:
            taking.watch(live, on_chunk=shown)
    finally:
        if keeper is not None and keeping is not None:
            keeper.close()
            _note(writer, keeper, keeping)
    return taking.done()


def _note(writer: IntakeWriter, keeper: Keeper, keeping: Keeping) -> None:
    since = parse_iso(writer.info.started)
    info = kept.KeptInfo(
        schema=kept.SCHEMA,
        intake=writer.info.id,
        mode=keeping.mode,
        since=writer.info.started,
        until=kept.expiry(since, keeping.days),
        packets=keeper.packets,
        ended_early=keeper.ended_early,
    )
    kept.write_info(kept.folder_of(writer.run, writer.info.id), info)


def _start(
    out: Path | None,
    *,
    owner: str,
    clock: Clock,
    knowledge: Knowledge,
    how: TakeOptions,
    inputs: tuple[Input, ...],
) -> tuple[Run, IntakeWriter]:
    path = out or Path("camscan-runs") / compact(clock.now())
    run = (
        Run.open(path, clock)
        if Run.is_run(path)
        else Run.create(path, owner=owner, authority=None, clock=clock)
    )
    info = IntakeInfo(
        id="",
        kind="traffic",
        started=iso(clock.now()),
        tool_version=audit.tool_version(),
        knowledge_hash=knowledge.content_hash,
        vantage=how.vantage,
        options=(
            ("local", ", ".join(how.local) or "private ranges"),
            *(("phase", name) for name, _, _ in how.phases),
        ),
        inputs=inputs,
    )
    return run, run.new_intake(info)


def _attempts(writer: IntakeWriter, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        writer.attempt(
            device_id="",
            test=f"traffic {problem.source}",
            reason=Reason.ERROR,
            detail=problem.what,
        )


def _input(path: Path) -> Input:
    try:
        return Input(name=path.name, size=path.stat().st_size, sha256=file_sha256(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError as error:
            raise UsageError(f"--local {text!r}: not a range like 10.20.0.0/16") from error
    return tuple(found)


def _phase(text: str) -> tuple[str, float, float]:
    name, equals, span = text.partition("=")
    name = name.strip()
    if not name or len(name) > 64:
        raise UsageError(f"--phase {text!r}: NAME, or NAME=BEGIN/END")
    if not equals:
        return name, 0.0, 0.0
    begin, slash, end = span.partition("/")
    try:
        times = parse_iso(begin), parse_iso(end)
    except ValueError as error:
        raise UsageError(f"--phase {text!r}: BEGIN/END are times of ISO 8601") from error
    if not slash or times[0] >= times[1]:
        raise UsageError(f"--phase {text!r}: BEGIN lies before END")
    return name, *times
