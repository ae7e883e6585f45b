"""How is an endpoint that leads to a PRC group or to the mainland put into words?

Without a flow: "configured" or "asked for"; with one and E3: "exchanged traffic with"; never more
(facts: scoring 9).
"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.exchanges import shown, unnamed
from camscan.judge.subject import Subject, most, strongest
from camscan.judge.watching import absent
from camscan.model.attribution import EndpointTie
from camscan.model.claim import Level, Mark, State
from camscan.model.observation import Reason

_VERB = {
    Mark.CONTACTED: "contacted",
    Mark.CONFIGURED: "has in its settings",
    Mark.NAMED: "asked for the name",
}
_FIRM = (Level.E3, Level.E4)


def tied(subject: Subject, condition: str, what: str) -> Answer:
    """The answer for one of the two endpoint conditions of a device."""
    found = [t for t in subject.attribution.ties if t.condition == condition]
    if found:
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name} {'; '.join(_words(t) for t in found)}.",
            level=strongest(t.level for t in found),
            confidence=most(t.confidence for t in found),
            details=tuple(f"{t.endpoint} ({t.mark.value}): {t.words}" for t in found),
            would_change="a second register or a certificate that names another operator or place",
        )
    if not subject.captured:
        words = (
            f"{subject.name}: its traffic was not captured; whether it meets {what} is not known."
        )
        return unknown(subject, words, Reason.NO_CAPTURE)
    if unknown_parties := unnamed(subject.device):
        words = (
            f"{subject.name}: the capture shows no exchange with {what}, but parties nobody could be named for: "
            f"{shown(sorted({e.name or e.address or '' for e in unknown_parties}))}."
        )
        return unknown(subject, words, Reason.NO_DATABASE)
    return absent(subject, f"exchange with {what}")


def _words(tie: EndpointTie) -> str:
    if tie.mark is Mark.CONTACTED and tie.condition == "endpoint-located-cn" and tie.level in _FIRM:
        return f"exchanged {tie.purpose or 'unclassified'} traffic with {tie.endpoint}, {tie.words}"
    return f"{_VERB[tie.mark]} {tie.endpoint}, {tie.words}"
