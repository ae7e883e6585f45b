"""How much of what is in scope was examined?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import SiteSubject
from camscan.model.claim import Confidence, Level, State
from camscan.model.observation import Reason

CONDITION = "coverage"
TITLE = "Everything in scope was examined"
QUESTION = "How much of what is in scope was examined?"
NEEDS = ("scan",)


def check(site: SiteSubject) -> Answer | None:
    seen = site.coverage
    details = (*seen.not_examined, *(f"did not finish: {text}" for text in seen.incomplete))
    if not (seen.addresses_in_scope or seen.devices):
        return Answer(
            state=State.NOT_OBSERVED,
            statement="No address was in scope and no device was imported.",
            reason=Reason.NOT_REQUESTED,
            details=details,
        )
    words = (
        f"{seen.addresses_answered} of {seen.addresses_in_scope} addresses in scope answered; "
        f"{seen.devices} devices, {seen.cameras} of them cameras or recorders"
    )
    if seen.listed is not None:
        words += f"; {seen.listed_found or 0} of {seen.listed} in the asset list were found"
    if seen.announced_channels:
        words += f"; {seen.channels_seen} of {seen.announced_channels} announced recorder channels were seen"
    return Answer(
        state=State.OBSERVED,
        statement=f"{words}.",
        level=Level.E2,
        confidence=Confidence.MODERATE,
        details=details,
    )
