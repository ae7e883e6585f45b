"""What do all sweeps share: pacing, receiving while waiting, streaming results, the summary?"""

from __future__ import annotations

import ipaddress
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from camscan.errors import ScopeError
from camscan.observe.packet import links
from camscan.observe.packet.batch import SLOTS, Batch, is_full
from camscan.observe.packet.messages import SweepSummary
from camscan.observe.packet.pace import Aimd, Bucket, RoundTrip
from camscan.observe.wire import netlink
from camscan.scope import Scope

_FLUSH_EVERY = 0.03
_FLUSH_AT = 256


class StoppedError(Exception):
    """The client asked to end the verb."""


def numbers(scope: Scope, targets: Iterable[str]) -> tuple[int, list[int]]:
    """(IP version, addresses as numbers); ScopeError names the first that is not in the scope.

    The check is the helper's own: whoever is at the other end of the socketpair is not trusted.
    """
    found: dict[int, None] = {}
    versions: set[int] = set()
    for text in targets:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ScopeError(f"packet helper: {text!r} is no address ({error})") from error
        versions.add(network.version)
        if network.num_addresses > scope.size:
            raise ScopeError(f"packet helper: {text} is outside the scope; nothing was sent")
        first = int(network.network_address)
        for number in range(first, first + network.num_addresses):
            if not scope.allows_number(network.version, number):
                place = ipaddress.ip_address(number) if number > 0xFFFFFFFF else text
                raise ScopeError(f"packet helper: {place} is outside the scope; nothing was sent")
            found[number] = None
    if len(versions) > 1:
        raise ScopeError("packet helper: one sweep takes IPv4 or IPv6 targets, not both")
    return (versions.pop() if versions else 4), list(found)


def unusable(interface: str, version: int) -> set[int]:
    """Network, broadcast and own addresses of an interface: no device answers there."""
    index = socket.if_nametoindex(interface)
    found: set[int] = set()
    for address in netlink.addresses():
        place = ipaddress.ip_interface(f"{address.address}/{address.prefix}")
        if place.version != version or address.index != index:
            continue
        found.add(int(place.ip))
        if version == 4 and address.prefix < 31:
            found |= {int(place.network.network_address), int(place.network.broadcast_address)}
    return found


def own_mac(interface: str, source: str) -> str:
    """The interface's MAC; ScopeError unless `source` is an address of this very interface."""
    index = socket.if_nametoindex(interface)
    if not any(a.index == index and a.address == source for a in netlink.addresses()):
        raise ScopeError(f"packet helper: {source} is not an address of {interface}")
    return next(link.mac for link in netlink.links() if link.index == index)


class Sweep(ABC):
    """One verb at work. Subclasses patch slots and read answers."""

    def __init__(
        self,
        receiver: socket.socket,
        rate: float,
        emit: Callable[[list[Any]], None],
        stopped: threading.Event,
    ) -> None:
        self.receiver = receiver
        self.started = time.monotonic()
        self.aimd = Aimd(rate)
        # 5 ms of packets at once: no timer is finer, and no switch queue feels it.
        self.bucket = Bucket(rate, rate / 200, self.started)
        self.trip = RoundTrip()
        self.sent = 0
        self.dropped = 0
        self.batch: Batch | None = None
        self.filled = 0
        self._emit = emit
        self._stopped = stopped
        self._items: list[Any] = []
        self._flushed = self.started
        self._overflows = links.table_overflows()
        self._poll = select.poll()
        self._poll.register(receiver, select.POLLIN)

    @abstractmethod
    def answer(self, data: bytes, source: Any, now: float) -> None:
        """Read one packet that passed the filter."""

    def refused(self, slot: int, code: int) -> None:  # noqa: B027 - on the link there is no route to be refused
        """The kernel refused to send this slot (no route, filtered)."""

    def found(self, item: Any) -> None:
        self._items.append(item)
        if len(self._items) >= _FLUSH_AT:
            self.stream()

    def stream(self) -> None:
        """Hand over what was found so far."""
        self._flushed = time.monotonic()
        if self._items:
            items, self._items = self._items, []
            self._emit(items)

    def set_rate(self) -> None:
        self.bucket.rate = self.aimd.rate
        self.bucket.burst = max(1.0, self.aimd.rate / 200)

    def wait_turn(self, not_before: float, *others: Bucket) -> None:
        """Until one packet may leave; what is queued leaves first, answers are read meanwhile."""
        while True:
            now = time.monotonic()
            need = max(self.bucket.wait(now), not_before - now, *(o.wait(now) for o in others))
            if need <= 0:
                break
            self.flush()
            self.receive(now + need)
        self.bucket.take()
        for other in others:
            other.take()

    def queued(self) -> None:
        """One more slot is filled."""
        self.filled += 1
        self.sent += 1
        if self.filled == SLOTS:
            self.flush()
            self.receive(0.0)

    def flush(self) -> None:
        """Send the filled slots; halve the rate while the kernel's queue is full."""
        first, left = 0, self.filled
        self.filled = 0
        while left and self.batch is not None:
            done, code = self.batch.send(first, left)
            first, left = first + done, left - done
            if not left:
                break
            if is_full(code):
                self.aimd.lost()
                self.set_rate()
                self.receive(time.monotonic() + 0.002)
            else:
                self.refused(first, code)
                self.sent -= 1
                first, left = first + 1, left - 1

    def receive(self, until: float) -> None:
        """Read answers until `until` (monotonic seconds; in the past = what is there now)."""
        while True:
            if self._stopped.is_set():
                raise StoppedError
            now = time.monotonic()
            for _ in range(512):
                try:
                    data, source = self.receiver.recvfrom(512, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
                except OSError:  # the link went down; what was asked stays unanswered
                    break
                if source[2] != links.PACKET_OUTGOING:
                    self.answer(data, source, now)
            if now - self._flushed > _FLUSH_EVERY:
                self.stream()
            left = until - now
            if left <= 0:
                return
            # poll counts in whole milliseconds: shorter waits are slept, so that 0 never spins.
            if left < 0.001:
                time.sleep(left)
            else:
                self._poll.poll(min(int(left * 1000), 30))

    def check_drops(self) -> bool:
        """Whether the kernel dropped answers since the last call; if so the rate is halved."""
        drops = links.lost(self.receiver)
        self.dropped += drops
        if drops:
            self.aimd.lost()
            self.set_rate()
        return drops > 0

    def summary(
        self, *, asked: int, first_try: int, late: int, skipped: tuple[str, ...], complete: bool
    ) -> SweepSummary:
        self.check_drops()
        overflows = links.table_overflows() - self._overflows
        return SweepSummary(
            sent=self.sent,
            asked=asked,
            answered=first_try + late,
            first_try=first_try,
            late=late,
            loss=late / (first_try + late) if late else 0.0,
            skipped=skipped,
            dropped=self.dropped,
            overflows=overflows,
            backoffs=self.aimd.backoffs,
            rate=self.aimd.rate,
            seconds=time.monotonic() - self.started,
            smoothed_rtt=self.trip.smoothed,
            complete=complete and not self.dropped and not overflows,
        )
