"""How do the tests of the lab raise a small city of their own?"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PERSONAS = Path(__file__).parent / "personas"
PLAN = """
id = "small"
about = "small"
every = true
foreign = { "plain-camera" = "192.168.1.64" }
[[segment]]
id = "a"
cidr = "10.20.0.0/24"
cameras = 4
others = 2
reject = 2
[[segment]]
id = "b"
cidr = "10.20.8.0/24"
kind = "routed"
cameras = 2
reject = 1
[[segment]]
id = "c"
cidr = "10.20.9.0/24"
kind = "unreachable"
cameras = 1
"""
HEAD = """
import http.client, json, os, socket, ssl, struct, sys, time
truth = json.load(open(os.environ["TRUTH"]))
units = truth["units"]
def one(persona, segment="a"):
    return next(u["address"] for u in units if u["persona"] == persona and u["segment"] == segment)
camera, printer, fragile = one("plain-camera"), one("plain-printer"), one("plain-fragile")
def get(address, path="/", port=80, headers={}, method="GET", body=None):
    c = http.client.HTTPConnection(address, port, timeout=3)
    c.request(method, path, headers=headers, body=body)
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, dict(r.getheaders()), data
"""


@dataclass
class Result:
    code: int
    out: str
    err: str
    stats: dict
    truth: dict
    folder: Path

    def totals(self, name: str) -> int:
        return self.stats["totals"][name]


@pytest.fixture
def city(tmp_path, monkeypatch):
    """Run a script in the scanner namespace of a small city."""

    def run(script: str, *options: str, mode: str = "auto", check: bool = True) -> Result:
        plan, stats, truth = tmp_path / "p.toml", tmp_path / "s.json", tmp_path / "t.json"
        plan.write_text(PLAN)
        monkeypatch.setenv("TRUTH", str(truth))
        command = [sys.executable, "-m", "lab", "exec", "--plan", str(plan), "--mode", mode]
        command += ["--personas", str(PERSONAS), "--stats", str(stats), "--truth", str(truth)]
        command += ["--workdir", str(tmp_path / "w"), *options]
        command += ["--", sys.executable, "-c", HEAD + script]
        done = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
        )
        if check:
            assert done.returncode == 0, done.stderr
        return Result(
            done.returncode,
            done.stdout,
            done.stderr,
            json.loads(stats.read_text()) if stats.exists() else {},
            json.loads(truth.read_text()) if truth.exists() else {},
            tmp_path,
        )

    return run
