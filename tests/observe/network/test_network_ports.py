"""The port stage by the helper: first ports, the rest while devices are asked, no directed broadcast."""

from __future__ import annotations

import asyncio

import pytest

from camscan.observe.network import ports
from camscan.observe.network.found import Found
from camscan.observe.packet.messages import Neighbour, PortAnswer, SweepSummary
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.pace import PACES, SWEEP_RATE, Speed

ALL = (80, 443, 554, 8080, 8443)
FIRST = (80, 554)


class _Sweep:
    def __init__(self, items) -> None:
        self.items = iter(items)
        self.summary = SweepSummary()

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        try:
            return next(self.items)
        except StopIteration:
            raise StopAsyncIteration from None


class _Helper:
    """Devices with open ports; every other port of a device is closed."""

    def __init__(self, devices: dict[str, set[int]], gate: asyncio.Event | None = None) -> None:
        self.devices = devices
        self.gate = gate
        self.asked: list[tuple[tuple[str, ...], tuple[int, ...], float]] = []

    def arp_sweep(self, targets, **_):
        return _Sweep(Neighbour(address=a, mac=f"02:00:00:00:00:{i:02x}", rtt=0.001, round=0)
                      for i, a in enumerate(self.devices))  # fmt: skip

    def syn_sweep(self, targets, tcp, *, per_host_rate, **_):
        self.asked.append((tuple(targets), tuple(tcp), per_host_rate))
        answers = [
            PortAnswer(address=a, port=p, state="open" if p in self.devices[a] else "closed",
                       rtt=0.001, ttl=64)
            for a in targets if a in self.devices for p in tcp
        ]  # fmt: skip
        return _Sweep(answers)


def _run(helper: _Helper, segment: Segment) -> list[Found]:
    emitted: list[Found] = []

    async def emit(found: Found) -> None:
        emitted.append(found)

    async def run() -> list[Found]:
        stage = ports.HelperPorts(
            helper, PACES[Speed.FAST], ALL, FIRST,
            emit=emit, failed=lambda *_: pytest.fail("a stage failed"),
            stage=lambda *_: None, swept_at=lambda: None,
        )  # fmt: skip
        await stage.run([segment])
        return [f if f.rest is None else f.rest.result() for f in emitted]

    return asyncio.run(run())


def _link(**more) -> Segment:
    return Segment(cidr="10.9.0.0/29", on_link=True, interface="eth0", source="10.9.0.6",
                   ranges=("10.9.0.0/29",), hosts=6, prefix="10.9.0.0/29", **more)  # fmt: skip


def test_what_is_open_first_is_emitted_before_the_rest_is_known() -> None:
    helper = _Helper({"10.9.0.1": {80, 8080}, "10.9.0.2": {8443}, "10.9.0.3": set()})
    found = {f.address: f for f in _run(helper, _link())}
    assert found["10.9.0.1"].open == (80, 8080)
    assert found["10.9.0.2"].open == (8443,)
    assert found["10.9.0.3"].closed == ALL
    assert all(f.swept == len(ALL) for f in found.values())
    assert [(asked, rate) for _, asked, rate in helper.asked] == [
        (FIRST, PACES[Speed.FAST].syn_per_host),
        ((443, 8080, 8443), SWEEP_RATE),
    ]


def test_no_syn_leaves_to_the_broadcast_address_of_a_routed_network() -> None:
    helper = _Helper({"10.9.0.1": {80}})
    routed = Segment(cidr="10.9.0.0/29", on_link=False, interface="eth0", source="10.1.0.6",
                     ranges=("10.9.0.0/29",), hosts=8, prefix="10.9.0.0/29")  # fmt: skip
    (found,) = _run(helper, routed)
    assert found.open == (80,)
    targets = helper.asked[0][0]
    assert "10.9.0.0" not in targets
    assert "10.9.0.7" not in targets
    assert len(targets) == 6
