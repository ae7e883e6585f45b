"""Which addresses of a link answer ARP (RFC 826) or neighbour solicitations (RFC 4861)?

Two rounds by default, in seeded order, paced; answers stream while requests still leave.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

from camscan.errors import UsageError
from camscan.observe.packet import bpf, links, templates
from camscan.observe.packet.batch import Batch
from camscan.observe.packet.messages import ARP_CAP, ArpSweep, Neighbour, SweepSummary
from camscan.observe.packet.sweep import StoppedError, Sweep, numbers, own_mac, unusable
from camscan.scope import Scope, permutation

_LEAST_WAIT, _UNKNOWN_WAIT, _MOST_WAIT = 0.15, 0.5, 1.0
_ROUNDS_CAP = 3


def sweep(
    order: ArpSweep,
    scope: Scope,
    pool: links.Links,
    emit: Callable[[list[Neighbour]], None],
    stopped: threading.Event,
    *,
    version: int,
) -> SweepSummary:
    """Run the verb arp_sweep (version 4) or nd_sweep (version 6)."""
    got, wanted = numbers(scope, order.targets)
    if wanted and got != version:
        raise UsageError("arp_sweep takes IPv4 targets, nd_sweep IPv6 targets")
    mac = own_mac(order.interface, order.source)
    if not mac:
        raise UsageError(f"{order.interface} has no MAC address: nothing to ask on that link")
    barred = unusable(order.interface, version)
    skipped = tuple(str(_place(version, n)) for n in wanted if n in barred)
    usable = [n for n in wanted if n not in barred]
    targets = [usable[i] for i in permutation(len(usable), order.seed)]
    protocol = links.ETH_P_ARP if version == 4 else links.ETH_P_IPV6
    program = bpf.ARP_REPLIES if version == 4 else bpf.ADVERTISEMENTS
    receiver = pool.receiver(order.interface, protocol, program)
    sender = links.sender(order.interface)
    try:
        kind = _Arp if version == 4 else _Solicit
        work = kind(
            order, mac, targets, sender=sender, receiver=receiver, emit=emit, stopped=stopped
        )
        return work.run(skipped)
    finally:
        sender.close()
        pool.release(receiver)


def _place(version: int, number: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


class _Arp(Sweep):
    def __init__(
        self,
        order: ArpSweep,
        mac: str,
        targets: list[int],
        *,
        sender: socket.socket,
        receiver: socket.socket,
        emit: Callable[[list[Any]], None],
        stopped: threading.Event,
    ) -> None:
        super().__init__(receiver, max(1.0, min(order.rate, ARP_CAP)), emit, stopped)
        self.targets = targets
        self.rounds = max(1, min(order.rounds, _ROUNDS_CAP))
        self.index = {number: i for i, number in enumerate(targets)}
        self.sent_at = array("d", bytes(8 * len(targets)))
        self.asked = bytearray(len(targets))
        self.heard: dict[int, set[str]] = {}
        self.first_try = self.late = 0
        self.batch = Batch(sender, self.template(mac, order.source))

    def template(self, mac: str, source: str) -> bytes:
        return templates.arp_request(mac, source)

    def patch(self, at: int, number: int) -> None:
        struct.pack_into(">I", self._view, at + 38, number)

    @property
    def _view(self) -> memoryview:
        assert self.batch is not None
        return self.batch.view

    def run(self, skipped: tuple[str, ...]) -> SweepSummary:
        complete = True
        try:
            for _ in range(self.rounds):
                for i, number in enumerate(self.targets):
                    if number not in self.heard:
                        self._ask(i, number)
                self.flush()
                wait = self.trip.wait(_LEAST_WAIT, _UNKNOWN_WAIT, _MOST_WAIT)
                self.receive(time.monotonic() + wait)
                self.check_drops()
                if self.late > max(2, 0.02 * self.first_try):
                    self.aimd.lost()
                    self.set_rate()
        except StoppedError:
            complete = False
        self.stream()
        return self.summary(
            asked=sum(map(bool, self.asked)),
            first_try=self.first_try,
            late=self.late,
            skipped=skipped,
            complete=complete,
        )

    def _ask(self, i: int, number: int) -> None:
        self.wait_turn(0.0)
        assert self.batch is not None
        self.patch(self.filled * self.batch.size, number)
        self.sent_at[i] = time.monotonic()
        self.asked[i] = min(255, self.asked[i] + 1)
        self.queued()

    def answer(self, data: bytes, source: Any, now: float) -> None:
        # hardware Ethernet, protocol IPv4, sizes 6 and 4, reply (RFC 826)
        if len(data) < 28 or data[:8] != b"\x00\x01\x08\x00\x06\x04\x00\x02":
            return
        self.record(int.from_bytes(data[14:18], "big"), data[8:14].hex(":"), source, now)

    def record(self, number: int, mac: str, source: Any, now: float) -> None:
        """Only addresses that were asked count; a second MAC for one address is a second answer."""
        i = self.index.get(number)
        if i is None or not self.asked[i]:
            return
        macs = self.heard.setdefault(number, set())
        if mac in macs:
            return
        rtt = max(0.0, now - self.sent_at[i])
        if not macs:
            # An answer to the second question may still belong to the first: no sample then.
            if self.asked[i] == 1:
                self.trip.add(rtt)
                self.first_try += 1
            else:
                self.late += 1
        macs.add(mac)
        layer2 = bytes(source[4]).hex(":")
        version = 4 if type(self) is _Arp else 6
        self.found(
            Neighbour(
                address=str(_place(version, number)),
                mac=mac,
                rtt=rtt,
                round=self.asked[i] - 1,
                via="" if layer2 == mac else layer2,
            )
        )


class _Solicit(_Arp):
    def template(self, mac: str, source: str) -> bytes:
        frame = templates.neighbour_solicitation(mac, source)
        # Everything but the target and the last three bytes of the group is constant.
        message = frame[54:]
        words = sum(struct.unpack(f">{len(message) // 2}H", message))
        words += sum(struct.unpack(">16H", frame[22:54])) + 58 + len(message)
        self._partial = words
        return frame

    def patch(self, at: int, number: int) -> None:
        target = number.to_bytes(16, "big")
        view = self._view
        view[at + 3 : at + 6] = target[13:]
        view[at + 51 : at + 54] = target[13:]
        view[at + 62 : at + 78] = target
        # The group contributes 0xff00 | byte 13 and bytes 14, 15; the template had 0xff00, 0.
        total = self._partial + sum(struct.unpack(">8H", target))
        total += target[13] + (target[14] << 8 | target[15])
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        struct.pack_into(">H", view, at + 56, total ^ 0xFFFF)

    def answer(self, data: bytes, source: Any, now: float) -> None:
        # hop limit 255 proves that it comes from this link (RFC 4861 7.1.2)
        if len(data) < 64 or data[7] != 255 or data[40] != 136 or data[41] != 0:
            return
        number = int.from_bytes(data[48:64], "big")
        mac, at = bytes(source[4]).hex(":"), 64
        while at + 8 <= len(data) and data[at + 1]:
            if data[at] == 2:  # target link-layer address
                mac = data[at + 2 : at + 8].hex(":")
            at += data[at + 1] * 8
        self.record(number, mac, source, now)
