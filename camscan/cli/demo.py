"""camscan demo: raise the emulated city and audit it like a real network.

Starts lab/ as a process of its own and never imports it; needs the source checkout.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from camscan import assessments
from camscan.clock import SystemClock, compact
from camscan.errors import ProgramMissingError


def checkout() -> Path:
    """The folder that holds lab/; ProgramMissingError where only the wheel is installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "lab" / "__main__.py").is_file():
        raise ProgramMissingError(
            "camscan demo needs the source checkout: the emulated city (lab/) is not part of the installed package",
        )
    return root


@click.group()
def demo() -> None:
    """The emulated city: real protocols on invented devices, in network namespaces of its own."""


def _lab(*arguments: str) -> int:
    return subprocess.call([sys.executable, "-m", "lab", *arguments], cwd=checkout())


_MODE = click.option(
    "--mode",
    type=click.Choice(["auto", "root", "userns", "loopback"]),
    default="auto",
    show_default=True,
)
_PLAN = click.option(
    "--plan", default="demo", show_default=True, help="demo, city-24, city-20, city-16 or town."
)


@demo.command(name="run")
@_PLAN
@_MODE
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Run folder; default: camscan-runs/demo-<time>.",
)
@click.option(
    "--speed", type=click.Choice(["polite", "normal", "fast"]), default="fast", show_default=True
)
def run_(plan: str, mode: str, out: Path | None, speed: str) -> int:
    """Raise the city, audit it, print the risk table and the path of the HTML report."""
    path = (out or Path("camscan-runs") / f"demo-{compact(SystemClock().now())}").resolve()
    script = (
        'exec "$0" -m camscan scan "@$CAMSCAN_DEMO_DIR/targets.txt" '
        '--authority "The emulated city agrees to its own audit" --speed "$1" -o "$2" '
        '--site "$CAMSCAN_DEMO_DIR/site.toml" --networks "$CAMSCAN_DEMO_DIR/networks.toml" '
        '--port-offset "${CAMSCAN_LAB_PORT_OFFSET:-0}"'
    )
    code = _lab(
        *("exec", "--plan", plan, "--mode", mode, "--workdir", f"{path}-owner", "--mask-lab"),
        *("--", "sh", "-c", script, sys.executable, speed, str(path)),
    )
    if code in {0, 2} and assessments.numbers(path):
        click.echo(
            "Data paths are not examined by a scan. To add what the cameras send to their clouds:\n"
            "  camscan demo capture city.pcap --seconds 60\n"
            f"  camscan traffic city.pcap -o {path} --vantage mirror "
            f"--networks {path}-owner/networks.toml --site {path}-owner/site.toml"
        )
    # The city has tarpits and a device that dies under load: an audit of it ends with 2 by right,
    # as long as it came to a judgement.
    return 0 if code == 2 and assessments.numbers(path) else code


@demo.command()
@_PLAN
@_MODE
def up(plan: str, mode: str) -> int:
    """Raise the city and keep it until Ctrl-C; prints how to run commands inside."""
    return _lab("up", "--plan", plan, "--mode", mode)


@demo.command(name="list")
def list_() -> int:
    """List the devices of the city."""
    return _lab("list")


@demo.command()
@click.argument("file", type=click.Path(path_type=Path))
@_PLAN
@_MODE
@click.option("--seconds", type=int, default=30, show_default=True)
def capture(file: Path, plan: str, mode: str, seconds: int) -> int:
    """Record what the city's cameras send to their clouds into FILE (pcap)."""
    return _lab(
        "capture", str(file.resolve()), "--plan", plan, "--mode", mode, "--seconds", str(seconds)
    )
