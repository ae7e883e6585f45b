"""How does `camscan traffic` watch a port or a mirror: from the beginning, or from where a capture broke off?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from camscan.cli.progress import StatusLine
from camscan.cli.traffic_wish import Known, Wish
from camscan.clock import Clock, iso
from camscan.errors import CamscanError, RunError, UsageError
from camscan.flow_table import resolvers
from camscan.limited import Limited
from camscan.model.traffic import Captured
from camscan.observe.traffic import checkpoint, live, messages, phases, plan
from camscan.observe.traffic.collected import LIMITS, Outcome, limits_of
from camscan.observe.traffic.plan import Plan
from camscan.observe.traffic.reading import Reading
from camscan.observe.wire.listen import listening

_INTERRUPTED = "the capture was interrupted"
_KEEPING = messages.TakeJob(
    services=(), resolvers={}, keep=messages.KeepJob(folder="", mode="", limit=0)
)


def take_live(wish: Wish, clock: Clock) -> int:
    """Capture until the time is over, Ctrl-C or SIGTERM; then store, seal and judge."""
    if wish.listen:
        listening(wish.listen)  # UsageError before anything is made
    limits = limits_of(_KEEPING) if wish.keep or wish.resume else LIMITS
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(one) for one in live.readers(limits)]
        return _Live(wish, clock, readers).run()


class _Live:
    """One call of the command."""

    def __init__(self, wish: Wish, clock: Clock, readers: list[Limited]) -> None:
        from camscan.cli import traffic_intake

        self._wish = wish
        self._clock = clock
        self._readers = readers
        self._known = Known(wish.judging.knowledge(), wish.judging.options())
        self._found: checkpoint.Checkpoint | None = None
        self._gaps: list[messages.Gap] = []
        if wish.resume:
            self._intake, self._found = traffic_intake.resumed(wish, clock)
            self._gaps = list(self._found.gaps) if self._found is not None else []
        else:
            what = _plan(wish, clock)
            self._intake = traffic_intake.started(wish, self._known, what, clock)
            for name, begin, _ in what.phases:
                if not begin:
                    phases.mark(self._intake.folder, name, what.started)
        self._plan = self._intake.plan
        self._watch: live.Watch | None = None
        self._status = StatusLine(clock, quiet=wish.quiet)
        self._shown: tuple[float, int] = (time.monotonic(), 0)

    def run(self) -> int:
        from camscan.cli import traffic_intake

        wish, what = self._wish, self._plan
        problems: list[messages.Problem] = []
        left = None if what.until is None else what.until - self._clock.now()
        try:
            if wish.resume and left is not None and left <= 0:
                self._gaps.append(messages.Gap(*self._reaches(), _INTERRUPTED))
                outcome = self._result_of(self._state())
                problems = self._missing()
            else:
                outcome, problems = self._capture(left)
        except CamscanError:
            self._give_up()
            raise
        finally:
            self._status.close()
        problems += outcome.problems
        if what.keep:
            traffic_intake.note(self._intake, packets=outcome.kept, ended_early=outcome.kept_ended)
            if outcome.kept_ended:
                words = f"ended early: {outcome.kept_ended}"
                problems.append(messages.Problem("kept packets", words))
        captured = self._told(outcome.captured)
        return traffic_intake.finish(wish, self._known, self._intake, captured, tuple(problems))

    def _capture(self, left: float | None) -> tuple[Outcome, list[messages.Problem]]:
        what, found = self._plan, self._found
        self._watch = watch = live.Watch(
            _tap(what, self._clock),
            self._job,
            self._clock,
            begin=self._state(),
            duration=left,
            broken=(self._reaches()[0], _INTERRUPTED) if self._wish.resume else None,
            on_begin=None if self._wish.resume else self._begins,
            every=what.every,
            lost=found.lost if found is not None else 0,
            on_count=self._show,
            on_state=self._save,
            also=self._hear_phases,
        )
        seen = watch.run(self._readers)
        self._gaps += watch.gaps
        source = what.interface or "tzsp"
        problems = self._missing()
        stopped = seen.why == live.INTERRUPTED and what.until is None
        if seen.why and not stopped:
            problems.append(messages.Problem(source, seen.why))
        if not seen.promiscuous:
            words = "the interface shows only frames to this host: other devices were not watched"
            problems.append(messages.Problem(source, words))
        if watch.collected.ended is None:
            return self._result_of(watch.saved), problems
        outcome = watch.collected.outcome(self._of(watch.saved))
        summary = replace(outcome.captured.summary, lost=seen.lost)
        return replace(outcome, captured=replace(outcome.captured, summary=summary)), problems

    def _missing(self) -> list[messages.Problem]:
        source = self._plan.interface or "tzsp"
        return [
            messages.Problem(source, f"not examined: {_span(gap)}: {gap.why}") for gap in self._gaps
        ]

    def _begins(self, at: float) -> None:
        """The window and the duration begin when the first packet can be seen."""
        what = self._plan
        until = None if what.until is None else at + (what.until - what.started)
        if until is not None:
            until = round(until, 3)
        self._plan = replace(what, started=round(at, 3), until=until)
        plan.write(self._intake.folder, self._plan)

    def _reaches(self) -> tuple[float, float]:
        """Until when an earlier call counted, and when the capture should have ended."""
        found, what = self._found, self._intake.plan
        until = found.until if found is not None else what.started
        return until, max(until, what.until or until)

    def _give_up(self) -> None:
        """Nothing could be captured. What an earlier call counted stays to be resumed; a new intake is sealed."""
        from camscan.cli import traffic_intake

        if self._wish.resume:
            self._intake.hold.release()
            self._intake.writer.close()
            return
        traffic_intake.give_up(self._intake)

    def _state(self) -> messages.Saved:
        found = self._found
        if found is None:
            return live.NOTHING
        return messages.Saved(
            state=found.state, packets=found.packets, last=found.until, kept=found.kept
        )

    def _of(self, saved: messages.Saved) -> messages.TakeJob:
        from camscan.cli.traffic_intake import keep_job

        keep = keep_job(self._intake, self._found)
        return messages.TakeJob(
            services=tuple(self._known.knowledge.services),
            resolvers=resolvers(self._known.knowledge),
            local=self._plan.local,
            vantage=self._plan.vantage,
            stream=self._plan.interface or "tzsp",
            live=True,
            every=self._plan.every,
            state=saved.state,
            keep=None if keep is None else replace(keep, packets=saved.kept),
        )

    def _job(self, saved: messages.Saved) -> bytes:
        return msgspec.msgpack.encode(self._of(saved))

    def _result_of(self, saved: messages.Saved) -> Outcome:
        """What a state holds, where no reader came to its end."""
        job = replace(self._of(saved), stream="", live=False)
        reading = Reading(job)
        with contextlib.closing(reading):
            reading.begin(Limited(messages.TAKE, limits_of(job)))
            outcome = reading.run()
        lost = (
            self._watch.lost if self._watch is not None else self._found.lost if self._found else 0
        )
        summary = replace(outcome.captured.summary, lost=lost)
        return replace(outcome, captured=replace(outcome.captured, summary=summary))

    def _save(self, saved: messages.Saved, until: float, lost: int) -> str:
        """Write a checkpoint; words where the disk has no room for more."""
        folder = self._intake.folder
        need = checkpoint.needed(len(saved.state), saved.records)
        try:
            room = checkpoint.room(folder)
            if room < need:
                return f"the disk is nearly full: {room >> 20} MB left, {need >> 20} MB are needed"
            gaps = (*self._gaps, *(self._watch.gaps if self._watch is not None else ()))
            checkpoint.save(
                folder,
                checkpoint.Checkpoint(
                    schema=checkpoint.SCHEMA,
                    until=until,
                    state=saved.state,
                    packets=saved.packets,
                    lost=lost,
                    kept=saved.kept,
                    gaps=gaps,
                ),
            )
        except (OSError, RunError) as error:
            return f"no checkpoint could be written: {error}"
        return ""

    def _show(self, count: messages.Count, lost: int) -> None:
        now = time.monotonic()
        before, packets = self._shown
        rate = (count.packets - packets) / max(now - before, 0.001) if packets else 0
        self._shown = now, count.packets
        until = self._plan.until
        end = (
            f"until {iso(until)[:16].replace('T', ' ')} UTC"
            if until is not None
            else "until Ctrl-C"
        )
        self._status.text(
            f"{count.packets} packets ({rate:.0f}/s), {lost} lost, {count.clients} clients, "
            f"{count.names} names, {end}"
        )

    def _told(self, captured: Captured) -> Captured:
        """With the window that was watched, its gaps and phases; not only from packet to packet."""
        what, summary = self._plan, captured.summary
        now = self._clock.now()
        end = now if what.until is None else min(now, what.until)
        first = min(what.started, summary.first or what.started)
        last = max(end, summary.last or end, first)
        marked = tuple(
            (name, max(begin, first), end)
            for name, begin, end in phases.phases(phases.marks(self._intake.folder), last)
        )
        given = tuple((n, b, e) for n, b, e in what.phases if b)
        summary = replace(
            summary,
            first=first,
            last=last,
            phases=(*given, *marked),
            gaps=tuple((g.begin, g.end, g.why) for g in self._gaps),
        )
        return replace(captured, summary=summary)

    def _hear_phases(self, loop: asyncio.AbstractEventLoop) -> None:
        """A line on standard input begins a phase. In the background a terminal is not read."""
        file = sys.stdin.fileno() if sys.stdin is not None and not sys.stdin.closed else -1
        if file < 0:
            return
        if os.isatty(file):
            with contextlib.suppress(AttributeError, ValueError):
                signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        # A regular file or /dev/null cannot be waited for: then no phase comes from there.
        with contextlib.suppress(PermissionError, NotImplementedError, OSError):
            loop.add_reader(file, _lines(loop, file, self._phase))

    def _phase(self, text: str) -> None:
        try:
            now = self._clock.now()
            phases.mark(self._intake.folder, text, now)
        except (UsageError, RunError) as error:
            self._status.note(str(error))
            return
        from camscan.cli.traffic_phase import said

        self._status.note(said(text, now).removeprefix("camscan: "))


def _lines(
    loop: asyncio.AbstractEventLoop, file: int, take: Callable[[str], None]
) -> Callable[[], None]:
    held = bytearray()

    def read() -> None:
        try:
            data = os.read(file, 4096)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(file)
            return
        held.extend(data)
        *lines, rest = held.split(b"\n")
        held[:] = rest[-4096:]
        for line in lines:
            if line.strip():
                take(line.decode("utf-8", "replace"))

    return read


def _plan(wish: Wish, clock: Clock) -> Plan:
    now = clock.now()
    return Plan(
        schema=plan.SCHEMA,
        started=now,
        interface=wish.interface,
        filter=wish.filter,
        listen=wish.listen,
        until=None if wish.duration is None else now + wish.duration,
        every=wish.every,
        vantage=wish.vantage,
        local=wish.local,
        phases=wish.phases,
        keep=wish.keep,
        keep_days=wish.keep_days,
        keep_limit=wish.keep_limit,
    )


def _tap(what: Plan, clock: Clock) -> live.Tap:
    if what.listen:
        return live.MirrorTap(*listening(what.listen), clock)
    return live.InterfaceTap(live.LiveOptions(interface=what.interface, filter=what.filter))


def _span(gap: messages.Gap) -> str:
    try:
        return f"{iso(gap.begin)} to {iso(gap.end)}"
    except (ValueError, OverflowError, OSError):
        return f"{gap.end - gap.begin:.0f} seconds"
