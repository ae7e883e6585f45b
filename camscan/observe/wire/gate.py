"""May this packet or connection leave now?

The one yes or no for every sender of a scan: scope, deny list, budget per device, rates.
All senders share one `Gate`; nothing else in `wire` decides. Runs in one event loop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Collection
from typing import Protocol

from msgspec import Struct

from camscan.errors import ObserveError
from camscan.model.observation import Reason
from camscan.observe.wire.pace import (
    CONNECTIONS_PER_DEVICE,
    PACES,
    PROBE_BURST,
    PROBE_RATE,
    SWEPT_BURST,
    SWEPT_RATE,
    Speed,
)


class Allowing(Protocol):
    """What a gate needs of `camscan.scope.Scope`."""

    def allows(self, address: str) -> bool: ...


class Sent(Struct, kw_only=True):
    """Everything that left; refused counts what did not."""

    connections: int = 0
    handshakes: int = 0
    requests: int = 0
    datagrams: int = 0
    group_datagrams: int = 0
    swept: int = 0
    """SYN sent by the packet helper on our behalf."""
    bytes: int = 0
    refused: int = 0
    most_at_once: int = 0
    """Most connections open at the same time, all devices together."""


class _Line:
    """Generic cell rate algorithm: `rate` per second, at most `burst` at once."""

    __slots__ = ("interval", "slack", "when")

    def __init__(self, rate: float, burst: int) -> None:
        self.interval = 1.0 / rate
        self.slack = self.interval * (burst - 1)
        self.when = 0.0

    def set(self, rate: float, burst: int) -> None:
        self.interval = 1.0 / rate
        self.slack = self.interval * (burst - 1)

    def take(self, now: float, count: int = 1) -> float:
        """Seconds to wait before the packet may leave; the place in the line is taken."""
        self.when = max(self.when, now) + self.interval * count
        return max(0.0, self.when - self.interval - self.slack - now)


class _Device:
    __slots__ = ("closed_at", "handshakes", "line", "lock")

    def __init__(self) -> None:
        self.line = _Line(PROBE_RATE, PROBE_BURST)
        self.lock = asyncio.Lock()
        self.handshakes = 0
        self.closed_at = float("-inf")


class Lease:
    """The right to hold the one connection of a device. Give it back with `release`."""

    __slots__ = ("_device", "_gate", "_held", "address", "port")

    def __init__(self, gate: Gate, device: _Device, address: str, port: int) -> None:
        self._gate = gate
        self._device = device
        self._held = True
        self.address = address
        self.port = port

    def completed(self) -> None:
        """The handshake was completed: one of the device's twelve is used."""
        self._device.handshakes += 1
        self._gate.sent.handshakes += 1

    def release(self) -> None:
        """The connection is closed. Calling it again does nothing."""
        if self._held:
            self._held = False
            self._gate.give_back(self._device)


