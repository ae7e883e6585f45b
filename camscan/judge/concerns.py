"""What do the findings say of each stated concern, for the whole site?

Five words (facts: scoring 8): supported, weakly supported, not supported under stated coverage, open,
outside what a network can show. One network cannot refute a national claim: there is no "refuted".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from camscan.model.claim import Confidence, State
from camscan.model.finding import ConcernLink, ConcernResult, Finding
from camscan.model.knowledge import Concern, Knowledge

SUPPORTED = "supported"
WEAK = "weakly supported"
NOT_SUPPORTED = "not supported under stated coverage"
OPEN = "open"
OUTSIDE = "outside what a network can show"
_OUTSIDE = frozenset({"documents", "out_of_scope"})
_EXAMINED = frozenset({State.OBSERVED, State.OBSERVED_NOT, State.CONFLICTING})
_IDENTITY = "vendor-identity"


def links(
    finding_condition: str, state: State, maker: str | None, concerns: Iterable[Concern]
) -> tuple[ConcernLink, ...]:
    """Which concerns a finding touches, and how.

    A concern about named makers is touched only by findings on their devices; naming a maker supports
    a claim about origin only where the maker is one of those it names.
    """
    found = []
    for concern in concerns:
        if concern.testable == "out_of_scope" or (concern.makers and maker not in concern.makers):
            continue
        # Who made a device supports a claim about named makers; elsewhere it is only a precondition
        # (a camera of any maker would otherwise support a claim about contracts or places).
        bare_identity = finding_condition == _IDENTITY and not concern.makers
        if finding_condition in concern.precondition or (
            bare_identity and _IDENTITY in concern.supports
        ):
            found.append(ConcernLink(concern=concern.id, relation="precondition"))
        elif finding_condition in concern.supports:
            relation = "refutes" if state is State.OBSERVED_NOT else "supports"
            found.append(ConcernLink(concern=concern.id, relation=relation))
    return tuple(found)


def roll_up(
    findings: Sequence[Finding], knowledge: Knowledge, judged: int
) -> tuple[ConcernResult, ...]:
    """One result per concern, in the order of their ids; `judged`: devices that were present."""
    by_concern: dict[str, list[tuple[Finding, str]]] = {}
    for finding in findings:
        for link in finding.concerns:
            by_concern.setdefault(link.concern, []).append((finding, link.relation))
    return tuple(
        _result(knowledge.concerns[key], by_concern.get(key, []), judged)
        for key in sorted(knowledge.concerns, key=_order)
    )


def _order(key: str) -> tuple[str, int]:
    group, _, number = key.rpartition("-")
    return group, int(number) if number.isdigit() else 0


def _result(concern: Concern, touched: Sequence[tuple[Finding, str]], judged: int) -> ConcernResult:
    supporting = [
        f for f, relation in touched if relation == "supports" and f.state is State.OBSERVED
    ]
    answered = [f for f, relation in touched if relation != "precondition" and f.state in _EXAMINED]
    per_condition = _conditions(concern, touched)
    return ConcernResult(
        concern=concern.id,
        word=_word(concern, supporting, dict(per_condition)),
        examined=len({f.subject for f in answered}),
        present=judged,
        supporting=len({f.subject for f in supporting}),
        findings=tuple(
            f.id
            for f, _ in touched
            if f.state in {State.OBSERVED, State.CONFLICTING, State.DECLARED}
        ),
        conditions=per_condition,
    )


def _word(concern: Concern, supporting: Sequence[Finding], per_condition: Mapping[str, str]) -> str:
    if concern.testable in _OUTSIDE:
        return OUTSIDE
    if any(f.confidence is not Confidence.LOW for f in supporting):
        return SUPPORTED
    if supporting:
        return WEAK
    tests = [
        per_condition[c]
        for c in concern.supports
        if c in per_condition and (c != _IDENTITY or concern.makers)
    ]
    whole = bool(tests)
    if whole and all(state == State.OBSERVED_NOT.value for state in tests):
        return NOT_SUPPORTED
    return OPEN


def _conditions(
    concern: Concern, touched: Sequence[tuple[Finding, str]]
) -> tuple[tuple[str, str], ...]:
    """Each condition of the concern with one state for the site.

    Observed wins over conflicting, that over declared; observed_not stands only if every subject has it.
    """
    rows = []
    for condition in dict.fromkeys((*concern.supports, *concern.precondition)):
        states = [f.state for f, _ in touched if f.condition == condition]
        rows.append((condition, _site_state(states).value))
    return tuple(rows)


def _site_state(states: Sequence[State]) -> State:
    for state in (State.OBSERVED, State.CONFLICTING, State.DECLARED):
        if state in states:
            return state
    if states and all(state is State.OBSERVED_NOT for state in states):
        return State.OBSERVED_NOT
    return State.NOT_OBSERVED
