"""How old is the firmware, and is a newer release known?"""

from __future__ import annotations

from datetime import date

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.subject import Subject, cap
from camscan.judge.weakness import matched
from camscan.model.claim import Attribute, Claim, Confidence, Level, State
from camscan.model.observation import Reason

CONDITION = "firmware-outdated"
TITLE = "The firmware is the maker's current release"
QUESTION = "How old is the firmware, and is a newer release known?"
NEEDS = ("firmware",)


_YEAR = 365.25


def check(subject: Subject) -> Answer | None:
    version, built = (subject.device.claim(a) for a in (Attribute.FIRMWARE, Attribute.BUILD_DATE))
    claims = tuple(c for c in (version, built) if c is not None and c.value is not None)
    for claim in (version, built):
        if claim is not None and claim.state is State.CONFLICTING:
            return torn(f"{subject.name}: indicators name different firmware.", (claim,))
    if not claims:
        words = f"{subject.name}: the firmware version was not stated without a login."
        return unknown(subject, words, Reason.NO_CREDENTIALS)
    text = f"firmware {version.value}" if version is not None and version.value else "firmware"
    age = _age(built, subject.as_of)
    newer = [
        a
        for m in matched(subject)
        for a in subject.knowledge.advisories
        if a.id == m.advisory and a.fixed
    ]
    if newer:
        first = newer[0]
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name}: {text}{age}, is older than {first.fixed}, the fixed version "
            f"that the record of {first.id.partition('.')[0]} names.",
            level=cap(max(c.level for c in claims), Level.E2),
            confidence=Confidence.LOW,
            claims=claims,
            details=tuple(
                f"{a.id}: fixed {a.fixed} (source: {a.source}, {a.as_of})" for a in newer
            ),
        )
    words = f"{subject.name}: {text}{age}; the maker's current release is not in the data."
    return unknown(subject, words, Reason.NO_DATABASE)


def _age(built: Claim | None, as_of: date) -> str:
    if built is None or built.value is None:
        return ", build date not stated"
    try:
        day = date.fromisoformat(built.value)
    except ValueError:
        return f", build date {built.value}"
    return f", built {day}, {(as_of - day).days / _YEAR:.1f} years before {as_of}"
