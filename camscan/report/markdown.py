"""The report as Markdown, for wikis and version control."""

from __future__ import annotations

from collections.abc import Iterable

from camscan.model.knowledge import Law, Rule
from camscan.report.markdown_images import images
from camscan.report.markdown_text import escape, table
from camscan.report.model import ReportModel
from camscan.report.paths import PathRow, size, unseen_words
from camscan.report.rows import DeviceRow, FindingRow, Reference
from camscan.report.text import en


def write(model: ReportModel) -> str:
    """CommonMark with tables; everything that came from a device is escaped."""
    parts: list[str] = [f"# {escape(model.title)}", ""]
    parts += [f"- **{escape(name)}**: {escape(text)}" for name, text in model.front]
    parts += ["", *_heading("coverage"), *_coverage(model)]
    parts += [*_heading("summary"), *table(("", ""), model.summary)]
    parts += [*_heading("risk"), *_devices(model.devices)]
    if model.others:
        parts += [*_heading("others"), *_devices(model.others)]
    if model.images:
        parts += [*_heading("images"), en.IMAGE_NOTE, "", *images(model.images)]
    if model.endpoints:
        parts += [*_heading("endpoints"), *_endpoints(model)]
    if model.paths.devices:
        parts += [*_heading("paths"), *_paths(model)]
    parts += [*_heading("findings"), *(_finding(f) for f in model.findings), ""]
    parts += [*_heading("concerns"), *_concerns(model)]
    if model.laws:
        parts += [*_heading("laws"), en.LAW_NOTE, "", *_references(model.laws)]
    if model.rules:
        parts += [*_heading("rules"), en.NOT_ASSESSED, "", *_references(model.rules)]
    if model.annex:
        parts += [*_heading("annex"), en.ANNEX_NOTE, "", *_references(model.annex)]
    parts += [*_heading("next"), *_next(model)]
    parts += [*_heading("declared"), *(f"- {escape(d)}" for d in model.assessment.declarations), ""]
    parts += [
        *_heading("decision"),
        *table(("Row", "Condition", "Action"), [(str(n), t, a) for n, t, a in model.decision_rows]),
    ]
    parts += [
        *_heading("evidence"),
        *table(("Input", "SHA-256"), (*model.assessment.inputs, *model.assessment.seals)),
        *(f"- option: {escape(o)}" for o in model.assessment.options),
        "",
    ]
    parts += [*_heading("limits"), en.LIMITS, ""]
    return "\n".join(parts)  # fmt: skip


def _heading(name: str) -> tuple[str, str]:
    return (f"## {en.HEADINGS[name]}", "")


def _coverage(model: ReportModel) -> list[str]:
    coverage = model.assessment.coverage
    lines = table(
        ("Test", "Answered", "Not examined (reason)", "Note"),
        [
            (c.name, f"{c.answered} of {c.asked}", c.not_examined, c.note)
            for c in model.coverage
            if not c.whole
        ],
    )
    if whole := sum(c.whole for c in model.coverage):
        lines += [f"- {en.answered_by_all(whole)}"]
    for name, texts in (
        ("segment", coverage.segments),
        ("not examined", coverage.not_examined),
        ("did not finish", coverage.incomplete),
        ("seen, not contacted", coverage.out_of_scope_seen),
    ):
        lines += [f"- {name}: {escape(t)}" for t in texts]
    return [*lines, ""]


def _devices(rows: Iterable[DeviceRow]) -> list[str]:
    return table(
        ("Device", "Place", "Role", "Brand", "Maker", "Model", "Firmware", "Cloud state", "Action", "Row", "Next test", "Confidence", "Concerns"),
        [
            (r.device_id, r.place, r.role, r.brand, r.maker, r.model, r.firmware, r.cloud, r.action, r.rows, r.next_test, r.confidence, " ".join(r.concerns))
            for r in rows
        ],
    )  # fmt: skip


def _endpoints(model: ReportModel) -> list[str]:
    return table(
        ("Device", "Endpoint", "Marks", "Purpose", "Service operator", "Its parent country", "Network operator", "Its parent country", "Registry country", "Located"),
        [
            (e.device_id, e.endpoint, e.marks, e.purpose, e.service_operator, e.service_parent_country, e.network_operator, e.network_parent_country, e.registry_country, e.located_country)
            for e in model.endpoints
        ],
    )  # fmt: skip


