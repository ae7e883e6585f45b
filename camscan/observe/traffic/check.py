"""Is this port worth capturing at? Every answer in words, with what to do where it is no.

Looks at a minute of traffic: a mirror that shows one direction only, or a port behind NAT, spoils a week of
capture and is seen at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from camscan.model.traffic import Flow
from camscan.observe.traffic.batch import Batch, gather
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.framing import frame_rows
from camscan.observe.traffic.link import ETHERNET
from camscan.observe.traffic.live import LiveSummary

_VLAN_WORDS = (0x0081, 0xA888)
"""0x8100 and 0x88a8 as the little-endian words they are read as."""
_TWICE = 0.02
"""Seconds within which the same packet again is a copy, not a repetition by its sender."""
_DAY = 86_400
_VIDEO_BITS = 100_000


class Answer(Struct, frozen=True, kw_only=True):
    """`good` None: cannot be told from what was seen."""

    question: str
    good: bool | None
    text: str
    fix: str = ""


class PortCheck:
    """Give `on_batch` to an engine that captures, then ask `answers`."""

    def __init__(self, own_macs: Sequence[str] = ()) -> None:
        self._own = {int(mac.replace(":", ""), 16) for mac in own_macs}
        self.packets = 0
        self.foreign = 0
        """Unicast frames between two other stations."""
        self.tagged = 0
        self.copies = 0
        self.compared = 0
        self.stations: Counter[int] = Counter()
        """Source MAC -> frames."""

    def on_batch(self, batch: Batch) -> None:
        """Count what flows do not tell."""
        if batch.link != ETHERNET:
            self.packets += len(batch.frame)
            return
        whole = batch.captured >= 48
        batch = batch if whole.all() else batch.select(whole)
        self.packets += len(batch.frame)
        if not len(batch.frame):
            return
        words = gather(batch.data, batch.frame, 16).view(">u8").astype(np.uint64).reshape(-1, 2)
        target = words[:, 0] >> np.uint64(16)
        source = (words[:, 0] & np.uint64(0xFFFF)) << np.uint64(32) | words[:, 1] >> np.uint64(32)
        unicast = target >> np.uint64(40) & np.uint64(1) == 0
        own = np.array(sorted(self._own), np.uint64)
        self.foreign += int((unicast & ~np.isin(target, own) & ~np.isin(source, own)).sum())
        self.tagged += int(np.isin(frame_rows(batch.data, batch.frame)["type"], _VLAN_WORDS).sum())
        macs, counts = np.unique(source, return_counts=True)
        if len(self.stations) < 65_536:
            self.stations.update(dict(zip(macs.tolist(), counts.tolist(), strict=True)))
        self._copies(batch)

    def _copies(self, batch: Batch) -> None:
        """The same IPv4 packet twice: addresses, identification, length and first payload bytes alike."""
        rows = frame_rows(batch.data, batch.frame)
        plain = (rows["type"] == 0x0008) & (rows["start"] == 0x45)
        if not plain.any():
            return
        rows, at = rows[plain], batch.at[plain]
        ident = gather(batch.data, batch.frame[plain] + 18, 2).view(">u2").astype(np.uint64)
        # Senders that leave the identification 0 cannot be compared.
        some = ident > 0
        rows, at, ident = rows[some], at[some], ident[some]
        if not len(rows):
            return
        key = rows["ends"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        key ^= rows["ports"].astype(np.uint64) << np.uint64(16)
        key ^= ident | rows["total"].astype(np.uint64) << np.uint64(48)
        order = np.lexsort((at, key))
        same = (key[order][1:] == key[order][:-1]) & (np.diff(at[order]) <= _TWICE)
        self.compared += len(rows)
        self.copies += int(same.sum())

    def answers(self, engine: Engine, flows: Sequence[Flow], live: LiveSummary) -> list[Answer]:
        """What was found, in the order in which it matters."""
        seconds = max(engine.last - engine.first, 1.0) if engine.packets else 1.0
        outward = [w for w in flows if w.minutes]
        if not self.packets:  # of nothing that was seen, nothing can be said
            return [_promiscuous(live), self._others()]
        return [
            _promiscuous(live),
            self._others(),
            _both_ways(flows),
            self._behind_nat(outward),
            _dns(flows),
            self._tags(),
            self._twice(),
            _local_video(flows, {(w.client, w.remote, w.port) for w in outward}, seconds),
            _loss(live),
        ]

    def _others(self) -> Answer:
        question = "Is traffic of other hosts seen?"
        if not self.packets:
            return Answer(
                question=question, good=False, text="no packet at all was seen",
                fix="Check the cable, and that the port is up and is the target of a mirror session.",
            )  # fmt: skip
        if self.foreign >= max(10, self.packets // 100):
            return Answer(
                question=question, good=True, text=f"yes: {self.foreign} of {self.packets} packets"
            )
        return Answer(
            question=question, good=False,
            text=f"no: {self.foreign} of {self.packets} packets are between two other hosts",
            fix="This is an ordinary port. Let the switch mirror the uplink of the cameras to it (SPAN, "
            "port mirroring), or capture on the router.",
        )  # fmt: skip

    def _behind_nat(self, outward: Sequence[Flow]) -> Answer:
        question = "Are clients seen one by one?"
        clients = {w.client for w in outward}
        if not clients:
            return Answer(question=question, good=None, text="no flow left the network")
        if len(clients) > 1:
            return Answer(
                question=question, good=True, text=f"yes: {len(clients)} clients send outwards"
            )
        return Answer(
            question=question, good=False,
            text=f"all outward flows have one address, {min(clients)}",
            fix="Either one device only is seen, or this point lies behind a router that translates "
            "addresses (NAT). Capture on its inner side.",
        )  # fmt: skip

    def _tags(self) -> Answer:
        text = f"{self.tagged} of {self.packets} packets carry VLAN tags"
        return Answer(
            question="Are there VLAN tags?", good=True,
            text=f"{text}; they are read" if self.tagged else "no: the mirror shows one VLAN, or takes tags off",
        )  # fmt: skip

    def _twice(self) -> Answer:
        question = "Is every packet seen once?"
        if not self.compared:
            return Answer(question=question, good=None, text="no packets that could be compared")
        share = self.copies / self.compared
        if share < 0.02:
            return Answer(question=question, good=True, text=f"yes: {share:.1%} are copies")
        return Answer(
            question=question, good=False,
            text=f"no: {share:.0%} of the packets come twice, so volumes are too high",
            fix="The mirror copies both the receiving and the sending side of several ports, or two VLANs. "
            "Mirror one direction of all ports, or both directions of the uplink only.",
        )  # fmt: skip


def _promiscuous(live: LiveSummary) -> Answer:
    question = "Does the card show frames to others?"
    if live.promiscuous:
        return Answer(question=question, good=True, text="yes: promiscuous mode is on")
    return Answer(
        question=question, good=False, text="no: the card or driver refused promiscuous mode",
        fix="Use a wired card, or in a virtual machine allow promiscuous mode on the virtual switch.",
    )  # fmt: skip


def _both_ways(flows: Sequence[Flow]) -> Answer:
    question = "Are both directions seen?"
    tcp = [w for w in flows if w.transport == "tcp" and w.packets_up + w.packets_down >= 4]
    if not tcp:
        return Answer(question=question, good=None, text="no TCP connection long enough was seen")
    both = sum(1 for w in tcp if w.packets_up and w.packets_down)
    if both >= 0.8 * len(tcp):
        return Answer(question=question, good=True, text=f"yes: in {both} of {len(tcp)} TCP flows")
    return Answer(
        question=question, good=False, text=f"only in {both} of {len(tcp)} TCP flows",
        fix="The mirror copies one direction. Set it to both (rx and tx), or add the other port of the path.",
    )  # fmt: skip


def _dns(flows: Sequence[Flow]) -> Answer:
    question = "Is DNS seen?"
    asked = [w for w in flows if w.port == 53]
    if any(w.packets_up and w.packets_down for w in asked):
        return Answer(question=question, good=True, text=f"yes: {len(asked)} flows, with answers")
    if asked:
        return Answer(
            question=question, good=False, text="questions or answers only",
            fix="Mirror both directions, between the cameras and their resolver.",
        )  # fmt: skip
    if any(w.port == 853 for w in flows):
        return Answer(
            question=question, good=False, text="only encrypted (DNS over TLS)",
            fix="Names will come from TLS and HTTP alone; the resolver's own log is the other way.",
        )  # fmt: skip
    return Answer(
        question=question, good=False, text="no",
        fix="Capture between the cameras and their resolver too, or power-cycle a camera: it asks at start.",
    )  # fmt: skip


def _local_video(
    flows: Sequence[Flow], outward: set[tuple[str, str, int]], seconds: float
) -> Answer:
    question = "How much local video passes here?"
    local = [
        w for w in flows
        if (w.client, w.remote, w.port) not in outward
        and max(w.bytes_up, w.bytes_down) * 8 / seconds >= _VIDEO_BITS
    ]  # fmt: skip
    if not local:
        return Answer(question=question, good=True, text="none")
    daily = sum(w.bytes_up + w.bytes_down for w in local) / seconds * _DAY
    return Answer(
        question=question, good=None,
        text=f"{len(local)} flows between cameras and recorders, {daily / 1e12:.2f} TB a day if it goes on",
        fix="It says nothing of what leaves the network: leave it out with the filter of "
        "`camscan traffic --show-filter`.",
    )  # fmt: skip


def _loss(live: LiveSummary) -> Answer:
    question = "Is the machine fast enough?"
    if not live.lost:
        return Answer(question=question, good=True, text=f"yes: {live.packets} packets, none lost")
    return Answer(
        question=question, good=False,
        text=f"no: the kernel dropped {live.lost} of {live.packets + live.lost} packets",
        fix="Leave local video out with the filter of `camscan traffic --show-filter`, or use a faster machine.",
    )  # fmt: skip
