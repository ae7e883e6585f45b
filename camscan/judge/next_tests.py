"""Which test would settle the most, and what does it cost?

A test closes factors together: a capture closes the data path and the endpoint behind J. Costs run from 1
(a minute) to 9 (days), as in signatures/conditions.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from camscan.judge.decide import Table, effect, open_factors
from camscan.model.finding import Interval, NextTest


class Settling(Struct, frozen=True, kw_only=True):
    """A test, the factors it can close, and how to run it."""

    test: str
    factors: frozenset[str]
    cost: int
    command: str


IDENTIFY = Settling(
    test="identify the maker from the device's own segment",
    factors=frozenset({"J"}),
    cost=3,
    command="camscan scan <segment>, with announcements and the rights camscan doctor names",
)
CAPTURE = Settling(
    test="capture the traffic with a power-cycle, 24 hours on a mirror port",
    factors=frozenset({"J", "D"}),
    cost=7,
    command="camscan traffic <capture> -o <run>",
)
TESTS: tuple[Settling, ...] = (
    Settling(
        test="declare whether a required document is missing (m)",
        factors=frozenset({"m"}),
        cost=1,
        command='site.toml: [[declarations]] factor = "m", then camscan assess <run>',
    ),
    Settling(
        test="declare the site class (P)",
        factors=frozenset({"P"}),
        cost=1,
        command="site.toml: sensitivity of the place, then camscan assess <run>",
    ),
    Settling(
        test="read the firmware version",
        factors=frozenset({"T"}),
        cost=2,
        command="on the device's own page, with the owner's login",
    ),
    Settling(
        test="declare the control over the segment (C), or test its egress",
        factors=frozenset({"C"}),
        cost=2,
        command='site.toml: [[declarations]] factor = "C", then camscan assess <run>',
    ),
    IDENTIFY,
    CAPTURE,
)
"""In order of cost; the first of equal effect is named."""


def useful(
    factors: Mapping[str, Interval], table: Table, *, maker_known: bool
) -> tuple[tuple[Settling, bool], ...]:
    """Tests whose result can move an end of this device: those that can close first, then by cost.

    The second value says whether the test alone can bring both ends together.
    """
    open_ = set(open_factors(factors))
    found = []
    for test in TESTS:
        if not test.factors & open_ or (test is IDENTIFY and maker_known):
            continue
        moves, closes = effect(factors, test.factors, table)
        if moves:
            found.append((test, closes))
    return tuple(sorted(found, key=lambda pair: (not pair[1], pair[0].cost, pair[0].test)))


def settles(found: tuple[tuple[Settling, bool], ...]) -> str:
    """Text for a decision: open factor and the cheapest test that closes it."""
    if not found:
        return ""
    test = found[0][0]
    return f"{', '.join(sorted(test.factors))}: {test.test}"


def grouped(per_device: Mapping[str, tuple[tuple[Settling, bool], ...]]) -> tuple[NextTest, ...]:
    """The same tests over all devices, cheapest first, then by how many devices they move."""
    subjects: dict[str, list[str]] = {}
    for device_id, found in per_device.items():
        for test, _ in found:
            subjects.setdefault(test.test, []).append(device_id)
    tests = [
        NextTest(
            subjects=tuple(subjects[t.test]),
            test=t.test,
            settles=tuple(sorted(t.factors)),
            cost=t.cost,
            command=t.command,
        )
        for t in TESTS
        if t.test in subjects
    ]
    return tuple(sorted(tests, key=lambda t: (t.cost, -len(t.subjects), t.test)))
