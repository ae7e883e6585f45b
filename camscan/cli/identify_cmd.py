"""Which devices do these recorded answers come from? (camscan identify)"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
from msgspec import Struct

from camscan import knowledge
from camscan.cli.identify_deal import deal, deal_ranges
from camscan.cli.identify_input import STDIN, lines, size
from camscan.cli.identify_job import PartDone, done, namer, shown, total
from camscan.cli.identify_parts import (
    State,
    merge,
    name_parts,
    resumed,
    write_state,
)
from camscan.cli.progress import StatusLine
from camscan.clock import SystemClock
from camscan.errors import InputError, UsageError
from camscan.identify.stream import Batch, Line
from camscan.worker import available

HELD = 32 << 20
"""Bytes of records up to which everything is done in memory, without parts."""


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
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here instead of to standard output; the file appears when it is whole.",
)
@click.option("--resume", is_flag=True, help="Go on with the interrupted call that wrote OUTPUT.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Local processes for large inputs; default one per processor.",
)
def identify_command(
    files: tuple[str, ...],
    *,
    as_json: bool,
    local: Path | None,
    output: Path | None,
    resume: bool,
    workers: int | None,
) -> int:
    """Name devices from recorded answers, one device per line.

    FILE is observation NDJSON, JSON lines of zgrab2 or nmap XML (-oX), plain, .gz or .zst, or - for
    standard input; the form is told by the content. Records of one device may stand anywhere and
    device ids are taken as given. Memory stays the same however large the input is; what does not fit
    waits in files beside OUTPUT, else in the folder for temporary files. Nothing is sent anywhere.
    Lines that are no observation are counted on stderr, and the exit code is then 2.
    """
    if resume and output is None:
        raise UsageError("--resume goes on with a file: name it with --output")
    if output is not None and not resume and _folder(output).exists():
        raise UsageError(
            f"{_folder(output)} is left of an interrupted call: add --resume, or delete it"
        )
    status = StatusLine(SystemClock(), quiet=False)
    call = _Call(
        files=files,
        as_json=as_json,
        local=local,
        output=output,
        count=workers or available(),
        status=status,
    )
    try:
        found, failed = call.run()
    finally:
        status.close()
    for why in failed:
        click.echo(f"camscan: {why}", err=True)
    _tell(found, files)
    return 2 if found.unread or failed else 0


class _Call(Struct, frozen=True, kw_only=True):
    """One call of the command."""

    files: tuple[str, ...]
    as_json: bool
    local: Path | None
    output: Path | None
    count: int
    status: StatusLine

    def run(self) -> tuple[PartDone, list[str]]:
        """What was in the files, and why parts of it are not named."""
        if self.output is not None and _folder(self.output).exists():
            return self._in_parts(None, _folder(self.output))
        first: list[Line] = []
        held = 0
        source = lines(self.files)
        for line in source:
            first.append(line)
            held += len(line.data)
            if held > HELD:
                break
        else:
            return self._at_once(first), []
        everything = itertools.chain(first, source)
        if self.output is not None:
            folder = _folder(self.output)
            folder.mkdir()
            return self._in_parts(everything, folder)
        with tempfile.TemporaryDirectory(prefix="camscan-identify-") as name:
            return self._in_parts(everything, Path(name))

    def _at_once(self, records: Iterable[Line]) -> PartDone:
        batch = Batch(namer(self.local))
        for line in records:
            batch.add(line)
        devices = 0
        with _Out(self.output) as out:
            for one in batch.named():
                devices += 1
                out.write(shown(one.json, as_json=self.as_json) + b"\n")
        return done(batch, devices)

    def _in_parts(self, records: Iterator[Line] | None, folder: Path) -> tuple[PartDone, list[str]]:
        wanted = State(
            inputs=tuple(_input(name) for name in self.files),
            knowledge=knowledge.load(local=self.local).content_hash,
            as_json=self.as_json,
            parts=(),
        )
        state = resumed(folder, wanted)
        if state is None:
            _empty(folder)
            told = self.status.stage
            parts = deal_ranges(self.files, folder, count=self.count, progress=told)
            if parts is None:
                source = lines(self.files) if records is None else records
                parts = deal(source, folder, expected=size(self.files), progress=told)
            state = State(
                inputs=wanted.inputs,
                knowledge=wanted.knowledge,
                as_json=wanted.as_json,
                parts=parts,
            )
            write_state(folder, state)
        found, failed = name_parts(
            folder,
            state.parts,
            local=self.local,
            as_json=self.as_json,
            count=self.count,
            progress=self.status.stage,
        )
        if self.output is not None and failed:
            failed.append(f"{self.output} is not written; --resume tries these parts again")
            return total(found), failed
        with _Out(self.output) as out:
            merge(folder, state.parts, out)
        if self.output is not None:
            shutil.rmtree(folder)
        return total(found), failed


class _Out:
    """Standard output, or a file that appears under its name when it is whole."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> BinaryIO:
        if self._path is None:
            return _stdout()
        try:
            self._file = _new(self._path).open("wb")
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror}") from error
        return self._file

    def __exit__(self, kind: object, *_: object) -> None:
        if self._path is None:
            _stdout().flush()
        elif self._file is not None:
            self._file.close()
            if kind is None:
                _new(self._path).replace(self._path)
            else:
                _new(self._path).unlink()


def _stdout() -> BinaryIO:
    return sys.stdout.buffer


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.unfinished")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _input(name: str) -> tuple[str, int, int]:
    if name == STDIN or not Path(name).is_file():
        return name, 0, 0
    status = Path(name).stat()
    return name, status.st_size, status.st_mtime_ns


def _tell(found: PartDone, files: tuple[str, ...]) -> None:
    """On stderr: what was not read, and what the files say was not answered."""
    for left in found.shown:
        where = f"{files[left.file]}: " if len(files) > 1 else ""
        click.echo(f"{where}line {left.skipped.line}: not read: {left.skipped.reason}", err=True)
    if found.unread > len(found.shown):
        click.echo(f"{found.unread - len(found.shown)} more lines were not read", err=True)
    if found.unanswered:
        ranked = sorted(found.unanswered.items(), key=lambda r: (-r[1], r[0]))
        text = ", ".join(f"{reason}: {number}" for reason, number in ranked[:10])
        rest = sum(number for _, number in ranked[10:])
        click.echo(f"no answer to read: {text}" + (f", others: {rest}" if rest else ""), err=True)
    if sys.stderr.isatty():
        click.echo(f"{found.devices} devices from {found.observations} observations", err=True)
