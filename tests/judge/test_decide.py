from __future__ import annotations

from collections import Counter
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_city import shipped

from camscan.errors import KnowledgeError
from camscan.judge.decide import BETTER_HIGH, FACTORS, compiled, decide, effect, open_factors
from camscan.model.claim import Confidence, Level
from camscan.model.finding import Action, Interval
from camscan.model.knowledge import DecisionRow

TABLE = compiled(shipped().decision)
POINTS = list(TABLE.points())

# facts: scoring 7, "Checked by enumeration"
ROWS = [2400, 140, 72, 364, 46, 158, 30, 96, 445, 118, 923, 8]
ACTIONS = {Action.ACT: 3022, Action.PLAN: 847, Action.DOCUMENT: 923, Action.NO_ACTION: 8}
WITHOUT_X = {Action.ACT: 622, Action.PLAN: 847, Action.DOCUMENT: 923, Action.NO_ACTION: 8}


def factors(level=Level.E3, confidence=Confidence.HIGH, declared=True, **given_):
    """`J=2` or `J=(2, 4)`; whatever is not named is 0."""
    found = {}
    for name in FACTORS:
        value = given_.get(name, 0)
        low, high = value if isinstance(value, tuple) else (value, value)
        found[name] = Interval(
            factor=name,
            lower=low,
            upper=high,
            level=level,
            confidence=confidence,
            declared_by="officer" if declared and name in {"x", "m", "P"} else "",
        )
    return found


def test_every_one_of_4800_combinations_has_exactly_one_row_and_the_counts_of_the_fact_sheet():
    assert len(POINTS) == 4800
    counts = Counter(TABLE.at(p).row for p in POINTS)
    assert [counts[row] for row in range(1, 13)] == ROWS
    assert Counter(TABLE.at(p).action for p in POINTS) == ACTIONS
    assert Counter(TABLE.at(p).action for p in POINTS if p[FACTORS.index("x")] == 0) == WITHOUT_X


def test_row_12_is_exactly_what_no_other_row_takes():
    for point in POINTS:
        others = [row for row in TABLE.matching(point) if row != 12]
        assert (TABLE.at(point).row == 12) == (not others)
        if TABLE.at(point).row == 12:
            j, d, p, c, t, x, m = point
            assert j <= 1
            assert d == 0
            assert p <= 1
            assert c >= 1
            assert t == 0
            assert not x
            assert not m


def test_making_any_single_factor_worse_never_lowers_the_action():
    checked = 0
    for point in POINTS:
        for index, name in enumerate(FACTORS):
            step = -1 if name in BETTER_HIGH else 1
            worse = (*point[:index], point[index] + step, *point[index + 1 :])
            if 0 <= worse[index] < TABLE.sizes[index]:
                checked += 1
                assert TABLE.at(worse).action.rank >= TABLE.at(point).action.rank
    assert checked > 20_000


def test_origin_alone_never_ends_higher_than_document():
    for j, p in product(range(3), range(4)):
        result = TABLE.at((j, 0, p, 2, 0, 0, 0))
        assert result.action in {Action.NO_ACTION, Action.DOCUMENT}


spans = st.tuples(
    *(
        st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).map(
            lambda t: tuple(sorted(t))
        )
        for size in TABLE.sizes
    ),
)


@settings(max_examples=150, deadline=None)
@given(spans)
def test_the_ends_of_a_box_are_the_minimum_and_the_maximum_over_every_point_of_it(box):
    inside = [TABLE.at(p).action.rank for p in product(*(range(a, b + 1) for a, b in box))]
    ends = TABLE.ends(box)
    assert ends.lower.action.rank == min(inside)
    assert ends.upper.action.rank == max(inside)
    rows = {TABLE.at(p).row for p in product(*(range(a, b + 1) for a, b in box))}
    assert {ends.lower.row, ends.upper.row} <= rows


@pytest.mark.parametrize(
    ("given_", "lower", "row", "upper", "upper_row"),
    [
        # 1 rebrand of a PRC group, filtered, plain view, current firmware
        ({"J": 2, "D": 0, "P": 1, "C": 2, "T": 0}, "DOCUMENT", 11, "DOCUMENT", 11),
        # 2 P2P relay of a PRC group registered in Germany
        ({"J": 3, "D": 3, "P": 1, "C": 0}, "PLAN", 6, "PLAN", 6),
        # 3 the same in the mainland, school yard
        ({"J": 4, "D": 3, "P": 2, "C": 0}, "ACT", 5, "ACT", 5),
        # 4 nothing known, C0 known; then C open as well
        (
            {"J": (0, 4), "D": (0, 4), "P": (1, 3), "C": 0, "T": (0, 3), "m": (0, 1)},
            "DOCUMENT", 11, "ACT", 2,
        ),
        (
            {"J": (0, 4), "D": (0, 4), "P": (1, 3), "C": (0, 2), "T": (0, 3), "m": (0, 1)},
            "NO ACTION", 12, "ACT", 2,
        ),
        # 5 other maker, internet reachable, known-exploited
        ({"J": 0, "D": 0, "P": 1, "C": 0, "T": 3}, "ACT", 4, "ACT", 4),
        # 6 asks a mainland host for the time
        ({"J": 4, "D": 2, "P": 1, "C": 0}, "PLAN", 8, "PLAN", 8),
        # 7 PRC group, no capture
        ({"J": (2, 4), "D": (0, 4), "P": 1, "C": 0, "T": 0}, "DOCUMENT", 11, "ACT", 2),
        # 8 kindergarten, US cloud, papers missing
        ({"J": 0, "D": 4, "P": 2, "m": 1}, "ACT", 3, "ACT", 3),
        # 9 relay via Frankfurt, allow-listed, papers on file
        ({"J": 3, "D": 4, "P": 1, "C": 2, "m": 0}, "PLAN", 6, "PLAN", 6),
    ],
)  # fmt: skip
def test_the_worked_examples_of_the_fact_sheet(given_, lower, row, upper, upper_row):
    found = factors(**given_)
    if given_.get("J") == (0, 4):  # nothing known: open factors rest on nothing
        found = {
            n: msgspec.structs.replace(i, level=Level.E0) if i.lower != i.upper else i
            for n, i in found.items()
        }
    decision = decide(found, TABLE)
    assert (decision.lower.value, decision.row) == (lower, row)
    assert (decision.upper.value, decision.upper_row) == (upper, upper_row)
    assert not decision.provisional


