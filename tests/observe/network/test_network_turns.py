"""Slow devices first, then those never asked; sockets are served between two turns."""

from __future__ import annotations

import asyncio

from camscan.observe.network.turns import Turns, Urgency


def test_urgent_devices_come_first_and_one_per_round() -> None:
    async def run() -> list[str]:
        turns = Turns()
        order: list[str] = []

        async def device(name: str, urgency: Urgency) -> None:
            await turns.wait(urgency)
            order.append(name)
            asyncio.get_running_loop().call_soon(order.append, "served")

        await asyncio.gather(
            device("talking", Urgency.TALKING),
            device("new", Urgency.BEGINNING),
            device("slow", Urgency.SLOW),
        )
        await asyncio.sleep(0)
        return order

    order = asyncio.run(run())
    assert [name for name in order if name != "served"] == ["slow", "new", "talking"]
    assert order[1] == order[3] == "served" or order.index("served") < order.index("talking")


def test_a_cancelled_device_does_not_hold_up_the_others() -> None:
    async def run() -> None:
        turns = Turns()
        gone = asyncio.ensure_future(turns.wait(Urgency.SLOW))
        await asyncio.sleep(0)
        other = asyncio.ensure_future(turns.wait(Urgency.TALKING))
        gone.cancel()
        await asyncio.wait_for(other, 1)
        await asyncio.wait_for(turns.wait(Urgency.SLOW), 1)

    asyncio.run(run())
