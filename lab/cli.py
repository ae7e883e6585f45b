"""Which commands does the lab have?"""

from __future__ import annotations

import argparse
from pathlib import Path

from lab import persona


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    lint = commands.add_parser("lint", help="check all personas")
    lint.add_argument("--personas", type=Path, default=persona.PERSONAS)
    arguments = parser.parse_args(argv)
    found = persona.lint(arguments.personas)
    for line in found:
        print(line)
    count = len(list(arguments.personas.glob("*.toml")))
    print(f"{count} personas, {len(found)} problems")
    return 1 if found else 0
