"""What the children of test_limited.py do."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def echo(line):
    while (said := line.hear()) is not None:
        line.tell(said[0] + 1, said[1])


def fail(line):
    raise ValueError("no such thing")


def die(line):
    os.kill(os.getpid(), signal.SIGKILL)


def eat(line):
    held = []
    while len(held) < 4000:
        held.append(bytes(1 << 20))


def spin(line):
    line.breathe(1)
    while True:
        pass


def write(line):
    try:
        with Path(line.hear()[1].decode()).open("wb") as file:
            file.write(b"x")
    except OSError as error:
        line.tell(20, error.strerror.encode())


def stream(line):
    with os.fdopen(line.stream, "rb") as file:
        line.tell(20, file.read())


def say_on_stdout(line):
    sys.stdout.write("noise")
    sys.stdout.flush()
    line.tell(20, b"said")


def never(line):
    line.hear()
    line.hear()
