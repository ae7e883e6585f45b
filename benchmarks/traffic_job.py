"""One job for the comparison: what a capture holds, printed as JSON lines, without report and run.

`python -m benchmarks.traffic_job CAPTURE [PROCESSES]`: all names, camera services and flows.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec

from camscan.model.service import ServiceSignature

AT_ONCE = 4096


class Services(msgspec.Struct, frozen=True):
    """What a reading needs of signatures/."""

    content_hash: str
    services: tuple[ServiceSignature, ...]


def write(records: Iterable[msgspec.Struct]) -> None:
    encode = msgspec.json.Encoder().encode_lines
    rest = iter(records)
    while some := list(islice(rest, AT_ONCE)):
        sys.stdout.buffer.write(encode(some))


def everything(path: Path, processes: int = 1) -> int:
    from camscan.knowledge import load_part
    from camscan.observe.traffic.take import TakeOptions, Taking

    taking = Taking(load_part(Services).services, {}, TakeOptions(), processes=processes)
    taking.read(path)
    captured, problems = taking.done()
    for records in (captured.names, captured.services, captured.flows):
        write(records)
    return 1 if problems else 0


if __name__ == "__main__":
    # As the command does (camscan.cli.main).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000)
    capture, processes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    code = everything(capture, processes)
    gc.freeze()
    sys.exit(code)
