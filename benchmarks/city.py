"""One command in a freshly raised city: its time, and what the devices counted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from camscan.knowledge import load

ROOT = Path(__file__).resolve().parents[1]


class Outcome(NamedTuple):
    wall: float | None
    """Seconds; None where the command was stopped at the limit."""
    cpu: float
    peak_mb: float
    stats: dict[str, Any]
    truth: dict[str, Any]
    folder: Path


def measure(
    plan: str, command: list[str], *, limit: int, profile: str = "none", folder: Path | None = None
) -> Outcome:
    """Raise `plan`, run `command` inside, tear down. `limit` in seconds for the command alone."""
    folder = folder or Path(tempfile.mkdtemp(prefix="camscan-bench-"))
    timing, stats, truth = folder / "timing.json", folder / "stats.json", folder / "truth.json"
    timing.unlink(missing_ok=True)
    whole = [
        sys.executable, "-m", "lab", "exec", "--plan", plan, "--quiet", "--no-phone-home",
        "--latency-profile", profile, "--stats", str(stats), "--truth", str(truth), "--workdir", str(folder / "owner"),
        "--", sys.executable, "-m", "benchmarks.timed", str(timing), "--",
        "timeout", "--signal=KILL", str(limit), *command,
    ]  # fmt: skip
    subprocess.run(
        whole,
        cwd=ROOT,
        check=False,
        stdout=(folder / "stdout").open("wb"),
        stderr=(folder / "stderr").open("wb"),
    )
    if not timing.exists():
        raise RuntimeError(
            f"{plan}: the city or the command failed:\n{(folder / 'stderr').read_text()[-2000:]}"
        )
    measured = json.loads(timing.read_text())
    stopped = measured["code"] in (124, 137)
    return Outcome(
        None if stopped else measured["wall"],
        measured["cpu"],
        measured["peak_mb"],
        json.loads(stats.read_text()),
        json.loads(truth.read_text()),
        folder,
    )


def scan_command(out: Path, *, speed: str, extra: tuple[str, ...] = ()) -> list[str]:
    """camscan on everything the plan's owner would name."""
    script = (
        'exec "$0" -m camscan scan "@$CAMSCAN_DEMO_DIR/targets.txt" --authority benchmark '
        '--site "$CAMSCAN_DEMO_DIR/site.toml" --networks "$CAMSCAN_DEMO_DIR/networks.toml" '
        '-o "$1" --speed "$2" --quiet --json "${@:3}"'
    )
    return ["bash", "-c", script, sys.executable, str(out), speed, *extra]


class Verdict(NamedTuple):
    """How the devices of a plan were named, against the oracle of the lab."""

    cameras: int
    called: int
    right: int
    unnamed: list[str]
    wrong: list[str]


def verdict(outcome: Outcome, report: Path) -> Verdict:
    """Compare a JSON report with the oracle: cameras that can be reached, addresses of the plan only.

    A subsidiary's brand on its parent's platform counts as right with either name (EZVIZ, Imou). Of
    several cameras behind one address, one that was not told apart from the others is unnamed.
    """
    parties = load().parties
    document = json.loads(report.read_text())
    by_address: dict[str, list[dict[str, Any]]] = {}
    for device in document["devices"]:
        for address in device["addresses"] or [device["device_id"]]:
            by_address.setdefault(address, []).append(device)
    cameras = right = called = 0
    wrong, unnamed = [], []
    behind: dict[str, set[str]] = {}
    for unit in outcome.truth["units"]:
        if unit["shares_address"] and unit["maker"]:
            behind.setdefault(unit["address"], set()).add(unit["maker"])
    for unit in outcome.truth["units"]:
        if not unit["reachable"] or unit["foreign"]:
            continue
        found = by_address.get(unit["address"], [])
        where = f"{unit['address']} {unit['persona']}"
        if not unit["is_camera"]:
            if any(d["is_camera"] for d in found) and not unit["shares_address"]:
                wrong.append(f"{where}: called a camera")
            continue
        cameras += 1
        called += any(d["is_camera"] for d in found)
        maker = unit["maker"]
        party = parties.get(maker or "")
        good = {maker, party.parent if party is not None else maker}
        named = {d["maker"] for d in found if d["maker"]}
        if named & good or (maker is None and not named):
            right += 1
        elif not named:
            unnamed.append(f"{where}: maker not named, it is {maker}")
        elif named <= behind.get(unit["address"], set()):
            unnamed.append(f"{where}: not told apart from the others behind its address")
        else:
            wrong.append(f"{where}: {', '.join(sorted(named))} instead of {maker}")
    return Verdict(cameras, called, right, unnamed, wrong)
