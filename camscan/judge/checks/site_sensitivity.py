"""Which site class did the operator give?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import SiteSubject
from camscan.model.claim import Level, State
from camscan.model.observation import Reason

CONDITION = "site-sensitivity"
TITLE = "The operator has classified the places"
QUESTION = "Which site class did the operator give?"
NEEDS = ("declaration",)


def check(site: SiteSubject) -> Answer | None:
    given = [p for p in site.site.places if p.sensitivity]
    given_too = [d for d in site.site.declarations if d.factor == "P"]
    if not given and not given_too:
        return Answer(
            state=State.NOT_OBSERVED,
            statement="No site class was declared.",
            reason=Reason.NOT_REQUESTED,
        )
    lines = (
        *(f"{p.name}: {p.sensitivity}" for p in given),
        *(f"{', '.join(d.subjects)}: {d.value} by {d.by}, {d.date}" for d in given_too),
    )
    return Answer(
        state=State.DECLARED,
        statement=f"The operator declared a site class for {len(lines)} places or groups; not tested.",
        level=Level.E1,
        details=lines,
    )
