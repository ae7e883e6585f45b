"""How do decoded values become bounded, clean fields?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.decode.text import clean, clean_lines
from camscan.model.observation import Fields

MAX_VALUE = 4096
"""Characters of one value."""
MAX_BODY = 32_768
"""Characters of a `body` value."""
MAX_VALUES = 512
"""Values of one field."""


Wanted = frozenset[str] | None
"""Fields that somebody will look at; None = all of them."""


class Collector:
    """Gathers `(field, value)` pairs; applies the limits and `clean` to each of them.

    Fields that nobody wants are left out: where millions of answers are read, most of the time goes
    into fields that no signature of that kind asks for.
    """

    def __init__(self, wanted: Wanted = None) -> None:
        self._values: dict[str, list[str]] = {}
        self._wanted = wanted

    def wants(self, field: str) -> bool:
        """Whether it is worth making values of this field."""
        return self._wanted is None or field in self._wanted

    def add(self, field: str, *values: str | int | None) -> None:
        """Append values; None and empty texts are left out."""
        if self._wanted is not None and field not in self._wanted:
            return
        held = self._values.get(field)
        for value in values:
            if value is None:
                continue
            text = bounded(value if isinstance(value, str) else str(value))
            if not text:
                continue
            if held is None:
                held = self._values[field] = []
            if len(held) < MAX_VALUES:
                held.append(text)

    def add_body(self, field: str, text: str) -> None:
        """Append a text of several lines, cut to 32 KB."""
        if not self.wants(field):
            return
        text = clean_lines(text[: 2 * MAX_BODY])[:MAX_BODY]
        if text:
            self._append(field, text)

    def add_once(self, field: str, value: str | int | None) -> None:
        """Append unless the field already holds that very value."""
        if value is None or not self.wants(field):
            return
        text = bounded(str(value))
        if text and text not in self._values.get(field, ()):
            self._append(field, text)

    def take(self, field: str, text: str) -> None:
        """Append a value that `bounded` has seen; empty texts are left out."""
        if text:
            held = self._values.get(field)
            if held is None:
                self._values[field] = [text]
            elif len(held) < MAX_VALUES:
                held.append(text)

    def extend(self, fields: Fields) -> None:
        """Take over the fields of another decoder."""
        for field, values in fields.items():
            if self._wanted is not None and field not in self._wanted:
                continue
            held = self._values.get(field)
            if held is None:
                self._values[field] = list(values)
            else:
                held += values[: max(0, MAX_VALUES - len(held))]

    def _append(self, field: str, text: str) -> None:
        values = self._values.setdefault(field, [])
        if len(values) < MAX_VALUES:
            values.append(text)

    def done(self) -> Fields:
        """The fields gathered, in order of first mention."""
        return {field: tuple(values) for field, values in self._values.items()}


def bounded(text: str) -> str:
    """The text clean and not longer than a value may be."""
    if len(text) > MAX_VALUE:
        # Bounded before cleaning too, so that a huge value costs no more than a large one.
        return clean(text[: 2 * MAX_VALUE])[:MAX_VALUE].rstrip()
    # `clean` strips a printable text and does nothing else to it: that without the call.
    return text.strip() if text.isprintable() else clean(text)


def collect(pairs: Iterable[tuple[str, str | int | None]]) -> Fields:
    """Fields of a sequence of pairs."""
    collector = Collector()
    for field, value in pairs:
        collector.add(field, value)
    return collector.done()
