"""Which findings do the firmware images of a run give?

About images, never about devices: they carry no action and touch no concern by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from camscan.clock import day_of
from camscan.judge.image_checks import IMAGE_CHECKS, ImageSubject
from camscan.model.claim import State
from camscan.model.finding import Finding
from camscan.model.firmware import ExaminedImage
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Reason


def judge_images(
    images: Sequence[ExaminedImage], knowledge: Knowledge, as_of: str
) -> tuple[Finding, ...]:
    """One finding per image and condition, in order of the images and the checks. Pure."""
    found = []
    for image in images:
        subject = ImageSubject(image=image, knowledge=knowledge, as_of=day_of(as_of))
        for check in IMAGE_CHECKS:
            answer = check.check(subject)
            text = knowledge.conditions.get(check.condition)
            open_ = answer.state is State.NOT_OBSERVED
            found.append(
                Finding(
                    id=f"{check.condition}@{image.subject}",
                    condition=check.condition,
                    subject=image.subject,
                    state=answer.state,
                    level=answer.level,
                    confidence=answer.confidence,
                    statement=answer.statement,
                    reason=(answer.reason or Reason.NOT_REQUESTED) if open_ else None,
                    does_not_show=text.does_not_show if text is not None else "",
                    would_change=answer.would_change
                    or (text.next_test if text is not None else ""),
                    details=answer.details,
                )
            )
    return tuple(found)
