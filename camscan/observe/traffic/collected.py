"""What has a reading process told so far? Its records, put together in the parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from camscan.errors import InputError
from camscan.limited import Limited
from camscan.model.traffic import Captured, CaptureSummary, ClientFact, Flow, NameSeen, ServiceSeen
from camscan.observe.traffic import messages as m
from camscan.worker import FAILED, Limits

LIMITS = Limits(memory=2 << 30, cpu_seconds=600, file_bytes=0)
"""Of a process that reads packets: address space beyond what it is born with, processor time (moved on with every
buffer), and no byte to any file."""
KEPT_FILE = (1 << 30) + (64 << 20)
"""Largest file of packets that are kept: there, `file_bytes` is this."""
_decoders: dict[int, Any] = {
    m.NAMES: msgspec.msgpack.Decoder(list[NameSeen]),
    m.FLOWS: msgspec.msgpack.Decoder(list[Flow]),
    m.SERVICES: msgspec.msgpack.Decoder(list[ServiceSeen]),
    m.FACTS: msgspec.msgpack.Decoder(list[ClientFact]),
    m.DONE: msgspec.msgpack.Decoder(m.Ended),
    m.PROGRESS: msgspec.msgpack.Decoder(m.Count),
    m.STATE: msgspec.msgpack.Decoder(m.Saved),
    m.BEGUN: msgspec.msgpack.Decoder(m.Begun),
    m.LOOKED: msgspec.msgpack.Decoder(m.Looked),
    m.READ: msgspec.msgpack.Decoder(m.FileRead),
}


def limits_of(job: m.TakeJob) -> Limits:
    """What the process of this job may use."""
    return LIMITS if job.keep is None else replace(LIMITS, file_bytes=KEPT_FILE)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a reading gave in the end."""

    captured: Captured
    problems: tuple[m.Problem, ...]
    kept: int = 0
    kept_ended: str = ""


class Collected:
    """Records as they come, until the last message."""

    def __init__(self) -> None:
        self.ended: m.Ended | None = None
        self.begun = False
        """Whether a part of the result has come."""
        self.other: dict[int, Any] = {}
        """The last message of every other kind."""
        self._parts: dict[int, list[Any]] = {
            kind: [] for kind in (m.NAMES, m.FLOWS, m.SERVICES, m.FACTS)
        }

    def outcome(self, job: m.TakeJob) -> Outcome:
        """What came; without the last message, as much as nothing."""
        if self.ended is None:
            summary = CaptureSummary(vantage=job.vantage, local=job.local)
            return Outcome(captured=Captured(summary=summary), problems=())
        return Outcome(
            captured=Captured(
                summary=self.ended.summary,
                names=tuple(self._parts[m.NAMES]),
                flows=tuple(self._parts[m.FLOWS]),
                services=tuple(self._parts[m.SERVICES]),
                facts=tuple(self._parts[m.FACTS]),
            ),
            problems=tuple(m.Problem(*pair) for pair in self.ended.problems),
            kept=self.ended.kept,
            kept_ended=self.ended.kept_ended,
        )

    def add(self, kind: int, message: Any) -> None:
        if kind in self._parts:
            self.begun = True
            self._parts[kind] += message
        elif kind == m.DONE:
            self.ended = message
        else:
            self.other[kind] = message


def hear_out(child: Limited, take: Callable[[int, Any], None]) -> str:
    """Hand over what a child says until it ends; why it ended before its time, in words, else empty."""
    failed = ""
    while (said := hear(child)) is not None:
        kind, message = said
        if kind == FAILED:
            failed = message
        else:
            take(kind, message)
    return ending(child, failed)


def ending(child: Limited, failed: str) -> str:
    words = child.ending()
    return f"its reader failed ({failed})" if words and failed else words


def hear(child: Limited) -> tuple[int, Any] | None:
    """One message, decoded; None at the end, or where a child says what none of ours would."""
    said = child.hear()
    if said is None:
        return None
    kind, data = said
    if kind == FAILED:
        return FAILED, data.decode("utf-8", "replace")
    if kind not in _decoders:
        return kind, data
    try:
        return kind, _decoders[kind].decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        child.close()
        raise InputError(
            f"the process that reads packets said what cannot be read: {error}"
        ) from error
