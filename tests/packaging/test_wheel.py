"""Does the installed wheel work away from the checkout, with its knowledge, and say what it lacks?

Built and installed without the network: the dependencies are those of this environment, seen through a
.pth file; the project itself comes from the wheel alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from programs import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


def _run(command, **more):
    return subprocess.run(
        [str(c) for c in command],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        **more,
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    done = _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT])
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """`camscan` as pipx would install it: an environment of its own, the entry point on the PATH."""
    folder = tmp_path_factory.mktemp("installed")
    venv = folder / "venv"
    done = _run([sys.executable, "-m", "venv", "--without-pip", venv])
    assert done.returncode == 0, done.stderr
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin" / "python"]
    done = _run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], cwd=folder)
    assert done.returncode == 0, done.stderr
    # .pth lines are added behind the environment's own packages; an editable checkout is named by
    # a .pth file of its own in there, and those are not read again.
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = folder / "home"
    home.mkdir()
    environment = {
        "PATH": os.pathsep.join((str(venv / "bin"), os.environ["PATH"])),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LC_ALL": "C.UTF-8",
    }
    return SimpleNamespace(
        folder=folder,
        purelib=purelib,
        run=lambda *command, **more: _run(
            command, cwd=more.pop("cwd", home), env=environment, **more
        ),
    )


def test_the_wheel_holds_the_program_its_knowledge_and_its_licences(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {n.removeprefix("camscan/_signatures/") for n in names if "/_signatures/" in n}
    there = {str(p.relative_to(ROOT / "signatures")) for p in (ROOT / "signatures").rglob("*.toml")}
    assert {n for n in shipped if n.endswith(".toml")} == there
    templates = {p.name for p in (ROOT / "camscan/report/templates").iterdir() if p.is_file()}
    assert templates <= {n.rpartition("/")[2] for n in names if "/report/templates/" in n}
    tops = {n.partition("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"camscan"}
    assert not [n for n in names if n.startswith(("lab/", "tests/")) or "/lab/" in n]
    for licence in (ROOT / "LICENSES").iterdir():
        assert [n for n in names if ".dist-info/" in n and n.endswith(licence.name)]


@pytest.mark.needs("cc")
def test_the_compiled_steps_come_with_the_wheel(wheel, installed):
    assert wheel.name.split("-")[2:4] == ["py3", "none"]
    assert not wheel.name.endswith("-any.whl")
    script = (
        "from camscan.observe.traffic import steps; print(steps.LIBRARY); assert steps.compiled"
    )
    done = installed.run("python", "-c", script)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)


def test_it_runs_from_its_own_folder(installed):
    script = "import camscan, camscan.knowledge as k; print(camscan.__file__); print(k.shipped())"
    done = installed.run("python", "-c", script)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert Path(line).is_relative_to(installed.folder)


def test_signatures_are_read_from_the_wheel(installed):
    done = installed.run("camscan", "signatures", "status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    here = _run([sys.executable, "-m", "camscan", "signatures", "status", "--json"], cwd=ROOT)
    assert status == json.loads(here.stdout)
    assert next(t for t in status["tables"] if t["table"] == "signatures")["records"] > 100
    assert installed.run("camscan", "signatures", "lint").returncode == 0


def test_identify_and_a_whole_run_work_away_from_the_checkout(installed):
    answers = installed.folder / "answers.ndjson"
    answer = (
        '<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>0B7E</Uuid><Types>inquiry</Types>'
        "<DeviceType>139</DeviceType><DeviceDescription>DS-2CD2032-I</DeviceDescription>"
        "<DeviceSN>DS-2CD2032-I20160331BBWR586001234</DeviceSN><CommandPort>8000</CommandPort>"
        "<HttpPort>80</HttpPort><MAC>c0-56-e3-00-11-22</MAC><IPv4Address>10.9.0.7</IPv4Address>"
        "<SoftwareVersion>V5.4.0build 160331</SoftwareVersion><DSPVersion>V7.3</DSPVersion>"
        "<Activated>true</Activated><SupportHCPlatform>true</SupportHCPlatform>"
        "</ProbeMatch>"
    )
    line = {"device_id": "10.9.0.7", "kind": "sadp", "port": 37020, "response": answer}
    answers.write_text(json.dumps(line) + "\n")
    done = installed.run("camscan", "identify", answers, "--json")
    assert done.returncode == 0, done.stderr
    device = json.loads(done.stdout)
    assert (device["maker"], device["model"]) == ("hikvision", "DS-2CD2032-I")
    done = installed.run("camscan", "ingest", "RUN", answers)
    assert done.returncode == 0, done.stderr
    for command in (["verify"], ["next"], ["report", "-f", "html"]):
        done = installed.run("camscan", command[0], "RUN", *command[1:])
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_packet_helper_starts_from_the_wheel(installed):
    """`python -I -m camscan.observe.packet` is found without the checkout as current folder."""
    done = installed.run(
        "python",
        "-I",
        "-c",
        "import importlib.util as u; print(u.find_spec('camscan.observe.packet').origin)",
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)


@pytest.mark.parametrize("command", [["run"], ["list"], ["up"], ["capture", "x.pcap"]])
def test_the_demo_says_that_it_needs_the_checkout(installed, command):
    done = installed.run("camscan", "demo", *command)
    assert done.returncode == 3
    assert "needs the source checkout" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_and_doctor_and_version(installed):
    assert "0.1.0" in installed.run("camscan", "--version").stdout
    assert installed.run("camscan", "--help").returncode == 0
    done = installed.run("camscan", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["knowledge_as_of"]
