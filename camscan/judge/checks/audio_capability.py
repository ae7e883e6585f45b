"""Is a microphone or audio stream present?"""

from __future__ import annotations

from camscan.judge.answer import Answer, yes_or_no
from camscan.judge.subject import Subject
from camscan.model.claim import Attribute
from camscan.model.observation import Reason

CONDITION = "audio-capability"
TITLE = "No microphone or audio stream is present"
QUESTION = "Is a microphone or audio stream present?"
NEEDS = ("scan", "settings")


def check(subject: Subject) -> Answer | None:
    return yes_or_no(
        subject,
        Attribute.AUDIO,
        yes="announces an audio stream or microphone",
        no="announces no audio stream",
        open_="whether it has a microphone or audio stream was not stated without a login",
        reason=Reason.NO_CREDENTIALS,
    )
