"""What does the port stage say of one address?"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from camscan.observe.wire.interfaces import Segment

CANARY_PORT = 61_007
"""No device serves it: where it is open, something answers for every port."""
MANY_OPEN = 0.9
"""Share of probed ports open from which the canary port is asked."""


class Found(Struct, frozen=True, kw_only=True):
    """One live address; real port numbers as they were asked."""

    address: str
    open: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    mac: str | None = None
    interface: str | None = None
    rtt: float | None = None
    """Seconds."""
    any_port: bool = False
    """The canary port is open too."""
    swept: int = 0
    """SYN sent to it by the helper."""
    unfinished: str = ""
    """Why some ports were not asked, empty if all were."""
    rest: asyncio.Future[Found] | None = None
    """Where the other ports are still being swept: everything, when they are known."""


class OtherPorts(Protocol):
    """A port stage of another program, `--engine nmap`; handed in by `audit`."""

    raw: bool
    """It sends SYN only; otherwise it completes handshakes."""

    async def sweep(
        self, targets: tuple[str, ...], ports: tuple[int, ...], *, rate: int, interface: str | None
    ) -> dict[str, dict[int, str]]:
        """`{address: {port: open | closed}}`; ObserveError where it gave no result."""
        ...


def suspicious(opened: int, probed: int) -> bool:
    """Whether so many ports are open that the canary port must be asked."""
    return probed >= 8 and opened >= MANY_OPEN * probed


def hosts(ranges: Iterable[str]) -> Iterator[str]:
    """Addresses of CIDR ranges as texts, in order."""
    for cidr in ranges:
        network = ipaddress.ip_network(cidr)
        first = int(network.network_address)
        build = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
        for number in range(first, first + network.num_addresses):
            yield str(build(number))


def usable(segment: Segment, interface: str | None) -> bool:
    """Whether a segment can be reached, by the chosen interface if one was chosen."""
    if segment.interface is None:
        return False
    return interface is None or segment.interface == interface
