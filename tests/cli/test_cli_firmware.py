"""camscan firmware: lines, run, exit codes, differences, joins with devices, and the reports that tell of it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal

import cyclonedx
import jsonschema
import pytest
from referencing import Registry, Resource

from camscan import assessments, workers
from camscan.cli.main import run
from camscan.clock import SystemClock
from camscan.model.claim import Mark
from camscan.model.firmware import ImageReport
from camscan.run import Run

KEYS = {"image", "sha256", "maker", "model", "version", "build_date", "endpoints", "keys", "components", "not_examined"}  # fmt: skip


def elf(*strings):
    return b"\x7fELF" + bytes(60) + b"\0".join(s.encode() for s in strings) + b"\0"


def tree(folder, **extra):
    """A small extracted tree of a camera."""
    files = {
        "usr/bin/app": elf(
            "http://www.hikvision.com/ver20/XMLSchema",
            "dev.hik-connect.com",
            "api.cam-vendor.com",
            "OpenSSL 1.0.1e 11 Feb 2013",
        ),
        "etc/passwd": b"root::0:0::/:/bin/sh\n",
        "etc/device.conf": b"model=DS-2CD2032-I\nfirmware_version=V5.4.5\n",
        "etc/<script>\u202e.conf": b"server=<script>alert(1)</script>.cam-vendor.com\n",
    }
    files |= {name.replace("__", "/"): data for name, data in extra.items()}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def opened(path):
    return Run.open(path, SystemClock())


def lines(capsys):
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


@pytest.fixture
def image(tmp_path):
    return tree(tmp_path / "image")


def test_one_line_per_image_with_the_stated_keys(tmp_path, image, capsys):
    other = tree(tmp_path / "other")
    code = run(
        ["firmware", str(image), str(other), "--json", "--workers", "1", "-o", str(tmp_path / "r")]
    )
    assert code == 0
    one, two = lines(capsys)
    assert set(one) >= KEYS
    assert [one["image"], two["image"]] == ["image", "other"]
    assert (one["maker"], one["model"], one["version"]) == ("hikvision", "DS-2CD2032-I", "V5.4.5")
    hosts = {e["host"]: e for e in one["endpoints"] if e["live"]}
    assert hosts["dev.hik-connect.com"]["operator"] == "hikvision"
    assert hosts["dev.hik-connect.com"]["parent_country"] == "CN"
    place = hosts["api.cam-vendor.com"]
    data = (image / place["path"]).read_bytes()
    assert data[place["offset"] : place["offset"] + place["length"]] == b"api.cam-vendor.com"
    (openssl,) = one["components"]
    assert openssl["support_ended"] == "2016-12-31"
    assert openssl["known_exploited"] == "2022-05-04"
    assert one["keys"][0]["what"] == "account"
    run_ = opened(tmp_path / "r")
    assert run(["verify", str(tmp_path / "r")]) == 0
    (intake,) = run_.intakes()
    assert intake.kind == "firmware"
    assert [i.sha256 for i in intake.inputs] == [one["sha256"], two["sha256"]]
    assert run_.info.authority is None


def test_a_worker_that_is_killed_at_its_image_loses_nothing(tmp_path, image, capsys, monkeypatch):
    images = [str(image), str(tree(tmp_path / "other")), str(tree(tmp_path / "third"))]
    command = ["firmware", *images, "--json", "--workers", "2", "-o"]
    assert run([*command, str(tmp_path / "whole")]) == 0
    whole = capsys.readouterr().out
    killed: list[int] = []
    pools: list[workers.Workers[ImageReport]] = []
    receive, enter = workers.receive, workers.Workers.__enter__

    def receive_after_a_kill(*args):
        # The first answer that is waited for: its job was sent and its child is at it.
        if not killed:
            killed.append(pools[0].pids[0])
            os.kill(killed[0], signal.SIGKILL)
        return receive(*args)

    monkeypatch.setattr(workers, "receive", receive_after_a_kill)
    monkeypatch.setattr(
        workers.Workers, "__enter__", lambda self: pools.append(self) or enter(self)
    )
    assert run([*command, str(tmp_path / "killed")]) == 0
    assert capsys.readouterr().out == whole
    assert len(killed) == 1


def test_the_run_holds_findings_about_the_image_and_none_of_devices(tmp_path, image, capsys):
    out = tmp_path / "r"
    assert run(["firmware", str(image), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "api.cam-vendor.com" in text
    assert "\u202e" not in text
    found = assessments.read(out)
    assert found.devices == ()
    states = {f.condition: f.state.value for f in found.findings if f.subject.startswith("image:")}
    assert states["image-cloud-cn-group"] == "observed"
    assert states["image-account-present"] == "observed"
    assert states["image-component-outdated"] == "observed"
    assert states["image-key-embedded"] == "observed_not"
    assert states["image-not-opened"] == "observed_not"
    for f in found.findings:
        if f.subject.startswith("image:"):
            assert f.action is None
            assert f.does_not_show
            assert not re.search(r"talks? to|sends|vulnerable|backdoor", f.statement)
    assert "firmware images: none was read" not in found.coverage.not_examined


def test_explain_walks_to_the_place_in_the_image(tmp_path, image, capsys):
    out = tmp_path / "r"
    run(["firmware", str(image), "-o", str(out)])
    subject = assessments.read(out).images[0].subject
    capsys.readouterr()
    assert run(["explain", str(out), f"image-component-outdated@{subject}"]) == 0
    text = capsys.readouterr().out
    assert "openssl 1.0.1e: support ended 2016-12-31" in text
    assert assessments.read(out).images[0].report.sha256 in text
    assert "observation 0001-firmware:1" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "neither a file nor a folder"), (b"", "empty file"), (b"\x93\x8a" * 4096, "")],
)
def test_what_cannot_be_read_or_opened_ends_with_two(tmp_path, image, capsys, content, words):
    bad = tmp_path / "bad.bin"
    if content is not None:
        bad.write_bytes(content)
    assert run(["firmware", str(bad), str(image), "--json", "-o", str(tmp_path / "r")]) == 2
    captured = capsys.readouterr()
    assert words in captured.err + captured.out
    told = [json.loads(t) for t in captured.out.splitlines()]
    assert told[-1]["image"] == "image"
    assert all(t["not_examined"] for t in told[:-1])
    attempts = [a for a in opened(tmp_path / "r").attempts() if a.test.startswith("firmware")]
    assert attempts


def test_absence_in_an_image_that_stayed_closed_is_not_examined(tmp_path, capsys):
    bad = tmp_path / "bad.bin"
    bad.write_bytes(bytes(range(256)) * 64)
    run(["firmware", str(bad), "-o", str(tmp_path / "r")])
    capsys.readouterr()
    states = {f.condition: f.state.value for f in assessments.read(tmp_path / "r").findings}
    assert states["image-not-opened"] == "observed"
    for condition in ("image-cloud-embedded", "image-key-embedded", "image-account-present"):
        assert states[condition] == "not_observed"


def test_the_difference_of_two_images(tmp_path, image, capsys):
    new = tree(tmp_path / "new", usr__bin__push=elf("push.cam-vendor.com", "dropbear_2013.58"))
    (new / "etc/passwd").unlink()
    assert (
        run(["firmware", "--diff", str(image), str(new), "--json", "-o", str(tmp_path / "r")]) == 0
    )
    (found,) = lines(capsys)
    assert found["endpoints_added"] == ["push.cam-vendor.com (push)"]
    assert found["components_added"] == ["dropbear 2013.58"]
    assert found["keys_removed"] == ["account empty root"]
    assert found["endpoints_removed"] == []
    assert run(["firmware", "--diff", str(image), "-o", str(tmp_path / "s")]) == 3


def test_names_of_an_image_are_embedded_in_devices_of_the_same_version_and_no_destination(
    judged, image, capsys
):
    camera = next(d for d in assessments.read(judged).devices if d.is_camera)
    stated = {c.attribute.value: c.value for c in camera.claims}
    before = dict(assessments.read(judged).factors)[camera.device_id]
    for version, expected in ((stated["firmware"], True), ("V9.9.9", False)):
        text = f"model={stated['model']}\nfirmware_version={version}\n"
        (image / "etc/device.conf").write_text(text)
        run(["firmware", str(image), "-o", str(judged)])
        found = assessments.read(judged)
        same = next(d for d in found.devices if d.device_id == camera.device_id)
        newest = next(i for i in found.images if i.identity.version == version.split()[0])
        assert newest.devices == ((camera.device_id,) if expected else ())
        assert {e.name for e in same.endpoints} >= {"api.cam-vendor.com", "dev.hik-connect.com"}
        assert {e.marks for e in same.endpoints} == {(Mark.EMBEDDED,)}
        assert dict(found.factors)[camera.device_id] == before
    capsys.readouterr()


def test_the_reports_tell_of_the_image_and_escape_what_it_says(tmp_path, image, capsys):
    out = tmp_path / "r"
    run(["firmware", str(image), "-o", str(out)])
    capsys.readouterr()
    for form in ("html", "markdown", "json", "csv"):
        assert run(["report", str(out), "-f", form]) == 0
        text = capsys.readouterr().out
        assert (
            "api.cam-vendor.com" in text
            or "api\\.cam\\-vendor" in text
            or form in {"csv", "markdown"}
        )
        assert "<script>alert" not in text or form == "json"
        assert "\u202e" not in text
    schema = json.loads(pathlib.Path("docs/schema/report.json").read_text())
    run(["report", str(out), "--json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema)
    assert document["images"][0]["image"] == "image"


def test_the_components_are_a_valid_cyclonedx_document(tmp_path, image, capsys):
    out = tmp_path / "r"
    run(["firmware", str(image), "-o", str(out)])
    capsys.readouterr()
    assert run(["report", str(out), "-f", "cyclonedx"]) == 0
    document = json.loads(capsys.readouterr().out)
    folder = pathlib.Path(cyclonedx.__file__).parent / "schema" / "_res"

    def read(name):
        return json.loads((folder / name).read_text(encoding="utf-8"))

    parts = (
        "spdx.SNAPSHOT.schema.json",
        "jsf-0.82.SNAPSHOT.schema.json",
        "cryptography-defs.SNAPSHOT.schema.json",
    )
    registry = Registry().with_resources(
        [(f"http://cyclonedx.org/schema/{n}", Resource.from_contents(read(n))) for n in parts]
    )
    schema = read("bom-1.6.SNAPSHOT.schema.json")
    checker = jsonschema.Draft7Validator(schema, registry=registry)
    assert list(checker.iter_errors(document)) == []
    assert list(checker.iter_errors({**document, "specVersion": 7})) != []
    assert document["components"][0]["components"][0]["version"] == "1.0.1e"
    assert {v["id"] for v in document["vulnerabilities"]} >= {"CVE-2014-0160"}
    assert document["compositions"][0]["aggregate"] == "incomplete"


def test_strings_are_written_to_a_new_file_that_is_no_part_of_the_run(tmp_path, image, capsys):
    out, file = tmp_path / "r", tmp_path / "all.ndjson"
    (image / "etc/shadow").write_bytes(b"root:$1$abcdefgh$ijklmnopqrstuvwxyz0123:1:0:9:7:::\n")
    command = ["firmware", str(image), "-o", str(out), "--export", "strings"]
    assert run([*command, str(file)]) == 0
    assert "strings in" in capsys.readouterr().err
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    (host,) = (s for s in found if s["text"] == "api.cam-vendor.com")
    data = (image / host["path"]).read_bytes()
    assert data[host["offset"] : host["offset"] + host["length"]] == b"api.cam-vendor.com"
    assert "ijklmnop" not in file.read_text("utf-8")
    assert "<cut:password-hash:" in file.read_text("utf-8")
    assert not any(b'api.cam-vendor.com"}' in p.read_bytes() for p in out.rglob("*.ndjson"))
    before = file.read_bytes()
    assert run([*command, str(file)]) == 3
    assert "not overwritten" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert run([*command, str(out / "all.ndjson")]) == 3
    assert "lies in the run" in capsys.readouterr().err
    assert run(["verify", str(out)]) == 0


def test_strings_of_an_image_that_cannot_be_read_end_with_two(tmp_path, image, capsys):
    file = tmp_path / "all.txt"
    missing = str(tmp_path / "absent")
    command = ["firmware", missing, str(image), "-o", str(tmp_path / "r"), "--export", "strings"]
    assert run([*command, str(file)]) == 2
    assert "image\tusr/bin/app\t" in file.read_text("utf-8")


@pytest.mark.parametrize(("day", "ended"), [("2022-02-15", False), ("2022-03-01", True)])
def test_a_month_of_an_end_of_support_is_over_at_its_end(tmp_path, capsys, day, ended):
    image = tree(tmp_path / "i", bin__kernel=elf("Linux version 4.4.100 (a@b)"))
    out = tmp_path / "r"
    assert run(["firmware", str(image), "-o", str(out), "--as-of", day]) == 0
    capsys.readouterr()
    (finding,) = (f for f in assessments.read(out).findings if f.condition == "image-component-outdated")  # fmt: skip
    said = " ".join([finding.statement, *finding.details])
    assert ("support ended 2022-02" in said) is ended
