"""What do the findings say of each stated concern, for the whole site?

Five words (facts: scoring 8): supported, weakly supported, not supported under stated coverage, open,
outside what a network can show. One network cannot refute a national claim: there is no "refuted".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from camscan.model.claim import Confidence, State
from camscan.model.finding import ConcernLink, ConcernResult, Finding
from camscan.model.knowledge import Concern, Knowledge

SUPPORTED = "supported"
WEAK = "weakly supported"
NOT_SUPPORTED = "not supported under stated coverage"
OPEN = "open"
OUTSIDE = "outside what a network can show"
SITE = "site"
_OUTSIDE = frozenset({"documents", "out_of_scope"})
_EXAMINED = frozenset({State.OBSERVED, State.OBSERVED_NOT, State.CONFLICTING})
_IDENTITY, _GROUP, _REBRAND = "vendor-identity", "vendor-group-cn", "rebrand-oem"
_ORIGIN = frozenset({_IDENTITY, _GROUP})
_NOTHING_ALONE = frozenset({"update-channel"})
"""Where updates come from is a way in, not a flaw: a known source supports no claim by itself."""


def links(
    condition: str, state: State, makers: Collection[str], concerns: Iterable[Concern]
) -> tuple[ConcernLink, ...]:
    """Which concerns a finding touches, and how.

    `makers`: whose devices the finding is about. A concern about named makers is touched only by findings
    on their devices, and by the maker of every other device as far as it says that it is none of them.
    """
    found = []
    for concern in concerns:
        if concern.testable == "out_of_scope":
            continue
        if concern.makers and not set(makers) & set(concern.makers):
            if _asks_origin(concern) and condition in {*_ORIGIN, _REBRAND} and makers:
                found.append(ConcernLink(concern=concern.id, relation="elsewhere"))
        elif condition in concern.precondition or (
            condition in concern.supports and _bare(condition, concern)
        ):
            found.append(ConcernLink(concern=concern.id, relation="precondition"))
        elif condition in concern.supports:
            relation = "refutes" if state is State.OBSERVED_NOT else "supports"
            found.append(ConcernLink(concern=concern.id, relation=relation))
    return tuple(found)


def _asks_origin(concern: Concern) -> bool:
    """Whether the claim is that devices come from named makers, and nothing else."""
    return (
        bool(concern.makers) and set(concern.supports) <= _ORIGIN and _IDENTITY in concern.supports
    )


def _bare(condition: str, concern: Concern) -> bool:
    """Whether the condition alone says nothing of this claim.

    Who made a device supports a claim about origin; elsewhere it is only a precondition (a camera of any
    maker would otherwise support a claim about contracts, places or a whole system).
    """
    return condition in _NOTHING_ALONE or (condition == _IDENTITY and not _asks_origin(concern))


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
    own = [(f, relation) for f, relation in touched if relation != "elsewhere"]
    supporting = [f for f, relation in own if relation == "supports" and f.state is State.OBSERVED]
    answered = [f for f, relation in own if relation != "precondition" and f.state in _EXAMINED]
    others = _of_other_makers([f for f, relation in touched if relation == "elsewhere"])
    states = _states(concern, [f for f, _ in own])
    word = _word(concern, supporting, states)
    if word == OPEN and len(others.outside) == judged > 0:
        word = NOT_SUPPORTED
    return ConcernResult(
        concern=concern.id,
        word=word,
        examined=_devices(answered, others.known, judged),
        present=judged,
        supporting=len({f.subject for f in supporting} - {SITE}) or min(len(supporting), 1),
        findings=tuple(
            f.id for f, _ in own if f.state in {State.OBSERVED, State.CONFLICTING, State.DECLARED}
        ),
        conditions=tuple((condition, state.value) for condition, state in states.items()),
        counts=tuple(_count(condition, [f for f, _ in own]) for condition in states),
    )


class _Others(Struct, frozen=True):
    """Devices of makers a claim does not name: whose maker is known, and which are wholly outside."""

    known: frozenset[str]
    outside: frozenset[str]


def _of_other_makers(findings: Iterable[Finding]) -> _Others:
    """Outside: the maker is known and of no PRC group, and the label names the same maker (facts: BIRN-2)."""
    by: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        by.setdefault(finding.subject, {})[finding.condition] = finding
    firm = {
        subject
        for subject, found in by.items()
        if (f := found.get(_IDENTITY)) is not None
        and f.state is State.OBSERVED
        and f.confidence is not Confidence.LOW
    }
    outside = {
        subject
        for subject in firm
        if all(
            (f := by[subject].get(c)) is not None and f.state is State.OBSERVED_NOT
            for c in (_GROUP, _REBRAND)
        )
    }
    return _Others(frozenset(firm), frozenset(outside))


def _devices(answered: Iterable[Finding], others: frozenset[str], judged: int) -> int:
    """Devices with an answer; an answer for the site alone was given with all of them in view."""
    subjects = {f.subject for f in answered} | others
    if subjects == {SITE}:
        return judged
    return len(subjects - {SITE})


def _count(condition: str, findings: Iterable[Finding]) -> tuple[str, int, int]:
    """(condition, subjects with an answer, subjects it was put to)"""
    mine = [f for f in findings if f.condition == condition]
    return condition, sum(f.state in _EXAMINED for f in mine), len(mine)


def _word(concern: Concern, supporting: Sequence[Finding], states: Mapping[str, State]) -> str:
    if concern.testable in _OUTSIDE:
        return OUTSIDE
    if any(f.confidence is not Confidence.LOW for f in supporting):
        return SUPPORTED
    if supporting:
        return WEAK
    tests = [states[c] for c in concern.supports if not _bare(c, concern)]
    if tests and all(state is State.OBSERVED_NOT for state in tests):
        return NOT_SUPPORTED
    return OPEN


def _states(concern: Concern, findings: Iterable[Finding]) -> dict[str, State]:
    """Each condition of the concern with one state for the site.

    Observed wins over conflicting, that over declared; observed_not stands only if every subject has it.
    """
    touched = tuple(findings)
    return {
        condition: _site_state([f.state for f in touched if f.condition == condition])
        for condition in dict.fromkeys((*concern.supports, *concern.precondition))
    }


def _site_state(states: Sequence[State]) -> State:
    for state in (State.OBSERVED, State.CONFLICTING, State.DECLARED):
        if state in states:
            return state
    if states and all(state is State.OBSERVED_NOT for state in states):
        return State.OBSERVED_NOT
    return State.NOT_OBSERVED
