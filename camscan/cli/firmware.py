"""camscan firmware: open images, say what they hold and what of them was not opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from camscan import audit
from camscan.attribute.images import attribute_image
from camscan.cli import firmware_strings
from camscan.cli.closing import close_quietly
from camscan.cli.judging import judging_options, read_knowledge, read_options
from camscan.cli.progress import StatusLine
from camscan.clock import Clock, SystemClock, compact, iso
from camscan.decode.text import clean
from camscan.errors import InputError, UsageError
from camscan.identify.image import image_identity
from camscan.model.firmware import ExaminedImage, ImageReport
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Kind, Reason
from camscan.model.run import Input, IntakeInfo
from camscan.report.image_line import difference, image_line
from camscan.report.image_text import diff_text, summary
from camscan.run import IntakeWriter, Run
from camscan.workers import Failure, Outcome

_REASONS = {
    "encrypted": Reason.ENCRYPTED,
    "unknown-format": Reason.ENCAPSULATED,
    "damaged": Reason.ERROR,
    "budget": Reason.BUDGET,
    "no-library": Reason.ENCAPSULATED,
    "permission": Reason.NO_PRIVILEGE,
}


@click.command()
@click.argument(
    "images",
    nargs=-1,
    required=True,
    metavar="IMAGE|ARCHIVE|DIRECTORY...",
    type=click.Path(path_type=Path),
)
@click.option(
    "-o",
    "--out",
    "run_folder",
    type=click.Path(path_type=Path),
    help="RUN to write or add to; default: ./camscan-runs/<UTC time>.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Images that are opened at once, each in a child process with limits of its own; "
    "default: one per processor. A child that dies costs no image: the next one opens it again.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    default=600.0,
    show_default=True,
    help="Wall time for opening one image; the rest of it is then not examined.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Compare two images, OLD NEW: endpoints, components and keys added and removed.",
)
@click.option(
    "--export",
    nargs=2,
    type=(click.Choice(["strings"]), click.Path(path_type=Path, dir_okay=False)),
    metavar="strings FILE",
    help="Also write every string with its inner path, offset and encoding to a new FILE: one JSON object "
    "a line, or tab-separated where it ends in .txt. Keys, password hashes and what is named a secret are cut.",
)
@judging_options
def firmware(
    images: tuple[Path, ...],
    *,
    run_folder: Path | None,
    as_json: bool,
    workers: int | None,
    seconds: float,
    diff: bool,
    export: tuple[str, Path] | None,
    site_file: Path | None,
    networks: Path | None,
    jurisdiction: str,
    as_of: str,
    local: Path | None,
) -> int:
    """Read firmware images, archives or extracted trees: endpoints, components, keys, age, and what stayed closed.

    Nothing is sent and nothing of an image is written to disk but what --export asks for; the image stays
    where it is. Exit code 2 where an image, or a part of one, could not be read.
    """
    if diff and len(images) != 2:
        raise UsageError("--diff compares exactly two images: camscan firmware --diff OLD NEW")
    clock = SystemClock()
    options = read_options(site_file, networks, jurisdiction, as_of)
    knowledge = read_knowledge(local)
    target = run_folder or Path("camscan-runs") / compact(clock.now())
    strings = None if export is None else firmware_strings.begin(export[1], target)
    run = (
        Run.open(target, clock)
        if Run.is_run(target)
        else Run.create(target, owner=options.site.owner, authority=None, clock=clock)
    )
    writer = run.new_intake(_info(clock, knowledge, images, workers, seconds))
    examined: list[ExaminedImage] = []
    inputs: list[Input] = []
    complete = True
    for path, outcome in _outcomes(images, knowledge, workers, seconds, writer):
        if outcome is None or outcome.value is None:
            complete = False
            continue
        report = outcome.value
        image = _examined(report, knowledge)
        examined.append(image)
        inputs.append(Input(name=path.name, size=report.size, sha256=report.sha256))
        complete = _record(writer, image) and complete
        if as_json and not diff:
            click.echo(msgspec.json.encode(image_line(image)).decode())
    if len(examined) == 2 and diff:
        found = difference(*examined)
        click.echo(msgspec.json.encode(found).decode() if as_json else diff_text(found))
    elif not as_json:
        for image in examined:
            click.echo(summary(image))
    writer.amend(msgspec.structs.replace(writer.info, inputs=tuple(inputs)))
    writer.seal(complete=complete)
    close_quietly(run, knowledge, options, err=as_json)
    if strings is not None:
        with strings:
            status = StatusLine(clock)
            readable = [p for p in images if p.exists()]
            complete = (
                firmware_strings.export(readable, strings, seconds=seconds, status=status)
                and complete
            )
    return 0 if complete else 2


def _info(
    clock: Clock, knowledge: Knowledge, images: Sequence[Path], workers: int | None, seconds: float
) -> IntakeInfo:
    return IntakeInfo(
        id="",
        kind="firmware",
        started=iso(clock.now()),
        tool_version=audit.tool_version(),
        knowledge_hash=knowledge.content_hash,
        vantage="file",
        options=(
            ("images", str(len(images))),
            ("seconds", f"{seconds:g}"),
            *((("workers", str(workers)),) if workers else ()),
        ),
    )


def _outcomes(
    images: Sequence[Path],
    knowledge: Knowledge,
    workers: int | None,
    seconds: float,
    writer: IntakeWriter,
) -> Iterator[tuple[Path, Outcome[ImageReport] | None]]:
    """Every image with its outcome; None where it cannot even be opened for reading."""
    readable = []
    for path in images:
        try:
            _readable(path)
        except InputError as error:
            _say(writer, path, Reason.ERROR, str(error))
            yield path, None
        else:
            readable.append(path)
    if not readable:
        return
    outcomes = audit.examine_images(readable, knowledge, workers=workers, seconds=seconds)
    for path, outcome in zip(readable, outcomes, strict=True):
        if outcome.failure is not None:
            _say(
                writer,
                path,
                _why(outcome.failure),
                f"{path}: not examined: {outcome.failure.reason}: {outcome.failure.detail}",
            )
        yield path, outcome


def _readable(path: Path) -> None:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        elif path.is_file():
            path.open("rb").close()
        else:
            raise InputError(f"{path}: neither a file nor a folder")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _why(failure: Failure) -> Reason:
    reasons = {
        "timeout": Reason.TIMEOUT,
        "cpu": Reason.TIMEOUT,
        "memory": Reason.BUDGET,
        "too-large": Reason.BUDGET,
    }
    return reasons.get(failure.reason.value, Reason.ERROR)


def _say(writer: IntakeWriter, path: Path, reason: Reason, text: str) -> None:
    click.echo(f"camscan: {clean(text)}", err=True)
    writer.attempt(
        device_id=f"image:{clean(path.name)}",
        test="firmware",
        reason=reason,
        detail=clean(text),
        kind=Kind.IMAGE,
    )


def _examined(report: ImageReport, knowledge: Knowledge) -> ExaminedImage:
    image = ExaminedImage(
        subject=f"image:{report.sha256[:12]}",
        observation="",
        report=report,
        identity=image_identity(report, knowledge),
    )
    return attribute_image(image, knowledge)


def _record(writer: IntakeWriter, image: ExaminedImage) -> bool:
    """Write the observation, and an attempt per reason for which a part stayed closed; whether none did."""
    report = image.report
    body = msgspec.json.encode(report)
    writer.observe(
        device_id=image.subject,
        kind=Kind.IMAGE,
        response=body,
        request=f"open {report.image}",
        job="firmware",
    )
    counted: dict[str, list[int]] = {}
    for part in report.not_examined:
        counted.setdefault(part.reason, []).append(part.size)
    for reason, sizes in sorted(counted.items()):
        writer.attempt(
            device_id=image.subject,
            test=f"firmware.{reason}",
            reason=_REASONS.get(reason, Reason.ERROR),
            detail=f"{report.image}: {len(sizes)} parts, {sum(sizes)} bytes",
            kind=Kind.IMAGE,
        )
    return not report.not_examined
