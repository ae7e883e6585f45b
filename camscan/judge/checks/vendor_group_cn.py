"""Does the maker belong to a group headquartered in the PRC?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute, State
from camscan.model.observation import Reason

CONDITION = "vendor-group-cn"
TITLE = "The seat of the maker's group is known, and its law with it"
QUESTION = "Does the maker belong to a group headquartered in the PRC?"
NEEDS = ("maker",)


_LIMIT = (
    "Companies of the group established in the PRC are subject to statutes that oblige organisations "
    "there to assist public security and state security organs in accordance with law. Whether these "
    "reach data held outside the PRC is disputed. This finding shows no data flow and says nothing "
    "about any actual request."
)
_PRC = 2


def check(subject: Subject) -> Answer | None:
    line = subject.attribution.chain
    claims = tuple(c for c in subject.device.claims if c.attribute is Attribute.MAKER)
    if line.candidates:
        words = f"{subject.name}: the maker is conflicting, and the seat of its group with it."
        return torn(words, claims, details=line.steps)
    if line.maker is None:
        words = (
            f"{subject.name}: the maker is not identified, so the seat of its group is not known."
        )
        return unknown(subject, words, Reason.NOT_REQUESTED)
    record = subject.knowledge.parties[line.maker]
    if not line.known:
        words = f"{subject.name}: the seat of the group of {record.name} is not in the data."
        return unknown(subject, words, Reason.NO_DATABASE, details=line.steps)
    if line.lower != line.upper:
        note = f" ({record.seat_note})" if record.seat_note else ""
        words = f"{subject.name}: the seat of the group of {record.name} is disputed{note}."
        return torn(words, claims, details=line.steps)
    top = subject.knowledge.parties[line.group or line.maker]
    basis = f"sources below, as of {top.as_of}" + ("" if line.seat_verified else "; not verified")
    observed = line.lower == _PRC
    words = (
        f"{subject.name} is identified ({line.confidence.value} confidence) as made by {record.name}, "
        f"which belongs to a group headquartered in {'the PRC' if observed else _seat(line.seat)} ({basis})."
    )
    return Answer(
        state=State.OBSERVED if observed else State.OBSERVED_NOT,
        statement=f"{words} {_LIMIT}" if observed else words,
        level=line.level,
        confidence=line.confidence,
        claims=claims,
        details=line.steps,
        position=(line.position or "no published position of the maker was read")
        if observed
        else "",
        would_change="a register extract that places the parent elsewhere, or another maker behind the label",
    )


def _seat(country: str | None) -> str:
    return country or "a country outside the PRC"
