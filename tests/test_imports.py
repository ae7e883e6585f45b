"""The walls of the house (DESIGN section 1, Imports): who may import whom, and what lives where."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

import pytest
from programs import ROOT

FOUNDATION = ("camscan.model", "camscan.errors", "camscan.clock", "camscan.decode")
FLOORS = ("observe", "identify", "attribute", "judge", "report", "remedy")
SOCKETS = ("camscan.observe.wire", "camscan.observe.packet")
SCAPY = ("camscan.observe.packet",)
NMAP = ("camscan.observe.records.nmap_adapter",)
PROCESSES = ("camscan.observe.packet", "camscan.workers", *NMAP, "camscan.cli.demo")
LINUX_ONLY = {"fcntl", "resource", "grp", "pwd", "termios"}


def modules() -> dict[str, set[str]]:
    """Module -> everything it imports, at top level or inside functions."""
    found = {}
    for path in sorted((ROOT / "camscan").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative import"
                names.add(node.module or "")
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        found[name] = names
    return found


MODULES = modules()


def inside(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def own(names: set[str]) -> set[str]:
    return {n for n in names if n.startswith("camscan.") and n in MODULES}


@pytest.mark.parametrize("name", [n for n in MODULES if inside(n, FOUNDATION)])
def test_the_foundation_imports_nothing_above_it(name):
    assert {n for n in own(MODULES[name]) if not inside(n, FOUNDATION)} == set()


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_do_not_import_each_other(floor):
    others = tuple(f"camscan.{f}" for f in FLOORS if f != floor)
    crossing = {
        (name, target)
        for name, names in MODULES.items()
        if inside(name, (f"camscan.{floor}",))
        for target in own(names)
        if inside(target, others) or inside(target, ("camscan.cli", "camscan.audit"))
    }
    assert crossing == set()


def test_rooms_of_observe_meet_only_in_wire_and_the_packet_client():
    crossing = set()
    for name, names in MODULES.items():
        if not inside(name, ("camscan.observe",)) or name.count(".") < 2:
            continue
        room = ".".join(name.split(".")[:3])
        for target in own(names):
            if not inside(target, ("camscan.observe",)) or inside(target, (room,)):
                continue
            shared = ("camscan.observe.wire", "camscan.observe.packet.client", *NMAP)
            if not inside(target, shared):
                crossing.add((name, target))
    assert crossing == set()


def test_knowledge_is_called_by_audit_and_commands_alone():
    callers = {n for n, names in MODULES.items() if "camscan.knowledge" in own(names)}
    allowed = ("camscan.audit", "camscan.cli", "camscan.knowledge", "camscan.knowledge_lint")
    assert {n for n in callers if not inside(n, allowed)} == set()


@pytest.mark.parametrize(
    ("what", "places"),
    [
        ("socket", SOCKETS),
        ("scapy", SCAPY),
        ("nmap", NMAP),
        ("subprocess", PROCESSES),
        ("multiprocessing", PROCESSES),
        ("asyncio.create_subprocess_exec", PROCESSES),
        ("lab", ()),
    ],
)
def test_dangerous_imports_live_where_they_belong(what, places):
    users = {
        n
        for n, names in MODULES.items()
        if any(t == what or t.startswith(f"{what}.") for t in names)
    }
    assert {n for n in users if not inside(n, places)} == set()


def test_nothing_linux_only_outside_observe():
    users = {
        (n, t)
        for n, names in MODULES.items()
        for t in names & LINUX_ONLY
        if not inside(n, ("camscan.observe", "camscan.worker", "camscan.workers"))
    }
    assert users == set()


def test_there_are_no_cycles():
    graph = {
        name: {t for t in own(names) if t != name and not name.startswith(f"{t}.")}
        for name, names in MODULES.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES)


def test_every_module_states_its_question_and_stays_small():
    long, mute = [], []
    for name in MODULES:
        path = ROOT / (name.replace(".", "/") + ".py")
        if not path.exists():
            continue  # a package: its __init__ is empty by rule
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 400:
            long.append(name)
        if not ast.get_docstring(ast.parse(text)):
            mute.append(name)
    assert (long, mute) == ([], [])


def test_init_files_are_empty():
    filled = [str(p) for p in (ROOT / "camscan").rglob("__init__.py") if p.read_text().strip()]
    assert filled == []


def test_files_with_copyleft_imports_carry_the_mit_header():
    for path in (ROOT / "camscan").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        names = MODULES[
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        ]
        if any(n.split(".")[0] in {"scapy", "nmap"} for n in names):
            assert "SPDX-License-Identifier: MIT" in text.splitlines()[0], path