_PATH_HEADER = ("Device", "Destination", "Address", "Port", "Sent", "Received", "Class", "First seen", "Last seen", "Service operator", "Its parent country", "Network operator", "Its parent country", "Registry country", "Located", "Named by")  # fmt: skip


def _paths(model: ReportModel) -> list[str]:
    paths = model.paths
    lines = table(
        ("Party", "As", "Parent country", "Devices", "Endpoints", "Sent", "Received"),
        [
            (p.party, p.role, p.country, str(p.devices), str(p.endpoints), size(p.bytes_up), size(p.bytes_down))
            for p in paths.parties
        ],
    )  # fmt: skip
    if unseen := unseen_words(paths):
        lines = [escape(unseen), "", *lines]
    for title, rows in (
        ("Contacted, and no operator is known", paths.unknown),
        ("Contacted without a name", paths.nameless),
    ):
        lines += [f"### {title}", "", *_path_table(rows)] if rows else []
    for d in paths.devices:
        lines += [f"### {escape(d.device_id)}", "", f"- window: {escape(d.window)}"]
        lines += [f"- {escape(n)}" for n in d.notes]
        lines += [f"- in phase {escape(name)}: {escape(met)}" for name, met in d.phases] + [""]
        for title, rows in (
            ("Contacted", d.contacted),
            ("Named, and no party contacted under that name in the window", d.named_only),
        ):
            lines += [f"{title}:", "", *_path_table(rows)] if rows else []
    return lines


def _path_table(rows: Iterable[PathRow]) -> list[str]:
    return table(
        _PATH_HEADER,
        [
            (r.device_id, r.destination, r.address, r.port, size(r.bytes_up), size(r.bytes_down), r.kind, r.first, r.last, r.service_operator, r.service_parent_country, r.network_operator, r.network_parent_country, r.registry_country, r.located_country, "; ".join((r.named_by, *(() if r.address else r.why))))
            for r in rows
        ],
    )  # fmt: skip


def _finding(f: FindingRow) -> str:
    extra = f" Not examined because: {f.reason}." if f.reason else ""
    return (
        f"- **{escape(f.id)}** ({escape(f.title)}): {f.state_word}, evidence {f.level}, confidence {f.confidence}. "
        f"{escape(f.statement)}{extra} Does not show: {escape(f.does_not_show)}."
    )


def _concerns(model: ReportModel) -> list[str]:
    lines = []
    for c in model.concerns:
        lines += [
            f"### {escape(c.concern.id)}: {escape(c.concern.title)}",
            "",
            f"- Stated concern: {escape(c.concern.claim)}",
            f"- On this network: **{c.word}** ({c.supporting} supporting of {c.examined} examined, {c.present} present)",
            *(f"- {escape(name)}: {word}" for name, word in c.conditions),
            f"- A network cannot decide: {escape(c.concern.cannot_decide)}",
            *([f"- Caution: {escape(c.concern.caution)}"] if c.concern.caution else []),
            *(f"- Source: {escape(s)}" for s in c.sources),
            "",
        ]
    return [*lines, en.CONCERN_NOTE, ""]


def _references(references: Iterable[Reference]) -> list[str]:
    lines = []
    for r in references:
        lines += [
            f"### {escape(r.record.id)}",
            "",
            f"- {escape(_title(r.record))}",
            f"- {escape(r.record.paraphrase)}",
        ]
        if isinstance(r.record, Law):
            lines += [
                f"- Shows: {escape(r.record.proves)}",
                f"- Does not show: {escape(r.record.does_not_prove)}",
            ]
        lines += [
            f"- Source: {escape(r.record.source)} ({escape(r.record.as_of)}, {escape(r.record.verification)})",
            f"- Beside {en.count(len(r.findings), 'finding')}",
            "",
        ]
    return lines


def _title(record: Law | Rule) -> str:
    return f"{record.instrument}, article {record.article}"


def _next(model: ReportModel) -> list[str]:
    return [
        *(
            f"{n}. {escape(t.test)} (settles {escape(', '.join(t.settles))} for {len(t.subjects)}) {escape(t.command)}"
            for n, t in enumerate(model.assessment.next_tests, 1)
        ),
        "",
    ]
