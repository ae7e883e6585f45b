"""In which order is a scope looked at, how much at once, and what is written down?

Stages overlap and stream: announcements, neighbours, ports, and each device's own questions as
soon as its ports are known. Everything goes to the intake as it comes; a kill loses at most the
exchanges under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from camscan.clock import Clock
from camscan.model.observation import Attempt, Observation
from camscan.model.probe import NextJobs, ProbePlan
from camscan.observe.network import stages
from camscan.observe.network.found import OtherPorts
from camscan.observe.network.options import Progress, ScanOptions, ScanSummary
from camscan.observe.network.session import Session
from camscan.observe.packet.client import PacketHelper
from camscan.run import IntakeWriter
from camscan.scope import Scope

__all__ = ["Progress", "ScanOptions", "ScanSummary", "scan"]


async def scan(
    *,
    scope: Scope,
    plan: ProbePlan,
    next_jobs: NextJobs,
    writer: IntakeWriter,
    options: ScanOptions,
    clock: Clock,
    progress: Progress,
    helper: PacketHelper | None,
    earlier: Mapping[str, tuple[list[Observation], list[Attempt]]],
    other: OtherPorts | None = None,
) -> ScanSummary:
    """Look at every address of the scope; all that is seen is in the intake when it returns.

    `helper` None or `options.connect_only`: the port stage uses plain connections. `earlier`
    holds what an interrupted part of the same scan wrote; finished devices are not asked again.
    `other` does the port stage in place of our own.
    Raises UsageError for an unknown interface, RunError when the disk refuses; cancelling it
    leaves everything written.
    """
    session = Session(
        scope=scope,
        plan=plan,
        next_jobs=next_jobs,
        writer=writer,
        options=options,
        clock=clock,
        progress=progress,
        helper=None if options.connect_only else helper,
        earlier=earlier,
        other=other,
    )
    work = [
        asyncio.ensure_future(stages.announce(session)),
        asyncio.ensure_future(stages.look(session)),
    ]
    try:
        await asyncio.gather(*work)
        await stages.finish(session)
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await session.close()
    return session.summary()
