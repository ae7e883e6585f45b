"""May a capture that shows nothing be called "checked, not found", and how far does that reach?

Facts: scoring 5. It needs a vantage, a window, packets of the device itself, visible names and the stimuli
the check asks for; otherwise the answer stays "not examined: window too short". With it goes the bound in
words: it is a ceiling on comfort, not a probability of safety.
"""

from __future__ import annotations

from camscan.clock import iso
from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject
from camscan.model.claim import Confidence, Level, State
from camscan.model.observation import Reason
from camscan.model.traffic import STIMULI, Watch, phase_words


def absent(
    subject: Subject, what: str, *, stimuli: tuple[str, ...] = STIMULI, needs_names: bool = True
) -> Answer:
    """The answer of a check that looked for `what` in the capture and found none of it."""
    watch = subject.watch
    if watch is None:
        words = (
            f"{subject.name}: no {what} in the capture; which stimuli were applied is not stated."
        )
        return unknown(subject, words, Reason.WINDOW_TOO_SHORT)
    lacking = _lacking(watch, stimuli, needs_names=needs_names)
    window = window_words(watch)
    if lacking:
        words = f"{subject.name}: no {what} in {window}; {'; '.join(lacking)}."
        return unknown(subject, words, Reason.WINDOW_TOO_SHORT, details=watch_details(watch))
    return Answer(
        state=State.OBSERVED_NOT,
        statement=f"{subject.name}: no {what} in {window}; {bound_words(watch.days)}.",
        level=Level.E3,
        confidence=Confidence.MODERATE,
        details=watch_details(watch),
        would_change="a longer capture, or one under a stimulus that was not applied",
    )


def window_words(watch: Watch) -> str:
    """`6.0 hours of capture (412 packets of the device)`."""
    hours = watch.seconds / 3600
    span = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
    if hours < 2:
        span = f"{hours * 60:.1f} minutes"
    return f"{span} of capture ({watch.packets} packets of the device)"


def bound_words(days: int) -> str:
    """The bound of scoring 5, 1 - 0.05^(1/n), for that many daily windows without a hit."""
    if days < 1:
        return "less than one day was watched, which supports almost nothing about other days"
    percent = max(1, round(100 * (1 - 0.05 ** (1 / days))))
    windows, leave = ("window", "leaves") if days == 1 else ("windows", "leave")
    return (
        f"{days} daily {windows} without a hit {leave} room for up to {percent} % of days, if days are independent "
        "(95 % upper bound); it is a ceiling on comfort, not a probability of safety"
    )


def watch_details(watch: Watch) -> tuple[str, ...]:
    """The coverage record of the device, line by line."""
    lines = [
        f"vantage: {', '.join(watch.vantages) or 'not stated'}",
        f"volume of the device: {watch.bytes_up} bytes sent, {watch.bytes_down} received",
        f"packets lost by the capture: {'not stated' if watch.lost is None else watch.lost}",
        f"DNS visible: {'yes' if watch.dns_visible else 'no'}",
        f"stimuli: {phase_words(watch.phases)}",
    ]
    lines += [f"not examined: {words}" for words in map(gap_words, watch.gaps)]
    if watch.encrypted_resolvers:
        lines.append(f"names hidden: {', '.join(watch.encrypted_resolvers)}")
    lines += [
        f"no party: {flows} {'flow' if flows == 1 else 'flows'} with {name}, {up} bytes sent"
        for name, flows, up, _ in watch.special
    ]
    if not watch.media_judged:
        lines.append("shape of uploads not judged: the source has totals only")
    lines += [f"not examined: {reason}: {count}" for reason, count in watch.not_examined]
    return tuple(lines)


def gap_words(gap: tuple[float, float, str]) -> str:
    """`2026-11-01T10:00:00.000Z to 2026-11-01T10:07:00.000Z: the capture was interrupted`."""
    begin, end, why = gap
    try:
        return f"{iso(begin)} to {iso(end)}: {why}"
    except (ValueError, OverflowError, OSError):
        return f"{end - begin:.0f} seconds: {why}"


def _lacking(watch: Watch, stimuli: tuple[str, ...], *, needs_names: bool) -> list[str]:
    lines = []
    missing = [s for s in stimuli if s not in watch.phases]
    if missing:
        lines.append(f"stimuli not applied: {', '.join(missing)}")
    if not watch.vantages or not watch.packets:
        lines.append("no vantage or no packet of the device is recorded")
    if watch.days < 1:
        lines.append("less than one day was watched")
    if watch.lost:
        lines.append(f"the capture lost {watch.lost} packets")
    if watch.special:
        ranges = ", ".join(name for name, _, _, _ in watch.special)
        lines.append(f"traffic with special-purpose ranges is not attributed: {ranges}")
    if needs_names and not watch.dns_visible:
        lines.append("DNS was not visible")
    if needs_names and watch.encrypted_resolvers:
        lines.append("names were asked for under encryption")
    return lines
