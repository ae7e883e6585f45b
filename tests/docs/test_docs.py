"""Does every command, option and exit code that the papers name exist, and does help stay light?"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import click
import pytest
from programs import ROOT

from camscan import errors, knowledge
from camscan.cli.main import COMMANDS, LazyGroup, cli, run
from camscan.judge import next_tests

README = (ROOT / "README.md").read_text("utf-8")
_CODE = re.compile(r"```\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_OPTION = re.compile(r"(?<!\S)(--?[a-z][a-z-]*)")


def _all(command, path=()):
    """Every command with its path, groups included."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _all(command.get_command(context, name), (*path, name))


TREE = dict(_all(cli))


def calls(text):
    """Every `camscan ...` line of the code in a page."""
    found = []
    for block, inline in _CODE.findall(text):
        for line in (block or inline).splitlines():
            line = line.partition(" #")[0].strip().replace("\\|", "|")
            if line.startswith("camscan "):
                found.append(line)
    return found


def pages():
    yield "README.md", README
    for path in sorted((ROOT / "docs").rglob("*.md")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")


CALLS = [(name, line) for name, text in pages() for line in calls(text)]


def resolve(line):
    """(path, command, remaining words) of a call."""
    words = [w for w in re.sub(r'"[^"]*"', "TEXT", line).split()[1:] if w != "..."]
    path = ()
    while words and (*path, words[0].rstrip(",")) in TREE:
        path = (*path, words.pop(0).rstrip(","))
    return path, TREE[path], words


def test_the_readme_names_commands():
    assert len(calls(README)) >= 10


@pytest.mark.parametrize(("page", "line"), CALLS)
def test_every_call_in_the_papers_exists(page, line):
    path, command, words = resolve(line)
    assert path, f"{page}: {line}: no such command"
    if isinstance(command, click.Group):
        assert not words or words[0].startswith("-"), f"{page}: {line}: no such subcommand"
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}
    for option in _OPTION.findall(" ".join(words)):
        assert option in known, f"{page}: {line}: {command.name} has no {option}"


def test_the_tests_a_report_proposes_name_commands_there_are():
    known = knowledge.load()
    texts = [c.next_test for c in known.conditions.values()]
    texts += [s.command for s in next_tests.TESTS]
    named = {word for text in texts for word in re.findall(r"camscan ([a-z]+)", text)}
    assert {"scan", "traffic", "assess"} <= named
    assert named <= {path[0] for path in TREE if path}


def test_formats_named_in_the_readme_are_those_there_are():
    (line,) = [c for c in calls(README) if c.startswith("camscan report RUN -f")]
    named = set(line.split("-f ")[1].split()[0].split("|"))
    option = next(p for p in TREE["report",].params if "-f" in p.opts)
    assert named == set(option.type.choices)


def test_every_top_level_command_is_in_the_readme():
    for name, _, _ in COMMANDS:
        assert re.search(rf"(camscan|make) {name}\b", README), f"README does not name {name}"


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_has_help(path, capsys):
    command = TREE[path]
    assert (command.help or "").strip(), "no help text"
    assert run([*path, "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: camscan")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert any(o.startswith("--") for o in parameter.opts)


def _assesses(command):
    names = {o for p in command.params for o in p.opts}
    return "--as-of" in names and "--site" in names


def test_every_command_that_assesses_takes_the_options_of_judging():
    judging = {path for path, command in TREE.items() if _assesses(command)}
    assert {("scan",), ("ingest",), ("assess",)} <= judging
    for path in judging:
        names = {o for p in TREE[path].params for o in p.opts}
        assert {"--jurisdiction", "--networks", "--located", "--asn"} <= names, path


def test_the_short_line_of_a_command_names_a_real_command(capsys):
    assert isinstance(cli, LazyGroup)
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name, target, about in COMMANDS:
        assert name in out
        assert about.split()[0] in out
        module, _, attribute = target.partition(":")
        assert isinstance(getattr(sys.modules[module], attribute), click.Command)


def test_exit_codes_of_the_readme_are_those_of_the_errors(capsys):
    section = README.split("## Exit codes")[1].split("\n## ")[0]
    table = dict(re.findall(r"^\| (\d) \| (.+) \|$", section, re.MULTILINE))
    assert sorted(table) == ["0", "1", "2", "3", "4"]
    codes = {
        e.exit_code
        for e in vars(errors).values()
        if isinstance(e, type) and hasattr(e, "exit_code")
    }
    assert codes <= {int(code) for code in table}
    assert errors.UsageError.exit_code == errors.ScopeError.exit_code == 3
    assert "scope refused" in table["3"]
    assert run(["--help"]) == 0
    help_text = " ".join(capsys.readouterr().out.split())
    for code in "01234":
        assert re.search(rf"\b{code} [a-z]", help_text.split("Exit codes:")[1])


HEAVY = (
    "numpy",
    "scapy",
    "rich",
    "jinja2",
    "cryptography",
    "re2",
    "requests",
    "asyncio",
    "nmap",
    "lab",
)


def _loaded_by(arguments):
    script = (
        "import json, sys\n"
        "from camscan.cli.main import run\n"
        f"code = run({arguments!r})\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    assert not set(HEAVY) & _loaded_by(arguments)


def test_the_measure_itself_sees_what_is_loaded():
    assert {"numpy", "jinja2"} & _loaded_by(["report", "--help"]) or "jinja2" in _loaded_by(
        ["assess", "--help"]
    )


@pytest.mark.parametrize("name", ["Makefile", "LICENSE", "CHANGELOG.md"])
def test_what_the_readme_leans_on_is_there(name):
    assert (ROOT / name).stat().st_size > 0
    if name == "Makefile":
        targets = re.findall(r"^([a-z]+):", (ROOT / name).read_text(), re.MULTILINE)
        for target in re.findall(r"`?make ([a-z]+)", README):
            assert target in targets


def test_the_papers_name_no_machine():
    for name, text in pages():
        assert not re.search(r"/work/|/root/|/home/[a-z]", text), name
