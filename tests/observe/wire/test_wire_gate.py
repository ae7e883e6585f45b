"""Does the gate refuse what may not be touched, and keep the budget of every device?"""

from __future__ import annotations

import asyncio

import pytest

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.pace import PACES, PROBES_PER_SECOND, Speed
from camscan.scope import DENIED_PORTS


class _Only:
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def allows(self, address: str) -> bool:
        return address in self.addresses


def _gate(**more) -> Gate:
    return Gate(_Only("127.0.0.1", "127.0.0.2"), DENIED_PORTS, "fast", **more)


def _reason(call) -> str:
    with pytest.raises(ObserveError) as caught:
        call()
    return caught.value.reason


def test_scope_and_deny_list_are_refused_and_counted():
    gate = _gate()
    gate.check("127.0.0.1", 80)
    assert _reason(lambda: gate.check("127.0.0.9", 80)) == Reason.OUT_OF_SCOPE
    for port in DENIED_PORTS:
        assert _reason(lambda port=port: gate.check("127.0.0.1", port)) == Reason.REFUSED_BY_POLICY
    assert _reason(lambda: gate.check("127.0.0.1", 0)) == Reason.REFUSED_BY_POLICY
    assert gate.sent.refused == 2 + len(DENIED_PORTS)
    assert gate.sent.connections == 0


def test_group_messages_go_to_groups_only():
    gate = _gate()
    gate.check_group("239.255.255.250", 3702, "127.0.0.1")
    gate.check_group("255.255.255.255", 34569, "127.0.0.1")
    assert gate.sent.group_datagrams == 2
    assert _reason(lambda: gate.check_group("127.0.0.1", 3702, "127.0.0.1")) == Reason.OUT_OF_SCOPE
    assert _reason(lambda: gate.check_group("239.255.255.250", 3702, "")) == Reason.OUT_OF_SCOPE
    assert (
        _reason(lambda: gate.check_group("239.255.255.250", 20000, "127.0.0.1"))
        == Reason.REFUSED_BY_POLICY
    )


def test_one_connection_at_a_time_per_device():
    async def run() -> None:
        gate = _gate()
        first = await gate.open("127.0.0.1", 80)
        second = asyncio.ensure_future(gate.open("127.0.0.1", 81))
        other = await gate.open("127.0.0.2", 80)
        await asyncio.sleep(0.05)
        assert not second.done()
        first.release()
        first.release()
        lease = await asyncio.wait_for(second, 1)
        lease.release()
        other.release()
        assert gate.sent.connections == 3
        assert gate.sent.most_at_once == 2

    asyncio.run(run())


def test_twelve_handshakes_and_no_more():
    async def run() -> None:
        gate = _gate()
        for turn in range(12):
            lease = await gate.open("127.0.0.1", 80)
            lease.completed()
            lease.release()
            assert gate.left("127.0.0.1") == 11 - turn
        with pytest.raises(ObserveError) as caught:
            await gate.open("127.0.0.1", 80)
        assert caught.value.reason == Reason.BUDGET
        lease = await asyncio.wait_for(gate.open("127.0.0.2", 80), 1)
        lease.release()
        assert gate.sent.handshakes == 12

    asyncio.run(run())


def test_a_handshake_that_never_completed_costs_nothing():
    async def run() -> None:
        gate = _gate(connections=1)
        for _ in range(3):
            (await gate.open("127.0.0.1", 80)).release()
        assert gate.left("127.0.0.1") == 1

    asyncio.run(run())


def test_never_more_than_forty_probes_in_any_second():
    async def run() -> None:
        gate = _gate()
        loop = asyncio.get_running_loop()
        moments = []
        end = loop.time() + 1.6
        while loop.time() < end:
            await gate.request("127.0.0.1", 80, 10)
            moments.append(loop.time())
        for start in moments:
            assert sum(start <= m < start + 1 for m in moments) <= PROBES_PER_SECOND
        assert len(moments) > 30
        assert gate.sent.requests == len(moments)
        assert gate.sent.bytes == 10 * len(moments)

    asyncio.run(run())


def test_polite_keeps_its_gap_between_connections():
    async def run() -> None:
        gate = Gate(_Only("127.0.0.1"), DENIED_PORTS, Speed.POLITE)
        loop = asyncio.get_running_loop()
        (await gate.open("127.0.0.1", 80)).release()
        closed = loop.time()
        (await gate.open("127.0.0.1", 80)).release()
        assert loop.time() - closed >= PACES[Speed.POLITE].gap - 0.002

    asyncio.run(run())


def test_a_cancelled_wait_gives_the_place_back():
    async def run() -> None:
        gate = _gate()
        lease = await gate.open("127.0.0.1", 80)
        waiting = asyncio.ensure_future(gate.open("127.0.0.1", 80))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        lease.release()
        (await asyncio.wait_for(gate.open("127.0.0.1", 80), 1)).release()

    asyncio.run(run())


def test_a_sweep_uses_the_burst_up():
    async def run() -> None:
        gate = _gate()
        loop = asyncio.get_running_loop()
        gate.swept("127.0.0.1", 36)
        started = loop.time()
        for _ in range(4):
            await gate.request("127.0.0.1", 80, 1)
        assert loop.time() - started >= 0.08
        assert gate.sent.swept == 36

    asyncio.run(run())
