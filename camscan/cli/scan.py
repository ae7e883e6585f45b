"""camscan scan: audit a network its owner runs, from addresses to the risk table."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from camscan import audit
from camscan.cli.closing import close
from camscan.cli.judging import judging_options, read_knowledge, read_options
from camscan.cli.progress import StatusLine
from camscan.clock import Clock, SystemClock, compact, iso
from camscan.errors import PrivilegeError, ScopeError, UsageError
from camscan.model.knowledge import Knowledge
from camscan.model.run import IntakeInfo
from camscan.observe.network.options import ScanOptions
from camscan.observe.packet.client import PacketHelper
from camscan.observe.records.nmap_adapter import NmapPorts
from camscan.observe.wire.interfaces import interfaces, segments
from camscan.observe.wire.resolve import resolve_host
from camscan.run import IntakeWriter, Run
from camscan.scope import Scope, build_scope


@click.command()
@click.argument("targets", nargs=-1)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Run folder; an existing run gets a new intake.",
)
@click.option(
    "--authority", help="Who owns this network and who asked for the audit; goes on page 1."
)
@click.option(
    "--scope",
    "scope_file",
    type=click.Path(path_type=Path),
    help="Scope file (camscan scope init).",
)
@click.option(
    "--exclude", multiple=True, help="Address, range or CIDR to leave alone; may be repeated."
)
@click.option(
    "--owner", default="", help="Owner of the network, if not in the scope file or site.toml."
)
@click.option(
    "--speed", type=click.Choice(["polite", "normal", "fast"]), default="polite", show_default=True
)
@click.option("--interface", help="Use this interface only.")
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    default=0,
    help="Ask N devices first, wait, check that they live.",
)
@click.option(
    "--engine",
    type=click.Choice(["own", "nmap"]),
    default="own",
    show_default=True,
    help="Who does the port stage.",
)
@click.option(
    "--connect",
    is_flag=True,
    help="Port stage by plain connections even where raw packets are allowed.",
)
@click.option("--no-announce", is_flag=True, help="Send no group search messages.")
@click.option(
    "--resume", is_flag=True, help="Finish the unfinished intake of the run given with -o."
)
@click.option(
    "--port-offset",
    type=int,
    default=0,
    hidden=True,
    help="Ask ports below 1024 at port + N (test benches).",
)
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@judging_options
def scan(
    targets: tuple[str, ...],
    *,
    out: Path | None,
    authority: str | None,
    scope_file: Path | None,
    exclude: tuple[str, ...],
    owner: str,
    speed: str,
    interface: str | None,
    canary: int,
    engine: str,
    connect: bool,
    no_announce: bool,
    resume: bool,
    port_offset: int,
    as_json: bool,
    quiet: bool,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Audit TARGET... (CIDR, range, host, @FILE): find every camera, name its maker, print the risk table.

    Only read-only search messages and requests are sent, one connection at a time per device.
    Nothing is sent outside the targets. Ctrl-C leaves a run that --resume finishes.
    """
    clock = SystemClock()
    options = read_options(site_file, networks, jurisdiction, as_of)
    knowledge = read_knowledge(local)
    scan_options = ScanOptions(
        speed=speed,
        interface=interface,
        canary=canary,
        engine=engine,
        connect_only=connect,
        announcements=not no_announce,
        port_offset=port_offset,
    )
    if resume:
        run, writer, scope, scan_options = _resume(out, targets, clock)
        _check_machine(scan_options)
    else:
        _check_machine(scan_options)
        scope = _scope(targets, exclude, authority, scope_file)
        run, writer = _start(
            out, scope, owner or options.site.owner, knowledge, scan_options, clock=clock
        )
    progress = StatusLine(clock, quiet=quiet)
    if writer.torn:
        progress.note(
            f"{writer.torn} bytes of half-written lines were dropped; that exchange is asked again"
        )
    try:
        complete = asyncio.run(
            _observe(writer, scope, knowledge, scan_options, clock=clock, progress=progress)
        )
    except KeyboardInterrupt:
        progress.close()
        writer.close()
        click.echo(
            f"camscan: interrupted; nothing is lost. Finish with: camscan scan --resume -o {run.path}\n"
            f"camscan: what there is so far: camscan assess {run.path}",
            err=True,
        )
        return 2
    finally:
        progress.close()
    writer.seal(complete=complete)
    code = close(run, knowledge, options, as_json=as_json, intake=writer.info.id)
    return max(code, 0 if complete else 2)


