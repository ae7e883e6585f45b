"""Which lines of Markdown tell of firmware images, what was not opened first?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.report.images import ImageRow, Node
from camscan.report.markdown_text import escape, table


def images(rows: Iterable[ImageRow]) -> list[str]:
    """Every image with its tables."""
    return [line for row in rows for line in _image(row)]


def _image(row: ImageRow) -> list[str]:
    lines = [f"### {escape(row.name)}", ""]
    if row.closed:
        lines += [f"Not examined: {len(row.closed)} parts", ""]
        lines += table(("Part", "Size", "Reason", "Detail"), row.closed)
    lines += [f"- **{name}**: {escape(text)}" for name, text in row.front]
    if row.devices:
        lines.append(
            f"- **Devices that state the same maker, model and version**: {escape(row.devices)}"
        )
    lines += ["", *(f"{escape(limit)}\n" for limit in row.limits)]
    if row.tree:
        lines += ["What was opened, and what was not:", "", *_nodes(row.tree, 0), ""]
    if row.endpoints:
        lines += table(
            (
                "Name or address",
                "Class",
                "Basis",
                "Operator",
                "Its parent country",
                "Pair",
                "Place",
                "Why this class",
            ),
            [
                (e.host, e.kind, e.basis, e.operator, e.parent_country, e.paired, e.place, e.why)
                for e in row.endpoints
            ],
        )
    if row.apart:
        lines += [f"Told apart, no endpoints: {escape(row.apart)}.", ""]
    if row.keys:
        lines += table(("What", "Kind", "Place", "Note"), row.keys)
    if row.components:
        lines += table(
            ("Component", "Version", "Support ended", "Version in the affected range of", "Place"),
            row.components,
        )
    return lines


def _nodes(nodes: Iterable[Node], depth: int) -> list[str]:
    lines = []
    for node in nodes:
        text = escape(node.text)
        lines.append(f"{'  ' * depth}- {f'**{text}**' if node.closed else text}")
        lines += _nodes(node.children, depth + 1)
    return lines
