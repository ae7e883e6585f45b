"""Does the brand on the label differ from the maker of firmware or hardware?"""

from __future__ import annotations

from msgspec.structs import replace

from camscan.judge.answer import Answer, torn, unknown
from camscan.judge.answer import seen as answered
from camscan.judge.subject import Subject, least, weakest
from camscan.model.claim import Attribute, State
from camscan.model.observation import Reason

CONDITION = "rebrand-oem"
TITLE = "The brand on the label is that of the maker"
QUESTION = "Does the brand on the label differ from the maker of firmware or hardware?"
NEEDS = ("maker", "brand")


_SAME_HOUSE = frozenset({"own", "related"})


def check(subject: Subject) -> Answer | None:
    brand, maker = (subject.device.claim(a) for a in (Attribute.BRAND, Attribute.MAKER))
    for claim in (maker, brand):
        if claim is not None and claim.state is State.CONFLICTING:
            words = f"{subject.name}: indicators name different {claim.attribute.value}s."
            return torn(words, (claim,))
    if brand is None or brand.value is None or maker is None or maker.value is None:
        missing = "brand" if brand is None or brand.value is None else "maker"
        words = f"{subject.name}: the {missing} is not known, so label and maker were not compared."
        return unknown(subject, words, Reason.NOT_REQUESTED)
    record = subject.knowledge.parties.get(maker.value)
    name = record.name if record is not None else maker.value
    if _same(subject, brand.value, maker.value):
        words = f"{subject.name}: the brand {brand.value} is one of {name}."
        return _weaker(answered(words, (brand, maker), no=True))
    words = f"{subject.name} carries the brand {brand.value} and is identified as made by {name}."
    return _weaker(answered(words, (maker, brand)))


def _weaker(answer: Answer) -> Answer:
    """A comparison is as good as the weaker of the two names."""
    return replace(
        answer,
        level=weakest(c.level for c in answer.claims),
        confidence=least(c.confidence for c in answer.claims),
    )


def _same(subject: Subject, brand: str, maker: str) -> bool:
    wanted = _plain(brand)
    record = subject.knowledge.parties.get(maker)
    own = {maker} | ({record.name, *record.spellings} if record is not None else set())
    for relation in subject.knowledge.brands:
        if relation.maker == maker and relation.kind in _SAME_HOUSE:
            own |= {relation.brand, *relation.spellings}
    return wanted in {_plain(text) for text in own}


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
