"""Which commands does the lab have?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab import persona

_WRONG_USE = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="An emulated city of cameras in network namespaces."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text)
        one.add_argument("--personas", type=Path, default=persona.PERSONAS)
        return one

    add("lint", "check all personas")
    add("list", "all personas with what they are")
    add("check", "can this machine raise the city, and if not, why")
    for name, text in (
        ("exec", "raise a city and run a command inside its scanner namespace"),
        ("up", "raise a city and keep it until Ctrl-C, with a shell command line to enter it"),
        ("capture", "record the uplink of a city: the devices phoning home"),
    ):
        one = add(name, text)
        if name == "capture":
            one.add_argument("file", type=Path)
        one.add_argument("--plan", default="demo")
        one.add_argument("--mode", choices=("auto", "root", "userns", "loopback"), default="auto")
        one.add_argument("--seed", type=int)
        one.add_argument("--stats", type=Path, help="write the counters here (JSON)")
        one.add_argument("--truth", type=Path, help="write the oracle here (for tests)")
        one.add_argument("--workdir", type=Path, help="write the owner's files here")
        one.add_argument("--latency-profile", choices=("none", "real"), default="none")
        one.add_argument("--quiet", action="store_true")
        one.add_argument(
            "--hurry", type=float, default=1.0, help="phone home so many times as often"
        )
        if name != "exec":
            one.add_argument("--seconds", type=float, default=30 if name == "capture" else None)
        if name == "exec":
            one.add_argument("--mask-lab", action="store_true", help="hide lab/ from the command")
            one.add_argument("--no-phone-home", action="store_true")
            one.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _list(folder: Path) -> int:
    for one in persona.load_personas(folder).values():
        truth = one.truth
        kind = f"{truth.role}, {truth.maker or 'maker unknown'}"
        print(f"{one.id:32} {'camera' if truth.is_camera else 'other ':7} {kind:28} {one.about}")
    return 0


def _lint(folder: Path) -> int:
    found = persona.lint(folder)
    for line in found:
        print(line)
    print(f"{len(list(folder.glob('*.toml')))} personas, {len(found)} problems")
    return 1 if found else 0


def _run(arguments: argparse.Namespace) -> int:
    from lab.city import Options, run
    from lab.netns import NamespaceError
    from lab.plan import PlanError

    command = list(getattr(arguments, "argv", ()))
    if command[:1] == ["--"]:
        command = command[1:]
    if arguments.command == "exec" and not command:
        print("lab: exec needs a command after --", file=sys.stderr)
        return _WRONG_USE
    options = Options(
        plan=arguments.plan,
        mode=arguments.mode,
        seed=arguments.seed,
        personas=arguments.personas,
        stats=arguments.stats,
        truth=arguments.truth,
        workdir=arguments.workdir,
        latency=arguments.latency_profile,
        mask_lab=getattr(arguments, "mask_lab", False),
        phone_home=not getattr(arguments, "no_phone_home", False),
        capture=arguments.file if arguments.command == "capture" else None,
        command=command,
        hurry=max(0.001, arguments.hurry),
        seconds=getattr(arguments, "seconds", None),
        quiet=arguments.quiet,
    )
    try:
        return run(options)
    except (NamespaceError, PlanError, persona.PersonaError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return _WRONG_USE


def main(argv: list[str] | None = None) -> int:
    """Exit code: the command's own; 3 wrong use or this machine cannot; 1 lint found problems."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "lint":
        return _lint(arguments.personas)
    if arguments.command == "list":
        return _list(arguments.personas)
    if arguments.command == "check":
        from lab.mode import check_lines

        print("\n".join(check_lines()))
        return 0
    return _run(arguments)
