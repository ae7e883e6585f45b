"""How does a text stand in Markdown as it is?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from camscan.report.text import en

_SPECIAL = "\\`*_{}[]<>()#+-!|~&"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no links, no HTML, one line."""
    flat = " ".join(text.split())
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in flat)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
    ]
    lines += ["| " + " | ".join(escape(cell) or en.DASH for cell in row) + " |" for row in rows]
    return [*lines, ""]
