"""Which devices answer the group search messages of the announcement protocols?

Sent by each interface that overlaps the scope, TTL 1, a few times; everything that answers is
heard, also from foreign subnets: a camera with a factory address is seen, never contacted.
For protocols whose devices speak by themselves nothing is sent; there it is listened long enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence

from msgspec import Struct

from camscan.errors import CamscanError, ObserveError
from camscan.model.observation import Kind, Reason
from camscan.observe.network.announcement import Announcement
from camscan.observe.network.foreign import Overhearing, hidden
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.udp import Datagram, GroupSocket, open_group

MOST_PER_DEVICE = 48
"""Different answers of one address to one protocol; SSDP sends one per service."""

# Parts that differ between two answers of the same content: message ids, sequence numbers,
# clocks. They are taken out for the comparison only; what is stored is the datagram.
_VOLATILE = re.compile(
    rb"<(?:\w+:)?(?:MessageID|RelatesTo)\b[^>]*>[^<]*<"
    rb"|<(?:\w+:)?AppSequence\b[^>]*>"
    rb"|^date:[^\r\n]*",
    re.IGNORECASE | re.MULTILINE,
)


class Way(Struct, frozen=True):
    """An interface that overlaps the scope, and the own address there."""

    interface: str
    index: int
    source: str


class Heard(Struct, frozen=True, kw_only=True):
    """One answer, the first of its content from that address."""

    announcement: str
    how: str
    """`search` where it was asked for, `broadcast` where it came by itself."""
    kind: Kind
    port: int
    data: bytes
    address: str
    interface: str


def ways(segments: Iterable[Segment], indexes: Callable[[str], int]) -> tuple[Way, ...]:
    """Each interface once, IPv4 only: group search by IPv6 is not sent."""
    found: dict[str, Way] = {}
    for segment in segments:
        if segment.interface is None or segment.source is None or ":" in segment.source:
            continue
        if segment.on_link or segment.local:
            found.setdefault(
                segment.interface,
                Way(segment.interface, indexes(segment.interface), segment.source),
            )
    return tuple(found.values())


class Announcer:
    """Sends and hears all protocols of a scan."""

    def __init__(
        self,
        gate: Gate,
        announcements: Sequence[Announcement],
        over: Sequence[Way],
        *,
        heard: Callable[[Heard], None],
        failed: Callable[[str, Reason, str], None],
        denied: Collection[int] = (),
        helper: PacketHelper | None = None,
    ) -> None:
        self.gate = gate
        self.announcements = announcements
        self.over = over
        self.count = 0
        self._heard = heard
        self._failed = failed
        self._denied = denied
        self._helper = helper
        self._seen: set[bytes] = set()
        self._per_device: dict[tuple[str, str], int] = {}
        self._sent: set[bytes] = set()

    async def run(self, flooded: float = 0.0) -> None:
        """Open, send the repeats, wait, close. Never raises for a single protocol.

        `flooded`: seconds for which a neighbour sweep fills the link. Answers drown in it, so the last
        repeat comes after it.
        """
        sockets: list[tuple[GroupSocket, Announcement, tuple[bytes, ...]]] = []
        overheard: list[Overhearing] = []
        listeners: list[GroupSocket] = []
        pace = self.gate.pace
        try:
            for way in self.over:
                for announcement in self.announcements:
                    sender, more = await self._open(way, announcement)
                    listeners += more
                    if sender is not None:
                        messages = announcement.messages(way.source)
                        self._sent.update(messages)
                        sockets.append((sender, announcement, messages))
                await self._overhear(way, sockets, overheard)
            opened = asyncio.get_running_loop().time()
            repeats = pace.repeats if flooded <= pace.repeat_span else pace.repeats + 1
            span = max(pace.repeat_span, flooded)
            for turn in range(repeats):
                if turn:
                    await asyncio.sleep(span / (repeats - 1))
                await self._send(sockets, first=turn == 0)
            await asyncio.sleep(max(pace.window, self._listening(opened + flooded, sockets)))
        finally:
            for ear in overheard:
                with contextlib.suppress(CamscanError):
                    await ear.stop()
            for sender, _, _ in sockets:
                sender.close()
            for listener in listeners:
                listener.close()

    def _listening(
        self, opened: float, sockets: Sequence[tuple[GroupSocket, Announcement, tuple[bytes, ...]]]
    ) -> float:
        """Seconds until those that speak by themselves have had time to; 0 where none is expected.

        `opened`: when the link became quiet enough to hear them.
        """
        if not any(announcement.listens for _, announcement, _ in sockets):
            return 0.0
        return opened + self.gate.pace.listen - asyncio.get_running_loop().time()

    async def _overhear(
        self,
        way: Way,
        sockets: Sequence[tuple[GroupSocket, Announcement, tuple[bytes, ...]]],
        overheard: list[Overhearing],
    ) -> None:
        """Answers the kernel hides from sockets: by the helper, else it is written down."""
        if not hidden(way.interface):
            return
        ports = {s.local_port: a for s, a, _ in sockets if s.interface == way.interface}

        def take(port: int, datagram: Datagram) -> None:
            if port in ports:
                self._take(ports[port], datagram)

        if self._helper is not None:
            ear = Overhearing(way.interface, way.source, take)
            try:
                await ear.start(self._helper)
            except CamscanError as problem:
                self._failed("foreign", Reason.NO_PRIVILEGE, f"{way.interface}: {problem}")
            else:
                overheard.append(ear)
            return
        self._failed(
            "foreign",
            Reason.NO_PRIVILEGE,
            f"{way.interface}: strict rp_filter hides devices that answer from foreign subnets; "
            "raw packets would show them",
        )

    async def _open(
        self, way: Way, announcement: Announcement
    ) -> tuple[GroupSocket | None, list[GroupSocket]]:
        """The socket searches leave by; fixed answer ports are bound by it where possible."""

        def received(datagram: Datagram) -> None:
            self._take(announcement, datagram)

        listeners: list[GroupSocket] = []
        sender: GroupSocket | None = None
        ports = (announcement.answer_port, 0) if announcement.answer_port else (0,)
        if announcement.listens:
            ports = (announcement.answer_port,)
        for port in ports:
            try:
                opened = await open_group(
                    self.gate,
                    source=way.source,
                    interface=way.interface,
                    index=way.index,
                    port=port,
                    joins=announcement.joins if port else (),
                    received=received,
                )
            except ObserveError as problem:
                self._failed(announcement.name, Reason(problem.reason), str(problem))
                continue
            if sender is None:
                sender = opened
                break
            listeners.append(opened)
        return sender, listeners

    async def _send(
        self, sockets: Sequence[tuple[GroupSocket, Announcement, tuple[bytes, ...]]], *, first: bool
    ) -> None:
        for sender, announcement, messages in sockets:
            for port in announcement.ports:
                for group in announcement.groups:
                    for message in messages:
                        try:
                            sender.send(message, group, port)
                        except ObserveError as problem:
                            if first:
                                self._failed(
                                    announcement.name, Reason(problem.reason), str(problem)
                                )
            await asyncio.sleep(0.002)  # answers of one protocol do not meet those of the next

    def _take(self, announcement: Announcement, datagram: Datagram) -> None:
        data = datagram.data
        if not data or data in self._sent or not announcement.accepts(data):
            return
        place = (announcement.name, datagram.address)
        if self._per_device.get(place, 0) >= MOST_PER_DEVICE:
            return
        mark = hashlib.sha256(
            f"{announcement.name} {datagram.address} ".encode() + _VOLATILE.sub(b"", data)
        ).digest()[:12]
        if mark in self._seen:
            return
        self._seen.add(mark)
        self._per_device[place] = self._per_device.get(place, 0) + 1
        self.count += 1
        self._heard(
            Heard(
                announcement=announcement.name,
                how="broadcast" if announcement.listens else "search",
                kind=announcement.kind,
                port=announcement.ports[0],
                data=data,
                address=datagram.address,
                interface=datagram.interface,
            )
        )
