"""camscan ingest: take what other tools wrote into a run, as an intake of its own."""

from __future__ import annotations

import ipaddress
import zlib
from pathlib import Path

import click
import zstandard

from camscan import audit
from camscan.captured import store
from camscan.cli import identify_input
from camscan.cli.closing import close
from camscan.cli.judging import judging_options, read_knowledge, read_options
from camscan.clock import Clock, SystemClock, iso
from camscan.decode import exchange
from camscan.errors import InputError, UsageError
from camscan.identify import stream
from camscan.journal import file_sha256
from camscan.model.observation import Reason
from camscan.model.run import Input, IntakeInfo
from camscan.observe.records import nmap_xml, suricata, zeek
from camscan.observe.records.traffic_log import TrafficLog
from camscan.run import IntakeWriter, Run

_CAPTURE = tuple(
    bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")
)
"""What pcap (micro and nano, both byte orders) and pcapng begin with."""
_SAID, _LISTED = 5, 100
"""Lines that cannot be read: so many are printed, and so many are listed in the run; of the rest, how many."""


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document on stdout.")
@judging_options
def ingest(
    run_folder: Path,
    files: tuple[Path, ...],
    *,
    as_json: bool,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Add FILES that other tools wrote to RUN (made if it is not there).

    nmap XML (-oX), Zeek and Suricata logs, observation NDJSON, lines of zgrab2; told by their content, and read as
    .gz or .zst as well. All logs of one call are one window; captures: camscan traffic.
    """
    clock = SystemClock()
    options = read_options(site_file, networks, jurisdiction, as_of)
    knowledge = read_knowledge(local)
    inputs = tuple(_input(path) for path in files)
    for path in files:
        if _is_capture(path):
            raise UsageError(f"{path} is a capture: camscan traffic {path} -o {run_folder}")
    run = (
        Run.open(run_folder, clock)
        if Run.is_run(run_folder)
        else Run.create(run_folder, owner=options.site.owner, authority=None, clock=clock)
    )
    writer = run.new_intake(_info(clock, knowledge.content_hash, inputs))
    complete = True
    logs: dict[str, TrafficLog] = {}
    for path in files:
        complete = _take(path, writer, logs) and complete
    for log in logs.values():
        store(writer, log.done())
    writer.seal(complete=complete)
    code = close(run, knowledge, options, as_json=as_json, intake=writer.info.id)
    return code if complete else max(code, 2)


def _input(path: Path) -> Input:
    try:
        return Input(name=path.name, size=path.stat().st_size, sha256=file_sha256(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _is_capture(path: Path) -> bool:
    try:
        with path.open("rb") as raw, identify_input.unpacked(raw, str(path)) as file:
            return file.peek(4)[:4] in _CAPTURE
    except (InputError, OSError, EOFError, zlib.error, zstandard.ZstdError):
        return False  # whatever it is, reading it says why it cannot be read


def _info(clock: Clock, knowledge_hash: str, inputs: tuple[Input, ...]) -> IntakeInfo:
    return IntakeInfo(
        id="",
        kind="ingest",
        started=iso(clock.now()),
        tool_version=audit.tool_version(),
        knowledge_hash=knowledge_hash,
        vantage="file",
        inputs=inputs,
    )


def _take(path: Path, writer: IntakeWriter, logs: dict[str, TrafficLog]) -> bool:
    """Read one file; False if a part of it could not be read. What was read before that is kept."""
    try:
        with path.open("rb") as raw, identify_input.unpacked(raw, str(path)) as file:
            head = file.peek(4096)[:4096].lstrip()
            if zeek.looks_like(head):
                zeek.read(
                    exchange.bounded(file), path.name, logs.setdefault("Zeek", TrafficLog("Zeek"))
                )
                return True
            if suricata.looks_like(head):
                suricata.read(
                    exchange.bounded(file), logs.setdefault("Suricata", TrafficLog("Suricata"))
                )
                return True
            packed = file is not raw
        if head.startswith(b"<") and not packed:
            return _take_nmap(path, writer)
        if not head or head.startswith(b"{"):
            return _take_lines(path, writer)
        why = (
            f"{path}: neither nmap XML, a log of Zeek or Suricata, nor lines of JSON; an asset list belongs into "
            "site.toml (--site)"
        )
    except InputError as error:
        why = str(error)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        why = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})"
    click.echo(f"camscan: {why}", err=True)
    writer.attempt(device_id="", test=f"ingest {path.name}", reason=Reason.ERROR, detail=why)
    return False


def _take_nmap(path: Path, writer: IntakeWriter) -> bool:
    for record in nmap_xml.read(path):
        writer.observe(
            device_id=record.address,
            kind=record.kind,
            response=record.response,
            port=record.port,
            transport=record.transport,
            tls=record.tls,
            request=record.request,
            address=record.address,
            mac=record.mac,
            at=record.at,
            flags=record.flags,
        )
    return True


def _take_lines(path: Path, writer: IntakeWriter) -> bool:
    """Observation NDJSON, lines of zgrab2, or anything of these that is compressed."""
    bad = 0
    for line in identify_input.lines([str(path)]):
        for record in stream.records(line):
            if isinstance(record, exchange.Skipped):
                expected = stream.expected(line, record)
                bad += not expected
                if not expected and bad <= _SAID:
                    click.echo(
                        f"camscan: {path}:{record.line}: not read: {record.reason}", err=True
                    )
                if not expected and bad > _LISTED:
                    continue
                writer.attempt(
                    device_id=record.device_id,
                    test=f"ingest {path.name}:{record.line}",
                    reason=Reason.DEVICE_OFFLINE if expected else Reason.ERROR,
                    detail=record.reason,
                )
                continue
            writer.observe(
                device_id=record.device_id,
                kind=record.kind,
                response=record.response,
                port=record.port,
                transport=record.transport,
                tls=record.tls,
                request=record.request,
                job=record.job,
                address=record.address or _address(record.device_id),
                mac=record.mac,
                at=record.at,
                truncated=record.truncated,
                canary=record.canary,
                flags=record.flags,
                record_id=f"{writer.info.id}:{record.id}",
            )
    if bad > _SAID:
        click.echo(f"camscan: {path}: {bad} lines were not read", err=True)
    if bad > _LISTED:
        more = f"{bad - _LISTED} more lines were not read"
        writer.attempt(device_id="", test=f"ingest {path.name}", reason=Reason.ERROR, detail=more)
    return not bad


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
