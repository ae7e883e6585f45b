"""Under which circumstances were the captures of a run taken, in words for the coverage table?

The coverage record of scoring 5: vantage, window, packets, loss, whether names were visible, stimuli, and
what could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from camscan.clock import iso
from camscan.decode import capture_record
from camscan.errors import DecodeError
from camscan.judge.watching import gap_words
from camscan.model.observation import Kind, Observation
from camscan.model.traffic import CaptureSummary, phase_words

ABOUT: Mapping[str, str] = {
    Kind.CAPTURE.value: "captures: from where, when, how much",
    Kind.FLOW.value: "captures: devices with flows",
    Kind.NAME.value: "captures: devices that named a party",
    Kind.SERVICE.value: "captures: devices that used a camera service",
}
_KINDS = frozenset({Kind.FLOW, Kind.NAME, Kind.SERVICE, Kind.CAPTURE})


def captured(observations: Iterable[Observation]) -> bool:
    """Whether any record of a capture or of a traffic log is in the run."""
    return any(o.kind in _KINDS for o in observations)


def summaries(observations: Iterable[Observation]) -> tuple[tuple[str, CaptureSummary], ...]:
    """(intake, summary) of every capture."""
    found = []
    for observation in observations:
        if observation.kind is Kind.CAPTURE:
            try:
                summary = capture_record.summary(observation.response)
            except DecodeError:
                continue
            found.append((observation.id.partition(":")[0], summary))
    return tuple(found)


def note(found: Iterable[tuple[str, CaptureSummary]]) -> str:
    """One sentence per capture for the coverage table."""
    return " ".join(f"{intake}: {_sentence(s)}" for intake, s in found)


def left_out(found: Iterable[tuple[str, CaptureSummary]]) -> tuple[str, ...]:
    """What captures could not show, one line each."""
    lines = []
    for intake, s in found:
        lines += [f"{intake}: {reason}: {count}" for reason, count in s.not_examined]
        lines += [f"{intake}: {gap_words(gap)}" for gap in s.gaps]
        lines += [
            f"{intake}: phase {phase[0]}: the capture holds nothing of its time ({_time(phase[1])} to {_time(phase[2])})"
            for phase in s.phases
            if not s.seen(phase)
        ]
        lines += [f"{intake}: {note}" for note in s.notes]
        if s.encrypted_resolvers:
            hidden = ", ".join(s.encrypted_resolvers)
            lines.append(f"{intake}: names hidden: questions went to {hidden} under encryption")
        if not s.dns_visible:
            lines.append(
                f"{intake}: no DNS question was visible: names rest on TLS, HTTP and QUIC alone"
            )
        if not s.media_judged:
            lines.append(f"{intake}: the shape of uploads: the logs hold totals only")
    return tuple(lines)


def _sentence(s: CaptureSummary) -> str:
    if not s.packets and s.first is None:
        return f"{s.vantage}: nothing could be read."
    loss = "loss not stated" if s.lost is None else f"{s.lost} packets lost"
    phases = phase_words(p[0] for p in s.phases if s.seen(p))
    unwrapped = "".join(f", {n} packets unwrapped from {name}" for name, n in s.encapsulations)
    clients = "1 client" if s.clients == 1 else f"{s.clients} clients"
    return (
        f"{s.vantage}, {_time(s.first)} to {_time(s.last)}, {s.packets} packets, {s.bytes} bytes of "
        f"{clients}{unwrapped}, {loss}, DNS {'visible' if s.dns_visible else 'not visible'}, stimuli: {phases}."
    )


def _time(seconds: float | None) -> str:
    try:
        return iso(seconds) if seconds is not None else "?"
    except (ValueError, OverflowError, OSError):
        return "?"
