"""Do the signatures about firmware keep the rules of the house (DESIGN rule 7)?

Each is run against its own samples and near misses, and against everybody else's samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from camscan.errors import KnowledgeError
from camscan.model.firmware import ImageComponent, ImageFact
from camscan.model.imprint import Component, Imprint, ImprintSample
from camscan.model.knowledge import Knowledge
from camscan.observe.firmware.printable import Text
from camscan.observe.firmware.prints import Prints

Missing = tuple[str, str, str, str]
"""(table, record id, field, what is wrong)"""

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ATTRIBUTES = frozenset(
    {
        "maker", "brand", "platform", "model", "firmware", "build_date", "toolchain", "kernel_date", "boot_date",
        "component_date", "chip",
    }
)  # fmt: skip
_NAMES_SOMEONE = frozenset({"maker", "brand", "platform"})


def imprints(knowledge: Knowledge) -> Iterator[Missing]:
    """Everything that is wrong with components and imprints."""
    firmware = knowledge.firmware
    records: list[Component | Imprint] = [*firmware.components, *firmware.imprints]
    for record in records:
        yield from _shape(knowledge, record)
    try:
        prints = Prints(firmware)
    except KnowledgeError as error:
        yield ("imprint", "", "pattern", str(error))
        return
    for component in firmware.components:
        yield from _component(component, prints)
    for imprint in firmware.imprints:
        yield from _imprint(imprint, prints)


def _table(record: Component | Imprint) -> str:
    return "component" if isinstance(record, Component) else "imprint"


def _shape(knowledge: Knowledge, record: Component | Imprint) -> Iterator[Missing]:
    table = _table(record)

    def wrong(field: str, text: str) -> Missing:
        return (table, record.id, field, text)

    if not _ID.fullmatch(record.id):
        yield wrong("id", "write lower-case letters, digits, dots and strokes")
    if not record.source or not _DATE.fullmatch(record.as_of):
        yield wrong("source", "a source and the day it was read are needed")
    if not record.find or any(not text for text in record.find):
        yield wrong("find", "an empty text stands in every file")
    if not record.sample:
        yield wrong("sample", "no positive sample")
    if not record.near_miss:
        yield wrong("near_miss", "no near miss")
    if isinstance(record, Component):
        if record.party and record.party not in knowledge.parties:
            yield wrong("party", f"{record.party!r} does not exist")
        for flaw in record.flaw:
            if not (flaw.below or flaw.last):
                yield wrong("flaw", f"{flaw.id}: give below or last")
            if flaw.known_exploited and not flaw.known_exploited_as_of:
                yield wrong("flaw", f"{flaw.id}: the list it stands on has a day")
        return
    if record.attribute not in _ATTRIBUTES:
        yield wrong(
            "attribute", f"{record.attribute!r} is none of {', '.join(sorted(_ATTRIBUTES))}"
        )
    if not record.value and not record.pattern:
        yield wrong("value", "it says nothing: give value or pattern")
    if record.attribute == "platform" and record.value not in knowledge.platforms:
        yield wrong("value", f"platform {record.value!r} does not exist")
    if record.attribute == "maker" and record.value not in knowledge.parties:
        yield wrong("value", f"party {record.value!r} does not exist")


def _read(
    prints: Prints, sample: ImprintSample
) -> tuple[tuple[ImageComponent, ...], tuple[ImageFact, ...]]:
    data = sample.text.encode("latin-1", "replace")
    return prints.read(sample.path or "bin/program", Text(data), program=True)


def _component(record: Component, prints: Prints) -> Iterator[Missing]:
    for sample in record.sample:
        found, _ = _read(prints, sample)
        mine = [c for c in found if c.component == record.id]
        if not mine or (sample.expect and sample.expect not in {c.version for c in mine}):
            yield ("component", record.id, "sample", f"gives {[c.version for c in mine]}")
        for other in found:
            if other.component != record.id and record.id not in other.component:
                yield ("component", other.component, "find", f"matches the sample of {record.id}")
    for miss in record.near_miss:
        found, _ = _read(prints, miss)
        if any(c.component == record.id for c in found):
            yield ("component", record.id, "near_miss", "matches its near miss")


def _imprint(record: Imprint, prints: Prints) -> Iterator[Missing]:
    for sample in record.sample:
        _, found = _read(prints, sample)
        mine = [f.value for f in found if f.signature == record.id]
        if not mine or (sample.expect and sample.expect not in mine):
            yield ("imprint", record.id, "sample", f"gives {mine}")
        for other in found:
            if (
                other.attribute in _NAMES_SOMEONE
                and record.attribute in _NAMES_SOMEONE
                and other.value != record.value
            ):
                yield ("imprint", other.signature, "find", f"matches the sample of {record.id}")
    for miss in record.near_miss:
        _, found = _read(prints, miss)
        if any(f.signature == record.id for f in found):
            yield ("imprint", record.id, "near_miss", "matches its near miss")
