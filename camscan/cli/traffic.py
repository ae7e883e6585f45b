"""camscan traffic: what do captures say of names, camera services, volumes and parties?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from camscan import audit
from camscan.captured import store
from camscan.cli.closing import (
    close,
    judging_options,
    read_knowledge,
    read_options,
    write_files,
)
from camscan.cli.progress import StatusLine
from camscan.clock import Clock, SystemClock, compact, iso, parse_iso
from camscan.decode.text import clean_lines
from camscan.errors import InputError, UsageError
from camscan.journal import file_sha256
from camscan.model.claim import Endpoint
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Reason
from camscan.model.run import Input, IntakeInfo
from camscan.model.traffic import Captured, Flow, NameSeen
from camscan.observe.traffic.engine import Problem, Progress
from camscan.observe.traffic.take import TakeOptions, take
from camscan.report.model import build
from camscan.run import IntakeWriter, Run


class NameLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="name"):
    """One line of `--json` per name."""

    client: str
    client_mac: str | None
    proto: str
    name: str
    first: str | None
    last: str | None
    count: int
    remote: str | None
    port: int | None
    answers: tuple[str, ...]
    aliases: tuple[str, ...]
    alpn: tuple[str, ...]
    ech: bool
    odd: bool


class FlowLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="flow"):
    """One line of `--json` per flow, with the columns of DESIGN rule 6."""

    client: str
    client_mac: str | None
    remote: str
    port: int
    transport: str
    bytes_up: int
    bytes_down: int
    packets: int
    names: tuple[str, ...]
    service: str | None
    first: str | None
    last: str | None
    media: bool | None
    registry_country: str | None
    located_country: str | None
    network_operator: str | None
    network_parent_country: str | None
    service_operator: str | None
    service_parent_country: str | None
    sources: tuple[str, ...]


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
    default="file",
    show_default=True,
    help="Where the capture was taken.",
)
@click.option("--json", "as_json", is_flag=True, help="One name or flow per line on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@judging_options
def traffic(
    captures: tuple[Path, ...],
    *,
    out: Path | None,
    own_ranges: tuple[str, ...],
    phases: tuple[str, ...],
    vantage: str,
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
    clock = SystemClock()
    options = read_options(site_file, networks, jurisdiction, as_of)
    knowledge = read_knowledge(local)
    if not captures:
        raise UsageError("give at least one capture file")
    how = TakeOptions(vantage=vantage, local=_ranges(own_ranges), phases=tuple(map(_phase, phases)))
    inputs = tuple(_input(path) for path in captures)
    progress = StatusLine(clock, quiet=quiet or as_json)
    try:
        captured, problems = _look(captures, knowledge, how, progress)
    finally:
        progress.close()
    run, writer = _start(
        out, owner=options.site.owner, clock=clock, knowledge=knowledge, how=how, inputs=inputs
    )
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


def lines(captured: Captured, knowledge: Knowledge, options: audit.AssessOptions) -> Iterator[str]:
    """NDJSON: names, then flows (DESIGN section 5)."""
    encode = msgspec.json.Encoder().encode
    for name in captured.names:
        yield clean_lines(encode(_name_line(name)).decode())
    for flow, endpoint in audit.attributed_flows(captured, knowledge, options.networks):
        yield clean_lines(encode(_flow_line(flow, endpoint)).decode())


def _name_line(n: NameSeen) -> NameLine:
    return NameLine(
        client=n.client,
        client_mac=n.client_mac,
        proto=n.proto,
        name=n.name,
        first=_time(n.first),
        last=_time(n.last),
        count=n.count,
        remote=n.remote,
        port=n.port,
        answers=n.answers,
        aliases=n.aliases,
        alpn=n.alpn,
        ech=n.ech,
        odd=n.odd,
    )


def _flow_line(flow: Flow, e: Endpoint) -> FlowLine:
    return FlowLine(
        client=flow.client,
        client_mac=flow.client_mac,
        remote=flow.remote,
        port=flow.port,
        transport=flow.transport,
        bytes_up=flow.bytes_up,
        bytes_down=flow.bytes_down,
        packets=flow.packets_up + flow.packets_down,
        names=flow.names,
        service=flow.service or None,
        first=_time(flow.first),
        last=_time(flow.last),
        media=flow.media,
        registry_country=e.registry_country,
        located_country=e.located_country,
        network_operator=e.network_operator,
        network_parent_country=e.network_parent_country,
        service_operator=e.service_operator,
        service_parent_country=e.service_parent_country,
        sources=e.sources,
    )


def _time(seconds: float) -> str | None:
    try:
        return iso(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def _look(
    captures: tuple[Path, ...], knowledge: Knowledge, how: TakeOptions, progress: StatusLine
) -> tuple[Captured, tuple[Problem, ...]]:
    def shown(p: Progress) -> None:
        progress.stage("packets", p.packets, 0)

    return take(
        captures,
        services=knowledge.services,
        resolvers=audit.resolvers(knowledge),
        options=how,
        on_chunk=shown,
    )


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
