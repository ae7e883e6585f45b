"""Does every record of signatures/ keep the rules of the house (DESIGN rule 7)?

`knowledge.load` already refuses wrong types, unknown keys and ids used twice. Here every signature is
run against its own samples and near misses, everybody else's samples, the honeypot and the negatives,
and every reference from one record to another is followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import re2
from msgspec import Struct
from msgspec.structs import replace

from camscan.errors import DecodeError, KnowledgeError
from camscan.identify.match import Matcher
from camscan.identify.relations import Relations
from camscan.identify.tables import options
from camscan.identify.values import normal
from camscan.knowledge_imprints import imprints
from camscan.knowledge_lint_lines import lint_lines, lint_withdrawn
from camscan.knowledge_phrases import phrase_faults
from camscan.knowledge_references import references
from camscan.knowledge_traps import HONEYPOT, NEGATIVES, Trap
from camscan.model.claim import VIDEO_ROLES, Attribute, Evidence, Role
from camscan.model.knowledge import Knowledge, Sample, Signature, Test
from camscan.model.observation import FIELDS, Observation
from camscan.service_lint import services_wrong

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_IDENTITY = frozenset({Attribute.MAKER, Attribute.BRAND, Attribute.PLATFORM})
_CLOSED = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.ROLE})
"""Attributes whose values are ids: an extract must map to them."""
_ATTRIBUTES = frozenset(a.value for a in Attribute)
_WITHOUT_VALUE = frozenset({Test.PRESENT, Test.KNOWN})
_ORIGINS = frozenset({"documented", "constructed"})
_KIND_WITHOUT_SOURCE = frozenset({"", "unverified", "todo"})


class Problem(Struct, frozen=True):
    """One thing to mend."""

    file: str
    record: str
    field: str
    text: str


_Make = Callable[[str, str], Problem]
"""(field, text) -> the problem of the record in hand."""


def lint(knowledge: Knowledge) -> tuple[Problem, ...]:
    """Everything that is wrong, sorted by file and record. Empty means accepted."""
    found = [*_references(knowledge)]
    for name, field, text in services_wrong(knowledge):
        found.append(Problem(knowledge.places.get(f"service {name}", ""), name, field, text))
    sound: list[Signature] = []
    for signature in knowledge.signatures:
        mine = list(_shape(knowledge, signature))
        found += mine
        if not any(p.field.startswith(("when", "extract")) for p in mine):
            sound.append(signature)
    found += _wrong(knowledge)
    try:
        matcher = Matcher(_only(knowledge, sound))
    except KnowledgeError as error:
        found.append(Problem("", "", "when", str(error)))
    else:
        found += _behaviour(knowledge, sound, matcher)
        found += _lines(knowledge, sound, matcher)
    return tuple(sorted(set(found), key=lambda p: (p.file, p.record, p.field, p.text)))


def sample_observation(signature: Signature, sample: Sample, name: str = "sample") -> Observation:
    """The sample as an observation of the signature's kind."""
    data = bytes.fromhex(sample.response_hex) if sample.response_hex else _bytes(sample.response)
    return Observation(
        id=name,
        device_id=name,
        kind=signature.kind,
        response=data,
        port=sample.port,
        request=sample.request,
    )


def platform_of(identifier: str) -> str:
    """`axis` of `axis.ftp.banner` and of `local.axis.ftp.banner`."""
    return identifier.removeprefix("local.").partition(".")[0]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


def _only(knowledge: Knowledge, signatures: list[Signature]) -> Knowledge:
    lines = tuple(line for line in knowledge.lines if not _re2(line.pattern))
    return replace(knowledge, signatures=tuple(signatures), lines=lines)


def _shape(knowledge: Knowledge, signature: Signature) -> Iterator[Problem]:
    file = knowledge.places.get(f"signature {signature.id}", "")

    def problem(field: str, text: str) -> Problem:
        return Problem(file, signature.id, field, text)

    if not _ID.fullmatch(signature.id) or signature.id.removeprefix("local.").count(".") < 2:
        yield problem("id", "write <platform>.<kind>.<what> in lower case")
    if signature.source.casefold() in _KIND_WITHOUT_SOURCE:
        yield problem("source", "a signature without a source is not accepted")
    if not _DATE.fullmatch(signature.as_of):
        yield problem("as_of", f"{signature.as_of!r} is no date (2026, 2026-11 or 2026-11-23)")
    if not signature.when:
        yield problem("when", "a signature without conditions matches everything")
    if not signature.says and not signature.extract:
        yield problem("says", "it says nothing: give says or extract")
    if not signature.sample:
        yield problem("sample", "no positive sample")
    if not signature.near_miss:
        yield problem("near_miss", "no near miss")
    for number, sample in enumerate((*signature.sample, *signature.near_miss)):
        if sample.origin not in _ORIGINS:
            yield problem(
                f"sample[{number}].origin", f"{sample.origin!r}: documented or constructed"
            )
        try:
            bytes.fromhex(sample.response_hex)
        except ValueError:
            yield problem(f"sample[{number}].response_hex", "is not hexadecimal")
        for name in sample.expect:
            if name not in _ATTRIBUTES:
                yield problem(f"sample[{number}].expect", f"{name!r} is no claim attribute")
    yield from _conditions(signature, problem)
    yield from _values(knowledge, signature, problem)


