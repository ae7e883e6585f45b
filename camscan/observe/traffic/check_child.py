"""What does the process do that looks whether a port is worth capturing at?"""

from __future__ import annotations

import msgspec

from camscan.limited import Line
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.check import PortCheck
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.live import LiveSummary
from camscan.observe.traffic.source import open_descriptor


def check(line: Line) -> None:
    """Count the stream of the line; when told how the capture went, answer."""
    said = line.hear()
    if said is None:
        return
    job = msgspec.msgpack.decode(said[1], type=m.CheckJob)
    port = PortCheck(job.own)
    engine = Engine(scope=job.local)
    engine.on_batch = port.on_batch
    engine.read(open_descriptor(line.stream, job.interface), live=True)
    flows = tuple(engine.flows())
    said = line.hear()
    if said is None:
        return
    seen = msgspec.msgpack.decode(said[1], type=LiveSummary)
    line.tell(m.ANSWERS, msgspec.msgpack.encode(port.answers(engine, flows, seen)))
