"""A live capture survives kill -9, the death of its reader, a full disk; ends sealed; says what it did not see.

Everything runs in network and mount namespaces made for the test; packets go over their own loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from camscan.observe.packet.client import PacketHelper

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.needs("ip", "unshare", "mount")]
BENCH = Path(__file__).with_name("live_capture.py")
SEALED = ["attempts.ndjson", "intake.json", "observations.ndjson", "seal.json"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    allowed, why = PacketHelper.available()
    if not allowed:
        pytest.skip(why)
    unshare = ["unshare", "-nm"] if os.geteuid() == 0 else ["unshare", "-Urnm"]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel refuses namespaces")
    done = subprocess.run(
        [*unshare, sys.executable, str(BENCH), str(tmp_path_factory.mktemp("live"))],
        capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(BENCH.parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_killed_capture_goes_on_from_its_last_checkpoint(bench):
    killed = bench["killed"]
    flows = killed["flows"]
    assert (flows["5001"], flows["5004"]) == (400, 200)  # 300 before the kill, 100 after the resume
    assert "5003" not in flows  # nobody looked
    assert killed["names"] == ["cloud.example.net"]
    assert (killed["code"], killed["seal"]) == (2, False)
    assert (killed["verify_while_open"], killed["verify"]) == (1, 0)
    assert killed["files"] == SEALED


def test_nothing_is_left_running_when_the_command_is_killed(bench):
    assert bench["killed"]["readers"] == 4  # the packet helper, one that reads, two that wait
    assert bench["killed"]["left"] == 0


def test_the_time_nobody_looked_is_a_gap_and_said(bench):
    killed = bench["killed"]
    ((begin, end, why),) = killed["summary"]["gaps"]
    assert killed["summary"]["first"] < begin <= killed["died"] < killed["resumed"] <= end
    assert end < killed["summary"]["last"]
    assert why == "the capture was interrupted"
    assert "not examined" in killed["err"]
    assert "the capture was interrupted" in killed["err"]


def test_two_processes_do_not_take_one_capture(bench):
    code, said = bench["killed"]["twice"]
    assert code == 3
    assert "another process" in said


def test_a_reader_that_dies_is_followed_by_another(bench):
    reader = bench["reader_dies"]
    assert reader["readers"] == 3
    assert (reader["flows"]["5001"], reader["flows"]["5002"]) == (300, 200)
    ((begin, end, why),) = reader["summary"]["gaps"]
    assert 0 < end - begin < 30
    assert "signal 9" in why
    assert (reader["code"], reader["verify"], reader["seal"]) == (2, 0, False)


def test_phases_come_from_another_command_and_from_standard_input(bench):
    marked = bench["marked"]
    phases = marked["summary"]["phases"]
    assert [name for name, _, _ in phases] == ["quiet", "power-cycle", "login"]
    for (_, _, end), (_, begin, _) in pairwise(phases):
        assert end == begin
    assert phases[-1][2] < marked["summary"]["last"]  # ended by the mark, not by the capture
    assert marked["mark"] == [0, 0]
    assert marked["late"] == 3
    assert marked["files"] == sorted([*SEALED, "phases.ndjson"])


def test_ctrl_c_is_the_end_that_was_asked_for_where_no_duration_was(bench):
    marked = bench["marked"]
    assert (marked["code"], marked["seal"], marked["verify"]) == (0, True, 0)
    assert "gaps" not in marked["summary"]


def test_a_status_line_says_how_far_it_is(bench):
    (line,) = [one for one in bench["marked"]["err"].splitlines() if " packets (" in one]
    for words in (" lost, ", " clients, ", " names, until Ctrl-C"):
        assert words in line


def test_a_mirror_by_datagrams_is_resumed_too(bench):
    mirrored = bench["mirrored"]
    assert (mirrored["flows"]["7001"], mirrored["flows"]["7002"]) == (300, 200)
    assert [why for _, _, why in mirrored["summary"]["gaps"]] == ["the capture was interrupted"]
    assert dict(mirrored["summary"]["encapsulations"])["tzsp"] == mirrored["summary"]["packets"]
    assert (mirrored["code"], mirrored["verify"]) == (2, 0)


def test_a_disk_that_fills_ends_the_capture_in_time(bench):
    full = bench["full"]
    assert (full["code"], full["verify"], full["seal"]) == (2, 0, False)
    assert "the disk is nearly full" in full["err"]
    assert full["summary"]["packets"] > 0


def test_the_check_of_a_port_is_made_by_a_child_too(bench):
    answers = {a["question"]: a["good"] for a in bench["checked"]["answers"]}
    assert answers["Does the card show frames to others?"] is True
    assert answers["Is DNS seen?"] is False
    assert bench["checked"]["code"] == 1
