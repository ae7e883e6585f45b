"""Which conditions do the values of one field meet, looked at once for all signatures of a kind?

Exact texts go into dictionaries; prefixes, substrings and patterns into one RE2 set, which reads a text
once in linear time however many there are.
"""

from __future__ import annotations

import re2

from camscan.decode.recent import Recent
from camscan.identify.names import KnownNames
from camscan.model.knowledge import Condition, Signature, Test
from camscan.model.observation import Fields

_SET_MEMORY = 64 << 20
_VALUE_ROOM = 2 << 20
"""Bytes of values per field whose conditions are remembered: header lines repeat where answers differ."""


class FieldTable:
    """The conditions on one field of one kind."""

    def __init__(self, names: KnownNames) -> None:
        self.names = names
        self.equals: dict[str, list[int]] = {}
        self.iequals: dict[str, list[int]] = {}
        self.present: list[int] = []
        self.known: list[int] = []
        self.patterns: list[tuple[str, int]] = []
        self.set: re2.Set | None = None
        self._joined = False
        self._recent: Recent[str, frozenset[int]] = Recent(_VALUE_ROOM)

    def compile(self) -> None:
        """Read the patterns; re2.error where one is none. They are joined when first asked."""
        if not self.patterns:
            return
        self.set = re2.Set.SearchSet(options())
        for pattern, _ in self.patterns:
            self.set.Add(pattern)

    def held(self, value: str) -> frozenset[int]:
        """Numbers of the conditions that this value meets."""
        known = self._recent.get(value)
        if known is None:
            known = frozenset(self.look(value))
            self._recent.put(value, known, len(value) + 100)
        return known

    def look(self, value: str) -> list[int]:
        """The same, nothing remembered: for values that hardly come again."""
        found = list(self.present)
        if self.equals:
            found += self.equals.get(value, ())
        if self.iequals:
            found += self.iequals.get(value.casefold(), ())
        if self.known and self.names.find(value):
            found += self.known
        if self.set is not None:
            if not self._joined:
                # Most of what a Matcher costs to make, and many kinds are never asked.
                self.set.Compile()
                self._joined = True
            if hits := self.set.Match(value):
                found += [self.patterns[number][1] for number in hits]
        return found


class KindTable:
    """All signatures that may speak about one kind of observation."""

    def __init__(self, names: KnownNames) -> None:
        self._names = names
        self.signatures: list[Signature] = []
        self.needs: list[int] = []
        self.silenced: list[frozenset[int]] = []
        """Numbers of the conditions of which none may hold."""
        self.fields: dict[str, FieldTable] = {}
        self.users: list[list[int]] = []
        """Condition number -> signatures that need it."""
        self.numbers: dict[Condition, int] = {}
        self._recent: Recent[frozenset[int], list[Signature]] = Recent(4 << 20)

    def add(self, signature: Signature) -> None:
        place = len(self.signatures)
        self.signatures.append(signature)
        distinct = set(signature.when)
        self.needs.append(len(distinct))
        self.silenced.append(frozenset(map(self._number, signature.unless)))
        for condition in distinct:
            self.users[self._number(condition)].append(place)

    def _number(self, condition: Condition) -> int:
        if condition in self.numbers:
            return self.numbers[condition]
        number = self.numbers[condition] = len(self.numbers)
        self.users.append([])
        table = self.fields.setdefault(condition.field, FieldTable(self._names))
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
            known = [
                self.signatures[p]
                for p in sorted(counts)
                if counts[p] == self.needs[p] and not self.silenced[p] & key
            ]
            self._recent.put(key, known, 100 + 32 * len(held))
        return known


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
