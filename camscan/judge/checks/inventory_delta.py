"""Which cameras are on the network but not in the asset list, and the other way round?"""

from __future__ import annotations

from camscan.judge.answer import Answer
from camscan.judge.subject import SiteSubject
from camscan.model.claim import Confidence, Level, State, Visibility
from camscan.model.observation import Reason

CONDITION = "inventory-delta"
TITLE = "Devices found and asset list agree"
QUESTION = "Which cameras are on the network but not in the asset list, and the other way round?"
NEEDS = ("asset list",)


def check(site: SiteSubject) -> Answer | None:
    if not site.site.assets:
        return Answer(
            state=State.NOT_OBSERVED,
            statement="No asset list was given, so devices and list were not compared.",
            reason=Reason.NOT_REQUESTED,
        )
    found = [
        s.device
        for s in site.subjects
        if s.device.is_camera and s.device.visibility is Visibility.DIRECT
    ]
    unlisted = [d for d in found if d.listed_as is None]
    listed = {d.listed_as for d in found}
    absent = [a for a in site.site.assets if a.id not in listed | site.answering]
    unnamed = [a for a in site.site.assets if a.id in site.answering - listed]
    details = (
        *(f"found, not in the list: {d.device_id}" for d in unlisted),
        *(f"in the list, not found: {a.id}" + (f" ({a.place})" if a.place else "") for a in absent),
        *(f"listed and answering, not recognised as a camera: {a.id}" for a in unnamed),
    )
    words = (
        f"{len(found)} cameras and recorders were found, {len(site.site.assets)} are in the asset list: "
        f"{len(unlisted)} found are not in the list, {len(absent)} of the list were not found, "
        f"{len(unnamed)} of the list answered without being recognised as a camera."
    )
    differs = bool(unlisted or absent)
    if not differs and site.coverage.incomplete:
        return Answer(
            state=State.NOT_OBSERVED,
            statement=f"{words} Tests did not finish, so this is no comparison of the whole.",
            reason=Reason.ERROR,
        )
    return Answer(
        state=State.OBSERVED if differs else State.OBSERVED_NOT,
        statement=words,
        level=Level.E2,
        confidence=Confidence.MODERATE,
        details=details,
        would_change="a correction of the list, or a scan from the segment of the missing devices",
    )
