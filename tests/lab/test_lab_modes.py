"""Does the lab say what a machine lacks, and do what is still possible?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PERSONAS = Path(__file__).parent / "personas"
pytestmark = pytest.mark.lab


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('id="p"\nabout="p"\n[[segment]]\nid="a"\ncidr="10.20.0.0/24"\ncameras=3\n')
    return path


def run(plan, *prefix, programs=None, mode="auto", command=("/bin/true",)):
    environment = dict(os.environ)
    if programs is not None:
        folder = plan.parent / "bin"
        folder.mkdir()
        for name in programs:
            (folder / name).symlink_to(shutil.which(name))
        environment["PATH"] = str(folder)
    words = [*prefix, sys.executable, "-m", "lab", "exec", "--plan", str(plan), "--mode", mode]
    words += ["--personas", str(PERSONAS), "--", *command]
    return subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_nft_it_runs_and_says_what_is_missing(plan):
    done = run(plan, programs=["ip"])
    assert done.returncode == 0, done.stderr
    assert "every device has the MAC address of the veth: the program nft is missing" in done.stderr


def test_without_ip_it_falls_back_to_loopback_and_says_so(plan):
    done = run(plan, programs=[])
    assert done.returncode == 0, done.stderr
    assert "the program ip is missing (Debian: apt install iproute2)" in done.stderr
    assert "mode loopback" in done.stderr
    assert "not emulated are layer 2" in done.stderr


def test_where_the_kernel_refuses_namespaces_it_says_so(plan):
    script = 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"'
    done = run(plan, "unshare", "-Ur", "sh", "-c", script, "sh")
    assert done.returncode == 0, done.stderr
    assert "does not work here: making a network namespace" in done.stderr
    assert "mode loopback" in done.stderr


def test_a_mode_that_was_named_and_cannot_be_had_is_wrong_use(plan):
    done = run(plan, programs=[], mode="userns")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("lab: mode userns does not work here: ")


def test_mask_needs_namespaces(plan):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lab",
            "exec",
            "--plan",
            str(plan),
            "--mode",
            "loopback",
            "--personas",
            str(PERSONAS),
            "--mask-lab",
            "--",
            "/bin/echo",
            "ran",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "ran" not in done.stdout


def test_a_command_that_is_missing_is_told(plan):
    done = run(plan, command=("/no/such/program",))
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "lab: cannot run /no/such/program: no such program"