def test_no_action_needs_e3_for_every_measured_factor():
    quiet = {"J": 0, "D": 0, "P": 1, "C": 2, "T": 0}
    assert decide(factors(**quiet), TABLE).lower is Action.NO_ACTION
    for name in ("J", "D", "C", "T"):
        found = factors(**quiet)
        found[name] = msgspec.structs.replace(found[name], level=Level.E2)
        decision = decide(found, TABLE)
        assert decision.lower is decision.upper is Action.DOCUMENT
        assert f"evidence too weak for NO ACTION: {name} on E2" in decision.note
    found = factors(**quiet)
    found["P"] = msgspec.structs.replace(found["P"], level=Level.E1)
    assert decide(found, TABLE).lower is Action.NO_ACTION


def test_low_confidence_in_a_deciding_factor_is_provisional_and_declarations_are_not():
    found = factors(J=3, D=3, P=1, C=0)
    found["J"] = msgspec.structs.replace(found["J"], confidence=Confidence.LOW)
    assert decide(found, TABLE).provisional
    found = factors(J=3, D=3, P=1, C=0)
    found["T"] = msgspec.structs.replace(found["T"], confidence=Confidence.LOW)
    assert not decide(found, TABLE).provisional  # row 6 does not look at T
    found = factors(T=3, C=0)
    found["C"] = msgspec.structs.replace(found["C"], confidence=Confidence.LOW)
    assert not decide(found, TABLE).provisional  # a declaration is E1 by nature
    low = {
        n: msgspec.structs.replace(i, confidence=Confidence.LOW)
        for n, i in factors(J=2, C=2).items()
    }
    assert not decide(low, TABLE).provisional  # DOCUMENT is never provisional


def test_levels_of_different_destinations_are_not_put_together():
    """A time server in the mainland, and telemetry to a place that is none of anybody's concern."""
    found = factors(J=4, D=(3, 4), P=2, C=(0, 2))
    assert decide(found, TABLE).lower is Action.ACT
    apart = decide(found, TABLE, paths=((0, 3), (4, 2)))
    assert apart.lower.rank < Action.ACT.rank
    assert apart.upper is Action.ACT
    alone = [TABLE.at((j, d, 2, 2, 0, 0, 0)) for j, d in ((0, 3), (4, 2))]
    assert apart.row in {r.row for r in alone}
    assert apart.lower is max((r.action for r in alone), key=lambda a: a.rank)
    assert "different destinations" in apart.note
    assert "longer capture" in apart.settles
    one = decide(found, TABLE, paths=((0, 3), (4, 3)))
    assert (one.lower, one.row) == (decide(found, TABLE).lower, decide(found, TABLE).row)
    assert "different" not in one.note


@given(
    st.tuples(
        *(st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted).map(tuple) for _ in range(2))
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=3),
)
def test_paths_never_raise_the_lower_end_and_leave_the_upper_one(spans, paths):
    found = factors(J=spans[0], D=spans[1], P=(1, 2), C=(0, 1))
    whole, apart = decide(found, TABLE), decide(found, TABLE, paths=paths)
    assert apart.lower.rank <= whole.lower.rank or "too weak" in apart.note
    assert apart.upper is whole.upper


def test_settles_is_kept_only_where_the_ends_differ_and_x_says_not_assessed():
    open_ = decide(factors(J=(2, 4), D=(0, 4), P=1, C=0), TABLE, settles="D: capture")
    assert open_.settles == "D: capture"
    assert decide(factors(J=3, D=3, P=1, C=0), TABLE, settles="D: capture").settles == ""
    assert "not assessed" in decide(factors(declared=False), TABLE).note
    assert "not assessed" not in decide(factors(), TABLE).note


def test_effect_tells_a_test_that_can_close_from_one_that_cannot():
    found = factors(J=(2, 4), D=(0, 4), P=1, C=0, m=(0, 1))
    assert open_factors(found) == ("J", "D", "m")
    moves, closes = effect(found, frozenset({"J", "D"}), TABLE)
    assert moves
    assert closes
    moves, closes = effect(found, frozenset({"m"}), TABLE)
    assert not moves
    assert not closes


def test_a_broken_table_is_refused():
    table = shipped().decision
    for row in (
        DecisionRow(row=1, text="", any_of=(("Q=1",),), action="ACT"),
        DecisionRow(row=1, text="", any_of=(("J>3",),), action="ACT"),
    ):
        with pytest.raises(KnowledgeError, match="is no term"):
            compiled(msgspec.structs.replace(table, rows=(row,)))
    with pytest.raises(KnowledgeError, match="no row for"):
        compiled(msgspec.structs.replace(table, rows=table.rows[:1]))
    with pytest.raises(KnowledgeError, match="factors must be"):
        compiled(msgspec.structs.replace(table, factors={"J": ("J0",)}))
