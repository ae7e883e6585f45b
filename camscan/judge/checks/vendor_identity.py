"""Who made firmware and hardware?"""

from __future__ import annotations

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute, State
from camscan.model.observation import Reason

CONDITION = "vendor-identity"
TITLE = "Maker and model are known"
QUESTION = "Who made firmware and hardware?"
NEEDS = ("scan",)


def check(subject: Subject) -> Answer | None:
    claim = subject.device.claim(Attribute.MAKER)
    if claim is None:
        words = f"{subject.name}: no indicator names a maker."
        return unknown(subject, words, Reason.NOT_REQUESTED)
    if claim.state is State.CONFLICTING:
        names = ", ".join(_name(subject, v) for v in claim.values)
        return torn(f"{subject.name}: indicators name different makers ({names}).", (claim,))
    if claim.value is None:
        words = f"{subject.name}: the indicators settle no maker ({claim.reason or 'too weak'})."
        return unknown(subject, words, Reason.NOT_REQUESTED)
    model = subject.device.value(Attribute.MODEL)
    families = {e.family for e in claim.evidence}
    basis = f", by {len(families)} independent indicator families" if families else ""
    return answered(
        f"{subject.name} is identified as made by {_name(subject, claim.value)}"
        f"{f', model {model}' if model else ', model not known'}{basis}.",
        (claim,),
    )


def _name(subject: Subject, party: str) -> str:
    record = subject.knowledge.parties.get(party)
    return record.name if record is not None else party
