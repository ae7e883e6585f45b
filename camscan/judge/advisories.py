"""How is a comparison with published flaws put into words?

"Version in the affected range of", never more: the match is by version, patches are not known
(facts: scoring 4 and 9). What could not be compared is not examined, never "no".
"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject, cap
from camscan.judge.weakness import matched, version_known
from camscan.model.attribution import AdvisoryMatch
from camscan.model.claim import Attribute, Claim, Confidence, Level, State
from camscan.model.observation import Reason

_SHOWN = 3


def answer(subject: Subject, *, exploited: bool) -> Answer:
    """The answer for all published flaws, or for those on a known-exploited list alone."""
    found = [m for m in matched(subject) if m.known_exploited or not exploited]
    if found:
        return _matching(subject, found, exploited=exploited)
    if not version_known(subject):
        words = (
            f"{subject.name}: the firmware version is not known, so no affected range was compared."
        )
        return unknown(subject, words, Reason.NO_CREDENTIALS)
    compared = subject.attribution.advisories
    if not compared:
        words = f"{subject.name}: no comparable advisory for its platform is in the data."
        return unknown(subject, words, Reason.NO_DATABASE, details=subject.attribution.uncompared)
    open_ = [
        m
        for m in compared
        if m.outcome in {"product", "undecided"} and (m.known_exploited or not exploited)
    ]
    if open_:
        words = (
            f"{subject.name}: {len(open_)} of {len(compared)} advisories could not be compared "
            f"({open_[0].advisory}: {open_[0].reason})."
        )
        return unknown(subject, words, Reason.NO_DATABASE, details=_lines(open_))
    claims = _claims(subject)
    listed = " on a known-exploited list" if exploited else ""
    left = len(subject.attribution.uncompared)
    words = (
        f"{subject.name}: its version is in the affected range of none of the {len(compared)} advisories "
        f"that were compared{listed}; {left} further entries of the platform name products that "
        "software cannot compare."
    )
    return Answer(
        state=State.OBSERVED_NOT,
        statement=words,
        level=_level(claims),
        claims=claims,
        would_change="a new advisory, or a version read with a login that differs",
    )


def _matching(subject: Subject, found: list[AdvisoryMatch], *, exploited: bool) -> Answer:
    claims = _claims(subject)
    ids = list(dict.fromkeys(m.advisory.partition(".")[0] for m in found))
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    version = subject.device.value(Attribute.FIRMWARE) or "stated version"
    words = f"{subject.name}: version {version} is in the affected range of {', '.join(ids[:_SHOWN])}{more}"
    if exploited:
        named = {m.advisory for m in found}
        records = [a for a in subject.knowledge.advisories if a.id in named]
        since = ", ".join(sorted({a.known_exploited for a in records}))
        as_of = max(a.known_exploited_as_of for a in records)
        words += f", on the known-exploited list since {since} (list as of {as_of})"
    firm = claims and all(c.level in {Level.E3, Level.E4} for c in claims)
    return Answer(
        state=State.OBSERVED,
        statement=f"{words}.",
        level=_level(claims),
        confidence=Confidence.MODERATE if firm else Confidence.LOW,
        claims=claims,
        details=_lines(found),
        would_change="the maker's record that this build carries the fix",
    )


def _lines(found: list[AdvisoryMatch]) -> tuple[str, ...]:
    return tuple(f"{m.advisory}: {m.reason}" for m in found)


def _claims(subject: Subject) -> tuple[Claim, ...]:
    wanted = (Attribute.MAKER, Attribute.MODEL, Attribute.FIRMWARE, Attribute.BUILD_DATE)
    return tuple(c for c in subject.device.claims if c.attribute in wanted and c.value is not None)


def _level(claims: tuple[Claim, ...]) -> Level:
    """Without knowledge of patches a version match is E2 at most."""
    return cap(min((c.level for c in claims), default=Level.E0), Level.E2)
