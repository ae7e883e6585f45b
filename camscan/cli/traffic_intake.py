"""Into which intake of which run does a capture go, and how is it finished?"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import click

from camscan import audit, kept
from camscan.captured import store
from camscan.cli.closing import close, write_files
from camscan.cli.traffic_lines import say, show
from camscan.cli.traffic_wish import Known, Wish
from camscan.clock import Clock, compact, iso
from camscan.errors import UsageError
from camscan.model.observation import Reason
from camscan.model.run import Input, IntakeInfo
from camscan.model.traffic import Captured
from camscan.observe.traffic import checkpoint, messages, plan
from camscan.observe.traffic.plan import Plan
from camscan.report.model import build
from camscan.run import IntakeWriter, Run

_KIND = "traffic"


class Intake(NamedTuple):
    """An open intake, held by this process."""

    run: Run
    writer: IntakeWriter
    plan: Plan
    hold: plan.Hold

    @property
    def folder(self) -> Path:
        return self.writer.folder


def planned(wish: Wish) -> Plan:
    """What the unfinished capture of a run was asked to do; UsageError where there is none."""
    from camscan.clock import SystemClock

    assert wish.out is not None
    run = Run.open(wish.out, SystemClock())
    unsealed = run.unsealed()
    if unsealed is None:
        raise UsageError(f"{wish.out}: nothing to resume, every intake is sealed")
    if not unsealed.endswith(f"-{_KIND}"):
        raise UsageError(f"{wish.out}: the unfinished intake {unsealed} is no capture")
    return plan.read(run.path / "intakes" / unsealed)


def started(wish: Wish, known: Known, what: Plan, clock: Clock) -> Intake:
    """A new intake in a new or an existing run."""
    path = wish.out or Path("camscan-runs") / compact(clock.now())
    run = (
        Run.open(path, clock)
        if Run.is_run(path)
        else Run.create(path, owner=known.options.site.owner, authority=None, clock=clock)
    )
    given = (
        ("interface", what.interface),
        ("filter", what.filter),
        ("listen", what.listen),
        ("duration", f"{what.until - what.started:.0f} s" if what.until is not None else ""),
        ("keep", what.keep),
        ("retention", f"{what.keep_days} days" if what.keep and what.keep_days else ""),
    )
    info = IntakeInfo(
        id="",
        kind=_KIND,
        started=iso(what.started),
        tool_version=audit.tool_version(),
        knowledge_hash=known.knowledge.content_hash,
        vantage=what.vantage,
        options=(
            ("local", ", ".join(what.local) or "private ranges"),
            *(("phase", name) for name, _, _ in what.phases),
            *((name, value) for name, value in given if value),
        ),
    )
    writer = run.new_intake(info)
    plan.write(writer.folder, what)
    intake = Intake(run, writer, what, plan.Hold(writer.folder))
    if what.keep:
        note(intake, packets=0, ended_early="")
    return intake


def resumed(wish: Wish, clock: Clock) -> tuple[Intake, checkpoint.Checkpoint | None]:
    """The unfinished intake, and its last checkpoint."""
    what = planned(wish)
    assert wish.out is not None
    run = Run.open(wish.out, clock)
    folder = run.path / "intakes" / (run.unsealed() or "")
    hold = plan.Hold(folder)
    try:
        found = checkpoint.load(folder)
        writer = run.resume()
    except BaseException:
        hold.release()
        raise
    writer.amend(_with(writer.info, options=(*writer.info.options, ("resumed", iso(clock.now())))))
    return Intake(run, writer, what, hold), found


def _with(info: IntakeInfo, **changed: object) -> IntakeInfo:
    from msgspec.structs import replace

    return replace(info, **changed)


def note(intake: Intake, *, packets: int, ended_early: str) -> None:
    """Beside kept packets: until when, and why they may be there at all; from the first packet on."""
    folder = kept.folder_of(intake.run.path, intake.writer.info.id)
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_info(
        folder,
        kept.KeptInfo(
            schema=kept.SCHEMA,
            intake=intake.writer.info.id,
            mode=intake.plan.keep,
            since=iso(intake.plan.started),
            until=kept.expiry(intake.plan.started, intake.plan.keep_days),
            packets=packets,
            ended_early=ended_early,
        ),
    )


def keep_job(intake: Intake, found: checkpoint.Checkpoint | None) -> messages.KeepJob | None:
    """What the reading process is told of packets to keep."""
    if not intake.plan.keep:
        return None
    return messages.KeepJob(
        folder=str(kept.folder_of(intake.run.path, intake.writer.info.id)),
        mode=intake.plan.keep,
        limit=intake.plan.keep_limit,
        packets=found.kept if found is not None else 0,
    )


def finish(
    wish: Wish,
    known: Known,
    intake: Intake,
    captured: Captured,
    problems: tuple[messages.Problem, ...],
    *,
    inputs: tuple[Input, ...] = (),
) -> int:
    """Store, seal, judge, print; the exit code."""
    writer = intake.writer
    if inputs:
        writer.amend(_with(writer.info, inputs=inputs))
    store(writer, captured)
    for problem in problems:
        writer.attempt(
            device_id="",
            test=f"traffic {problem.source}",
            reason=Reason.ERROR,
            detail=problem.what,
        )
    intake.hold.release()
    checkpoint.finish(intake.folder)
    plan.finish(intake.folder)
    writer.seal(complete=not problems)
    say(problems)
    if wish.as_json:
        show(captured, known.knowledge, known.options)
        assessment, folder = audit.assess(intake.run, known.knowledge, known.options)
        html, _ = write_files(build(assessment, known.knowledge), folder)
        click.echo(f"camscan: run {intake.run.path}, report {html}", err=True)
        code = 0
    else:
        code = close(
            intake.run, known.knowledge, known.options, as_json=False, intake=writer.info.id
        )
    return 2 if problems else code


def leave(intake: Intake) -> int:
    """Interrupted: the intake stays open, and --resume goes on with it."""
    with contextlib.suppress(OSError):
        intake.writer.close()
    intake.hold.release()
    click.echo(
        "camscan: interrupted; what was read so far is kept. "
        f"Finish with: camscan traffic --resume -o {intake.run.path}",
        err=True,
    )
    return 2


def give_up(intake: Intake) -> None:
    """Nothing of it can be gone on with: closed for ever, as incomplete."""
    checkpoint.finish(intake.folder)
    plan.finish(intake.folder)
    intake.hold.release()
    intake.writer.seal(complete=False)
