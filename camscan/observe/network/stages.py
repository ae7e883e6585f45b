"""In which steps is a scope looked at: group search, live addresses, ports, questions?"""

from __future__ import annotations

import asyncio

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.model.probe import Job
from camscan.observe.network.announce import Announcer, ways
from camscan.observe.network.connects import ConnectPorts
from camscan.observe.network.found import Found, OtherPorts, hosts, usable
from camscan.observe.network.host import Host, provisional
from camscan.observe.network.ports import HelperPorts
from camscan.observe.network.protocols.registry import chosen
from camscan.observe.network.session import Session
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire import neighbours
from camscan.observe.wire.interfaces import Segment, interfaces
from camscan.observe.wire.talk import Talk

_CHUNK = 64
"""Addresses handed to another program together: what it loses when it is killed."""
_ARP_ROUNDS = 2
_AFTER_SWEEP = 0.5
"""Seconds after which a sweep is long enough to drown group answers, and the margin behind it."""
_LOOKING = 1024
"""Addresses whose first SYN is waited for at the same time, without the helper."""


async def announce(session: Session) -> None:
    """Group search by every interface that overlaps the scope."""
    if not session.options.announcements:
        return
    protocols = chosen(session.plan.announcements)
    reach = [s for s in session.segments if usable(s, session.options.interface)]
    indexes = {i.name: i.index for i in interfaces()}
    over = ways(reach, lambda name: indexes.get(name, 0))
    if not over or not protocols:
        if protocols:
            session.attempt(
                "site",
                "announcements",
                Reason.ENCAPSULATED,
                "no interface of this machine is in the scope: group search reaches only "
                "the own segment",
            )
        return
    await session.go.wait()

    def failed(name: str, reason: Reason, detail: str) -> None:
        session.attempt("site", f"announce.{name}", reason, detail)

    announcer = Announcer(
        session.gate, protocols, over, heard=session.hear, failed=failed, helper=session.helper
    )
    on_link = sum(segment.hosts for segment in reach if segment.on_link)
    sweep = _ARP_ROUNDS * on_link / session.gate.pace.arp if session.helper is not None else 0.0
    await announcer.run(flooded=sweep + _AFTER_SWEEP if sweep > _AFTER_SWEEP else 0.0)
    session.stage_done("announcements")
    session.progress.stage("announcements", announcer.count, announcer.count)


async def look(session: Session) -> None:
    """Find live addresses and their ports; ask each device as soon as they are known."""
    reach = [s for s in session.segments if usable(s, session.options.interface)]
    for segment in session.segments:
        if segment not in reach:
            session.attempt(
                segment.cidr,
                "port-stage",
                Reason.DEVICE_OFFLINE if segment.interface is None else Reason.NOT_REQUESTED,
                "no route from this machine"
                if segment.interface is None
                else f"reached by {segment.interface}, not by {session.options.interface}",
            )
            session.incomplete |= segment.interface is None
    async with asyncio.TaskGroup() as asking:
        await session.resume(asking)
        if session.other is not None:
            await _by_other(session, session.other, reach, asking)
            reach = []
        elif session.helper is not None:
            raw = [s for s in reach if not s.local]
            await _by_helper(session, session.helper, raw, asking)
            reach = [s for s in reach if s.local]
        await _by_connects(session, reach, asking)
    session.stage_done("devices")


async def finish(session: Session) -> None:
    """Devices that only spoke to group messages: what can be asked of them without ports."""
    async with asyncio.TaskGroup() as asking:
        for address in tuple(session.heard):
            if session.scope.allows(address) and address not in session.done:
                await session.room.acquire()
                asking.create_task(session.ask(Found(address=address), swept=False))
    overflows = neighbours.overflows() - session.overflows_before
    if overflows:
        session.incomplete = True
        session.attempt(
            "site",
            "neighbours",
            Reason.LOSS,
            f"the kernel's neighbour table overflowed {overflows} times: some devices could "
            "not be reached",
        )


async def _by_helper(
    session: Session, helper: PacketHelper, reach: list[Segment], asking: asyncio.TaskGroup
) -> None:
    if not reach:
        return
    first: list[Host] = []
    canary = session.options.canary

    async def emit(found: Found) -> None:
        await session.room.acquire()
        task = asking.create_task(session.ask(found))
        if not session.go.is_set():
            host = await task
            if host is not None:
                first.append(host)
            if len(first) >= canary:
                await session.check_canaries(first)
                stage.go.set()

    def failed(subject: str, reason: Reason, detail: str) -> None:
        session.incomplete = True
        session.attempt(subject, "port-stage", reason, detail)

    stage = HelperPorts(
        helper,
        session.pace,
        session.real(session.plan.tcp_ports),
        session.real(session.plan.liveness_ports),
        emit=emit,
        failed=failed,
        stage=session.progress.stage,
        swept_at=lambda: session.stage_done("ports"),
        skip=session.done,
        first_batch=canary,
    )
    await stage.run(reach)
    session.loss = max(stage.losses, default=0.0)