def _conditions(signature: Signature, problem: _Make) -> Iterator[Problem]:
    known = FIELDS[signature.kind]
    numbered = [
        (f"{name}[{number}]", condition)
        for name, conditions in (("when", signature.when), ("unless", signature.unless))
        for number, condition in enumerate(conditions)
    ]
    for at, condition in numbered:
        if condition.field not in known:
            yield problem(f"{at}.field", f"kind {signature.kind} has no field {condition.field!r}")
        if condition.test not in _WITHOUT_VALUE and not condition.value:
            yield problem(f"{at}.value", "an empty text matches everything")
        if condition.test is Test.REGEX and (text := _re2(condition.value)):
            yield problem(f"{at}.value", text)
    for number, extract in enumerate(signature.extract):
        at = f"extract[{number}]"
        if extract.field not in known:
            yield problem(f"{at}.field", f"kind {signature.kind} has no field {extract.field!r}")
        if not extract.pattern:
            continue
        if text := _re2(extract.pattern):
            yield problem(f"{at}.pattern", text)
        elif re2.compile(extract.pattern, options()).groups != 1:
            yield problem(f"{at}.pattern", "needs exactly one group")


def _re2(pattern: str) -> str:
    try:
        re2.compile(pattern, options())
    except re2.error as error:
        return f"{pattern!r} is not RE2: {error}"
    return ""


def _values(knowledge: Knowledge, signature: Signature, problem: _Make) -> Iterator[Problem]:
    for number, says in enumerate(signature.says):
        if text := _unknown(knowledge, says.attribute, says.value):
            yield problem(f"says[{number}].value", text)
    for number, extract in enumerate(signature.extract):
        if extract.attribute in _CLOSED and not (extract.values and extract.strict):
            yield problem(
                f"extract[{number}].values", f"{extract.attribute}: map to ids, strict = true"
            )
        for value in extract.values.values():
            # An empty text says: this raw value is known and means nothing.
            if value and (text := _unknown(knowledge, extract.attribute, value)):
                yield problem(f"extract[{number}].values", text)
    for other in signature.platforms_sharing:
        if other not in knowledge.platforms:
            yield problem("platforms_sharing", f"no platform {other!r}")


def _unknown(knowledge: Knowledge, attribute: Attribute, value: str) -> str:
    words = knowledge.vocabulary.get(attribute.value, ())
    match attribute:
        case Attribute.MAKER:
            party = knowledge.parties.get(value)
            if party is not None and not party.builds:
                return f"{attribute} {value!r}: a supplier or a maker of chips makes no device"
            known = party is not None
        case Attribute.PLATFORM:
            known = value in knowledge.platforms
        case Attribute.ROLE:
            known = value in {r.value for r in Role}
        case Attribute.BRAND:
            brands = {b.brand for b in knowledge.brands}
            known = value in brands or Relations(knowledge).party(value) is not None
        case _:
            return ""
    return "" if known or value in words else f"{attribute} {value!r} is not known in signatures/"