def _check_machine(options: ScanOptions) -> None:
    """Whether what the options name is there; before a run is made that could not be finished."""
    if options.engine == "nmap":
        NmapPorts(denied=())
    if options.interface is not None:
        known = [i.name for i in interfaces()]
        if options.interface not in known:
            raise UsageError(
                f"interface {options.interface!r} does not exist; this machine has {', '.join(known)}"
            )


async def _observe(
    writer: IntakeWriter,
    scope: Scope,
    knowledge: Knowledge,
    options: ScanOptions,
    *,
    clock: Clock,
    progress: StatusLine,
) -> bool:
    """Run the engine with the packet helper where the kernel allows it; True if every test finished."""
    helper: PacketHelper | None = None
    available, why = PacketHelper.available()
    if options.connect_only:
        available, why = False, "--connect"
    if available:
        helper = PacketHelper()
        try:
            await helper.start(scope)
        except PrivilegeError as error:
            helper, why = None, str(error)
    if helper is None:
        progress.note(
            f"no raw packets ({why}): ports are asked by plain connections, "
            "and only MAC addresses the kernel meets are known"
        )
    try:
        summary = await audit.scan(
            writer,
            scope=scope,
            knowledge=knowledge,
            options=options,
            clock=clock,
            progress=progress,
            helper=helper,
        )
    finally:
        if helper is not None:
            await helper.close()
    return summary.complete


def _scope(
    targets: tuple[str, ...],
    exclude: tuple[str, ...],
    authority: str | None,
    scope_file: Path | None,
) -> Scope:
    if not targets and scope_file is None:
        raise UsageError("name at least one target (CIDR, range, host or @FILE), or a scope file")
    if authority is None and scope_file is None:
        if not sys.stdin.isatty():
            raise ScopeError(
                'camscan only scans networks whose owner agreed: add --authority "who owns it, who asked for it"',
            )
        authority = click.prompt(
            "Who owns this network, and who asked for this audit? (printed on page 1)", err=True
        )
    return build_scope(
        targets,
        exclude=exclude,
        authority=authority,
        scope_file=scope_file,
        resolve=resolve_host,
    )


def _start(
    out: Path | None,
    scope: Scope,
    owner: str,
    knowledge: Knowledge,
    options: ScanOptions,
    *,
    clock: Clock,
) -> tuple[Run, IntakeWriter]:
    path = out or Path("camscan-runs") / compact(clock.now())
    if Run.is_run(path):
        run = Run.open(path, clock)
    else:
        run = Run.create(path, owner=scope.owner or owner, authority=scope.authority, clock=clock)
    parts = segments(scope)
    info = IntakeInfo(
        id="",
        kind="scan",
        started=iso(clock.now()),
        tool_version=audit.tool_version(),
        knowledge_hash=knowledge.content_hash,
        vantage="on-link" if any(s.on_link for s in parts) else "routed",
        scope=scope.ranges,
        excluded=scope.excluded,
        scope_sha256=scope.digest,
        options=options.lines(),
        segments=tuple(s.text for s in parts),
    )
    writer = run.new_intake(info)
    (writer.folder / "scope.json").write_text(scope.to_json(), encoding="utf-8")
    return run, writer


def _resume(
    out: Path | None,
    targets: tuple[str, ...],
    clock: Clock,
) -> tuple[Run, IntakeWriter, Scope, ScanOptions]:
    if out is None or targets:
        raise UsageError("--resume takes its targets from the run: camscan scan --resume -o RUN")
    run = Run.open(out, clock)
    writer = run.resume()
    if writer.info.kind != "scan":
        raise UsageError(f"{out}: the unfinished intake is a {writer.info.kind}, not a scan")
    scope = Scope.from_json((writer.folder / "scope.json").read_text(encoding="utf-8"))
    return run, writer, scope, ScanOptions.from_lines(writer.info.options)
