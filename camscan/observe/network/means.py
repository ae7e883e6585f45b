"""What do all conversations of a scan share: budgets, listed paths, fixed messages?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.decode import favicon, http, snmp
from camscan.errors import DecodeError
from camscan.model.probe import Exchange, ProbePlan
from camscan.observe.network.greetings import GREETINGS
from camscan.observe.network.options import ScanOptions
from camscan.observe.network.protocols.registry import searches
from camscan.observe.wire.answer import Means, Search
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.interfaces import Segment
from camscan.observe.wire.pace import Budget

_MESSAGE_ID = 0x63616D
"""Comes back in the SNMP report; any number."""


_IMAGES = (b"\0\0\1\0", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"BM", b"RIFF", b"<svg", b"<?xml")
"""First bytes of ICO, PNG, GIF, JPEG, BMP, WebP, SVG: pages and endless bodies are not hashed."""


def shared_means(
    plan: ProbePlan,
    options: ScanOptions,
    segments: Iterable[Segment],
    gate: Gate,
    budget: Budget,
) -> Means:
    """One value for all conversations of a scan."""
    source = None
    if options.interface is not None:
        source = next((s.source for s in segments if s.interface == options.interface), None)
    listed = {
        p.path for p in plan.probes if p.exchange is Exchange.HTTP_GET and p.path and not p.canary
    }
    return Means(
        gate=gate,
        budget=budget,
        listed=frozenset(listed),
        searches=searches(),
        greetings=GREETINGS,
        snmp_engine=Search(
            message=snmp.discovery_request(_MESSAGE_ID), request="SNMPv3 engine id discovery"
        ),
        describe_favicon=describe_icon,
        source=source,
    )


def describe_icon(answer: bytes) -> bytes:
    """Hashes of the icon in an HTTP answer, as text; DecodeError where there is none."""
    response = http.parse(answer)
    if response.status != "200" or not response.body:
        raise DecodeError(f"status {response.status}, {len(response.body)} bytes")
    if not response.body.lstrip()[:64].startswith(_IMAGES):
        raise DecodeError("not an image")
    return favicon.describe(response.body).encode("ascii")
