"""Do cameras and recorders come from one maker?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import SiteSubject, least, weakest
from camscan.model.claim import Attribute, Role, State
from camscan.model.observation import Reason

CONDITION = "single-vendor-stack"
TITLE = "Cameras and recorders come from more than one maker"
QUESTION = "Do cameras and recorders come from one maker?"
NEEDS = ("maker",)


def check(site: SiteSubject) -> Answer | None:
    cameras = [s.device for s in site.subjects if s.device.role is Role.CAMERA]
    recorders = [s.device for s in site.subjects if s.device.role is Role.RECORDER]
    devices = (*cameras, *recorders)
    makers = {d.value(Attribute.MAKER) for d in devices}
    named = sorted(m for m in makers if m)
    counts = f"{len(cameras)} cameras and {len(recorders)} recorders"
    if len(named) > 1:
        state, words = (
            State.OBSERVED_NOT,
            f"{counts} come from {len(named)} makers: {', '.join(named)}.",
        )
    elif not cameras or not recorders or None in makers:
        return Answer(
            state=State.NOT_OBSERVED,
            statement=f"{counts} were found; not every maker is known, or one of the two kinds is missing.",
            reason=Reason.NOT_REQUESTED,
        )
    else:
        state, words = State.OBSERVED, f"{counts} found come from one maker: {named[0]}."
    claims = [c for d in devices for c in d.claims if c.attribute is Attribute.MAKER and c.value]
    return Answer(
        state=state,
        statement=f"{words} Management software was not examined.",
        level=weakest(c.level for c in claims),
        confidence=least(c.confidence for c in claims),
        makers=tuple(named),
    )