async def _by_other(
    session: Session, other: OtherPorts, reach: list[Segment], asking: asyncio.TaskGroup
) -> None:
    """Ports by another program, chunk by chunk; every address and port passes the gate first."""
    ports = session.real(session.plan.tcp_ports)
    for segment in reach:
        addresses, macs = await _living(session, segment)
        for start in range(0, len(addresses), _CHUNK):
            chunk = tuple(addresses[start : start + _CHUNK])
            for address in chunk:
                for port in ports:
                    session.gate.check(address, port)
            try:
                states = await other.sweep(
                    chunk, ports, rate=session.pace.syn, interface=session.options.interface
                )
            except ObserveError as problem:
                session.incomplete = True
                session.attempt(segment.cidr, "port-stage", Reason(problem.reason), problem.detail)
                continue
            for address, found in states.items():
                if not found:
                    continue
                opened = tuple(p for p in ports if found.get(p) == "open")
                if not other.raw:
                    session.gate.used(address, len(opened))
                await session.room.acquire()
                asking.create_task(
                    session.ask(
                        Found(
                            address=address,
                            open=opened,
                            closed=tuple(p for p in ports if found.get(p) == "closed"),
                            silent=tuple(p for p in ports if p not in found),
                            mac=macs.get(address),
                            interface=segment.interface,
                            swept=len(ports),
                        )
                    )
                )
            session.progress.stage("ports", start + len(chunk), len(addresses))
    session.go.set()
    session.stage_done("ports")


async def _living(session: Session, segment: Segment) -> tuple[list[str], dict[str, str]]:
    """(addresses another program is asked about, MACs): what answers ARP, if that can be seen."""
    addresses = [a for a in hosts(segment.ranges) if a not in session.done]
    if session.helper is None or not segment.on_link or segment.local or ":" in segment.cidr:
        return addresses, {}
    sweep = session.helper.arp_sweep(
        segment.ranges,
        interface=segment.interface or "",
        source=segment.source or "",
        rate=session.pace.arp,
    )
    macs: dict[str, str] = {}
    async for neighbour in sweep:
        macs.setdefault(neighbour.address, neighbour.mac)
    session.progress.stage("neighbours", len(macs), segment.hosts)
    return [a for a in addresses if a in macs], macs


async def _by_connects(session: Session, reach: list[Segment], asking: asyncio.TaskGroup) -> None:
    if not reach:
        return
    stage = ConnectPorts(
        session.gate,
        session.budget,
        session.real(session.plan.tcp_ports),
        session.real(session.plan.liveness_ports),
    )
    looking = asyncio.Semaphore(min(_LOOKING, neighbours.limit() // 2))
    total = sum(s.hosts for s in reach)
    first: list[Host] = []
    count = 0
    for segment in reach:
        for address in hosts(segment.ranges):
            count += 1
            if address in session.done or session.stopped:
                continue
            if not session.go.is_set():
                host = await _look_at(session, stage, address, segment, None)
                if host is not None:
                    first.append(host)
                if len(first) >= session.options.canary:
                    await session.check_canaries(first)
                continue
            await looking.acquire()
            asking.create_task(_look_at(session, stage, address, segment, looking))
            if count % 64 == 0:
                session.progress.stage("addresses", count, total)
    session.go.set()


async def _look_at(
    session: Session,
    stage: ConnectPorts,
    address: str,
    segment: Segment,
    looking: asyncio.Semaphore | None,
) -> Host | None:
    """One address by plain connections: does it live, its ports, its questions."""
    talk = Talk(session.means, address)
    try:
        try:
            live, states, in_hand = await stage.alive(talk, on_link=segment.on_link)
        finally:
            if looking is not None:
                looking.release()
        if not live:
            return None
        async with session.room:
            host = session.begin(address, talk)

            async def opened(port: int) -> None:
                host.open_ports = (*host.open_ports, port)
                job = _first_job(session, host, port)
                if job is not None:
                    await host.put(job)

            found = await stage.sweep(talk, states, opened, in_hand=in_hand)
            if segment.local and not found.open:
                return None  # every loopback address refuses; that is no device
            await session.devote(host, found)
            return host
    finally:
        await talk.close()


def _first_job(session: Session, host: Host, port: int) -> Job | None:
    """What the plan would ask on a port that has just been opened."""
    so_far = provisional(host.address, host.open_ports)
    jobs = session.next_jobs([*host.observations, so_far], host.attempts)
    return next((j for j in jobs if j.port == port and j.transport == "tcp"), None)
