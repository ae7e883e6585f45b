"""Does a scan ask every device once, within its budget, write everything, and resume?"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

import pytest

from camscan.clock import SystemClock
from camscan.decode.ports import parse as parse_ports
from camscan.errors import UsageError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Exchange, Job, Probe, ProbePlan
from camscan.model.run import IntakeInfo
from camscan.observe.network.engine import ScanOptions, scan
from camscan.run import Run
from camscan.scope import DENIED_PORTS, build_scope

HOME = "127.0.0.1"
AWAY = "127.0.0.2"


class _Quiet:
    def __init__(self) -> None:
        self.devices: list[str] = []

    def stage(self, name: str, done: int, total: int) -> None:
        pass

    def device(self, address: str, text: str) -> None:
        self.devices.append(address)


class _Camera:
    """An HTTP server that counts what is done to it; `dies_after` connections it is gone."""

    def __init__(self, address: str, port: int = 0, *, dies_after: int = 1000) -> None:
        self.address = address
        self.port = port
        self.dies_after = dies_after
        self.connections = self.now = self.most = 0
        self.paths: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._serve, self.address, self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.writers.append(writer)
        try:
            if self.connections >= self.dies_after:
                self.server.close()
                return
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.paths.append(head.split()[1].decode())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.now -= 1
            writer.close()


def _plan(*ports: int, paths=("/", "/a", "/b")) -> ProbePlan:
    return ProbePlan(
        tcp_ports=ports,
        liveness_ports=ports[:1],
        probes=tuple(
            Probe(
                id=f"get-{n}",
                about="",
                kind=Kind.HTTP,
                exchange=Exchange.HTTP_GET,
                source="test",
                ports=ports,
                path=path,
            )
            for n, path in enumerate(paths)
        ),
        denied_ports=tuple(DENIED_PORTS),
        announcements=(),
    )


def _next_jobs(plan: ProbePlan):
    """Every probe on every open port, once; no meaning is read into answers."""

    def jobs(observations, attempts):
        open_ports = {
            p for o in observations if o.kind is Kind.PORTS for p in parse_ports(o.response).open
        }
        done = {(o.job, o.port) for o in observations} | {(a.test, a.port) for a in attempts}
        return tuple(
            Job(probe=p.id, kind=p.kind, exchange=p.exchange, port=port, path=p.path)
            for p in plan.probes
            for port in p.ports
            if port in open_ports and (p.id, port) not in done
        )

    return jobs


def _run_dir(tmp_path) -> Run:
    return Run.create(tmp_path / "run", owner="o", authority="a", clock=SystemClock())


def _info() -> IntakeInfo:
    return IntakeInfo(
        id="",
        kind="scan",
        started="2026-01-01T00:00:00.000Z",
        tool_version="0",
        knowledge_hash="k",
        vantage="on-link",
    )


async def _scan(writer, plan, targets, *, earlier=None, next_jobs=None, progress=None, **options):
    return await scan(
        scope=build_scope(targets, authority="test"),
        plan=plan,
        next_jobs=next_jobs or _next_jobs(plan),
        writer=writer,
        options=ScanOptions(speed="fast", announcements=False, **options),
        clock=SystemClock(),
        progress=progress or _Quiet(),
        helper=None,
        earlier=earlier or {},
    )


def test_the_handshake_of_the_port_stage_carries_the_questions(tmp_path):
    async def run() -> None:
        async with _Camera(HOME) as camera:
            plan = _plan(camera.port)
            writer = _run_dir(tmp_path).new_intake(_info())
            progress = _Quiet()
            summary = await _scan(writer, plan, [HOME, AWAY], progress=progress)
            found = list(writer.observations())
            writer.close()
        assert sorted(camera.paths) == ["/", "/a", "/b"]
        assert camera.connections <= 2
        assert camera.most == 1
        assert [o.request for o in found if o.kind is Kind.HTTP] == ["GET /", "GET /a", "GET /b"]
        ports = next(o for o in found if o.kind is Kind.PORTS)
        assert parse_ports(ports.response).open == (camera.port,)
        assert {o.device_id for o in found} == {HOME}
        assert summary.complete
        assert summary.answered == summary.finished == 1
        assert progress.devices == [HOME]

    asyncio.run(run())


def test_twelve_connections_and_what_was_not_asked_is_written(tmp_path):
    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            cameras = [await stack.enter_async_context(_Camera(HOME)) for _ in range(14)]
            plan = _plan(*(c.port for c in cameras), paths=("/",))
            writer = _run_dir(tmp_path).new_intake(_info())
            await _scan(writer, plan, [HOME])
            attempts = list(writer.attempts())
            writer.close()
        assert sum(c.connections for c in cameras) == 12
        assert any(a.reason is Reason.BUDGET and a.test == "port-stage" for a in attempts)

    asyncio.run(run())


def test_a_device_that_dies_is_reported_and_left_alone(tmp_path):
    async def run() -> None:
        async with _Camera(HOME, dies_after=2) as camera:
            plan = _plan(camera.port, paths=tuple(f"/{n}" for n in range(8)))

            closing = _next_jobs(plan)

            def breaking(observations, attempts):
                if len(camera.paths) == 2:
                    camera.server.close()
                    for writer in camera.writers:
                        writer.transport.abort()
                return closing(observations, attempts)

            writer = _run_dir(tmp_path).new_intake(_info())
            summary = await _scan(writer, plan, [HOME], next_jobs=breaking)
            attempts = list(writer.attempts())
            writer.close()
        assert summary.finished == 0
        liveness = [a for a in attempts if a.test == "liveness"]
        assert [a.reason for a in liveness] == [Reason.DEVICE_OFFLINE]
        assert liveness[0].detail == "stopped answering during the scan"
        offline = [a for a in attempts if a.test.startswith("get-")]
        assert sum(a.reason is Reason.DEVICE_OFFLINE for a in offline) >= 2

    asyncio.run(run())


def test_resume_asks_only_what_is_missing(tmp_path):
    async def run() -> None:
        async with _Camera(HOME) as camera:
            plan = _plan(camera.port)
            directory = _run_dir(tmp_path)
            writer = directory.new_intake(_info())
            short = _plan(camera.port, paths=("/",))
            await _scan(writer, short, [HOME])
            assert camera.paths == ["/"]
            earlier = {HOME: (list(writer.observations()), list(writer.attempts()))}
            await _scan(writer, plan, [HOME], earlier=earlier)
            assert sorted(camera.paths) == ["/", "/a", "/b"]
            assert sum(o.kind is Kind.PORTS for o in writer.observations()) == 1
            earlier = {HOME: (list(writer.observations()), list(writer.attempts()))}
            connections = camera.connections
            summary = await _scan(writer, plan, [HOME], earlier=earlier)
            assert camera.connections == connections
            assert summary.finished == 1
            writer.close()

    asyncio.run(run())


def test_a_cancelled_scan_leaves_what_it_has_seen(tmp_path):
    async def run() -> None:
        async with _Camera(HOME) as camera:
            plan = _plan(camera.port)
            writer = _run_dir(tmp_path).new_intake(_info())
            task = None
            inner = _next_jobs(plan)

            def jobs(observations, attempts):
                if len(camera.paths) == 2:
                    task.cancel()
                return inner(observations, attempts)

            task = asyncio.ensure_future(_scan(writer, plan, [HOME], next_jobs=jobs))
            with pytest.raises(asyncio.CancelledError):
                await task
            seen = [o for o in writer.observations() if o.kind is Kind.HTTP]
            assert len(seen) >= 1
            assert camera.now == 0
            writer.close()

    asyncio.run(run())


def test_canary_devices_that_die_stop_the_scan(tmp_path):
    async def run() -> None:
        async with _Camera(HOME) as first, _Camera(AWAY, first.port) as second:
            plan = _plan(first.port, paths=("/",))
            inner = _next_jobs(plan)

            def jobs(observations, attempts):
                if first.paths:
                    first.server.close()
                return inner(observations, attempts)

            writer = _run_dir(tmp_path).new_intake(_info())
            summary = await _scan(
                writer, plan, [HOME, AWAY], next_jobs=jobs, canary=1, canary_wait=0.1
            )
            writer.close()
        assert summary.stopped.startswith(f"stopped: {HOME}")
        assert not summary.complete
        assert second.connections == 0

    asyncio.run(run())


def test_canary_devices_that_live_let_the_scan_go_on(tmp_path):
    async def run() -> None:
        async with _Camera(HOME) as first, _Camera(AWAY, first.port) as second:
            plan = _plan(first.port, paths=("/",))
            writer = _run_dir(tmp_path).new_intake(_info())
            summary = await _scan(writer, plan, [HOME, AWAY], canary=1, canary_wait=0.05)
            writer.close()
        assert summary.complete
        assert summary.finished == 2
        assert second.paths == ["/"]

    asyncio.run(run())


def test_an_unknown_interface_is_a_wrong_use(tmp_path):
    async def run() -> None:
        writer = _run_dir(tmp_path).new_intake(_info())
        with pytest.raises(UsageError, match="nosuch0"):
            await _scan(writer, _plan(18080), [HOME], interface="nosuch0")
        writer.close()

    asyncio.run(run())


def test_options_survive_the_intake():
    options = ScanOptions(speed="fast", canary=3, interface="eth0", host_budget=7.5)
    assert ScanOptions.from_lines(options.lines()) == options
