"""Which sources do the tables of endpoints and data paths rest on, each printed once and numbered?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.report.model import ReportModel

_COLUMNS = {
    name: name.replace("_", " ")
    for name in (
        "service_operator", "service_parent_country", "network_operator", "network_parent_country",
        "registry_country", "located_country",
    )
}  # fmt: skip


class Sources:
    """The list of a report, in the order in which its tables name them."""

    def __init__(self, model: ReportModel) -> None:
        paths = model.paths
        lists = [paths.unknown, paths.nameless]
        for device in paths.devices:
            lists += [device.contacted, device.named_only]
        found = [s for e in model.endpoints for s in e.sources]
        found += [s for rows in lists for row in rows for s in row.sources]
        texts = dict.fromkeys(text for column, text in map(_split, found) if column)
        self._numbers = {text: number for number, text in enumerate(texts, 1)}
        self.texts = tuple(texts)

    def cited(self, sources: Iterable[str]) -> list[tuple[str, int]]:
        """(columns, number of their source); number 0: words that stand for themselves."""
        by_number: dict[int, list[str]] = {}
        words = []
        for column, text in map(_split, sources):
            if column:
                by_number.setdefault(self._numbers[text], []).append(column)
            else:
                words.append((text, 0))
        return [*((", ".join(columns), number) for number, columns in by_number.items()), *words]


def _split(source: str) -> tuple[str, str]:
    """`registry_country: register (2026-11)` -> ("registry country", "register (2026-11)")."""
    name, colon, text = source.partition(": ")
    return (_COLUMNS[name], text) if colon and name in _COLUMNS else ("", source)
