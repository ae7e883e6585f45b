"""One job for the comparison: all names and all flows of a capture, printed as JSON lines.

`python -m benchmarks.traffic_job CAPTURE [PROCESSES]`. What the other tools also do, and nothing more: no report.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from camscan.knowledge import load
from camscan.observe.traffic.take import TakeOptions, take


def main() -> int:
    knowledge = load()
    captured, problems = take(
        [Path(sys.argv[1])], services=knowledge.services, resolvers={}, options=TakeOptions()
    )
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for record in (*captured.names, *captured.services, *captured.flows):
        out.write(encode(record) + b"\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
