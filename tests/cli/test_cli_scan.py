"""Does `camscan scan` say no where it must, before a packet is sent, and with which exit code?

What is scanned here is an address of the loopback net on which nothing listens.
"""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from camscan import errors
from camscan.cli import scan as scan_module
from camscan.cli.main import run
from camscan.clock import SystemClock
from camscan.errors import UsageError
from camscan.run import Run

ME = "127.201.7.9"
QUICK = ["--connect", "--no-announce", "--speed", "fast", "--quiet"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Current folder, so that a run without -o lands there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_scan(monkeypatch):
    """Nothing may get so far that it sends."""

    async def never(*args, **kwargs):
        raise AssertionError("a packet would have been sent")

    monkeypatch.setattr(scan_module.audit, "scan", never)


def _refused(capsys, folder, arguments, code, *words):
    assert run(["scan", *arguments]) == code
    err = capsys.readouterr().err
    assert "Traceback" not in err
    for word in words:
        assert word in err
    assert list(folder.iterdir()) == []  # no half-made run is left behind
    return err


TOWN = ["--authority", "Town, order 7"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["10.9.0.0/33", *TOWN], "10.9.0.0/33"),
        (["10.9.0.1/24", *TOWN], "10.9.0.1/24"),
        (["10.9.0.300", *TOWN], "10.9.0.300"),
        (["10.9.0.9-10.9.0.1", *TOWN], "10.9.0.9-10.9.0.1"),
        (["@/nope.txt", *TOWN], "/nope.txt"),
        (["224.0.0.1", *TOWN], "224.0.0.1"),
        (["8.8.8.8", *TOWN], "8.8.8.8"),
        (["2001:4860:4860::8888", *TOWN], "2001:4860:4860::8888"),
        (["203.0.113.0/24", *TOWN], "203.0.113.0"),
        (["10.0.0.0/8", *TOWN], "65,536"),
        (["10.9.0.0/24", "--exclude", "banana/40", *TOWN], "banana/40"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_targets_are_refused_in_one_line(here, no_scan, capsys, arguments, word):
    err = _refused(capsys, here, arguments, 3, word)
    assert err.startswith("camscan: ")
    assert err.count("\n") == 1


def test_public_addresses_point_to_the_scope_file(here, no_scan, capsys):
    _refused(capsys, here, ["8.8.8.8", *TOWN], 3, "camscan scope init")


def test_the_limit_is_65536_addresses_not_one_less(here, monkeypatch, capsys):
    class EnoughError(UsageError):
        pass

    def stop(*args, **kwargs):
        raise EnoughError("got so far")

    monkeypatch.setattr(scan_module, "_start", stop)
    assert run(["scan", "10.9.0.0/16", *TOWN]) == 3
    assert "got so far" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["owner", "document", "authority", "ranges"])
def test_a_scope_file_must_say_whose_network_it_is(here, no_scan, capsys, tmp_path, missing):
    values = {"owner": '"Town"', "document": '"Order 7"', "authority": '"Mayor"'}
    values["ranges"] = '["203.0.113.0/29"]'
    del values[missing]
    file = tmp_path / "scope.toml"
    file.write_text("".join(f"{k} = {v}\n" for k, v in values.items()))
    assert run(["scan", "--scope", str(file)]) == 3
    err = capsys.readouterr().err
    assert missing in err
    assert missing == "authority" or str(file) in err  # --authority may say that as well


def test_a_target_outside_the_scope_file_is_refused(here, no_scan, capsys, tmp_path):
    file = tmp_path / "scope.toml"
    file.write_text(
        'owner = "Town"\ndocument = "Order 7"\nauthority = "Mayor"\nranges = ["203.0.113.0/29"]\n'
    )
    assert run(["scan", "203.0.113.9", "--scope", str(file)]) == 3
    assert "203.0.113.9" in capsys.readouterr().err


def test_without_authority_and_without_a_terminal(here, no_scan, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Town\n"))
    err = _refused(capsys, here, [ME], 3, "--authority", "owner")
    assert err.count("\n") == 1


def test_no_target_unknown_option_and_unknown_command(here, no_scan, capsys):
    _refused(capsys, here, TOWN, 3, "target")
    _refused(capsys, here, [ME, *TOWN, "--agressive"], 3, "--agressive")
    _refused(capsys, here, [ME, *TOWN, "--speed", "warp"], 3, "warp", "polite")
    _refused(capsys, here, [ME, *TOWN, "--canary", "-1"], 3, "-1")
    assert run(["scna"]) == 3
    assert "scna" in capsys.readouterr().err


def test_an_unknown_interface_is_named_with_those_there_are(here, no_scan, capsys):
    _refused(capsys, here, [ME, *TOWN, "--interface", "nope0"], 3, "nope0", "lo")


def test_engine_nmap_without_nmap(here, no_scan, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    _refused(capsys, here, [ME, *TOWN, "--engine", "nmap"], 3, "apt install nmap")


@pytest.mark.parametrize(
    "arguments",
    [["--resume"], ["--resume", ME, "-o", "RUN"]],
    ids=["without a run", "with a target"],
)
def test_resume_takes_its_targets_from_the_run(here, no_scan, capsys, arguments):
    _refused(capsys, here, arguments, 3, "camscan scan --resume -o RUN")


def test_resume_of_nothing(here, no_scan, capsys, judged):
    assert run(["scan", "--resume", "-o", str(here / "none")]) == 2
    assert "not a run" in capsys.readouterr().err
    assert run(["scan", "--resume", "-o", str(judged)]) == 3
    assert "nothing to resume" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_not_written_into(here, no_scan, capsys):
    (here / "papers").mkdir()
    (here / "papers" / "x").write_text("x")
    assert run(["scan", ME, *TOWN, "-o", str(here / "papers")]) == 3
    assert "not empty" in capsys.readouterr().err
    assert [p.name for p in (here / "papers").iterdir()] == ["x"]


def test_a_wrong_site_file_is_found_before_anything_is_sent(here, no_scan, capsys, tmp_path):
    assert run(["scan", ME, *TOWN, "--site", "/nope/site.toml"]) == 2
    assert "/nope/site.toml" in capsys.readouterr().err
    assert not (here / "camscan-runs").exists()


# --- with packets, to this machine alone


def test_a_scan_of_an_empty_address(here, capsys):
    assert run(["scan", ME, *TOWN, *QUICK, "--owner", "Town", "--json"]) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["schema"] == "camscan-report/1"
    assert report["coverage"]["addresses_in_scope"] == 1
    (path,) = (here / "camscan-runs").iterdir()
    opened = Run.open(path, SystemClock())
    assert (opened.info.authority, opened.info.owner) == ("Town, order 7", "Town")
    assert opened.verify() == ()
    scope = json.loads((path / "intakes/0001-scan/scope.json").read_bytes())
    assert scope["ranges"] == [f"{ME}/32"]
    # the same folder takes a second intake; a sealed one has nothing to resume
    assert run(["scan", ME, *TOWN, *QUICK, "-o", str(path)]) == 0
    assert [i.id for i in opened.intakes()] == ["0001-scan", "0002-scan"]
    assert run(["scan", "--resume", "-o", str(path)]) == 3


def test_authority_is_asked_once_on_a_terminal_and_printed(here):
    parent, child = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "camscan", "scan", ME, *QUICK, "-o", str(here / "RUN")],
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(child)
    os.write(parent, "Town of Ćmila, order 7\n".encode())
    out, err = done.communicate(timeout=60)
    os.close(parent)
    assert done.returncode == 0, err
    assert err.count("Who owns this network") == 1
    assert "Town of Ćmila, order 7" in out
    assert Run.open(here / "RUN", SystemClock()).info.authority == "Town of Ćmila, order 7"


# --- how outcomes become exit codes


DRAWN = {n: e for n, e in vars(errors).items() if isinstance(e, type) and n in errors.__doc__}


@pytest.mark.parametrize("error", [e for e in DRAWN.values() if e is not errors.ObserveError])
def test_every_error_has_a_code_of_the_design_and_one_line(monkeypatch, capsys, error):
    def raise_it(*args, **kwargs):
        raise error("first\nsecond")

    monkeypatch.setattr("camscan.cli.main.cli.main", raise_it)
    code = run([])
    assert code in (1, 2, 3, 4)
    assert code == error.exit_code
    err = capsys.readouterr().err
    assert err.endswith("first second\n")
    assert err.count("\n") == 1


def test_ctrl_c_is_two_and_a_defect_of_ours_is_four(monkeypatch, capsys):
    def ctrl_c(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("camscan.cli.main.cli.main", ctrl_c)
    assert run([]) == 2
    assert "interrupted" in capsys.readouterr().err

    def defect(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("camscan.cli.main.cli.main", defect)
    assert run([]) == 4
    assert "internal error (ZeroDivisionError)" in capsys.readouterr().err


def test_help_and_version_are_zero(capsys):
    assert run(["--help"]) == 0
    assert run(["--version"]) == 0
    assert run(["scan", "-h"]) == 0
    assert "camscan, version" in capsys.readouterr().out


def test_lint_passes_and_a_broken_signature_is_one(tmp_path, capsys):
    assert run(["signatures", "lint"]) == 0
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "own.toml").write_text('[[signature]]\nid = "hikvision.http.x"\n')
    assert run(["signatures", "list", "--signatures", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "own.toml" in err


def test_a_reader_that_goes_away_is_no_error(judged):
    done = subprocess.run(
        [
            "sh",
            "-c",
            '"$0" -m camscan report "$1" -f html | head -c 10',
            sys.executable,
            str(judged),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout
    assert "Traceback" not in done.stderr
