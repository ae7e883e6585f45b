"""Which signatures does one observation match, and what does each of them say?

All signatures of a kind are compiled once into tables per field: exact texts into dictionaries,
prefixes, substrings and patterns into one RE2 set, which reads a text once in linear time however
many signatures there are. A signature holds when all its distinct conditions held. Every signature
that holds speaks; there is no first match.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import re2
from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.recent import Recent
from camscan.decode.registry import decode as decode_fields
from camscan.decode.text import clean
from camscan.errors import DecodeError, KnowledgeError
from camscan.identify.lines import PRINTED, Lines
from camscan.identify.names import KnownNames
from camscan.identify.resolve import IDENTITY
from camscan.identify.values import normal
from camscan.model.claim import MANY_VALUED, Evidence, Level
from camscan.model.knowledge import Condition, Extract, Knowledge, Says, Signature, Test
from camscan.model.observation import FIELDS, Fields, Kind, Observation

EXCERPT = 200
_SET_MEMORY = 64 << 20
_CACHE_BYTES = 4096
"""Answers up to this size are remembered: fleets repeat themselves."""
_CACHE_ENTRIES = 8192

_VALUE_ROOM = 2 << 20
"""Bytes of values per field whose conditions are remembered: header lines repeat where answers differ."""

NO_FIELDS: Fields = {}

_WRAPPED = (Kind.TITLE, Kind.SERVER_HEADER, Kind.WWWAUTH)
"""One header or title in an HTTP answer made by the recorder: its layout says nothing."""
_CARRIERS = (Kind.ISAPI, Kind.ONVIF, Kind.UPNP_XML)
"""Whole HTTP answers under a kind of their own."""
_WHOLE = frozenset({Test.EQUALS, Test.IEQUALS})
_LAYOUT = frozenset({"header-names", "header-style", "version", "reason"})


class Reading(Struct, frozen=True):
    """What decoding and matching one observation gave."""

    fields: Fields
    evidence: tuple[Evidence, ...]
    error: str = ""
    """Why the bytes could not be decoded, empty if they could."""


class _FieldTable:
    """The conditions on one field of one kind."""

    def __init__(self, names: KnownNames) -> None:
        self.names = names
        self.equals: dict[str, list[int]] = {}
        self.iequals: dict[str, list[int]] = {}
        self.present: list[int] = []
        self.known: list[int] = []
        self.patterns: list[tuple[str, int]] = []
        self.set: re2.Set | None = None
        self._recent: Recent[str, frozenset[int]] = Recent(_VALUE_ROOM)

    def compile(self) -> None:
        if not self.patterns:
            return
        self.set = re2.Set.SearchSet(options())
        for pattern, _ in self.patterns:
            self.set.Add(pattern)
        self.set.Compile()

    def held(self, value: str) -> frozenset[int]:
        """Numbers of the conditions that this value meets."""
        known = self._recent.get(value)
        if known is None:
            known = frozenset(self._held(value))
            self._recent.put(value, known, len(value) + 100)
        return known

    def _held(self, value: str) -> Iterable[int]:
        yield from self.present
        yield from self.equals.get(value, ())
        if self.iequals:
            yield from self.iequals.get(value.casefold(), ())
        if self.known and self.names.find(value):
            yield from self.known
        if self.set is not None:
            for number in self.set.Match(value) or ():
                yield self.patterns[number][1]


class _KindTable:
    """All signatures that may speak about one kind of observation."""

    def __init__(self, names: KnownNames) -> None:
        self._names = names
        self.signatures: list[Signature] = []
        self.needs: list[int] = []
        self.fields: dict[str, _FieldTable] = {}
        self.users: list[list[int]] = []
        """Condition number -> signatures that need it."""
        self._numbers: dict[Condition, int] = {}
        self._recent: Recent[frozenset[int], list[Signature]] = Recent(4 << 20)

    def add(self, signature: Signature) -> None:
        place = len(self.signatures)
        self.signatures.append(signature)
        distinct = set(signature.when)
        self.needs.append(len(distinct))
        for condition in distinct:
            self.users[self._number(condition)].append(place)

    def _number(self, condition: Condition) -> int:
        if condition in self._numbers:
            return self._numbers[condition]
        number = self._numbers[condition] = len(self._numbers)
        self.users.append([])
        table = self.fields.setdefault(condition.field, _FieldTable(self._names))
        match condition.test:
            case Test.EQUALS:
                table.equals.setdefault(condition.value, []).append(number)
            case Test.IEQUALS:
                table.iequals.setdefault(condition.value.casefold(), []).append(number)
            case Test.PRESENT:
                table.present.append(number)
            case Test.KNOWN:
                table.known.append(number)
            case Test.PREFIX | Test.CONTAINS | Test.REGEX:
                table.patterns.append((pattern_of(condition), number))
        return number

    def matches(self, fields: Fields) -> list[Signature]:
        held: set[int] = set()
        for name, values in fields.items():
            table = self.fields.get(name)
            if table is not None:
                for value in values:
                    held |= table.held(value)
        if not held:
            return []
        key = frozenset(held)
        known = self._recent.get(key)
        if known is None:
            counts: dict[int, int] = {}
            for number in held:
                for place in self.users[number]:
                    counts[place] = counts.get(place, 0) + 1
            known = [self.signatures[p] for p in sorted(counts) if counts[p] == self.needs[p]]
            self._recent.put(key, known, 100 + 32 * len(held))
        return known


class Matcher:
    """The compiled tables of one Knowledge. Make one and keep it; it holds no state but a cache."""

    def __init__(
        self,
        knowledge: Knowledge,
        decode: Callable[[Observation], Fields] = decode_fields,
    ) -> None:
        self.decode = decode
        """Fields of an observation; raises DecodeError."""
        self.lines = Lines(knowledge.lines, options())
        self._names = KnownNames(knowledge)
        self._tables: dict[Kind, _KindTable] = {}
        self._extractors: dict[str, re2._Regexp] = {}
        self._excerpts: dict[Condition, re2._Regexp] = {}
        """Compiled when a condition first held; there are as many as there are signatures."""
        self._said: dict[tuple[str, Says], str] = {}
        self._wanted: dict[Kind, frozenset[str]] = {}
        self._cache: OrderedDict[tuple[object, ...], Reading] = OrderedDict()
        for signature in sorted(knowledge.signatures, key=lambda s: s.id):
            self._add(signature)
        for kind_table in self._tables.values():
            for name, table in kind_table.fields.items():
                try:
                    table.compile()
                except re2.error as error:
                    raise KnowledgeError(f"signatures on field {name}: {error}") from error

    def identity_fields(self, observation: Observation) -> Fields:
        """Fields of an observation as far as signatures look at them for a device's identity.

        Raises DecodeError.
        """
        if self.decode is not decode_fields:
            return self.decode(observation)
        kind = observation.kind
        wanted = self._wanted.get(kind)
        if wanted is None:
            asked = {c.field for s in self.signatures_for(kind) for c in s.when}
            taken = {
                e.field
                for s in self.signatures_for(kind)
                for e in s.extract
                if e.attribute in IDENTITY
            }
            wanted = frozenset({*asked, *taken, *PRINTED.get(kind, ())})
            self._wanted[kind] = wanted
        return decode_fields(observation, wanted)

    def evidence(self, observation: Observation) -> tuple[Evidence, ...]:
        """What every matching signature says; bytes that do not decode say nothing."""
        if observation.kind not in self._tables and observation.kind not in PRINTED:
            return ()
        return self.read(observation).evidence

    def read(self, observation: Observation) -> Reading:
        """Fields and evidence of one observation. Answers seen before cost a dictionary look-up."""
        if len(observation.response) > _CACHE_BYTES:
            return self._read(observation)
        key = (
            observation.kind,
            observation.response,
            observation.request,
            observation.port,
            observation.flags,
            observation.mac,
        )
        known = self._cache.get(key)
        if known is None:
            known = self._read(observation)
            self._cache[key] = known
            if len(self._cache) > _CACHE_ENTRIES:
                self._cache.popitem(last=False)
            return known
        if not known.evidence or known.evidence[0].observation == observation.id:
            return known
        moved = tuple(replace(e, observation=observation.id) for e in known.evidence)
        return Reading(known.fields, moved, known.error)

    def signatures_for(self, kind: Kind) -> tuple[Signature, ...]:
        """All signatures that may speak about observations of this kind."""
        table = self._tables.get(kind)
        return tuple(table.signatures) if table is not None else ()

    def matching(self, observation: Observation) -> tuple[Signature, ...]:
        """The signatures that hold, whatever they say."""
        if observation.kind not in self._tables:
            return ()
        try:
            return tuple(self.holding(observation, self.decode(observation)))
        except DecodeError:
            return ()

    def holding(self, observation: Observation, fields: Fields) -> list[Signature]:
        """The signatures that hold for these fields of the observation."""
        table = self._tables.get(observation.kind)
        return [] if table is None else self._holding(table, fields, observation)

    def _add(self, signature: Signature) -> None:
        kinds = [signature.kind]
        if signature.kind is Kind.HTTP:
            kinds += _CARRIERS
            if not any(c.field in _LAYOUT for c in signature.when):
                kinds += _WRAPPED
        for says in signature.says:
            self._said[signature.id, says] = normal(says.attribute, says.value)
        for extract in signature.extract:
            if extract.pattern and extract.pattern not in self._extractors:
                try:
                    compiled = re2.compile(extract.pattern, options())
                except re2.error as error:
                    raise KnowledgeError(
                        f"{signature.id}: extract {extract.attribute}: {extract.pattern!r} is not RE2"
                    ) from error
                self._extractors[extract.pattern] = compiled
        for kind in kinds:
            if all(c.field in FIELDS[kind] for c in signature.when):
                self._tables.setdefault(kind, _KindTable(self._names)).add(signature)

    def _read(self, observation: Observation) -> Reading:
        try:
            fields = self.decode(observation)
        except DecodeError as error:
            return Reading(NO_FIELDS, (), str(error)[:EXCERPT])
        return Reading(fields, tuple(self.said(observation, fields)))

    def said(self, observation: Observation, fields: Fields) -> list[Evidence]:
        """What the signatures and the product lines that hold say."""
        spoken = [
            piece
            for signature in self.holding(observation, fields)
            for piece in self.speak(signature, fields, observation)
        ]
        spoken += self.lines.evidence(observation.kind, fields, observation.id)
        return spoken

    @staticmethod
    def _holding(table: _KindTable, fields: Fields, observation: Observation) -> list[Signature]:
        found = table.matches(fields)
        if found and "fragment" in observation.flags:
            # The source kept a part and wrapped the rest: order and case of headers are not its own.
            return [s for s in found if not any(c.field in _LAYOUT for c in s.when)]
        return found

    def speak(
        self, signature: Signature, fields: Fields, observation: Observation
    ) -> list[Evidence]:
        spoken: list[Evidence] = []
        if signature.says:
            excerpt = self._excerpt(signature.when[0], fields) if signature.when else ""
            for says in signature.says:
                value = self._said[signature.id, says]
                spoken.append(
                    Evidence(
                        signature=signature.id,
                        version=signature.version,
                        family=signature.family,
                        level=signature.level,
                        observation=observation.id,
                        attribute=says.attribute,
                        value=value,
                        excerpt=excerpt,
                        note=signature.not_proof_of,
                        local=signature.local,
                    )
                )
        for extract in signature.extract:
            for value, excerpt in self._extracted(extract, fields):
                spoken.append(
                    Evidence(
                        signature=signature.id,
                        version=signature.version,
                        family=signature.family,
                        level=_lower(signature.level, extract.level),
                        observation=observation.id,
                        attribute=extract.attribute,
                        value=value,
                        excerpt=excerpt,
                        note=signature.not_proof_of,
                        local=signature.local,
                    )
                )
        return spoken

    def values(self, extract: Extract, fields: Fields) -> tuple[str, ...]:
        """What an extract finds."""
        return tuple([value for value, _ in self._extracted(extract, fields)])

    def _extracted(self, extract: Extract, fields: Fields) -> list[tuple[str, str]]:
        """(value, excerpt); only the first that is found where an attribute has one value."""
        found: list[tuple[str, str]] = []
        for text in fields.get(extract.field, ()):
            raw = text
            if extract.pattern:
                match = self._extractors[extract.pattern].search(text)
                if match is None or match.group(1) is None:
                    continue
                raw = match.group(1)
            raw = clean(raw)
            if extract.known and not (raw := self._names.find(raw)):
                continue
            if raw not in extract.values and extract.strict:
                continue
            value = normal(extract.attribute, extract.values.get(raw, raw))
            if not value:
                continue
            found.append((value, clean(f"{extract.field}: {raw}")[:EXCERPT]))
            if extract.attribute not in MANY_VALUED:
                break
        return found

    def _excerpt(self, condition: Condition, fields: Fields) -> str:
        """The text around what the condition found, for a reader."""
        for value in fields.get(condition.field, ()):
            start = 0
            if condition.test in _WHOLE:
                if value.casefold() != condition.value.casefold():
                    continue
            elif condition.test is Test.KNOWN:
                if not self._names.find(value):
                    continue
            elif condition.test is not Test.PRESENT:
                pattern = self._excerpts.get(condition)
                if pattern is None:
                    pattern = re2.compile(pattern_of(condition), options())
                    self._excerpts[condition] = pattern
                match = pattern.search(value)
                if match is None:
                    continue
                start = max(0, match.start() - 20)
            return clean(f"{condition.field}: {value[start : start + EXCERPT]}")[:EXCERPT]
        return ""


def options() -> re2.Options:
    """Settings of every pattern: enough memory that a set never gives up, no noise on stderr."""
    chosen = re2.Options()
    chosen.max_mem = _SET_MEMORY
    chosen.log_errors = False
    return chosen


def pattern_of(condition: Condition) -> str:
    """The RE2 pattern of a prefix, contains or regex condition."""
    if condition.test is Test.REGEX:
        return condition.value
    text = str(re2.escape(condition.value))
    return f"^{text}" if condition.test is Test.PREFIX else text


def _lower(cap: Level, own: Level | None) -> Level:
    return cap if own is None else min(cap, own)
