"""camscan traffic --check: is this port worth capturing at?"""

from __future__ import annotations

import click
import msgspec

from camscan.observe.traffic.check import PortCheck
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.live import Live, LiveOptions, watch
from camscan.observe.wire.interfaces import interfaces

_WORDS = {True: "fine", False: "to mend", None: "not told"}


def check(options: LiveOptions, local: tuple[str, ...], *, as_json: bool) -> int:
    """Look for the given time and answer in words; 1 where something must be mended, 2 where it ended early."""
    own = tuple(i.mac for i in interfaces() if i.name == options.interface and i.mac)
    port = PortCheck(own)
    engine = Engine(scope=local)
    engine.on_batch = port.on_batch
    seen = watch(Live(engine, options))
    flows = tuple(engine.flows())
    answers = port.answers(engine, flows, seen)
    if as_json:
        click.echo(msgspec.json.encode(answers).decode())
    else:
        for answer in answers:
            click.echo(f"{_WORDS[answer.good]:8} {answer.question} {answer.text}")
            if answer.fix:
                click.echo(f"{'':8} {answer.fix}")
    if any(answer.good is False for answer in answers):
        return 1
    return 0 if seen.complete else 2
