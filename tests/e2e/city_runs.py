"""How does a test scan an emulated city with camscan, once for all tests of a session? No test in here.

lab/ is hidden from camscan while it scans. One city at a time: the machine's own pace is part of what is
measured, and two workers of one test session share what was done.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from programs import ROOT

from camscan.cli.main import run
from camscan.clock import SystemClock
from camscan.run import Run

AUTHORITY = "Town of Camville agrees to its own audit"
SCAN = (
    '"$PYTHON" -m camscan scan "@$CAMSCAN_DEMO_DIR/targets.txt" --authority "$AUTHORITY" '
    '--speed fast --quiet --site "$CAMSCAN_DEMO_DIR/site.toml" '
    '--networks "$CAMSCAN_DEMO_DIR/networks.toml" --port-offset "${CAMSCAN_LAB_PORT_OFFSET:-0}" '
)
SMALL = """
id = "small"
about = "Emulated side street"
seed = 5
every = false
[counts]
"hikvision-camera-old" = 1
"dahua-camera" = 1
"axis-camera" = 1
"uniview-camera" = 1
"xiongmai-camera" = 1
"reolink-camera" = 1
"lorex-camera" = 1
"printer" = 1
[foreign]
"hikvision-camera-new" = "192.168.1.64"
[[segment]]
id = "a"
cidr = "10.20.0.0/27"
cameras = 8
others = 1
reject = 1
"""


@dataclass
class Done:
    """One lab session: what was run in it, what it counted, what is true."""

    folder: Path
    code: int
    out: str
    err: str

    def _json(self, name):
        path = self.folder / name
        assert path.exists(), f"{name} was not written:\n{self.err}"
        return json.loads(path.read_text("utf-8"))

    @property
    def stats(self):
        return self._json("stats.json")

    @property
    def truth(self):
        return self._json("truth.json")

    @property
    def assets(self):
        with (self.folder / "work" / "assets.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def path(self, name="RUN") -> Path:
        return self.folder / name

    def run(self, name="RUN") -> Run:
        return Run.open(self.path(name), SystemClock())

    def report(self, name="RUN"):
        """The newest JSON report of a run."""
        done = camscan("report", self.path(name), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def written(self, form, name="RUN"):
        done = camscan("report", self.path(name), "-f", form)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def units(self, **wanted):
        return [u for u in self.truth["units"] if all(u[k] == v for k, v in wanted.items())]

    def unit(self, persona):
        return next(u for u in self.truth["units"] if u["persona"] == persona)


def camscan(*arguments):
    """camscan outside the city, in this process: nothing is sent."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(a) for a in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def lab(
    folder,
    plan,
    script,
    *options,
    mode="auto",
    mask=True,
    python=sys.executable,
    root=ROOT,
    prefix=(),
    timeout=240,
) -> Done:
    """Raise a city, run a shell script in the scanner's namespace with the run folder as $RUNS."""
    folder.mkdir(parents=True, exist_ok=True)
    if "\n" in plan:
        (folder / "plan.toml").write_text(plan, "utf-8")
        plan = str(folder / "plan.toml")
    command = [*prefix, python, "-m", "lab", "exec", "--plan", plan, "--mode", mode]
    command += ["--stats", folder / "stats.json", "--truth", folder / "truth.json"]
    command += ["--workdir", folder / "work", *(["--mask-lab"] if mask else []), *options]
    command += ["--", "sh", "-c", script]
    environment = os.environ | {
        "PYTHON": str(python),
        "AUTHORITY": AUTHORITY,
        "RUNS": str(folder),
    }
    with (folder / "out.txt").open("w+") as out, (folder / "err.txt").open("w+") as err:
        done = subprocess.run(
            [str(c) for c in command],
            cwd=root,
            env=environment,
            stdout=out,
            stderr=err,
            check=False,
            timeout=timeout,
        )
        out.seek(0)
        err.seek(0)
        return Done(folder, done.returncode, out.read(), err.read())


def measured(folder, *arguments) -> Done:
    """`lab`, once more if the recording of the packets missed some: then the figures do not hold."""
    done = lab(folder, *arguments)
    if done.stats["wire"]["lost"]:
        shutil.rmtree(folder)
        done = lab(folder, *arguments)
    return done


def whole(done) -> Done:
    """The session, or a failure that shows what the scan said when it did not come to its end."""
    assert done.code in (0, 2), f"exit code {done.code}\n{done.err[-4000:]}"
    return done


def once(factory, name, make) -> Done:
    """`make(folder)`, done once per test session whatever the number of workers; one city at a time."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    shared = base / "cities"
    shared.mkdir(exist_ok=True)
    result = shared / f"{name}.pickle"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            result.write_bytes(pickle.dumps(make(shared / name)))
        return pickle.loads(result.read_bytes())
