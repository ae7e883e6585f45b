"""A child is held to its limits, tells how far it is, and takes nobody along when it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from camscan.limited import Limited
from camscan.worker import FAILED, Limits

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
FEW = Limits(memory=256 << 20, cpu_seconds=5, file_bytes=0)


def child(name: str, **options) -> Limited:
    return Limited(f"limited_work:{name}", FEW, **options)


def test_messages_go_both_ways_of_any_size():
    with child("echo") as one:
        for kind, data in ((30, b""), (31, b"x" * 3_000_000), (32, b"y")):
            one.tell(kind, data)
            assert one.hear() == (kind + 1, data)


def test_a_failure_is_told_and_then_the_end():
    with child("fail") as one:
        kind, words = one.hear()
        assert kind == FAILED
        assert words.startswith(b"ValueError: no such thing in fail:")
        assert one.hear() is None
        assert one.ending() == "the process that read it ended with code 70"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("die", "ended by signal 9"),
        ("eat", "needed more memory than its limit of 256 MB"),
        ("spin", "used more processor time than its limit"),
    ],
)
def test_how_it_died_is_known(name, words):
    with child(name) as one:
        assert one.hear() is None
        assert words in one.ending()


def test_it_writes_no_file(tmp_path):
    with child("write") as one:
        one.tell(30, str(tmp_path / "x").encode())
        assert one.hear() == (20, b"File too large")
    assert (tmp_path / "x").stat().st_size == 0


def test_what_it_prints_is_no_output_of_ours(capfd):
    with child("say_on_stdout") as one:
        assert one.hear() == (20, b"said")
        assert one.ending() == ""
    assert capfd.readouterr().out == ""


def test_a_stream_ends_with_the_parents_end_alone():
    """Children made later hold none of the pipes of earlier ones open."""
    with child("stream", stream=True) as one, child("never", stream=True) as other:
        os.write(one.stream, b"abc")
        one.close_stream()
        assert one.hear() == (20, b"abc")
        assert one.ending() == ""
        assert other.pid != one.pid


def test_closing_ends_it_wherever_it_is():
    with child("never") as one:
        pid = one.pid
    assert not Path(f"/proc/{pid}").exists() or sys.platform != "linux"
    one.tell(30, b"to nobody")  # no error


def test_one_that_waits_imports_when_it_is_told_something():
    with Limited("no_such_module:f", FEW, wait=True) as idle:
        assert idle.pid
    with Limited("no_such_module:f", FEW, wait=True) as told:
        told.tell(30, b"")
        kind, words = told.hear()
        assert kind == FAILED
        assert b"no_such_module" in words
