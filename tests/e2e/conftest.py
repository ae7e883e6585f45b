"""Which scans of the emulated city do the tests share?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from city_runs import SCAN, SMALL, lab, measured, once, whole
from programs import ROOT


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """One of every persona, scanned once."""
    script = f'ls lab; exec {SCAN} -o "$RUNS/RUN" >"$RUNS/table.txt"'
    return whole(once(tmp_path_factory, "demo", lambda folder: measured(folder, "demo", script)))


@pytest.fixture(scope="session")
def demo_again(tmp_path_factory):
    """The same city, the same scan, another day."""
    script = f'{SCAN} -o "$RUNS/RUN" >/dev/null'
    return whole(once(tmp_path_factory, "demo-again", lambda folder: lab(folder, "demo", script)))


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """Four segments, of which one cannot be reached."""
    script = f'{SCAN} -o "$RUNS/RUN" >/dev/null'
    return whole(once(tmp_path_factory, "town", lambda folder: lab(folder, "town", script)))


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A small city scanned in four ways, one after the other: codes of the four in out."""
    ways = {"own": "", "connect": "--connect", "canary": "--canary 2", "nmap": "--engine nmap"}
    script = "; ".join(
        f'{SCAN} {options} -o "$RUNS/{name}" >"$RUNS/{name}.txt" 2>"$RUNS/{name}.err"; echo {name} $?'
        for name, options in ways.items()
    )
    return once(tmp_path_factory, "street", lambda folder: lab(folder, SMALL, script))


@pytest.fixture(scope="session")
def ordinary():
    """An ordinary user with a copy of the project that this user can read; skipped where none can be."""
    if os.geteuid() != 0:
        yield SimpleNamespace(prefix=(), python=sys.executable, root=ROOT, folder=None)
        return
    prefix = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups")
    folder = Path(tempfile.mkdtemp(prefix="camscan-e2e-"))
    folder.chmod(0o755)
    try:
        for part in ("camscan", "lab", "signatures"):
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        runs = folder / "runs"
        runs.mkdir()
        os.chown(runs, 1000, 1000)
        python = _interpreter(folder, prefix)
        yield SimpleNamespace(prefix=prefix, python=python, root=folder, folder=runs)
    finally:
        shutil.rmtree(folder)


def _interpreter(folder, prefix):
    """An environment in `folder` over an interpreter and packages that the user can read."""
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    reason = "setpriv is missing"
    for base in (os.path.realpath(sys.executable), f"/usr/bin/python{version}"):
        target = folder / "venv"
        made = subprocess.run(
            [base, "-m", "venv", "--clear", "--without-pip", target],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            reason = made.stderr or made.stdout
            continue
        own = target / "lib" / f"python{version}" / "site-packages"
        (own / "project.pth").write_text(f"{folder}\n{packages}\n")
        script = "import click, msgspec, numpy, re2, scapy, camscan; print(camscan.__file__)"
        tried = subprocess.run(
            [
                "env",
                "-i",
                "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                *prefix,
                "/usr/bin/env",
                target / "bin" / "python",
                "-c",
                script,
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
        )
        if tried.returncode == 0 and tried.stdout.startswith(str(folder)):
            return target / "bin" / "python"
        reason = tried.stderr
    pytest.skip(f"no Python {version} and packages that an ordinary user can read: {reason[-200:]}")
