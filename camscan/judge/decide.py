"""What does the decision table say, at both ends of what is known?

The table is data (signatures/decision.toml, facts: scoring 7). A device's factors are intervals; the table
is enumerated over the whole box they span, never guessed at its corners. No sum, no score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product

from msgspec import Struct

from camscan.errors import KnowledgeError
from camscan.model.claim import Confidence, Level
from camscan.model.finding import Action, Decision, Interval
from camscan.model.knowledge import DecisionTable

FACTORS = ("J", "D", "P", "C", "T", "x", "m")
DECLARED = frozenset({"P", "C", "x", "m"})
"""Declarations of people are E1 by nature and never make a result provisional."""
MEASURED = ("J", "D", "C", "T")
"""Factors that must rest on E3 before NO ACTION is printed."""
BETTER_HIGH = frozenset({"C"})
"""Higher C means more control."""
_STRONG = (Level.E3, Level.E4)
_OF_DIFFERENT = (
    "the lower ends of J and D were seen of different destinations; the lower end of the action is that of the "
    "destination that justifies most by itself"
)
_LONGER = "a longer capture: whether what is exchanged goes to the destination that J rests on"
_OPS = (">=", "<=", "=")

Point = tuple[int, ...]
Box = tuple[tuple[int, int], ...]


class Result(Struct, frozen=True):
    """Row, action and the factors the matching conjunction names."""

    row: int
    action: Action
    deciding: tuple[str, ...]


class Ends(Struct, frozen=True):
    """The mildest and the severest result in a box of factor levels."""

    lower: Result
    upper: Result

    @property
    def settled(self) -> bool:
        return self.lower.action is self.upper.action


class Table:
    """A compiled decision table: every combination of levels has exactly one row."""

    def __init__(self, table: DecisionTable) -> None:
        if set(table.factors) != set(FACTORS):
            raise KnowledgeError(
                f"decision.toml: factors must be {', '.join(FACTORS)}; found {', '.join(table.factors)}",
            )
        self.version = table.version
        self.sizes = tuple(len(table.factors[name]) for name in FACTORS)
        self._rows = tuple(
            (row.row, Action(row.action), tuple(tuple(_term(t) for t in c) for c in row.any_of))
            for row in table.rows
        )
        self._results: dict[Point, Result] = {p: self._first(p) for p in self.points()}
        self._boxes: dict[Box, Ends] = {}
        self.effects: dict[tuple[Box, frozenset[str]], tuple[bool, bool]] = {}
        """Answers of `effect`, kept: few boxes occur on many devices."""

    def points(self) -> Iterator[Point]:
        """Every combination of levels, in the order of FACTORS."""
        return product(*(range(size) for size in self.sizes))

    def matching(self, point: Point) -> tuple[int, ...]:
        """Every row whose condition holds, not only the first."""
        return tuple(row for row, _, any_of in self._rows if _held(any_of, point) is not None)

    def at(self, point: Point) -> Result:
        return self._results[point]

    def ends(self, box: Box) -> Ends:
        """Minimum and maximum over every point of the box."""
        if box not in self._boxes:
            best = tuple(
                high if name in BETTER_HIGH else low
                for name, (low, high) in zip(FACTORS, box, strict=True)
            )
            worst = tuple(
                low if name in BETTER_HIGH else high
                for name, (low, high) in zip(FACTORS, box, strict=True)
            )
            # The corners come first, so that the row printed for an end is that of its corner.
            order = [best, worst, *product(*(range(low, high + 1) for low, high in box))]
            results = [self._results[point] for point in order]
            lower = min(results, key=lambda r: r.action.rank)
            upper = max(results[1:], key=lambda r: r.action.rank)
            self._boxes[box] = Ends(lower, upper)
        return self._boxes[box]

    def along(self, box: Box, path: tuple[int, int]) -> Result:
        """At these levels of J and D, and the mildest end of all others."""
        levels = {
            name: high if name in BETTER_HIGH else low
            for name, (low, high) in zip(FACTORS, box, strict=True)
        }
        levels["J"], levels["D"] = path
        return self._results[tuple(levels[name] for name in FACTORS)]

    def _first(self, point: Point) -> Result:
        for row, action, any_of in self._rows:
            terms = _held(any_of, point)
            if terms is not None:
                return Result(row, action, tuple(dict.fromkeys(FACTORS[i] for i, _, _ in terms)))
        raise KnowledgeError(
            "decision.toml: no row for "
            + " ".join(f"{n}{v}" for n, v in zip(FACTORS, point, strict=True)),
        )


_Term = tuple[int, str, int]


def _term(text: str) -> _Term:
    for op in _OPS:
        name, found, level = text.partition(op)
        if found:
            if name not in FACTORS or not level.isdigit():
                break
            return FACTORS.index(name), op, int(level)
    raise KnowledgeError(f"decision.toml: {text!r} is no term; write for example 'D>=3' or 'J=4'")


def _held(any_of: tuple[tuple[_Term, ...], ...], point: Point) -> tuple[_Term, ...] | None:
    """The first conjunction that holds, None if none does."""
    for terms in any_of:
        if all(_holds(point[index], op, level) for index, op, level in terms):
            return terms
    return None


def _holds(value: int, op: str, level: int) -> bool:
    if op == ">=":
        return value >= level
    return value <= level if op == "<=" else value == level


class _Keyed:
    """A decision table that can be a cache key: mappings cannot be hashed, versions can."""

    def __init__(self, table: DecisionTable) -> None:
        self.table = table
        self._key = (table.version, table.rows, tuple(sorted(table.factors.items())))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self._key == other._key


def compiled(table: DecisionTable) -> Table:
    """The compiled table; the same table is compiled once."""
    return _compile(_Keyed(table))


@lru_cache(maxsize=4)
def _compile(keyed: _Keyed) -> Table:
    return Table(keyed.table)


def box_of(factors: Mapping[str, Interval]) -> Box:
    return tuple((factors[name].lower, factors[name].upper) for name in FACTORS)


def decide(
    factors: Mapping[str, Interval],
    table: Table,
    *,
    settles: str = "",
    paths: Sequence[tuple[int, int]] = (),
) -> Decision:
    """One device: the action at both ends, with the row of either.

    `factors`: one Interval per name of FACTORS. `settles`: text for the open factor and its test,
    kept only where the ends differ. `paths`: J and D of each destination by itself; the lower end is that of the one
    that justifies most.
    """
    box = box_of(factors)
    ends = table.ends(box)
    mildest = ends.lower
    notes = []
    alone = max(
        (table.along(box, path) for path in paths), key=lambda r: r.action.rank, default=mildest
    )
    if alone.action.rank < mildest.action.rank:
        mildest = alone
        notes.append(_OF_DIFFERENT)
        settles = settles or _LONGER
    lower, upper = mildest.action, ends.upper.action
    if lower is Action.NO_ACTION and (weak := _too_weak(factors)):
        lower = Action.DOCUMENT
        upper = max(upper, lower, key=lambda a: a.rank)
        notes.append(f"evidence too weak for NO ACTION: {', '.join(weak)}")
    if not factors["x"].declared_by:
        notes.append("legal prohibition: not assessed")
    return Decision(
        lower=lower,
        upper=upper,
        row=mildest.row,
        upper_row=ends.upper.row,
        provisional=_provisional(mildest, factors),
        settles=settles if lower is not upper else "",
        table=table.version,
        note="; ".join(notes),
    )


def _too_weak(factors: Mapping[str, Interval]) -> list[str]:
    """Measured factors whose milder end rests on something, but on less than E3.

    An open factor of which nothing is known (E0) stays hypothetical: it opens the interval instead.
    """
    return [
        f"{name} on {factors[name].level.value}"
        for name in MEASURED
        if factors[name].level not in _STRONG
        and (factors[name].level is not Level.E0 or factors[name].lower == factors[name].upper)
    ]


def _provisional(result: Result, factors: Mapping[str, Interval]) -> bool:
    if result.action.rank < Action.PLAN.rank:
        return False
    return any(
        factors[name].confidence is Confidence.LOW
        for name in result.deciding
        if name not in DECLARED and not factors[name].declared_by
    )


def open_factors(factors: Mapping[str, Interval]) -> tuple[str, ...]:
    return tuple(name for name in FACTORS if factors[name].lower != factors[name].upper)


def effect(
    factors: Mapping[str, Interval], names: frozenset[str], table: Table
) -> tuple[bool, bool]:
    """What closing these factors together can do: (moves an end, can bring both ends together)."""
    whole = box_of(factors)
    key = (whole, names)
    if key not in table.effects:
        table.effects[key] = _effect(whole, names, table)
    return table.effects[key]


def _effect(whole: Box, names: frozenset[str], table: Table) -> tuple[bool, bool]:
    total = table.ends(whole)
    spans = [
        range(low, high + 1) if name in names else (None,)
        for name, (low, high) in zip(FACTORS, whole, strict=True)
    ]
    moves = closes = False
    for choice in product(*spans):
        inner = table.ends(
            tuple(
                (level, level) if level is not None else old
                for level, old in zip(choice, whole, strict=True)
            ),
        )
        moves |= (inner.lower.action, inner.upper.action) != (
            total.lower.action,
            total.upper.action,
        )
        closes |= inner.settled
    return moves, closes
