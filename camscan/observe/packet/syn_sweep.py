"""Which TCP ports of which devices are open, closed, or silent? (stateless SYN)

Nothing is kept per connection: the sequence number is a keyed hash of address, port and
attempt, and an answer counts only where its acknowledgement fits. The source port is bound but
never listens, so the kernel itself resets every SYN/ACK; no connection is ever opened.
Ports are asked port by port over all devices: no device gets its probes in a row.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from camscan.errors import ScopeError, UsageError
from camscan.observe.packet import bpf, links
from camscan.observe.packet.messages import (
    HOST_CAP,
    NET_CAP,
    SYN_CAP,
    PortAnswer,
    SweepSummary,
    SynSweep,
)
from camscan.observe.packet.pace import Bucket, Ceiling
from camscan.observe.packet.sweep import StoppedError, Sweep, numbers, own_mac, unusable
from camscan.observe.packet.syn_packet import OPEN, Answer, SynPacket, open_packet
from camscan.scope import Scope, permutation

_LEAST_WAIT, _UNKNOWN_WAIT, _MOST_WAIT = 0.1, 0.6, 1.25
_LOSS_SIGN = 0.02
_LOOK_EVERY = 0.01
"""Seconds between two looks whether the last answer is there."""


def sweep(
    order: SynSweep,
    scope: Scope,
    denied: frozenset[int],
    *,
    ceiling: Ceiling,
    pool: links.Links,
    emit: Callable[[list[PortAnswer]], None],
    stopped: threading.Event,
) -> SweepSummary:
    """Run the verb syn_sweep."""
    for port in (*order.ports, *order.liveness):
        if not 0 < port < 65536:
            raise UsageError(f"packet helper: port {port} does not exist")
        if port in denied:
            raise ScopeError(f"packet helper: port {port} is on the deny list; nothing was sent")
    version, wanted = numbers(scope, order.targets)
    mac = own_mac(order.interface, order.source)
    loop = mac in {"", "00:00:00:00:00:00"}
    barred = set() if loop else unusable(order.interface, version)
    if order.macs:
        without = [n for n in wanted if n not in barred and _text(version, n) not in order.macs]
        if without:
            raise UsageError(
                f"packet helper: no MAC address given for {_text(version, without[0])}"
            )
    skipped = tuple(_text(version, n) for n in wanted if n in barred)
    usable = [n for n in wanted if n not in barred]
    hosts = [usable[i] for i in permutation(len(usable), order.seed)]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    hold, source_port = links.hold_port(family, order.source, order.seed)
    protocol = links.ETH_P_IP if version == 4 else links.ETH_P_IPV6
    program = bpf.tcp_answers(source_port) if version == 4 else bpf.tcp6_answers(source_port)
    receiver = pool.receiver(order.interface, protocol, program)
    try:
        packet = open_packet(order, version, mac, source_port)
        try:
            return _SynSweep(
                order, hosts, packet, ceiling=ceiling, receiver=receiver, emit=emit, stopped=stopped
            ).run(skipped)
        finally:
            packet.close()
    finally:
        pool.release(receiver)
        hold.close()


def _text(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


class _SynSweep(Sweep):
    def __init__(
        self,
        order: SynSweep,
        hosts: list[int],
        packet: SynPacket,
        *,
        ceiling: Ceiling,
        receiver: socket.socket,
        emit: Callable[[list[Any]], None],
        stopped: threading.Event,
    ) -> None:
        super().__init__(receiver, max(1.0, min(order.rate, SYN_CAP)), emit, stopped)
        self.order = order
        self.hosts = hosts
        self.packet = packet
        self.ceiling = ceiling
        self.batch = packet.batch
        self.ports = list(dict.fromkeys((*order.liveness, *order.ports)))
        self.index = {number: i for i, number in enumerate(hosts)}
        self.port_index = {port: i for i, port in enumerate(self.ports)}
        cells = len(hosts) * len(self.ports)
        self.heard = bytearray(cells)
        self.sent_at = array("d", bytes(8 * cells))
        self.alive = bytearray(len(hosts))
        self.gone = bytearray(len(hosts))
        self.spacing = 1.0 / max(1.0, min(order.per_host_rate, HOST_CAP))
        self.next_at = array("d", bytes(8 * len(hosts)))
        self.net_rate = max(1.0, min(order.per_net_rate, NET_CAP))
        self.nets: dict[int, Bucket] = {}
        self.slots: list[int] = [0] * 64
        self.first_try = self.late = 0
        self.attempts = 0

    def run(self, skipped: tuple[str, ...]) -> SweepSummary:
        complete = True
        everyone = range(len(self.hosts))
        try:
            if self.order.liveness:
                first = [self.port_index[port] for port in dict.fromkeys(self.order.liveness)]
                self._ask_and_retry(everyone, first, dead_only=True)
                rest = [i for i in range(len(self.ports)) if i not in set(first)]
                living = [h for h in everyone if self.alive[h]]
                if rest and living:
                    self._ask_and_retry(living, rest)
            else:
                self._ask_and_retry(everyone, range(len(self.ports)))
        except StoppedError:
            complete = False
        self.stream()
        return self.summary(
            asked=sum(1 for at in self.next_at if at),
            first_try=self.first_try,
            late=self.late,
            skipped=skipped,
            complete=complete,
        )

    def _ask_and_retry(
        self, hosts: Sequence[int], ports: Sequence[int], *, dead_only: bool = False
    ) -> None:
        """One round, one more to what was not heard, a third at half speed where that showed loss.

        `dead_only` (liveness): a device that answered any port is not asked the others again.
        """
        rounds = 1 + max(0, min(self.order.retries, 2))
        attempt = 0
        while attempt < rounds:
            before = self.late
            self._round(hosts, ports, attempt, dead_only=dead_only and attempt > 0)
            self.flush()
            # A round may be short of time only where an answer is still missing.
            wait = self.trip.wait(_LEAST_WAIT, _UNKNOWN_WAIT, _MOST_WAIT)
            until = time.monotonic() + wait
            while missing := self._missing(hosts, ports, dead_only=dead_only):
                now = time.monotonic()
                if now >= until:
                    break
                self.receive(min(until, now + _LOOK_EVERY))
            dropped = self.check_drops()
            late = self.late - before
            if attempt and not dropped:
                if late > max(2, _LOSS_SIGN * self.first_try):
                    self.aimd.lost()
                    if attempt + 1 == rounds and rounds < 3:
                        rounds += 1
                else:
                    self.aimd.quiet()
                self.set_rate()
            attempt += 1
            if not missing:
                break

    def _missing(self, hosts: Sequence[int], ports: Sequence[int], *, dead_only: bool) -> bool:
        """Whether any answer is still waited for."""
        count = len(self.ports)
        return any(
            not (self.heard[h * count + p] or self.gone[h] or (dead_only and self.alive[h]))
            for h in hosts
            for p in ports
        )

    def _round(
        self, hosts: Iterable[int], ports: Iterable[int], attempt: int, *, dead_only: bool
    ) -> None:
        self.attempts = max(self.attempts, attempt + 1)
        count = len(self.ports)
        hosts = list(hosts)
        for p in ports:
            for h in hosts:
                cell = h * count + p
                if self.heard[cell] or self.gone[h] or (dead_only and self.alive[h]):
                    continue
                turn = self.ceiling.turn(self.hosts[h], time.monotonic())
                self.wait_turn(max(turn, self.next_at[h]), self._net(self.hosts[h]))
                self.slots[self.filled] = cell
                self.packet.patch(self.filled, self.hosts[h], self.ports[p], attempt)
                now = time.monotonic()
                self.sent_at[cell] = now
                self.next_at[h] = now + self.spacing
                self.ceiling.sent(self.hosts[h], now)
                self.queued()

    def _net(self, number: int) -> Bucket:
        key = number >> self.packet.net_shift
        bucket = self.nets.get(key)
        if bucket is None:
            bucket = Bucket(self.net_rate, self.net_rate / 100, time.monotonic())
            self.nets[key] = bucket
        return bucket

    def refused(self, slot: int, code: int) -> None:  # noqa: ARG002 - the base class's form
        """No route, or a local filter: the device cannot be asked from here."""
        self.gone[self.slots[slot] // len(self.ports)] = 1

    def answer(self, data: bytes, source: Any, now: float) -> None:  # noqa: ARG002 - as above
        read = self.packet.read(data)
        if read is None:
            return
        h, p = self.index.get(read.address), self.port_index.get(read.port)
        if h is None or p is None:
            return
        attempt = self.packet.attempt_of(read, self.attempts)
        if attempt is None:
            return
        if read.state == Answer.GONE:
            self.gone[h] = 1
            return
        self.alive[h] = 1
        cell = h * len(self.ports) + p
        if self.heard[cell]:
            return
        self.heard[cell] = 1
        rtt = max(0.0, now - self.sent_at[cell])
        if attempt:
            self.late += 1
        else:
            self.first_try += 1
        self.trip.add(rtt)
        self.found(
            PortAnswer(
                address=_text(self.packet.version, read.address),
                port=read.port,
                state=OPEN[read.state],
                rtt=rtt,
                ttl=read.ttl,
                attempt=attempt,
            )
        )
