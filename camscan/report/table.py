"""The report for a terminal or a log: coverage first, then the risk table, then what to do next."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

from camscan.report.model import ReportModel
from camscan.report.paths import DevicePaths, size, unseen_words
from camscan.report.rows import DeviceRow
from camscan.report.text import en

_LONGEST = 64
_PARTIES = 10
_NAMED = 2
_NARROWEST = 40


def write(model: ReportModel, width: int = 0) -> str:
    """Plain text, no colours, no terminal codes; the same bytes for the same model and width.

    `width`: columns of the terminal; a table that is wider is written as a list. 0: as wide as it comes.
    """
    parts = [
        model.title,
        "",
        *(f"{name}: {text}" for name, text in model.front[:7]),
        "",
        en.HEADINGS["coverage"],
        _coverage(model, width),
        "",
        en.HEADINGS["risk"],
        _risk(model.devices, width),
        *_legend(model),
        "",
        *_others(model),
        *_parties(model, width),
        *_concerns(model, width),
        en.HEADINGS["summary"],
        tabulate(model.summary, tablefmt="plain", disable_numparse=True),
        "",
        *_next(model),
        en.LIMITS,
        "",
    ]
    return "\n".join(parts)


def _grid(
    headers: Sequence[str], rows: Sequence[Sequence[str]], caps: list[int | None] | None, width: int
) -> str:
    """A table; where it is wider than `width`, a list: the first cell, and below it the others by name."""
    text = tabulate(
        rows, headers=headers, tablefmt="simple", disable_numparse=True, maxcolwidths=caps
    )
    if not width or max(map(len, text.splitlines()), default=0) <= width:
        return text
    lines = []
    for first, *others in rows:
        told = "; ".join(
            f"{name}: {cell}" for name, cell in zip(headers[1:], others, strict=True) if cell
        )
        lines += textwrap.wrap(first, max(width, _NARROWEST), subsequent_indent="  ")
        lines += textwrap.wrap(
            told, max(width, _NARROWEST), initial_indent="    ", subsequent_indent="    ",
            break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines)


def _parties(model: ReportModel, width: int) -> list[str]:
    """Who was talked to, by volume; where a capture is part of the run."""
    paths = model.paths
    if not paths.devices:
        return []
    rows = [
        (
            _short(p.party),
            p.role,
            p.country,
            str(p.devices),
            size(p.bytes_up),
            size(p.bytes_down),
        )
        for p in paths.parties[:_PARTIES]
    ]
    named = sum(len(d.named_only) for d in paths.devices)
    counts = (
        f"{en.count(len(paths.unknown), 'destination')} without a known operator, "
        f"{len(paths.nameless)} contacted without a name, "
        f"{en.count(named, 'name')} without a flow to a party (HTML report, paths.csv)"
    )
    return [
        en.HEADINGS["paths"],
        *([unseen] if (unseen := unseen_words(paths)) else []),
        _grid(("Party", "As", "Parent country", "Devices", "Sent", "Received"), rows, None, width)
        if rows
        else en.NO_PARTY,
        *(
            [en.PARTIES_CUT.format(len(rows), paths.party_count)]
            if paths.party_count > len(rows)
            else []
        ),
        counts,
        "",
    ]


def _coverage(model: ReportModel, width: int) -> str:
    """Tests that left something open, one line for all others; the HTML report has every line."""
    left = [c for c in model.coverage if not c.whole]
    rows = [(c.name, f"{c.answered} of {c.asked}", c.not_examined) for c in left if c.not_examined]
    lines = []
    if rows:
        lines.append(
            _grid(("Test", "Answered", "Not examined (reason)"), rows, [60, None, 40], width)
        )
    if whole := len(model.coverage) - len(rows):
        lines.append(f"{en.answered_by_all(whole)} (HTML report)")
    coverage = model.assessment.coverage
    lines += [f"{c.about or c.test}: {c.note}" for c in left if c.note]
    lines += [f"segment: {s}" for s in coverage.segments]
    lines += [f"not examined: {s}" for s in coverage.not_examined]
    lines += [f"did not finish: {s}" for s in coverage.incomplete]
    lines += [f"seen, not contacted: {s}" for s in coverage.out_of_scope_seen]
    return "\n".join(lines)


def _risk(rows: tuple[DeviceRow, ...], width: int) -> str:
    if not rows:
        return "No camera or recorder was named. That is a result only under the coverage above."
    headers = ("device", "place", "brand", "maker", "model", "firmware", "cloud", "action", "row", "next", "confidence", "concerns")  # fmt: skip
    table = [
        (
            r.device_id + (f" (behind {r.behind})" if r.behind else ""),
            _short(r.place or en.DASH),
            _short(r.brand),
            _short(r.maker),
            _short(r.model),
            _short(r.firmware),
            r.cloud,
            r.action,
            r.rows,
            f"{r.next_number} ({r.next_test.partition(':')[0]})"
            if r.next_number
            else r.next_test or en.DASH,
            r.confidence,
            " ".join(r.concerns) or en.DASH,
        )
        for r in rows
    ]
    caps = [15, 10, 11, 11, 16, 18, 12, 18, None, 9, None, 15]
    return _grid([en.COLUMNS[h] for h in headers], table, caps, width)


def _legend(model: ReportModel) -> list[str]:
    if not model.devices:
        return []
    text = (
        "Row: rows of the decision table for the lower and the upper end. Next: number under "
        f"'{en.HEADINGS['next']}' and the factors it settles."
    )
    return [text]


def _others(model: ReportModel) -> list[str]:
    if not model.others:
        return []
    counted = Counter(r.role for r in model.others if r.is_camera == "no")
    unknown = [r for r in model.others if r.is_camera == "unknown"]
    named = ", ".join(f"{count} {role}" for role, count in sorted(counted.items())) or "none"
    lines = [
        f"{en.HEADINGS['others']}: not cameras: {named}; camera or not is unknown: {len(unknown)}"
    ]
    met = {d.device_id: d for d in model.paths.devices}
    lines += [
        f"  unknown: {r.device_id}  maker {r.maker}  role {r.role}"
        + _met(met.get(r.device_id))
        + (f"  ({'; '.join(r.notes)})" if r.notes else "")
        for r in unknown[:20]
    ]
    if len(unknown) > 20:
        lines.append(f"  ... and {len(unknown) - 20} more, see the HTML report")
    return [*lines, ""]


def _met(paths: DevicePaths | None) -> str:
    """Whose services a device contacted: what there is to go on where nothing names it."""
    if paths is None:
        return ""
    operators = dict.fromkeys(p.service_operator for p in paths.contacted)
    names = [name for name in operators if name != en.UNKNOWN]
    more = f" and {len(names) - _NAMED}" if len(names) > _NAMED else ""
    return f"  contacted: {'; '.join(map(_short, names[:_NAMED]))}{more}" if names else ""


def _concerns(model: ReportModel, width: int) -> list[str]:
    if not model.concerns:
        return []
    rows = [
        (
            c.concern.id,
            c.concern.title,
            c.word,
            f"{c.supporting} of {c.examined} examined, {c.present} present",
        )
        for c in model.concerns
    ]
    return [
        en.HEADINGS["concerns"],
        _grid(("Id", "Concern", "On this network", "Devices"), rows, [None, 48, 34, 34], width),
        en.CONCERN_NOTE,
        "",
    ]


def _next(model: ReportModel) -> list[str]:
    tests = model.assessment.next_tests
    if not tests:
        return []
    lines = [en.HEADINGS["next"]]
    lines += [
        f"{n}. {t.test} (settles {', '.join(t.settles)} for {len(t.subjects)})"
        + (f"\n   {t.command}" if t.command else "")
        for n, t in enumerate(tests, 1)
    ]
    return [*lines, ""]


def _short(text: str) -> str:
    """A cell stays a cell: very long texts of devices are cut, the HTML report has them whole."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