class Gate:
    """Shared by announcements, port stage and exchanges of one scan.

    `denied_ports` are never written or connected to, whatever else allows it. `own` holds the
    group and broadcast addresses search messages may go to.
    """

    def __init__(
        self,
        scope: Allowing,
        denied_ports: Collection[int],
        speed: Speed | str,
        *,
        connections: int = CONNECTIONS_PER_DEVICE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.scope = scope
        self.denied_ports = frozenset(denied_ports)
        self.pace = PACES[Speed(speed)]
        self.connections = connections
        self.sent = Sent()
        self._now = now
        self._devices: dict[str, _Device] = {}
        self._open = 0
        # A tenth of a second of packets may leave at once: timers are no finer than that.
        self._syn = _Line(self.pace.syn, max(1, self.pace.syn // 20))
        self._datagrams = _Line(self.pace.datagrams, max(1, self.pace.datagrams // 20))

    def check(self, address: str, port: int) -> None:
        """ObserveError with reason out-of-scope or refused-by-policy, else nothing."""
        if not self.scope.allows(address):
            self._refuse(Reason.OUT_OF_SCOPE, f"{address} is outside the scope of this scan")
        if not 0 < port < 65536:
            self._refuse(Reason.REFUSED_BY_POLICY, f"port {port} does not exist")
        if port in self.denied_ports:
            self._refuse(Reason.REFUSED_BY_POLICY, f"port {port} is on the deny list")

    def check_group(self, destination: str, port: int, source: str) -> None:
        """Whether a search message may go to a group, by the interface that has `source`.

        The interface must overlap the scope: callers pass only such sources (the segments of
        the scope); here the destination must be link-local in reach and the port permitted.
        """
        place = ipaddress.ip_address(destination)
        if not (place.is_multicast or destination == "255.255.255.255"):
            self._refuse(Reason.OUT_OF_SCOPE, f"{destination} is no group address")
        if port in self.denied_ports:
            self._refuse(Reason.REFUSED_BY_POLICY, f"port {port} is on the deny list")
        if not source:
            self._refuse(Reason.OUT_OF_SCOPE, "no interface overlaps the scope")
        self.sent.group_datagrams += 1

    async def open(self, address: str, port: int) -> Lease:
        """Wait for the device's turn. ObserveError(budget) when its handshakes are used up."""
        self.check(address, port)
        device = self._device(address)
        await device.lock.acquire()
        try:
            if device.handshakes >= self.connections:
                self._refuse(
                    Reason.BUDGET,
                    f"{device.handshakes} connections to {address} are used, none is left",
                )
            now = self._now()
            wait = max(
                device.closed_at + self.pace.gap - now,
                device.line.take(now),
                self._syn.take(now),
            )
            if wait > 0:
                await asyncio.sleep(wait)
        except BaseException:
            device.lock.release()
            raise
        self.sent.connections += 1
        self._open += 1
        self.sent.most_at_once = max(self.sent.most_at_once, self._open)
        return Lease(self, device, address, port)

    async def request(self, address: str, port: int, size: int) -> None:
        """Wait until a request on an open connection may leave."""
        self.check(address, port)
        wait = self._device(address).line.take(self._now())
        if wait > 0:
            await asyncio.sleep(wait)
        self.sent.requests += 1
        self.sent.bytes += size

    async def datagram(self, address: str, port: int, size: int) -> None:
        """Wait until a unicast datagram may leave."""
        self.check(address, port)
        now = self._now()
        wait = max(self._device(address).line.take(now), self._datagrams.take(now))
        if wait > 0:
            await asyncio.sleep(wait)
        self.sent.datagrams += 1
        self.sent.bytes += size

    def swept(self, address: str, probes: int) -> None:
        """The helper sent `probes` SYN to this device: the device's burst is used up."""
        self.sent.swept += probes
        line = self._device(address).line
        line.set(PROBE_RATE, PROBE_BURST)
        line.take(self._now(), min(probes, PROBE_BURST))

    def sweeping(self, address: str) -> None:
        """The helper sweeps this device meanwhile: few other probes may leave until `swept`."""
        self._device(address).line.set(SWEPT_RATE, SWEPT_BURST)

    def used(self, address: str, handshakes: int) -> None:
        """Handshakes of an earlier part of the same scan (resume)."""
        self._device(address).handshakes += handshakes

    def left(self, address: str) -> int:
        """Connections this device may still be asked for."""
        return max(0, self.connections - self._device(address).handshakes)

    def give_back(self, device: object) -> None:
        """Called by `Lease.release` alone."""
        if isinstance(device, _Device):
            self._open -= 1
            device.closed_at = self._now()
            device.lock.release()

    def _device(self, address: str) -> _Device:
        device = self._devices.get(address)
        if device is None:
            device = self._devices[address] = _Device()
        return device

    def _refuse(self, reason: Reason, detail: str) -> None:
        self.sent.refused += 1
        raise ObserveError(reason, detail)
