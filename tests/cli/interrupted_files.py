"""`camscan traffic` in a process of its own, whose reading process stops for ever at a file named in the first argument.

Started by test_cli_traffic_files.py, to be killed there.
"""

from __future__ import annotations

import sys
import time

from camscan.cli import traffic_files
from camscan.cli.main import run
from camscan.observe.traffic import engine

name, *arguments = sys.argv[1:]
read = engine.Engine.read


def slow(self, source, **options):
    if name and source.name.endswith(name):
        while True:
            time.sleep(1)
    return read(self, source, **options)


engine.Engine.read = slow
traffic_files._EVERY = 0.0
sys.exit(run(arguments))
