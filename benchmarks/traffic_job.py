"""One job for the comparison: what a capture holds, printed as JSON lines, without report and run.

`python -m benchmarks.traffic_job CAPTURE [PROCESSES]`: all names, camera services and flows.
`python -m benchmarks.traffic_job CAPTURE PROCESSES flows`: flows alone, by that many processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from camscan.model.service import ServiceSignature


class Services(msgspec.Struct, frozen=True):
    """What a reading needs of signatures/."""

    content_hash: str
    services: tuple[ServiceSignature, ...]


def everything(path: Path, processes: int = 1) -> int:
    from camscan.knowledge import load_part
    from camscan.observe.traffic.take import TakeOptions, Taking

    taking = Taking(load_part(Services).services, {}, TakeOptions(), processes=processes)
    taking.read(path)
    captured, problems = taking.done()
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for record in (*captured.names, *captured.services, *captured.flows):
        out.write(encode(record) + b"\n")
    return 1 if problems else 0


def flows(path: Path, processes: int) -> int:
    from camscan.observe.traffic.split import count

    engine = count([path], processes=processes)
    encode = msgspec.json.Encoder().encode
    for flow in engine.flows():
        sys.stdout.buffer.write(encode(flow) + b"\n")
    return 1 if engine.problems else 0


if __name__ == "__main__":
    # As the command does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    capture, processes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.exit((flows if sys.argv[3:] == ["flows"] else everything)(capture, processes))
