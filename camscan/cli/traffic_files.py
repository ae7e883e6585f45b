"""How does `camscan traffic` read files: those it was given, or those that an interrupted call left over?"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from msgspec.structs import replace

from camscan.cli.progress import StatusLine
from camscan.cli.traffic_wish import Wish
from camscan.clock import Clock, SystemClock
from camscan.errors import RunError, UsageError
from camscan.limited import Limited
from camscan.model.run import Input
from camscan.model.traffic import Captured
from camscan.observe.traffic import checkpoint, messages, plan, sets
from camscan.observe.traffic.collected import LIMITS, Collected, Outcome, hear_out, limits_of
from camscan.observe.traffic.hashing import Hashed
from camscan.observe.traffic.plan import Plan, PlannedFile
from camscan.observe.traffic.reading import Reading

if TYPE_CHECKING:
    from camscan.cli.traffic_intake import Intake, Known

_EVERY = 1.0
"""Least seconds between two states, at the end of a file."""


class _Start(NamedTuple):
    """What there is before the first byte is read."""

    plan: Plan
    files: sets.Set
    child: Limited


class _Result(NamedTuple):
    captured: Captured
    problems: tuple[messages.Problem, ...]
    inputs: tuple[Input, ...]
    kept: int = 0
    kept_ended: str = ""


def take_files(wish: Wish, clock: Clock) -> int:
    """Read to the end, or leave an intake that --resume goes on with."""
    if wish.resume:
        return _resume(wish, clock)
    files = sets.Set((), ()) if _is_stdin(wish) else sets.gathered(wish.captures)
    for words in files.notes:
        click.echo(f"camscan: {words}", err=True)
    limits = LIMITS if not wish.keep else limits_of(_EMPTY)
    with Limited(messages.TAKE, limits, stream=_is_stdin(wish)) as child:
        from camscan.cli import traffic_intake

        known = traffic_intake.known(wish.judging)
        what = _plan(wish, files, clock)
        if wish.as_json and wish.out is None and not wish.keep:
            return _lines_only(wish, known, _Start(what, files, child))
        intake = traffic_intake.started(wish, known, what, clock)
        return _in_run(wish, known, intake, None, child)


_EMPTY = messages.TakeJob(
    services=(), resolvers={}, keep=messages.KeepJob(folder="", mode="", limit=0)
)


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
        files=tuple(PlannedFile(path=str(p.resolve()), size=p.stat().st_size) for p in files.files),
        vantage=wish.vantage,
        local=wish.local,
        phases=wish.phases,
        keep=wish.keep,
        keep_days=wish.keep_days,
        keep_limit=wish.keep_limit,
    )


def _job(known: Known, what: Plan) -> messages.TakeJob:
    from camscan import audit

    wanted = tuple(messages.Wanted(n, f.path) for n, f in enumerate(what.files))
    return messages.TakeJob(
        services=tuple(known.knowledge.services),
        resolvers=audit.resolvers(known.knowledge),
        local=what.local,
        vantage=what.vantage,
        files=wanted,
        in_order=len(wanted) > 1,
        every=_EVERY,
    )


def _lines_only(wish: Wish, known: Known, start: _Start) -> int:
    """Names and flows on stdout, nothing on the disk."""
    from camscan.cli.traffic_intake import say
    from camscan.cli.traffic_lines import lines

    job = _job(known, start.plan)
    found = (
        _read_stdin(job, start.child, start.plan)
        if _is_stdin(wish)
        else _read(job, start.plan, start.child, None, None)
    )
    for line in lines(found.captured, known.knowledge, known.options):
        click.echo(line)
    say(found.problems)
    return 2 if found.problems else 0


def _in_run(
    wish: Wish,
    known: Known,
    intake: Intake,
    found: checkpoint.Checkpoint | None,
    child: Limited,
) -> int:
    from camscan.cli import traffic_intake
    from camscan.errors import CamscanError

    job = replace(_job(known, intake.plan), keep=traffic_intake.keep_job(intake, found))
    status = StatusLine(SystemClock(), quiet=wish.quiet)

    def shown(count: messages.Count) -> None:
        status.stage("packets", count.packets, 0)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = (
            _read_stdin(job, child, intake.plan)
            if not intake.plan.files
            else _read(job, intake.plan, child, intake, found, shown=shown)
        )
    except KeyboardInterrupt:
        if not intake.plan.files:
            # What came through a pipe does not come again.
            intake.hold.release()
            intake.writer.seal(complete=False)
            raise
        return traffic_intake.leave(intake)
    except CamscanError:
        intake.hold.release()
        intake.writer.close()
        raise
    finally:
        status.close()
        signal.signal(signal.SIGTERM, before)
    problems = result.problems
    if intake.plan.keep:
        traffic_intake.note(intake, packets=result.kept, ended_early=result.kept_ended)
        if result.kept_ended:
            problems += (messages.Problem("kept packets", f"ended early: {result.kept_ended}"),)
    return traffic_intake.finish(
        wish, known, intake, result.captured, problems, inputs=result.inputs
    )


def _resume(wish: Wish, clock: Clock) -> int:
    from camscan.cli import traffic_intake

    known = traffic_intake.known(wish.judging)
    intake, found = traffic_intake.resumed(wish, clock)
    if not intake.plan.files:
        intake.hold.release()
        intake.writer.close()
        raise UsageError(f"{intake.run.path}: standard input cannot be read again")
    job = replace(_EMPTY, keep=traffic_intake.keep_job(intake, found))
    with Limited(messages.TAKE, limits_of(job)) as child:
        return _in_run(wish, known, intake, found, child)


def _read(
    job: messages.TakeJob,
    what: Plan,
    child: Limited,
    intake: Intake | None,
    found: checkpoint.Checkpoint | None,
    *,
    shown: Callable[[messages.Count], None] | None = None,
) -> _Result:
    """All files of the plan but those a checkpoint holds."""
    done = {r.number for r in found.read} if found is not None else set()
    hashed = {h.number: h for h in found.hashed} if found is not None else {}
    problems: list[messages.Problem] = []
    left = []
    for wanted in job.files:
        if wanted.number in done:
            continue
        words = _changed(what.files[wanted.number]) if found is not None or intake else ""
        if words:
            problems.append(messages.Problem(wanted.path, f"not examined: {words}"))
        else:
            left.append(wanted)
    job = replace(job, files=tuple(left))
    if found is not None:
        job = replace(job, state=found.state)
    earlier = found.read if found is not None else ()

    def saved(state: messages.Saved, numbers: tuple[int, ...]) -> None:
        if intake is None:
            return
        held = {**hashed, **{n: reading.hashed[n] for n in numbers}}
        _save(
            intake,
            state,
            (*earlier, *(reading.read[n] for n in numbers)),
            tuple(held.values()),
        )

    reading = Reading(job, on_count=shown, on_state=saved)
    outcome = reading.run(child)
    problems += outcome.problems
    for number, now in reading.hashed.items():
        if number in hashed and hashed[number] != now:
            words = "changed since the capture was begun"
            problems.append(messages.Problem(what.files[number].path, words))
        hashed[number] = now
    every = (*earlier, *reading.read.values())
    names = [Path(f.path).name for f in what.files]
    covered = sets.cover(every, names)
    return _Result(
        _told(outcome, what, covered),
        tuple(problems),
        _inputs(hashed, names),
        outcome.kept,
        outcome.kept_ended,
    )


def _changed(file: PlannedFile) -> str:
    try:
        size = Path(file.path).stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if size == file.size else f"had {file.size} bytes when it was begun, has {size} now"


def _save(
    intake: Intake,
    state: messages.Saved,
    read: tuple[messages.FileRead, ...],
    hashed: tuple[Hashed, ...],
) -> None:
    try:
        checkpoint.save(
            intake.folder,
            checkpoint.Checkpoint(
                schema=checkpoint.SCHEMA,
                until=state.last or 0.0,
                state=state.state,
                packets=state.packets,
                kept=state.kept,
                read=read,
                hashed=hashed,
            ),
        )
    except RunError as error:
        # Reading goes on: without a checkpoint an interruption costs more, and nothing else.
        click.echo(f"camscan: no checkpoint: {error}", err=True)


def _told(outcome: Outcome, what: Plan, covered: sets.Cover) -> Captured:
    """With the phases, and with what lies between the files."""
    summary = outcome.captured.summary
    first, last = summary.first or 0.0, summary.last or 0.0
    summary = replace(
        summary,
        phases=tuple((n, b or first, e or last) for n, b, e in what.phases),
        gaps=tuple((g.begin, g.end, g.why) for g in covered.gaps),
        notes=covered.notes,
    )
    return replace(outcome.captured, summary=summary)


def _inputs(hashed: dict[int, Hashed], names: list[str]) -> tuple[Input, ...]:
    return tuple(
        Input(name=names[n], size=h.size, sha256=h.sha256)
        for n, h in sorted(hashed.items())
        if h.sha256
    )


def _read_stdin(job: messages.TakeJob, child: Limited, what: Plan) -> _Result:
    """Standard input through a pipe, hashed on its way."""
    import msgspec

    digest, size = hashlib.sha256(), 0

    def copy() -> None:
        nonlocal size
        try:
            while part := os.read(sys.stdin.fileno(), 1 << 18):
                digest.update(part)
                size += len(part)
                view = memoryview(part)
                while view:
                    view = view[os.write(child.stream, view) :]
        except OSError:
            pass  # the reader is gone, or the writer: the child's end says what was read
        child.close_stream()

    job = replace(job, files=(), stream=sets.STDIN, in_order=False)
    child.tell(messages.JOB, msgspec.msgpack.encode(job))
    collected = Collected()
    copier = threading.Thread(target=copy, daemon=True)
    copier.start()
    words = hear_out(child, collected.add)
    copier.join(5.0)
    outcome = collected.outcome(job)
    problems = outcome.problems
    if words:
        problems += (messages.Problem(sets.STDIN, f"not examined: {words}"),)
    read = Input(name=sets.STDIN, size=size, sha256=digest.hexdigest())
    captured = _told(outcome, what, sets.Cover((), ()))
    return _Result(captured, problems, (read,), outcome.kept, outcome.kept_ended)
