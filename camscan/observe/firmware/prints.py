"""Which components and which imprints of makers and builds does a file carry?

All literals are one RE2 set that reads the printable runs of a file once; only where one stands is its
version looked for, in a few hundred bytes around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import re2
from msgspec import Struct

from camscan.decode.text import clean
from camscan.errors import KnowledgeError
from camscan.model.firmware import ImageComponent, ImageFact
from camscan.model.imprint import Component, FirmwareKnowledge, Imprint
from camscan.observe.firmware.printable import RUN, Text

_ODD = re.compile(rb"[^\x20-\x7e]")
_MEMORY = 128 << 20
_BEFORE, _AFTER = 64, 256
_PLACES = 40
"""Places of one literal that are looked at in one file."""
_EXCERPT = 160
_VALUE = 120


class _Print(Struct, frozen=True):
    """One thing to look for."""

    record: Component | Imprint
    literals: tuple[bytes, ...]
    pattern: re2._Regexp | None
    path: re2._Regexp | None


class Prints:
    """Compiled once per process."""

    def __init__(self, known: FirmwareKnowledge) -> None:
        self._prints: list[_Print] = []
        self._set = re2.Set.SearchSet(_options())
        self._owners: list[tuple[int, bytes]] = []
        self._by_path: list[tuple[int, bytes]] = []
        """What every file has, asked only of files whose path fits."""
        for component in known.components:
            self._register(component, component.find, component.version_pattern, "")
        for imprint in known.imprints:
            self._register(imprint, imprint.find, imprint.pattern, imprint.path)
        if self._owners:
            self._set.Compile()

    def _register(
        self, record: Component | Imprint, find: Iterable[str], pattern: str, path: str
    ) -> None:
        try:
            compiled = re2.compile(pattern.encode("latin-1"), _options()) if pattern else None
            where = re2.compile(path) if path else None
        except re2.error as error:
            raise KnowledgeError(f"{record.id}: a pattern is not RE2: {error}") from error
        literals = tuple(text.encode("latin-1", "replace") for text in find)
        place = len(self._prints)
        self._prints.append(_Print(record, literals, compiled, where))
        if path and all(len(literal) < 2 for literal in literals):
            self._by_path += [(place, literal) for literal in literals]
            return
        for literal in literals:
            if len(literal) < RUN or _ODD.search(literal):
                raise KnowledgeError(f"{record.id}: find: at least {RUN} printable letters")
            self._set.Add(re2.escape(literal))
            self._owners.append((place, literal))

    def read(
        self, path: str, text: Text, *, program: bool
    ) -> tuple[tuple[ImageComponent, ...], tuple[ImageFact, ...]]:
        """Components and facts of one file, each value once, at its first place.

        `program`: whether it holds machine code, the only place where a component's text is its own.
        """
        if not self._owners or not text.data:
            return (), ()
        found: dict[tuple[str, str | None], ImageComponent] = {}
        facts: dict[tuple[str, str, str], ImageFact] = {}
        held = [self._owners[number] for number in self._set.Match(text.joined) or ()]
        for place, literal in (*held, *self._by_path):
            one = self._prints[place]
            if one.path is not None and one.path.search(path) is None:
                continue
            if isinstance(one.record, Component) and not program:
                continue
            for start, value, excerpt in _values(text, literal, one.pattern):
                if isinstance(one.record, Component):
                    if value is None and one.record.version_required:
                        continue
                    key = one.record.id, value
                    if key not in found:
                        found[key] = _component(one.record, path, start, value, excerpt)
                else:
                    fact = _fact(one.record, path, start, value, excerpt)
                    if fact is not None:
                        facts.setdefault((fact.attribute, fact.value, fact.signature), fact)
        return _settled(found.values()), tuple(facts.values())


def _values(
    text: Text, literal: bytes, pattern: re2._Regexp | None
) -> Iterator[tuple[int, str | None, str]]:
    """(offset, value or None, excerpt) at every place of a literal."""
    data = text.data
    for at in islice(text.find(literal), _PLACES):
        begin = max(0, at - _BEFORE)
        window = data[begin : at + len(literal) + _AFTER]
        value, start, end = None, at, at + len(literal)
        if pattern is not None and (match := pattern.search(window)) is not None:
            value = match[1].decode("latin-1")
            start, end = begin + match.start(), begin + match.end()
        yield start, value, data[start : max(end, start + 1)][:_EXCERPT].decode("latin-1")


def _settled(found: Iterable[ImageComponent]) -> tuple[ImageComponent, ...]:
    """Without the entries that name no version where another of the same file does."""
    every = list(found)
    versioned = {c.component for c in every if c.version is not None}
    return tuple(c for c in every if c.version is not None or c.component not in versioned)


def _component(
    record: Component, path: str, start: int, version: str | None, excerpt: str
) -> ImageComponent:
    return ImageComponent(
        component=record.id,
        version=clean(version) if version is not None else None,
        path=clean(path),
        offset=start,
        signature=f"component {record.id}",
        excerpt=clean(excerpt),
    )


def _fact(
    record: Imprint, path: str, start: int, found: str | None, excerpt: str
) -> ImageFact | None:
    value = record.value
    if not value:
        if found is None:
            return None
        value = clean(re.sub(r"\s+", " ", found))[:_VALUE]
        if record.values:
            value = record.values.get(value, "")
    if not value:
        return None
    return ImageFact(
        attribute=record.attribute,
        value=value,
        path=clean(path),
        offset=start,
        excerpt=clean(excerpt),
        signature=record.id,
        note=record.not_proof_of,
    )


def _options() -> re2.Options:
    chosen = re2.Options()
    chosen.encoding = re2.Options.Encoding.LATIN1
    chosen.max_mem = _MEMORY
    chosen.log_errors = False
    return chosen
