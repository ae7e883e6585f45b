"""How does `camscan traffic` read files: those it was given, or those that an interrupted call left over?"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import click
from msgspec.structs import replace

from camscan.cli.progress import StatusLine
from camscan.cli.traffic_wish import Known, Wish
from camscan.clock import Clock, SystemClock
from camscan.errors import CamscanError, RunError, UsageError
from camscan.limited import Limited
from camscan.model.run import Input
from camscan.model.traffic import Captured
from camscan.observe.traffic import checkpoint, messages, plan, sets
from camscan.observe.traffic.collected import LIMITS, Outcome, limits_of
from camscan.observe.traffic.hashing import Hashed
from camscan.observe.traffic.plan import Plan, PlannedFile
from camscan.observe.traffic.reading import Reading
from camscan.observe.traffic.standard_input import StandardInput

if TYPE_CHECKING:
    from camscan.cli.traffic_intake import Intake
    from camscan.model.knowledge import Attributing

_EVERY = 1.0
"""Least seconds between two states, at the end of a file."""
_KEEPING = messages.TakeJob(
    services=(), resolvers={}, keep=messages.KeepJob(folder="", mode="", limit=0)
)


class _Found(NamedTuple):
    captured: Captured
    problems: tuple[messages.Problem, ...]
    inputs: tuple[Input, ...]
    kept: int
    kept_ended: str


def take_files(wish: Wish, clock: Clock) -> int:
    """Read to the end, or leave an intake that --resume goes on with."""
    if wish.resume:
        return _resume(wish, clock)
    stdin = _is_stdin(wish)
    files = sets.Set((), ()) if stdin else sets.gathered(wish.captures)
    for words in files.notes:
        click.echo(f"camscan: {words}", err=True)
    what = _plan(wish, files, clock)
    # The reading process is made before anything large is imported, and works while this one imports the rest.
    with Limited(
        messages.TAKE, limits_of(_KEEPING) if wish.keep else LIMITS, stream=stdin
    ) as child:
        reader = _Reader(what, child, None)
        if wish.as_json and wish.out is None and not wish.keep:
            return _lines_only(wish, reader)
        knowledge = wish.judging.knowledge()
        if not wish.keep:
            reader.begin(knowledge, None)
        with reader:
            known = Known(knowledge, wish.judging.options())
            from camscan.cli import traffic_intake

            intake = traffic_intake.started(wish, known, what, clock)
            if wish.keep:
                reader.begin(knowledge, traffic_intake.keep_job(intake, None))
            return _in_run(wish, known, intake, reader)


def _resume(wish: Wish, clock: Clock) -> int:
    from camscan.cli import traffic_intake

    what = traffic_intake.planned(wish)
    if not what.files:
        raise UsageError(f"{wish.out}: standard input cannot be read again")
    with Limited(messages.TAKE, limits_of(_KEEPING) if what.keep else LIMITS) as child:
        known = Known(wish.judging.knowledge(), wish.judging.options())
        intake, found = traffic_intake.resumed(wish, clock)
        with _Reader(what, child, found) as reader:
            reader.begin(known.knowledge, traffic_intake.keep_job(intake, found))
            return _in_run(wish, known, intake, reader)


def _is_stdin(wish: Wish) -> bool:
    if Path(sets.STDIN) not in wish.captures:
        return False
    if len(wish.captures) > 1:
        raise UsageError("standard input (-) is read alone")
    return True


def _plan(wish: Wish, files: sets.Set, clock: Clock) -> Plan:
    return Plan(
        schema=plan.SCHEMA,
        started=clock.now(),
        files=tuple(map(_planned, files.files)),
        vantage=wish.vantage,
        local=wish.local,
        phases=wish.phases,
        keep=wish.keep,
        keep_days=wish.keep_days,
        keep_limit=wish.keep_limit,
    )


def _planned(path: Path) -> PlannedFile:
    try:
        size = path.stat().st_size
    except OSError:
        size = plan.UNKNOWN
    return PlannedFile(path=os.path.realpath(path), size=size)


def _lines_only(wish: Wish, reader: _Reader) -> int:
    """Names and flows on stdout, nothing on the disk."""
    knowledge = wish.judging.traffic_knowledge()
    reader.begin(knowledge, None)
    with reader:
        options = wish.judging.options()
        from camscan.cli.traffic_lines import say, show

        found = reader.found()
    show(found.captured, knowledge, options)
    say(found.problems)
    return 2 if found.problems else 0


def _in_run(wish: Wish, known: Known, intake: Intake, reader: _Reader) -> int:
    from camscan.cli import traffic_intake

    status = StatusLine(SystemClock(), quiet=wish.quiet)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = reader.found(intake, status)
    except KeyboardInterrupt:
        if intake.plan.files:
            return traffic_intake.leave(intake)
        # What came through a pipe does not come again.
        traffic_intake.give_up(intake)
        raise
    except CamscanError:
        intake.hold.release()
        intake.writer.close()
        raise
    finally:
        status.close()
        signal.signal(signal.SIGTERM, before)
    problems = found.problems
    if intake.plan.keep:
        traffic_intake.note(intake, packets=found.kept, ended_early=found.kept_ended)
        if found.kept_ended:
            problems += (messages.Problem("kept packets", f"ended early: {found.kept_ended}"),)
    return traffic_intake.finish(wish, known, intake, found.captured, problems, inputs=found.inputs)


class _Reader:
    """The files of a plan, but those that a checkpoint holds; or standard input, where it names none."""

    def __init__(self, what: Plan, child: Limited, found: checkpoint.Checkpoint | None) -> None:
        self._plan = what
        self._child = child
        self._earlier = found.read if found is not None else ()
        self._hashed = {h.number: h for h in found.hashed} if found is not None else {}
        self._state = found.state if found is not None else b""
        self._halfway = found.halfway if found is not None else None
        self._resumed = found is not None
        self._problems: list[messages.Problem] = []
        self._reading: Reading | None = None
        self._stdin: StandardInput | None = None
        self._intake: Intake | None = None
        self._status: StatusLine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.close()

    def begin(self, knowledge: Attributing, keep: messages.KeepJob | None) -> None:
        """Set the reading process to work."""
        from camscan.flow_table import resolvers

        done = {r.number for r in self._earlier}
        left = []
        for number, file in enumerate(self._plan.files):
            begun = self._halfway
            if begun is not None and begun.read.number == number:
                # Whether it is still the same its reader says, and keeps what it holds of it.
                left.append(messages.Wanted(number, file.path, begun))
                continue
            words = _changed(file) if self._resumed and number not in done else ""
            if words:
                self._problems.append(messages.Problem(file.path, f"not examined: {words}"))
            elif number not in done:
                left.append(messages.Wanted(number, file.path))
        job = messages.TakeJob(
            services=tuple(knowledge.services),
            resolvers=resolvers(knowledge),
            local=self._plan.local,
            vantage=self._plan.vantage,
            files=tuple(left),
            in_order=len(left) > 1,
            stream="" if self._plan.files else sets.STDIN,
            every=_EVERY,
            state=self._state,
            keep=keep,
        )
        if self._plan.files:
            self._reading = Reading(job, on_count=self._shown, on_state=self._saved)
            self._reading.begin(self._child)
        else:
            self._stdin = StandardInput(job, self._child)

    def found(self, intake: Intake | None = None, status: StatusLine | None = None) -> _Found:
        """Read to the end. With an intake, states go there meanwhile."""
        self._intake, self._status = intake, status
        if self._reading is None:
            assert self._stdin is not None
            outcome, read = self._stdin.run(self._shown)
            return self._told(outcome, (read,), sets.Cover((), ()))
        outcome = self._reading.run()
        names = [Path(f.path).name for f in self._plan.files]
        for number, now in self._reading.hashed.items():
            then = self._hashed.get(number)
            if then is not None and then.sha256 and then != now:
                words = "changed since the capture was begun"
                self._problems.append(messages.Problem(self._plan.files[number].path, words))
            self._hashed[number] = now
        inputs = tuple(
            Input(name=names[n], size=h.size, sha256=h.sha256)
            for n, h in sorted(self._hashed.items())
            if h.sha256
        )
        covered = sets.cover((*self._earlier, *self._reading.read.values()), names)
        return self._told(outcome, inputs, covered)

    def _told(self, outcome: Outcome, inputs: tuple[Input, ...], covered: sets.Cover) -> _Found:
        """With the phases, and with what lies between the files."""
        summary = outcome.captured.summary
        first, last = summary.first or 0.0, summary.last or 0.0
        summary = replace(
            summary,
            phases=tuple((n, b or first, e or last) for n, b, e in self._plan.phases),
            gaps=tuple((g.begin, g.end, g.why) for g in covered.gaps),
            notes=covered.notes,
        )
        return _Found(
            replace(outcome.captured, summary=summary),
            (*self._problems, *outcome.problems),
            inputs,
            outcome.kept,
            outcome.kept_ended,
        )

    def _shown(self, count: messages.Count) -> None:
        if self._status is not None:
            self._status.stage("packets", count.packets, 0)

    def _saved(self, state: messages.Saved, numbers: tuple[int, ...]) -> None:
        if self._intake is None:
            return
        assert self._reading is not None
        hashed: dict[int, Hashed] = {**self._hashed, **self._reading.hashed}
        try:
            checkpoint.save(
                self._intake.folder,
                checkpoint.Checkpoint(
                    schema=checkpoint.SCHEMA,
                    until=state.last or 0.0,
                    state=state.state,
                    packets=state.packets,
                    kept=state.kept,
                    read=(*self._earlier, *(self._reading.read[n] for n in numbers)),
                    hashed=tuple(hashed.values()),
                    halfway=state.halfway,
                ),
            )
        except RunError as error:
            # Reading goes on: without a checkpoint an interruption costs more, and nothing else.
            click.echo(f"camscan: no checkpoint: {error}", err=True)


def _changed(file: PlannedFile) -> str:
    if file.size == plan.UNKNOWN:
        return ""  # its reader says what is the matter with it now
    try:
        size = Path(file.path).stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if size == file.size else f"had {file.size} bytes when it was begun, has {size} now"
