"""`camscan traffic` in a process of its own, whose reading process stops at a file named in the first argument.

`NAME` stops it before that file, `NAME@5` behind five buffers of it, with a state after each.
Started by test_cli_traffic_files.py, to be killed there.
"""

from __future__ import annotations

import os
import sys
import time

from camscan.cli import traffic_files
from camscan.cli.main import run
from camscan.observe.traffic import child, engine, filling

name, *arguments = sys.argv[1:]
name, _, within = name.partition("@")
_AT_MOST = 120.0
"""Seconds; it ends with its parent, which the test kills."""
read = engine.Engine.read


def wait() -> None:
    parent, end = os.getppid(), time.monotonic() + _AT_MOST
    while os.getppid() == parent and time.monotonic() < end:
        time.sleep(0.1)
    os._exit(1)


def slow(self, source, *, on_chunk=None, **options):
    chunks = 0

    def counted(progress):
        nonlocal chunks
        on_chunk(progress)
        chunks += 1
        if within and chunks == int(within):
            wait()

    if name and source.name.endswith(name):
        if not within:
            wait()
        return read(self, source, on_chunk=counted, **options)
    return read(self, source, on_chunk=on_chunk, **options)


if within:
    child._WITHIN = child._SHARE = 0
    filling._FIRST, filling._FEW = 1 << 12, 0
engine.Engine.read = slow
traffic_files._EVERY = 0.0
sys.exit(run(arguments))
