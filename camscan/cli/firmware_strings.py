"""How are all strings of images written to a file the user names (`camscan firmware --export strings FILE`)?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click

from camscan import audit
from camscan.cli.progress import StatusLine
from camscan.decode.text import clean
from camscan.errors import UsageError

LIMIT = 8 << 30
"""Bytes of the file."""


def begin(file: Path, run_folder: Path) -> BinaryIO:
    """The new file; it is never an old one and never lies in a run."""
    if file.resolve().is_relative_to(run_folder.resolve()):
        raise UsageError(
            f"{file}: lies in the run; strings may hold what a run must not: name a file elsewhere"
        )
    try:
        return file.open("xb")
    except FileExistsError as error:
        raise UsageError(f"{file}: exists and is not overwritten; name another file") from error
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror})") from error


def export(images: Sequence[Path], out: BinaryIO, *, seconds: float, status: StatusLine) -> bool:
    """Write the strings of all images; whether nothing of them stayed out."""
    text = Path(out.name).suffix == ".txt"
    written = strings = done = 0
    complete = True
    for path in images:
        read = 0
        for outcome in audit.image_strings(
            path, form="text" if text else "ndjson", seconds=seconds
        ):
            part = outcome.value
            if part is None:
                assert outcome.failure is not None
                why = f"{outcome.failure.reason}: {outcome.failure.detail}"
                status.note(f"{clean(path.name)}: strings not examined to the end: {why}")
                complete = False
                break
            if written + len(part.lines) > LIMIT:
                status.note(
                    f"{out.name}: ends at its limit of {LIMIT} bytes; the rest was not written"
                )
                return False
            out.write(part.lines)
            written += len(part.lines)
            strings += part.strings
            read = max(read, part.read)
            status.stage("strings", strings, 0)
            status.stage("MB read", (done + read) // 1_000_000, 0)
            complete = complete and not part.not_examined
        done += read
    status.close()
    click.echo(f"camscan: {strings} strings in {out.name}", err=True)
    return complete
