"""Do the product lines and the withdrawn entries of signatures/ keep the rules of the house?

Lines are run against their own texts, the texts of every other line, the samples of all signatures, the
honeypot and the negatives, as signatures are (DESIGN rule 7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2
from msgspec import Struct

from camscan.errors import KnowledgeError
from camscan.identify.lines import LONGEST, Lines
from camscan.identify.relations import Relations
from camscan.identify.tables import options
from camscan.knowledge_traps import HONEYPOT, NEGATIVES, Trap
from camscan.model.claim import Attribute, Role
from camscan.model.knowledge import Knowledge
from camscan.model.product import ProductLine

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ID = re.compile(r"(local\.)?[a-z0-9][a-z0-9_-]*\.line\.[a-z0-9_]+")
_BORDER = ("^", r"\b", r"(?i)\b", r"(?i:\b")
"""How a pattern may begin: in the middle of a word a designation is chance."""
_NO_SOURCE = frozenset({"", "unverified", "todo"})
_TRAPS: tuple[Trap, ...] = (*HONEYPOT, *NEGATIVES)


class Wrong(Struct, frozen=True):
    """(table, record, field, text): one thing to mend."""

    table: str
    record: str
    field: str
    text: str


def lint_lines(knowledge: Knowledge) -> Iterator[Wrong]:
    """Everything that is wrong with product lines."""
    sound: list[ProductLine] = []
    for line in knowledge.lines:
        mine = list(_shape(knowledge, line))
        yield from mine
        if not any(w.field == "pattern" for w in mine):
            sound.append(line)
    try:
        lines = Lines(sound, options())
    except KnowledgeError as error:
        yield Wrong("line", "", "pattern", str(error))
        return
    relations = Relations(knowledge)
    for line in sound:
        yield from _texts(line, lines, relations)


def lint_withdrawn(knowledge: Knowledge) -> Iterator[Wrong]:
    """Everything that is wrong with withdrawn entries."""
    ids = {s.id for s in knowledge.signatures} | {line.id for line in knowledge.lines}
    for entry in knowledge.withdrawn.values():
        if entry.id in ids:
            yield Wrong(
                "withdrawn", entry.id, "id", "is withdrawn and in use; give the new one a new id"
            )
        if not _DAY.fullmatch(entry.date):
            yield Wrong("withdrawn", entry.id, "date", f"{entry.date!r} is no day (2026-11-25)")
        if not entry.reason.strip():
            yield Wrong("withdrawn", entry.id, "reason", "say why it was withdrawn")
        if entry.replaced_by and entry.replaced_by not in ids:
            yield Wrong(
                "withdrawn", entry.id, "replaced_by", f"{entry.replaced_by!r} does not exist"
            )


def _shape(knowledge: Knowledge, line: ProductLine) -> Iterator[Wrong]:
    def wrong(field: str, text: str) -> Wrong:
        return Wrong("line", line.id, field, text)

    if not _ID.fullmatch(line.id):
        yield wrong("id", "write <maker or brand>.line.<what> in lower case")
    if line.source.casefold() in _NO_SOURCE:
        yield wrong("source", "a line without a source is not accepted")
    if not _DATE.fullmatch(line.as_of):
        yield wrong("as_of", f"{line.as_of!r} is no date (2026, 2026-11 or 2026-11-23)")
    yield from _pattern(line, wrong_of=line.id)
    if not line.sample:
        yield wrong("sample", "no positive sample")
    if not line.near_miss:
        yield wrong("near_miss", "no near miss")
    if line.maker is None and not line.brand:
        yield wrong("maker", "it names nobody: give maker or brand")
    if line.maker is not None and line.maker not in knowledge.parties:
        yield wrong("maker", f"{line.maker!r} is not known in signatures/")
    if line.platform is not None and line.platform not in knowledge.platforms:
        yield wrong("platform", f"{line.platform!r} is not known in signatures/")
    if line.role and line.role not in {r.value for r in Role}:
        yield wrong("role", f"{line.role!r} is not known")
    brands = {b.brand for b in knowledge.brands} | set(knowledge.vocabulary.get("brand", ()))
    if line.brand and line.brand not in brands and Relations(knowledge).party(line.brand) is None:
        yield wrong("brand", f"{line.brand!r} is not known in signatures/")


def _pattern(line: ProductLine, wrong_of: str) -> Iterator[Wrong]:
    try:
        compiled = re2.compile(line.pattern, options())
    except re2.error as error:
        yield Wrong("line", wrong_of, "pattern", f"{line.pattern!r} is not RE2: {error}")
        return
    if compiled.groups != 1:
        yield Wrong("line", wrong_of, "pattern", "needs exactly one group, the designation")
    if not line.pattern.startswith(_BORDER):
        yield Wrong("line", wrong_of, "pattern", f"begin with one of {', '.join(_BORDER)}")


def _texts(line: ProductLine, lines: Lines, relations: Relations) -> Iterator[Wrong]:
    for number, sample in enumerate(line.sample):
        at = f"sample[{number}]"
        if len(sample.text) > LONGEST:
            yield Wrong("line", line.id, at, f"longer than {LONGEST} characters: no name")
        found = {one.id: model for one, model in lines.matching(sample.text)}
        if found.get(line.id) != sample.model:
            text = f"expected {sample.model!r}, got {found.get(line.id)!r}"
            yield Wrong("line", line.id, at, text)
        for other, _ in lines.matching(sample.text):
            if not _kin(line, other, relations):
                yield Wrong(
                    "line", other.id, "pattern", f"matches the text {sample.text!r} of {line.id}"
                )
    for number, miss in enumerate(line.near_miss):
        if line.id in {one.id for one, _ in lines.matching(miss.text)}:
            yield Wrong("line", line.id, f"near_miss[{number}]", "the line matches its near miss")


def _kin(left: ProductLine, right: ProductLine, relations: Relations) -> bool:
    """Whether one text may belong to both: one maker, or no maker named on one side and one brand."""
    if left.id == right.id:
        return True
    if left.maker is not None and right.maker is not None:
        return left.role == right.role and relations.agree(Attribute.MAKER, left.maker, right.maker)
    return bool(left.brand) and left.brand == right.brand
