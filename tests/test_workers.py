"""Work in child processes: every job ends in exactly one outcome, whatever happens to the children."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from programs import ROOT
from worker_jobs import Job, Result

from camscan.worker import available
from camscan.workers import Ended, Limits, Workers

COMMAND = (
    sys.executable,
    "-I",
    "-c",
    (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); "
        "from camscan.worker import main; main()"
    ),
)


def workers(function, *, count=2, **limits):
    return Workers(
        f"worker_jobs:{function}", Result, count=count, limits=Limits(**limits), command=COMMAND
    )


def outcomes(function, jobs, *, ordered=True, **options):
    with workers(function, **options) as pool:
        return list(pool.run(jobs, ordered=ordered))


def numbers(found):
    return [o.value.number for o in found if o.value]


def failures(found):
    return {o.number: o.failure.reason for o in found if o.failure}


def test_every_job_ends_in_one_outcome_in_the_order_of_the_jobs():
    found = outcomes("double", [Job(n, text=f"ш{n}") for n in range(50)])
    assert [o.number for o in found] == list(range(50))
    assert [(o.value.number, o.value.text) for o in found] == [(2 * n, f"ш{n}") for n in range(50)]
    assert len({o.value.pid for o in found}) == 2


def test_order_holds_although_a_later_job_is_done_first():
    jobs = [Job(n) for n in range(6)]
    assert numbers(outcomes("slower_at_first", jobs)) == [0, 2, 4, 6, 8, 10]
    loose = numbers(outcomes("slower_at_first", jobs, ordered=False))
    assert (sorted(loose), loose[0] == 0) == ([0, 2, 4, 6, 8, 10], False)


def test_children_are_kept_between_runs_and_gone_afterwards():
    with workers("double", count=1) as pool:
        first = numbers(pool.run([Job(1)]))
        pids = pool.pids
        second = [o.value.pid for o in pool.run([Job(2), Job(3)])]
    assert (first, second) == ([2], [*pids, *pids])
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_no_jobs_no_outcomes():
    assert outcomes("double", []) == []


def test_jobs_are_asked_for_only_as_results_are_taken():
    asked = []
    with workers("double") as pool:
        running = pool.run(asked.append(n) or Job(n) for n in itertools.count())
        for taken in range(1, 40):
            next(running)
            assert len(asked) <= taken + 4 * pool.count
        running.close()


def test_what_the_function_prints_does_not_disturb_the_messages():
    assert numbers(outcomes("chatty", [Job(n) for n in range(4)])) == [0, 2, 4, 6]


def test_an_error_is_the_outcome_of_its_job_and_is_not_tried_again():
    found = outcomes("wrong", [Job(n) for n in range(4)])
    assert numbers(found) == [0, 4]
    assert failures(found) == {1: Ended.ERROR, 3: Ended.ERROR}
    failure = found[1].failure
    assert (failure.detail, failure.tries) == ("ValueError: job 1 cannot be done", 1)
    assert "worker_jobs.py" in failure.trace


def test_a_function_that_is_not_there_is_an_error_of_every_job():
    found = outcomes("nowhere", [Job(1), Job(2)])
    assert failures(found) == {0: Ended.ERROR, 1: Ended.ERROR}
    assert "nowhere" in found[0].failure.detail


def test_a_result_of_another_shape_is_not_believed():
    found = outcomes("other_shape", [Job(1)])
    assert failures(found) == {0: Ended.ERROR}
    assert "another shape" in found[0].failure.detail


def test_a_job_whose_child_is_killed_is_done_by_the_next_one(tmp_path):
    """kill -9 in the middle of a job: nothing is lost, nothing comes twice."""

    def kill_the_first() -> None:
        tries = tmp_path / "tries"
        for _ in range(2000):
            if tries.exists() and tries.read_text().endswith("\n"):
                break
            time.sleep(0.01)
        os.kill(int(tries.read_text().split()[0]), signal.SIGKILL)
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    found = outcomes("wait_at_three", [Job(n, folder=str(tmp_path)) for n in range(20)])
    killer.join()
    assert numbers(found) == [2 * n for n in range(20)]
    tries = (tmp_path / "tries").read_text().split()
    assert (len(tries), str(found[3].value.pid)) == (2, tries[1])


def test_a_job_that_kills_every_child_is_reported_and_the_others_are_done():
    found = outcomes("die_at_two", [Job(n) for n in range(6)], tries=3)
    assert numbers(found) == [0, 2, 6, 8, 10]
    assert failures(found) == {2: Ended.KILLED}
    assert found[2].failure.tries == 3
    assert found[2].failure.detail == "its process was ended by signal 9: last words"


def test_a_job_that_takes_too_long_is_stopped():
    found = outcomes("sleep_at_two", [Job(n) for n in range(4)], count=1, job_seconds=1.5)
    assert (numbers(found), failures(found)) == ([0, 2, 6], {2: Ended.TIMEOUT})
    assert found[2].failure.tries == 1


def test_a_child_that_cannot_be_started_is_an_outcome():
    with Workers("x:y", Result, count=1, command=("/nonexistent/program",)) as pool:
        found = list(pool.run([Job(1), Job(2)]))
    assert failures(found) == {0: Ended.KILLED, 1: Ended.KILLED}


def test_a_job_or_result_above_the_message_limit_is_refused():
    jobs = [Job(0), Job(1), Job(2), Job(3), Job(4, text="y" * (2 << 20))]
    found = outcomes("large_at_two", jobs, message=1 << 20)
    assert (numbers(found), failures(found)) == (
        [0, 2, 6],
        {2: Ended.TOO_LARGE, 4: Ended.TOO_LARGE},
    )


pytestmark_rlimits = pytest.mark.skipif(sys.platform != "linux", reason="rlimits as Linux has them")


@pytestmark_rlimits
def test_a_job_that_needs_too_much_memory_fails_alone():
    found = outcomes("grow_at_two", [Job(n) for n in range(5)], count=1, memory=1 << 30)
    assert (numbers(found), failures(found)) == ([0, 2, 6, 8], {2: Ended.MEMORY})
    # In a child that had done other jobs it is tried once more in a new one.
    assert found[2].failure.tries == 2
    assert "1073741824 bytes" in found[2].failure.detail


@pytestmark_rlimits
def test_processor_time_is_limited_per_job():
    jobs = [Job(n) for n in range(4)]
    found = outcomes("spin_at_two", jobs, count=1, cpu_seconds=1, job_seconds=30)
    assert (numbers(found), failures(found)) == ([0, 2, 6], {2: Ended.CPU})


@pytestmark_rlimits
def test_files_are_limited(tmp_path):
    found = outcomes("write_much", [Job(0, folder=str(tmp_path))], file_bytes=4096)
    assert failures(found) == {0: Ended.ERROR}
    assert (tmp_path / "big").stat().st_size <= 4096


PARENT = """
import sys
sys.path.insert(0, {tests!r})
from test_workers import workers
from worker_jobs import Job
with workers("sleep_at_two", job_seconds=60) as pool:
    for outcome in pool.run(Job(n) for n in [0, 2, 2]):
        print(*pool.pids, flush=True)
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_children_end_with_their_parent(stop):
    """Ctrl-C ends them by the parent's hand; after kill -9 of the parent they see the pipe close."""
    code = PARENT.format(tests=str(ROOT / "tests"))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        pids = [int(p) for p in parent.stdout.readline().split()]
        time.sleep(0.2)
        parent.send_signal(stop)
        assert parent.wait(20) != 0
    assert pids
    for _ in range(500):
        if not any(Path(f"/proc/{p}").exists() for p in pids):
            break
        time.sleep(0.02)
    assert [p for p in pids if Path(f"/proc/{p}").exists()] == []


def test_limits_travel_as_messages():
    limits = Limits(memory=None, cpu_seconds=3, tries=1)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(limits), type=Limits) == limits
    assert available() >= 1
