"""`camscan traffic` in a process of its own, whose reading process stops at a file named in the first argument.

Started by test_cli_traffic_files.py, to be killed there.
"""

from __future__ import annotations

import os
import sys
import time

from camscan.cli import traffic_files
from camscan.cli.main import run
from camscan.observe.traffic import engine

name, *arguments = sys.argv[1:]
_AT_MOST = 120.0
"""Seconds; it ends with its parent, which the test kills."""
read = engine.Engine.read


def slow(self, source, **options):
    if name and source.name.endswith(name):
        parent, end = os.getppid(), time.monotonic() + _AT_MOST
        while os.getppid() == parent and time.monotonic() < end:
            time.sleep(0.1)
        os._exit(1)
    return read(self, source, **options)


engine.Engine.read = slow
traffic_files._EVERY = 0.0
sys.exit(run(arguments))
