"""A run keeps what was written, says what a kill left half done, and shows every later change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from camscan.clock import FixedClock
from camscan.errors import RunError, SchemaError, SealedError, UsageError
from camscan.intake import IntakeWriter
from camscan.journal import BLOB_LIMIT
from camscan.model.observation import Kind, Reason
from camscan.model.run import IntakeInfo
from camscan.run import Run

NOON = 1_800_000_000.0


def info(kind: str = "scan") -> IntakeInfo:
    return IntakeInfo(
        id="",
        kind=kind,
        started="2027-01-15T08:00:00.000Z",
        tool_version="0",
        knowledge_hash="0",
        vantage="on-link",
    )


@pytest.fixture
def run(tmp_path):
    return Run.create(
        tmp_path / "run",
        owner="Town of Example",
        authority="mayor's order 7",
        clock=FixedClock(NOON),
    )


def filled(run: Run) -> IntakeWriter:
    writer = run.new_intake(info())
    writer.observe(
        device_id="127.0.0.5",
        kind=Kind.HTTP,
        response=b"HTTP/1.1 200 OK\r\n\r\nhello",
        port=80,
        request="GET /",
    )
    writer.observe(device_id="127.0.0.6", kind=Kind.SSH, response=b"SSH-2.0-dropbear\r\n", port=22)
    writer.attempt(
        device_id="127.0.0.7",
        test="http-root",
        reason=Reason.TIMEOUT,
        detail="no first byte",
        port=80,
    )
    return writer


def test_what_was_written_is_read_back_in_order(run):
    writer = filled(run)
    writer.seal(complete=True)
    seen = list(run.observations())
    assert [(o.id, o.device_id, o.kind, o.response) for o in seen] == [
        ("0001-scan:1", "127.0.0.5", Kind.HTTP, b"HTTP/1.1 200 OK\r\n\r\nhello"),
        ("0001-scan:2", "127.0.0.6", Kind.SSH, b"SSH-2.0-dropbear\r\n"),
    ]
    assert [(a.id, a.reason, a.detail) for a in run.attempts()] == [
        ("0001-scan:a1", Reason.TIMEOUT, "no first byte")
    ]
    assert run.verify() == ()


def test_a_sealed_intake_never_changes(run):
    writer = filled(run)
    writer.seal(complete=True)
    with pytest.raises(SealedError, match="sealed"):
        IntakeWriter(run.path, writer.info, FixedClock(NOON))


def test_an_unfinished_intake_blocks_a_new_one_until_it_is_resumed(run):
    filled(run).close()
    with pytest.raises(UsageError, match="--resume"):
        run.new_intake(info())
    again = run.resume()
    assert [o.device_id for o in again.observations()] == ["127.0.0.5", "127.0.0.6"]
    again.observe(device_id="127.0.0.8", kind=Kind.FTP, response=b"220 hi\r\n")
    again.seal(complete=True)
    assert [o.id for o in run.observations()] == ["0001-scan:1", "0001-scan:2", "0001-scan:3"]
    assert run.verify() == ()
    with pytest.raises(UsageError, match="nothing to resume"):
        run.resume()


def test_a_torn_last_line_is_dropped_and_said_so(run):
    writer = filled(run)
    writer.close()
    path = writer.folder / "observations.ndjson"
    path.write_bytes(path.read_bytes() + b'{"kind":"http","device_id":"127.0')
    assert [o.device_id for o in run.observations()] == ["127.0.0.5", "127.0.0.6"]
    assert any("torn last line (33 bytes)" in p.what for p in run.verify())
    again = run.resume()
    assert again.torn == 33
    again.observe(device_id="127.0.0.9", kind=Kind.FTP, response=b"220 x\r\n")
    again.seal(complete=False)
    assert [o.device_id for o in run.observations()] == ["127.0.0.5", "127.0.0.6", "127.0.0.9"]
    assert run.verify() == ()


def test_a_line_that_is_broken_in_the_middle_is_an_error_with_its_number(run):
    writer = filled(run)
    writer.close()
    path = writer.folder / "observations.ndjson"
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first[:-5] + b"\n" + rest)
    with pytest.raises(RunError, match=r"observations\.ndjson:1"):
        list(run.observations())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda run: next(run.path.glob("raw/*/*")).write_bytes(b"other"),
            "changed: its bytes no longer match",
        ),
        (lambda run: next(run.path.glob("raw/*/*")).unlink(), "missing"),
        (
            lambda run: (run.path / "intakes/0001-scan/attempts.ndjson").write_text(""),
            "changed after it was sealed",
        ),
        (
            lambda run: (run.path / "intakes/0001-scan/extra").write_text("x"),
            "added after the intake was sealed",
        ),
        (lambda run: (run.path / "intakes/0001-scan/intake.json").unlink(), "missing"),
    ],
)
def test_verify_names_every_later_change(run, harm, said):
    filled(run).seal(complete=True)
    assert run.verify() == ()
    harm(run)
    assert any(said in p.what for p in run.verify())


def test_seals_form_a_chain(run):
    filled(run).seal(complete=True)
    filled(run).seal(complete=True)
    assert run.verify() == ()
    seal = run.path / "intakes/0001-scan/seal.json"
    seal.write_text(seal.read_text().replace('"complete": true', '"complete": false'))
    assert [p.what for p in run.verify()] == ["does not follow the seal before it"]


def test_a_missing_blob_stops_reading_with_a_clear_line(run):
    filled(run).seal(complete=True)
    next(run.path.glob("raw/*/*")).unlink()
    with pytest.raises(RunError, match="bytes of an observation cannot be read"):
        list(run.observations())


def test_secrets_are_cut_and_long_answers_capped_before_they_reach_the_disk(run):
    writer = run.new_intake(info())
    seen = writer.observe(
        device_id="127.0.0.5",
        kind=Kind.HTTP,
        response=b"HTTP/1.1 200 OK\r\nSet-Cookie: session=topsecretvalue\r\n\r\n"
        + b"a" * (2 * BLOB_LIMIT),
    )
    writer.seal(complete=True)
    assert seen.truncated
    assert len(seen.response) == BLOB_LIMIT
    assert "cut" in seen.flags
    stored = b"".join(p.read_bytes() for p in run.path.rglob("*") if p.is_file())
    assert b"topsecretvalue" not in stored


def test_a_newer_major_schema_is_refused(run):
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("camscan-run/1", "camscan-run/2"))
    with pytest.raises(SchemaError, match="camscan-run/2"):
        Run.open(run.path, FixedClock(NOON))


def test_something_else_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match="not a run"):
        Run.open(tmp_path, FixedClock(NOON))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="not what a run starts with"):
        Run.open(tmp_path, FixedClock(NOON))


def test_a_folder_that_holds_something_is_not_overwritten(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="not empty"):
        Run.create(tmp_path, owner="", authority=None, clock=FixedClock(NOON))


def test_run_json_is_what_the_design_says(run):
    assert set(json.loads((run.path / "run.json").read_text())) == {
        "schema",
        "run_id",
        "owner",
        "authority",
        "created",
    }


def test_kill_at_any_moment_loses_at_most_the_exchange_under_way(tmp_path):
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from camscan.clock import SystemClock
        from camscan.model.observation import Kind
        from camscan.model.run import IntakeInfo
        from camscan.run import Run
        run = Run.create(Path(sys.argv[1]), owner="", authority=None, clock=SystemClock())
        writer = run.new_intake(IntakeInfo(id="", kind="scan", started="", tool_version="0", knowledge_hash="0", vantage="file"))
        for n in range(200000):
            writer.observe(device_id=str(n), kind=Kind.SSH, response=b"SSH-2.0-x%d" % n)
            print(n, flush=True)
    """)
    path = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(50):
            child.stdout.readline()
        time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
    finally:
        child.wait()
        child.stdout.close()
    confirmed = int(rest[-1]) if rest else 49
    run = Run.open(path, FixedClock(NOON))
    seen = [o.device_id for o in run.observations()]
    assert seen == [str(n) for n in range(len(seen))]
    assert confirmed + 1 <= len(seen) <= confirmed + 2
    assert run.resume().info.id == "0001-scan"