def _behaviour(
    knowledge: Knowledge, signatures: Iterable[Signature], matcher: Matcher
) -> Iterator[Problem]:
    places = knowledge.places
    for signature in signatures:
        file = places.get(f"signature {signature.id}", "")
        shown: set[str] = set()
        for number, sample in enumerate(signature.sample):
            at = f"sample[{number}]"
            try:
                seen = sample_observation(signature, sample)
                matching = matcher.matching(seen)
                reading = matcher.read(seen)
            except (ValueError, DecodeError) as error:
                yield Problem(file, signature.id, at, str(error))
                continue
            if reading.error:
                yield Problem(file, signature.id, at, f"does not decode: {reading.error}")
                continue
            if signature.id not in {s.id for s in matching}:
                yield Problem(file, signature.id, at, "the signature does not match its own sample")
                continue
            shown |= set(sample.expect)
            mine = [e for e in reading.evidence if e.signature == signature.id]
            for name, wanted in sample.expect.items():
                if name not in _ATTRIBUTES:
                    continue  # named by _shape
                got = sorted({e.value for e in mine if e.attribute == name})
                if normal(Attribute(name), wanted) not in got:
                    text = f"expected {name} {wanted!r}, the signature gives {got or 'nothing'}"
                    yield Problem(file, signature.id, at, text)
            for other in matching:
                if _trespasses(other, signature):
                    text = f"matches {at} of {signature.id}; declare platforms_sharing or narrow it"
                    place = places.get(f"signature {other.id}", "")
                    yield Problem(place, other.id, "when", text)
        for extract in signature.extract:
            if signature.sample and extract.attribute not in shown:
                text = f"no sample expects what is extracted as {extract.attribute}"
                yield Problem(file, signature.id, "sample", text)
        for number, miss in enumerate(signature.near_miss):
            try:
                held = {s.id for s in matcher.matching(sample_observation(signature, miss))}
            except ValueError as error:
                yield Problem(file, signature.id, f"near_miss[{number}]", str(error))
                continue
            if signature.id in held:
                text = "the signature matches its near miss"
                yield Problem(file, signature.id, f"near_miss[{number}]", text)
    for trap in (*HONEYPOT, *NEGATIVES):
        for signature in matcher.matching(trap.observation):
            if (why := _caught(matcher, signature, trap)) is not None:
                file = places.get(f"signature {signature.id}", "")
                yield Problem(file, signature.id, "when", f"matches the trap {trap.name}: {why}")


def _names_someone(signature: Signature) -> bool:
    """Whether it gives an identity of its own, and does not only repeat the device's words as brand."""
    spoken = {s.attribute for s in signature.says}
    spoken |= {e.attribute for e in signature.extract if e.values}
    spoken |= {e.attribute for e in signature.extract} & _CLOSED
    return bool(spoken & _IDENTITY)


def _trespasses(other: Signature, owner: Signature) -> bool:
    platform = platform_of(owner.id)
    return (
        platform_of(other.id) != platform
        and platform not in other.platforms_sharing
        and _names_someone(other)
    )


def _caught(matcher: Matcher, signature: Signature, trap: Trap) -> str | None:
    spoken = [e for e in matcher.read(trap.observation).evidence if e.signature == signature.id]
    return next((why for piece in spoken if (why := _believed(piece, trap)) is not None), None)


def _believed(piece: Evidence, trap: Trap) -> str | None:
    if piece.attribute is Attribute.ROLE and piece.value in {r.value for r in VIDEO_ROLES}:
        return f"says role {piece.value}"
    if not trap.identity and piece.attribute in _IDENTITY:
        return f"says {piece.attribute} {piece.value}"
    return None


def _wrong(knowledge: Knowledge) -> Iterator[Problem]:
    for wrong in (*lint_lines(knowledge), *lint_withdrawn(knowledge)):
        file = knowledge.places.get(f"{wrong.table} {wrong.record}", wrong.table)
        yield Problem(file, wrong.record, wrong.field, wrong.text)


def _lines(
    knowledge: Knowledge, signatures: Iterable[Signature], matcher: Matcher
) -> Iterator[Problem]:
    relations, lines = Relations(knowledge), {line.id: line for line in knowledge.lines}
    for signature in signatures:
        owner = relations.platform_maker(platform_of(signature.id))
        if owner is None:
            continue
        for sample in signature.sample:
            try:
                seen = sample_observation(signature, sample)
            except ValueError:
                continue  # named by _shape
            for piece in matcher.read(seen).evidence:
                line = lines.get(piece.signature)
                if line is None or piece.attribute is not Attribute.MAKER:
                    continue
                if not relations.agree(Attribute.MAKER, owner, piece.value):
                    file = knowledge.places.get(f"line {line.id}", "")
                    text = f"matches a sample of {signature.id}"
                    yield Problem(file, line.id, "pattern", text)
    for trap in (*HONEYPOT, *NEGATIVES):
        for piece in matcher.read(trap.observation).evidence:
            if piece.signature in lines and (why := _believed(piece, trap)) is not None:
                file = knowledge.places.get(f"line {piece.signature}", "")
                yield Problem(
                    file, piece.signature, "pattern", f"matches the trap {trap.name}: {why}"
                )


def _references(knowledge: Knowledge) -> Iterator[Problem]:
    for table, record, field, text in (
        *references(knowledge),
        *phrase_faults(knowledge),
        *imprints(knowledge),
    ):
        yield Problem(knowledge.places.get(f"{table} {record}", table), record, field, text)
