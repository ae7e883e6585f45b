"""Which signatures does one observation match, and what does each of them say?

All signatures of a kind are compiled once into tables per field: exact texts into dictionaries,
prefixes, substrings and patterns into one RE2 set, which reads a text once in linear time however
many signatures there are. A signature holds when all its distinct conditions held. Every signature
that holds speaks; there is no first match.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import re2
from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.registry import decode as decode_fields
from camscan.decode.text import clean
from camscan.errors import DecodeError, KnowledgeError
from camscan.identify.lines import PRINTED, Lines
from camscan.identify.names import KnownNames
from camscan.identify.resolve import IDENTITY
from camscan.identify.tables import KindTable, options, pattern_of
from camscan.identify.values import normal
from camscan.model.claim import MANY_VALUED, Attribute, Evidence, Level
from camscan.model.knowledge import Condition, Extract, Knowledge, Says, Signature, Test
from camscan.model.observation import FIELDS, Fields, Kind, Observation

EXCERPT = 200
_CACHE_BYTES = 4096
"""Answers up to this size are remembered: fleets repeat themselves."""
_CACHE_ENTRIES = 8192

NO_FIELDS: Fields = {}

_WRAPPED = (Kind.TITLE, Kind.SERVER_HEADER, Kind.WWWAUTH)
"""One header or title in an HTTP answer made by the recorder: its layout says nothing."""
_CARRIERS = (Kind.ISAPI, Kind.ONVIF, Kind.UPNP_XML)
"""Whole HTTP answers under a kind of their own."""
_COMPANY = frozenset({"subject.o", "issuer.o", "manufacturer", "scope.manufacturer"})
"""Fields that hold the name of a company and nothing else."""
_WHOLE = frozenset({Test.EQUALS, Test.IEQUALS})
_LAYOUT = frozenset({"header-names", "header-style", "version", "reason"})


class Reading(Struct, frozen=True):
    """What decoding and matching one observation gave."""

    fields: Fields
    evidence: tuple[Evidence, ...]
    error: str = ""
    """Why the bytes could not be decoded, empty if they could."""


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
        self._tables: dict[Kind, KindTable] = {}
        self._extractors: dict[str, re2._Regexp] = {}
        self._excerpts: dict[Condition, re2._Regexp] = {}
        """Compiled when a condition first held; there are as many as there are signatures."""
        self._said: dict[tuple[str, Says], str] = {}
        self._asked: dict[Kind, frozenset[str]] = {}
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
        """Fields of an observation as far as `asked` goes. Raises DecodeError."""
        if self.decode is not decode_fields:
            return self.decode(observation)
        return decode_fields(observation, self.asked(observation.kind))

    def asked(self, kind: Kind) -> frozenset[str]:
        """The fields at which signatures of this kind look for a device's identity."""
        known = self._asked.get(kind)
        if known is None:
            found = self.signatures_for(kind)
            conditions = {c.field for s in found for c in s.conditions}
            extracts = {e.field for s in found for e in s.extract if e.attribute in IDENTITY}
            known = frozenset({*conditions, *extracts, *PRINTED.get(kind, ())})
            self._asked[kind] = known
        return known

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

    def table(self, kind: Kind) -> KindTable | None:
        """The compiled conditions of this kind, None where no signature may speak."""
        return self._tables.get(kind)

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
                self._tables.setdefault(kind, KindTable(self._names)).add(signature)

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
    def _holding(table: KindTable, fields: Fields, observation: Observation) -> list[Signature]:
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
            if extract.known:
                company = extract.field in _COMPANY
                raw = self._names.organisation(raw) if company else self._names.find(raw)
                if not raw:
                    continue
            elif extract.attribute is Attribute.BRAND:
                raw = self._names.shortened(raw) or raw
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


def _lower(cap: Level, own: Level | None) -> Level:
    return cap if own is None else min(cap, own)
