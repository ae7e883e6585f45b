"""camscan traffic --check: is this port worth capturing at?"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from camscan.clock import SystemClock
from camscan.errors import ObserveError
from camscan.observe.traffic import messages as m
from camscan.observe.traffic.collected import LIMITS
from camscan.observe.traffic.live import InterfaceTap, LiveOptions, Watch, readers
from camscan.observe.wire.interfaces import interfaces

if TYPE_CHECKING:
    from camscan.observe.traffic.check import Answer

_WORDS = {True: "fine", False: "to mend", None: "not told"}


def check(
    interface: str, seconds: float, bpf: str, local: tuple[str, ...], *, as_json: bool
) -> int:
    """Look for the given time and answer in words; 1 where something must be mended, 2 where it ended early."""
    look = f"looking at {interface} for {seconds:.0f} s (--duration asks for another time)"
    click.echo(f"camscan: {look}", err=True)
    own = tuple(i.mac for i in interfaces() if i.name == interface and i.mac)
    job = msgspec.msgpack.encode(m.CheckJob(interface=interface, own=own, local=local))
    tap = InterfaceTap(LiveOptions(interface=interface, filter=bpf))
    watch = Watch(
        tap,
        lambda _: job,
        SystemClock(),
        duration=seconds,
    )
    with contextlib.ExitStack() as stack:
        seen = watch.run([stack.enter_context(r) for r in readers(LIMITS, m.CHECK, 1)])
    told = watch.collected.other.get(m.ANSWERS)
    if told is None:
        raise ObserveError("error", f"{interface}: {seen.why or 'no answer'}")

    from camscan.observe.traffic.check import Answer

    answers = msgspec.msgpack.decode(told, type=list[Answer])
    if as_json:
        click.echo(msgspec.json.encode(answers).decode())
    else:
        for answer in answers:
            word = "note" if answer.good is None and answer.fix else _WORDS[answer.good]
            click.echo(f"{word:8} {answer.question} {answer.text}")
            if answer.fix:
                click.echo(f"{'':8} {answer.fix}")
        click.echo(_verdict(answers))
    if any(answer.good is False for answer in answers):
        return 1
    return 0 if seen.complete else 2


def _verdict(answers: Sequence[Answer]) -> str:
    faults = sum(answer.good is False for answer in answers)
    if faults:
        things = "one thing" if faults == 1 else f"{faults} things"
        return f"Mend {things} before a long capture here; what is not mended will not be examined."
    untold = sum(answer.good is None and not answer.fix for answer in answers)
    if untold:
        return f"Nothing speaks against a capture here; {untold} of {len(answers)} answers could not be told yet."
    return "This port is worth capturing at."
