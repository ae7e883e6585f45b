"""Do `camscan scope` and `camscan doctor` say what they should, and send nothing?"""

from __future__ import annotations

import json
import re

import pytest

from camscan.cli import doctor as doctor_module
from camscan.cli import scope_cmd
from camscan.cli.main import run
from camscan.observe.traffic import steps
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.pace import PACES, Speed
from camscan.site import load_site

PARTS = (
    Segment(cidr="10.20.0.0/24", on_link=True, interface="vs0", source="10.20.0.1",
            ranges=("10.20.0.0/24",), hosts=256),
    Segment(cidr="10.30.0.0/24", on_link=False, interface="vs0", gateway="10.20.0.254",
            ranges=("10.30.0.0/24",), hosts=256),
    Segment(cidr="10.40.0.0/24", on_link=False, ranges=("10.40.0.0/24",), hosts=256),
)  # fmt: skip


@pytest.fixture
def three_ways(monkeypatch):
    monkeypatch.setattr(scope_cmd, "segments", lambda allowed: PARTS)
    monkeypatch.setattr(scope_cmd, "_plan", lambda: (29, 5, 20))


def estimates(raw):
    return [
        scope_cmd.estimate(part, PACES[Speed.POLITE], raw=raw, ports=29, liveness=5, groups=20)
        for part in PARTS
    ]


def test_estimates_with_raw_packets():
    link, routed, none = estimates(raw=True)
    assert (link.group_packets, link.neighbour_packets, link.liveness_packets) == (60, 512, 0)
    assert link.excludes == ()
    assert (routed.group_packets, routed.neighbour_packets) == (0, 0)
    assert routed.liveness_packets == 256 * 5 * 2
    assert any("announcements" in text for text in routed.excludes)
    assert any("MAC" in text for text in routed.excludes)
    assert routed.would_help
    assert none.minutes == 0.0
    assert none.port_packets == 0
    assert "no route" in none.excludes[0]


def test_estimates_without_raw_packets():
    link, routed, _ = estimates(raw=False)
    assert link.neighbour_packets == routed.liveness_packets == 0
    assert link.port_packets == 256 * 29
    assert "raw packets" in link.excludes[0]


def test_check_as_table_and_json(three_ways, capsys):
    targets = ["10.20.0.0/24", "10.30.0.0/24", "10.40.0.0/24"]
    assert run(["scope", "check", *targets]) == 0
    text = capsys.readouterr().out
    assert "on-link" in text
    assert "vs0 via 10.20.0.254" in text
    assert text.rstrip().endswith("Nothing was sent.")
    assert run(["scope", "check", "--json", *targets]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [s["reach"] for s in result["segments"]] == ["on-link", "routed", "none"]
    assert result["addresses"] == 768 - 6


@pytest.mark.parametrize("target", ["8.8.8.8", "10.0.0.1/24", "@/nope", "224.0.0.1"])
def test_check_refuses_in_one_line(target, capsys):
    assert run(["scope", "check", target]) == 3
    text = capsys.readouterr().err
    assert text.startswith("camscan: target")
    assert text.count("\n") == 1


def test_init_writes_once_and_its_file_says_what_is_missing(tmp_path, capsys):
    path = tmp_path / "town.toml"
    assert run(["scope", "init", str(path)]) == 0
    assert f"camscan scope check --scope {path}" in capsys.readouterr().out
    before = path.read_text()
    assert run(["scope", "init", str(path)]) == 3
    assert "not overwritten" in capsys.readouterr().err
    assert path.read_text() == before
    assert run(["scope", "check", "--scope", str(path)]) == 3
    assert "`owner` is empty" in capsys.readouterr().err


def test_a_filled_in_template_works(three_ways, tmp_path, capsys):
    path = tmp_path / "town.toml"
    run(["scope", "init", str(path), "--json"])
    text = path.read_text()
    for name in ("owner", "document", "authority"):
        text = text.replace(f'{name} = ""', f'{name} = "Town {name}"')
    path.write_text(text.replace('# "192.168.20.0/24"', '"203.0.113.0/24"'))
    capsys.readouterr()
    assert run(["scope", "check", "--scope", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["owner"] == "Town owner"


def test_a_commented_site_file_loads_as_it_is_and_with_every_example_taken(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(["scope", "init", "--site"]) == 0
    assert "camscan assess RUN --site site.toml" in capsys.readouterr().out
    path = tmp_path / "site.toml"
    assert load_site(path).places == ()
    (tmp_path / "assets.csv").write_text("id\nA1\n")
    text = path.read_text()
    path.write_text(re.sub(r"(?m)^# (?=(\[\[|[a-z_]+ = ))", "", text))
    full = load_site(path)
    assert full.jurisdiction == "RS"
    assert [len(x) for x in (full.places, full.declarations, full.documents, full.assets)] == [
        1
    ] * 4
    assert run(["scope", "init", "--site"]) == 3


def test_doctor_as_text_and_json(capsys):
    assert run(["doctor", "--json"]) == 0
    health = json.loads(capsys.readouterr().out)
    assert "lo" in {i["name"] for i in health["interfaces"]}
    assert {t["name"] for t in health["programs"]} == {"ip", "nft", "nmap", "tcpdump", "chromium"}
    assert health["abilities"][0]["works"] is True
    assert run(["doctor"]) == 0
    assert "works: scan by plain connections" in capsys.readouterr().out


def test_doctor_names_one_apt_line_for_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(doctor_module, "_program", lambda name: name not in {"nft", "nmap"})
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert text.count("sudo apt install") == 1
    assert "sudo apt install nftables nmap" in text
    assert "does not work: emulated city" in text


@pytest.mark.parametrize(
    ("system", "works"), [("linux", True), ("darwin", False), ("win32", False)]
)
def test_doctor_says_where_children_have_no_memory_limit(monkeypatch, system, works):
    monkeypatch.setattr(doctor_module.sys, "platform", system)
    (ability,) = [a for a in doctor_module.examine().abilities if "memory limits" in a.what]
    assert (ability.works, bool(ability.why)) == (works, not works)


@pytest.mark.parametrize("library", [object(), None])
def test_doctor_says_whether_captures_are_read_by_compiled_steps(monkeypatch, library):
    monkeypatch.setattr(steps, "compiled", library)
    (ability,) = [a for a in doctor_module.examine().abilities if "large captures" in a.what]
    assert (ability.works, "C compiler" in ability.why) == (library is not None, library is None)


@pytest.mark.parametrize(
    ("path", "words"),
    [("_APPARMOR", "AppArmor"), ("_CLONE", "switched off"), ("_MAX", "switched off")],
)
def test_doctor_reads_why_user_namespaces_are_refused(monkeypatch, tmp_path, path, words):
    file = tmp_path / "sysctl"
    file.write_text("1\n" if path == "_APPARMOR" else "0\n")
    for name in ("_APPARMOR", "_CLONE", "_MAX"):
        monkeypatch.setattr(doctor_module, name, str(tmp_path / "absent"))
    assert doctor_module.user_namespaces() == (True, "")
    monkeypatch.setattr(doctor_module, path, str(file))
    works, why = doctor_module.user_namespaces()
    assert not works
    assert words in why
