"""What do the signatures of a kind find in one value?

Values of which they find the same are the same to them, however they differ (sameness.py).
"""

from __future__ import annotations

from collections.abc import Hashable

from camscan.identify.lines import PRINTED
from camscan.identify.match import Matcher
from camscan.identify.resolve import IDENTITY
from camscan.model.knowledge import Extract
from camscan.model.observation import Kind

_IDENTITY = frozenset(IDENTITY)
_NOTHING: frozenset[int] = frozenset()


class Finds:
    """For one kind."""

    def __init__(self, matcher: Matcher, kind: Kind) -> None:
        self._matcher = matcher
        self._printed = frozenset(PRINTED.get(kind, ()))
        table = matcher.table(kind)
        self._fields = table.fields if table is not None else {}
        self._extracts: dict[str, list[tuple[frozenset[int], Extract]]] = {}
        """Field -> conditions on it that hold wherever the signature does, and what it then reads."""
        for signature in table.signatures if table is not None else ():
            for extract in signature.extract:
                if extract.attribute in _IDENTITY and table is not None:
                    mine = [table.numbers[c] for c in signature.when if c.field == extract.field]
                    self._extracts.setdefault(extract.field, []).append((frozenset(mine), extract))

    def reads(self, field: str) -> bool:
        """Whether values of this field can become a part of a device's identity."""
        return field in self._extracts or field in self._printed

    def held(self, field: str, text: str) -> frozenset[int] | None:
        """The conditions that hold; None where a value can become a part of a device's identity."""
        if self.reads(field):
            return None
        table = self._fields.get(field)
        return frozenset(table.look(text)) if table is not None else _NOTHING

    def one(self, field: str, text: str) -> tuple[frozenset[int], Hashable] | None:
        """The same for the only value of its field, with what is then read from it.

        None where it names a product line.
        """
        if field in self._printed and self._matcher.lines.matching(text):
            return None
        table = self._fields.get(field)
        held = frozenset(table.look(text)) if table is not None else _NOTHING
        read = tuple(
            self._matcher.values(extract, {field: (text,)})
            for needs, extract in self._extracts.get(field, ())
            if needs <= held
        )
        return held, read

    def every(self, field: str, text: str) -> tuple[int, ...]:
        """The conditions that hold, in the order in which they are found, nothing remembered."""
        table = self._fields.get(field)
        return tuple(table.look(text)) if table is not None else ()
