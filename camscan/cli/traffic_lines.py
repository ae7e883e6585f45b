"""Which lines does `camscan traffic --json` print (DESIGN section 5)?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import click
import msgspec
from msgspec import Struct

from camscan.assess_options import AssessOptions
from camscan.clock import iso
from camscan.decode.text import clean_lines
from camscan.flow_table import attributed_flows
from camscan.model.claim import Endpoint
from camscan.model.knowledge import Attributing
from camscan.model.traffic import Captured, Flow, NameSeen
from camscan.observe.traffic.messages import Problem
from camscan.special_ranges import Nobody

_AT_ONCE = 512
"""Lines written in one go: what is written is flushed."""


class NameLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="name"):
    """One line of `--json` per name."""

    client: str
    client_mac: str | None
    proto: str
    name: str
    first: str | None
    last: str | None
    count: int
    remote: str | None
    port: int | None
    answers: tuple[str, ...]
    aliases: tuple[str, ...]
    alpn: tuple[str, ...]
    ech: bool
    odd: bool


class FlowLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="flow"):
    """One line of `--json` per flow, with the columns of DESIGN rule 6."""

    client: str
    client_mac: str | None
    remote: str
    port: int
    transport: str
    bytes_up: int
    bytes_down: int
    packets: int
    names: tuple[str, ...]
    service: str | None
    first: str | None
    last: str | None
    media: bool | None
    special: str | None
    """Special-purpose range of the remote, which is then no party (the owner's table outranks it)."""
    registry_country: str | None
    located_country: str | None
    network_operator: str | None
    network_parent_country: str | None
    service_operator: str | None
    service_parent_country: str | None
    sources: tuple[str, ...]


def show(captured: Captured, knowledge: Attributing, options: AssessOptions) -> None:
    """All lines on stdout."""
    rest = lines(captured, knowledge, options)
    while some := list(islice(rest, _AT_ONCE)):
        click.echo("\n".join(some))


def lines(captured: Captured, knowledge: Attributing, options: AssessOptions) -> Iterator[str]:
    """NDJSON: names, then flows (DESIGN section 5)."""
    encode = msgspec.json.Encoder().encode
    for name in captured.names:
        yield clean_lines(encode(_name_line(name)).decode())
    nobody = Nobody(prefix for network in options.networks for prefix in network.prefixes)
    for flow, endpoint in attributed_flows(captured, knowledge, options):
        line = _flow_line(flow, endpoint, nobody(flow.remote))
        yield clean_lines(encode(line).decode())


def _name_line(n: NameSeen) -> NameLine:
    return NameLine(
        client=n.client,
        client_mac=n.client_mac,
        proto=n.proto,
        name=n.name,
        first=_time(n.first),
        last=_time(n.last),
        count=n.count,
        remote=n.remote,
        port=n.port,
        answers=n.answers,
        aliases=n.aliases,
        alpn=n.alpn,
        ech=n.ech,
        odd=n.odd,
    )


def _flow_line(flow: Flow, e: Endpoint, special: str) -> FlowLine:
    return FlowLine(
        client=flow.client,
        client_mac=flow.client_mac,
        remote=flow.remote,
        port=flow.port,
        transport=flow.transport,
        bytes_up=flow.bytes_up,
        bytes_down=flow.bytes_down,
        packets=flow.packets_up + flow.packets_down,
        names=flow.names,
        service=flow.service or None,
        first=_time(flow.first),
        last=_time(flow.last),
        media=flow.media,
        special=special or None,
        registry_country=e.registry_country,
        located_country=e.located_country,
        network_operator=e.network_operator,
        network_parent_country=e.network_parent_country,
        service_operator=e.service_operator,
        service_parent_country=e.service_parent_country,
        sources=e.sources,
    )


def _time(seconds: float) -> str | None:
    try:
        return iso(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def say(problems: tuple[Problem, ...]) -> None:
    """What was not examined, on stderr."""
    for problem in problems:
        click.echo(f"camscan: {problem.source}: {problem.what}", err=True)
