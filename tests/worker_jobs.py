"""Functions that the children of test_workers.py run: good ones, and ones that break every limit."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from msgspec import Struct


class Job(Struct, frozen=True):
    number: int
    folder: str = ""
    text: str = ""


class Result(Struct, frozen=True):
    number: int
    pid: int
    text: str = ""


def double(job: Job) -> Result:
    return Result(job.number * 2, os.getpid(), job.text)


def slower_at_first(job: Job) -> Result:
    time.sleep(0.3 if job.number == 0 else 0.0)
    return double(job)


def chatty(job: Job) -> Result:
    print("a decoder that prints must not disturb the messages")  # noqa: T201
    return double(job)


def wrong(job: Job) -> Result:
    if job.number % 2:
        raise ValueError(f"job {job.number} \x1b[31mcannot be done")
    return double(job)


def other_shape(job: Job) -> dict[str, str]:
    return {"number": f"{job.number}"}


def wait_at_three(job: Job) -> Result:
    """Job 3 says who does it, then waits until the file `go` is there."""
    if job.number == 3:
        folder = Path(job.folder)
        with (folder / "tries").open("a") as file:
            file.write(f"{os.getpid()}\n")
        for _ in range(2000):
            if (folder / "go").exists():
                break
            time.sleep(0.01)
    return double(job)


def die_at_two(job: Job) -> Result:
    if job.number == 2:
        sys.stderr.write("last words\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(job)


def sleep_at_two(job: Job) -> Result:
    time.sleep(60 if job.number == 2 else 0)
    return double(job)


def spin_at_two(job: Job) -> Result:
    while job.number == 2:
        pass
    return double(job)


def grow_at_two(job: Job) -> Result:
    kept = [bytes(8 << 20) for _ in range(400 if job.number == 2 else 0)]
    return double(Job(job.number, text=str(len(kept))))


def large_at_two(job: Job) -> Result:
    return double(Job(job.number, text="x" * (2 << 20 if job.number == 2 else 1)))


def write_much(job: Job) -> Result:
    with (Path(job.folder) / "big").open("wb") as file:
        file.write(bytes(1 << 20))
    return double(job)
