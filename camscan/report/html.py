"""The report as one HTML file: no request to anywhere, readable without script, printable.

Escaping is by construction (autoescape); the only unescaped parts are our own style and script, which
the page's Content-Security-Policy names by hash. Nothing of a device ever becomes a template.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from camscan.report.model import ReportModel
from camscan.report.paths import size, unseen_words
from camscan.report.picture import picture
from camscan.report.rows import DeviceRow, FindingRow
from camscan.report.sources import Sources
from camscan.report.text import en

_ORDER = ("ACT", "PLAN", "DOCUMENT", "NO ACTION")


class _Row(Struct, frozen=True):
    row: DeviceRow
    key: str
    order: str


class _Group(Struct, frozen=True):
    subject: str
    about: str
    notes: tuple[str, ...]
    shown: tuple[FindingRow, ...]
    open: tuple[tuple[str, str], ...]


class _Concern(Struct, frozen=True):
    """A ConcernRow and which of its laws are printed here."""

    concern: object
    word: str
    examined: int
    present: int
    supporting: int
    conditions: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    laws_here: tuple[str, ...]
    laws_elsewhere: tuple[str, ...]


def write(model: ReportModel) -> str:
    """A whole HTML document; the same bytes for the same model."""
    return "".join(parts(model))


def parts(model: ReportModel) -> Iterator[str]:
    """The document in pieces, so that a report of thousands of devices is never whole in memory."""
    style, script = _own("report.css"), _own("report.js")
    environment = Environment(
        loader=DictLoader({n: _own(n) for n in ("report.html", "paths.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    printed = {r.record.id for r in model.laws}
    sources = Sources(model)
    stream = environment.get_template("report.html").stream(
        model=_WithConcerns(model, printed),
        coverage=model.assessment.coverage,
        columns=en.COLUMNS,
        headings=en.HEADINGS,
        answered_by_all=en.answered_by_all(sum(c.whole for c in model.coverage)),
        limits=en.LIMITS,
        concern_note=en.CONCERN_NOTE,
        law_note=en.LAW_NOTE,
        image_note=en.IMAGE_NOTE,
        annex_note=en.ANNEX_NOTE,
        not_assessed=en.NOT_ASSESSED,
        devices=_rows(model.devices),
        others=_rows(model.others),
        groups=_groups(model),
        counts={
            name: (
                sum(r.lower == name for r in model.devices),
                sum(r.upper == name for r in model.devices),
            )
            for name in _ORDER
        },
        next_tests=model.assessment.next_tests,
        paths=model.paths,
        unseen=unseen_words(model.paths),
        parties_note=en.PARTIES_NOTE,
        no_party=en.NO_PARTY,
        count=en.count,
        parties_cut=en.PARTIES_CUT.format(len(model.paths.parties), model.paths.party_count),
        cited=sources.cited,
        sources=sources.texts,
        terms=en.TERMS,
        pictures=[picture(d.traffic) if d.traffic is not None else "" for d in model.paths.devices],
        size=size,
        inputs=(*model.assessment.inputs, *model.assessment.seals),
        sections=_sections(model, sources=bool(sources.texts)),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    stream.enable_buffering(500)
    yield from stream


class _WithConcerns:
    """The model as the template reads it: concerns know which of their laws are printed."""

    def __init__(self, model: ReportModel, printed: set[str]) -> None:
        self.title = model.title
        self.front = model.front
        self.assessment = model.assessment
        self.coverage = model.coverage
        self.summary = model.summary
        self.endpoints = model.endpoints
        self.images = model.images
        self.laws = model.laws
        self.rules = model.rules
        self.annex = model.annex
        self.decision_rows = model.decision_rows
        self.factor_levels = model.factor_levels
        self.concerns = [
            _Concern(
                concern=c.concern,
                word=c.word,
                examined=c.examined,
                present=c.present,
                supporting=c.supporting,
                conditions=c.conditions,
                sources=c.sources,
                laws_here=tuple(name for name in c.concern.laws if name in printed),
                laws_elsewhere=tuple(name for name in c.concern.laws if name not in printed),
            )
            for c in model.concerns
        ]


def _rows(rows: Iterable[DeviceRow]) -> list[_Row]:
    return [
        _Row(r, f"{n:06d}", "".join(str(_ORDER.index(a)) if a in _ORDER else "9" for a in (r.lower, r.upper)))
        for n, r in enumerate(rows)
    ]  # fmt: skip


def _groups(model: ReportModel) -> list[_Group]:
    """Findings per subject: site first, then devices in table order, then anything else."""
    by_subject: dict[str, list[FindingRow]] = {}
    for finding in model.findings:
        by_subject.setdefault(finding.subject, []).append(finding)
    rows = {r.device_id: r for r in (*model.devices, *model.others)}
    order = dict.fromkeys(["site", *rows, *by_subject])
    images = {i.subject: i.name for i in model.images}
    groups = []
    for subject in order:
        found = by_subject.get(subject, [])
        row = rows.get(subject)
        if not found and row is None:
            continue
        unseen = Counter((f.title, f.reason) for f in found if f.state == "not_observed")
        groups.append(
            _Group(
                subject=subject,
                about=_about(row) if subject not in images else f"firmware image {images[subject]}",
                notes=row.notes if row is not None else (),
                shown=tuple(f for f in found if f.state != "not_observed"),
                open=tuple((title, reason) for title, reason in unseen),
            ),
        )
    return groups


def _about(row: DeviceRow | None) -> str:
    if row is None:
        return "the network as a whole"
    named = (("brand", row.brand), ("model", row.model), ("maker", row.maker_name or row.maker))
    parts = [f"{name} {text}" for name, text in named if text != en.UNKNOWN]
    unknown = [name for name, text in (*named, ("role", row.role)) if text == en.UNKNOWN]
    if unknown:
        parts.append(f"{en.UNKNOWN}: {', '.join(unknown)}")
    return "; ".join((*([] if row.role == en.UNKNOWN else [row.role]), *parts, row.action))


def _sections(model: ReportModel, *, sources: bool) -> list[tuple[str, str]]:
    present = {
        "others": bool(model.others),
        "endpoints": bool(model.endpoints),
        "paths": bool(model.paths.devices),
        "images": bool(model.images),
        "sources": sources,
        "laws": bool(model.laws),
        "rules": bool(model.rules),
        "annex": bool(model.annex),
    }
    order = ("coverage", "summary", "risk", "others", "images", "endpoints", "paths", "sources", "findings", "concerns", "laws", "rules", "annex", "next", "declared", "decision", "terms", "evidence")  # fmt: skip
    return [(name, en.HEADINGS[name]) for name in order if present.get(name, True)]


def _own(name: str) -> str:
    return (files("camscan.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
