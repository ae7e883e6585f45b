"""Does `camscan demo` do what the README promises of it, with the city's own devices?"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from city_runs import SMALL, Done, camscan, once
from programs import ROOT

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.needs("ip", "nft"),
    pytest.mark.xdist_group("city"),
]


def _demo(folder, *arguments):
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "small.toml"
    plan.write_text(SMALL, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "camscan", "demo", *arguments, "--plan", str(plan)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(folder, done.returncode, done.stdout, done.stderr)


def test_demo_run_prints_the_table_and_the_path_of_the_report(tmp_path_factory):
    def make(folder):
        return _demo(folder, "run", "-o", str(folder / "RUN"))

    done = once(tmp_path_factory, "demo-run", make)
    assert done.code == 0, done.err[-3000:]
    assert done.out.index("Coverage") < done.out.index("Risk table")
    html = done.path() / "assessments" / "0001" / "report.html"
    assert str(html) in done.out
    assert html.read_text("utf-8").startswith("<!doctype html") or "<html" in html.read_text(
        "utf-8"
    )
    assert camscan("verify", done.path()).returncode == 0
    makers = {d["maker"] for d in done.report()["devices"]}
    assert {"hikvision", "dahua", "axis"} <= makers
    assert done.report()["run"]["networks_supplied"]  # where the emulated clouds lie


def test_demo_capture_writes_what_the_cameras_send_to_their_clouds(tmp_path_factory):
    def make(folder):
        return _demo(folder, "capture", str(folder / "x.pcap"), "--seconds", "12")

    done = once(tmp_path_factory, "demo-capture", make)
    assert done.code == 0, done.err[-3000:]
    head = (done.folder / "x.pcap").read_bytes()
    # libpcap magic in either byte order, micro- or nanoseconds; or a pcapng section header
    assert head[:4].hex() in {"d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "0a0d0d0a"}
    assert len(head) > 24


def test_demo_list_names_the_devices():
    done = subprocess.run(
        [sys.executable, "-m", "camscan", "demo", "list"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for persona in ("hikvision-recorder", "printer", "honeypot"):
        assert persona in done.stdout


def test_json_of_a_scan_is_one_document_on_stdout(demo):
    assert (
        json.loads(camscan("report", demo.path(), "--json").stdout)["schema"] == "camscan-report/1"
    )
