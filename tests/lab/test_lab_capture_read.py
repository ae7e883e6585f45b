"""What camscan reads from a capture of the city is what the city did: names, services, ids, volumes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib

import pytest
from programs import ROOT

from camscan.cli.main import run as camscan

WHO = ("dahua-camera", "goahead-p2p-camera", "v380-camera", "reolink-camera", "tuya-camera", "hikvision-camera-new", "ezviz-plug", "cloud-only-camera", "pc")  # fmt: skip
SERVICES = {
    "dahua-camera": {"dahua-p2p", "ntp"},
    "goahead-p2p-camera": {"pppp"},
    "v380-camera": {"v380", "ntp"},
    "reolink-camera": {"reolink-p2p"},
    "tuya-camera": set(),
    "hikvision-camera-new": set(),
    "ezviz-plug": set(),
    "cloud-only-camera": set(),
    "pc": set(),
}
"""Which camera services the personas speak to their clouds (phone_home)."""


def phone_homes(persona):
    text = (ROOT / "lab" / "personas" / f"{persona}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text).get("phone_home", [])


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """(units of the truth, lines of `traffic --json`, run folder)"""
    folder = tmp_path_factory.mktemp("capture")
    personas = folder / "personas"
    personas.mkdir()
    for name in WHO:
        shutil.copy(ROOT / "lab" / "personas" / f"{name}.toml", personas)
    plan, capture, truth = folder / "p.toml", folder / "c.pcap", folder / "t.json"
    plan.write_text(
        'id="p"\nabout="p"\nevery=true\n[[segment]]\nid="a"\ncidr="10.20.0.0/24"\ncameras=8\nothers=2\n'
    )
    command = ("capture", str(capture), "--plan", str(plan), "--personas", str(personas), "--seconds", "9", "--hurry", "60", "--truth", str(truth), "--quiet")  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "lab", *command], cwd=ROOT, check=False, capture_output=True, text=True, timeout=180)  # fmt: skip
    if done.returncode == 3:
        pytest.skip(f"no city here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    units = {u["address"]: u for u in json.loads(truth.read_text())["units"]}
    out = folder / "run"
    lines = subprocess.run([sys.executable, "-m", "camscan", "traffic", str(capture), "-o", str(out), "--json", "--quiet"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=180)  # fmt: skip
    return units, [json.loads(line) for line in lines.stdout.splitlines()], out


def test_every_name_was_spoken_and_every_name_spoken_is_found(city):
    units, lines, _ = city
    for address, unit in units.items():
        found = {n["name"] for n in lines if n["type"] == "name" and n["client"] == address}
        homes = phone_homes(unit["persona"]) if unit["persona"] in WHO else []
        assert found <= {h["name"] for h in homes}
        asked = {h["name"] for h in homes if h["proto"] != "udp-p2p" and h["every_s"] <= 120}
        assert asked <= found, unit["persona"]


def test_the_services_are_those_of_the_personas_and_no_others(city):
    units, lines, _ = city
    for address, unit in units.items():
        found = {f["service"] for f in lines if f["type"] == "flow" and f["client"] == address} - {None}  # fmt: skip
        wanted = SERVICES.get(unit["persona"], set())
        assert found <= wanted, unit["persona"]
        assert wanted - {"ntp"} <= found, unit["persona"]


def test_flows_carry_the_macs_of_the_devices_and_names(city):
    units, lines, _ = city
    flows = [f for f in lines if f["type"] == "flow" and f["client"] in units]
    assert flows
    for flow in flows:
        assert flow["client_mac"] == units[flow["client"]]["mac"]
    named = {n for f in flows for n in f["names"]}
    assert "litedev.hik-connect.com" in named
    assert "www.easy4ipcloud.com" in named


def test_what_speaks_as_a_camera_is_one_and_the_plug_is_not(city, capsys):
    units, _, out = city
    assert camscan(["report", str(out), "-f", "json"]) == 0
    devices = {d["device_id"]: d for d in json.loads(capsys.readouterr().out)["devices"]}
    by_persona = {u["persona"]: devices.get(a) for a, u in units.items()}
    for persona in ("dahua-camera", "goahead-p2p-camera", "v380-camera"):
        assert by_persona[persona]["is_camera"] is True, persona
    for device in (by_persona["ezviz-plug"], by_persona["cloud-only-camera"]):
        assert device is None or device["is_camera"] is None
