"""Which commands are there, and which exit code does an outcome have?

Commands are imported when they are called, so that `camscan --help` stays instant.
Exit codes: DESIGN section 5.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

from camscan.errors import CamscanError

COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("scan", "camscan.cli.scan:scan", "Audit a network you own: find, name and judge its cameras."),
    (
        "traffic",
        "camscan.cli.traffic:traffic",
        "Read captures: which names, clouds and parties cameras talk to.",
    ),
    (
        "firmware",
        "camscan.cli.firmware:firmware",
        "Open firmware images: endpoints, components, keys, age.",
    ),
    (
        "ingest",
        "camscan.cli.ingest:ingest",
        "Add what other tools wrote (nmap XML, NDJSON) to a run.",
    ),
    (
        "identify",
        "camscan.cli.identify_cmd:identify_command",
        "Name devices from recorded answers, offline.",
    ),
    (
        "assess",
        "camscan.cli.assess:assess",
        "Judge a run again, with newer knowledge or a site file.",
    ),
    (
        "report",
        "camscan.cli.report:report",
        "Write a run's report: table, HTML, Markdown, CSV, JSON.",
    ),
    ("next", "camscan.cli.next_cmd:next_", "Which test settles most, cheapest first."),
    ("explain", "camscan.cli.explain:explain", "Walk from a finding to the bytes it rests on."),
    ("verify", "camscan.cli.verify:verify", "Is the run still what was sealed?"),
    ("purge", "camscan.cli.purge:purge", "Delete kept packets whose retention is over."),
    ("scope", "camscan.cli.scope_cmd:scope", "Check a scope, or write a scope file."),
    (
        "signatures",
        "camscan.cli.signatures_cmd:signatures",
        "Lint, list and show what camscan knows.",
    ),
    ("doctor", "camscan.cli.doctor:doctor", "What can this machine do, and what not?"),
    ("demo", "camscan.cli.demo:demo", "Raise the emulated city and audit it."),
    ("schema", "camscan.cli.schema:schema", "Print the JSON Schema of a file format."),
)


class LazyGroup(click.Group):
    """A group whose commands are modules that are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name, _, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        target = next((t for name, t, _ in COMMANDS if name == cmd_name), None)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, _, about in COMMANDS])


_EPILOG = (
    "Exit codes: 0 done; 1 not passed (verify, lint); 2 a test that was asked for did not finish; "
    "3 wrong use or scope refused; 4 internal error."
)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(package_name="camscan", prog_name="camscan")
def cli() -> None:
    """Name every camera on a network you own, its real maker, where it talks to and who stands behind it.

    Start with `camscan doctor`, then `camscan scope check 10.20.0.0/24`, then
    `camscan scan 10.20.0.0/24 --authority "..."`. Try it first on the emulated city: `camscan demo run`.
    """


def main() -> None:
    """Entry point of the console script."""
    # Columns are counted, never multiplied: numpy's threads for linear algebra would cost 50 ms and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Modules and records stay to the end: to look for cycles among them after every 700 new objects is idle work.
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    gc.freeze()  # and so it is to look through all of them once more before the memory goes back as a whole
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; the exit code. Messages for people go to stderr."""
    try:
        result = cli.main(args=arguments, prog_name="camscan", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        error.show()
        return 3
    except (click.Abort, KeyboardInterrupt):
        click.echo("camscan: interrupted", err=True)
        return 2
    except CamscanError as error:
        click.echo(f"camscan: {_one_line(str(error))}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): nothing is wrong here.
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the one place: every other error is a defect of ours
        import traceback

        traceback.print_exc()
        click.echo(
            f"camscan: internal error ({type(error).__name__}). Nothing that was written is lost. "
            "Please report the lines above.",
            err=True,
        )
        return 4
    return result if isinstance(result, int) else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
