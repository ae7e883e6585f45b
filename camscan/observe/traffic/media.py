"""Does an upload look like pictures or sound, and why?

By rate, shape and duration only; nothing is decrypted. A flow is called media where it sends much more than
it receives, in large packets, at a rate only pictures or sound need, minute after minute. It is called
something else where it is too small or too short-lived for that; between the two it is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from camscan.model.traffic import Minute

_VIDEO_RATE = 100_000
"""Bits per second: below this lies telemetry, above it the poorest camera stream (facts: rates of substreams)."""
_AUDIO_RATE = 12_000
"""Narrow-band voice with headers; the slowest codec cameras use (AMR-NB) needs about this."""
_RATIO = 3.0
_LARGE = 500
"""Mean bytes of packets that carry pictures; telemetry and keep-alives stay far below."""
_STEADY = 0.7
_PICTURE = 64_000
"""Bytes in all that may be one picture or a few small ones."""


class Upload(NamedTuple):
    """What a flow sent and received."""

    packets: int
    """Sent."""
    sent: int
    """Bytes."""
    received: int
    seconds: float
    """Duration, at least 1."""
    minutes: tuple[Minute, ...]


Verdict = tuple[bool | None, str]


def judged_each(
    packets: Sequence[int],
    sent: Sequence[int],
    received: Sequence[int],
    seconds: Sequence[float],
    minutes: Sequence[tuple[Minute, ...]],
) -> Iterator[Verdict]:
    """`judged` for every upload; of the many that sent little the same is said again and again."""
    small: dict[int, Verdict] = {}
    for row in zip(packets, sent, received, seconds, minutes, strict=True):
        size = row[1]
        if size >= _PICTURE or not row[0]:
            yield judged(Upload._make(row))
            continue
        verdict = small.get(size)
        if verdict is None:
            verdict = small[size] = judged(Upload._make(row))
        yield verdict


def judged(upload: Upload) -> Verdict:
    """Whether it looks like media (None: not to be told), and why."""
    packets, up, down, seconds, minutes = upload
    if not packets:
        return False, "nothing was sent"
    if up < _PICTURE:
        return False, f"sent {_size(up)} in all: too little for more than one picture"
    active = [m for m in minutes if m.bytes_up]
    mean = up / packets
    rate = up * 8 / seconds
    busy = sum(1 for m in active if m.bytes_up * 8 / min(60.0, seconds) >= _VIDEO_RATE)
    peak = max((m.bytes_up * 8 / min(60.0, seconds) for m in active), default=0.0)
    shape = (
        f"sent {_size(up)} and received {_size(down)} in {_duration(seconds)}, "
        f"packets of {mean:.0f} bytes on average"
    )
    if not minutes:
        # Flows inside the owner's networks: a recorder's video would fill the tables.
        return None, f"{shape}: its minutes are not counted, so the rate is not judged"
    if peak < _AUDIO_RATE:
        return (
            False,
            f"{shape}: at most {_speed(peak)} in any minute, too slow for sound or pictures",
        )
    if up < _RATIO * down or mean < _LARGE:
        if peak < _VIDEO_RATE:
            return False, f"{shape}: at most {_speed(peak)} in any minute, no picture stream"
        return None, f"{shape}: fast enough for pictures, but not the shape of an upload of them"
    steady = busy / max(len(minutes), 1)
    if seconds >= 20 and rate >= _VIDEO_RATE and steady >= _STEADY:
        return True, (
            f"{shape}: {_speed(rate)} on average and above {_speed(_VIDEO_RATE)} in {busy} of "
            f"{len(minutes)} minutes, the rate and shape of a picture stream"
        )
    if peak >= _VIDEO_RATE:
        return None, (
            f"{shape}: above {_speed(_VIDEO_RATE)} in {busy} of {len(minutes)} minutes; "
            "clips, pictures or a software image would look alike"
        )
    return None, f"{shape}: {_speed(rate)}; sound or many small pictures would look alike"


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def _speed(rate: float) -> str:
    return f"{rate / 1e6:.1f} Mbit/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kbit/s"


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
