"""Whatever a device says, no report executes, hides or loses it, and every format counts alike."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser

import jsonschema
import msgspec
import pytest
from invented import assessment, knowledge

from camscan.cli.main import run as camscan
from camscan.report import csv as csv_report
from camscan.report import html as html_report
from camscan.report import json as json_report
from camscan.report import markdown as markdown_report
from camscan.report import table as table_report
from camscan.report.model import build

WRITERS = (csv_report, html_report, json_report, markdown_report, table_report)


@pytest.fixture(scope="module")
def model():
    return build(assessment(), knowledge())


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__.rpartition(".")[2])
def test_the_same_model_gives_the_same_bytes(writer, model):
    again = build(assessment(), knowledge())
    assert writer.write(model) == writer.write(again)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__.rpartition(".")[2])
def test_no_control_or_bidi_character_reaches_a_reader(writer, model):
    text = writer.write(model)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text


def test_coverage_stands_before_any_result(model):
    for text, mark in (
        (table_report.write(model), "127.0.9.1"),
        (markdown_report.write(model), "Risk table"),
        (html_report.write(model), 'id="risk"'),
    ):
        assert text.index("Coverage: what was looked at") < text.index(
            mark, text.index("Coverage: what was looked at")
        )
        assert "data path: no capture" in text.replace("\\", "")


def test_a_spreadsheet_takes_no_cell_for_a_formula(model):
    rows = list(csv.reader(io.StringIO(csv_report.write(model))))
    assert tuple(rows[0]) == csv_report.HEADER
    assert len(rows) == 1 + len(model.findings)
    for row in rows:
        assert len(row) == len(csv_report.HEADER)
        for cell in row:
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert any(cell.startswith("'=HYPERLINK") for row in rows for cell in row)


def test_json_follows_its_own_schema_and_counts_alike(model, capsys):
    assert camscan(["schema", "report"]) == 0
    schema = json.loads(capsys.readouterr().out)
    document = json.loads(json_report.write(model))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert len(document["findings"]) == len(model.findings)
    assert len(document["devices"]) == len(model.devices) + len(model.others)
    first = document["devices"][0]
    assert {
        "device_id",
        "is_camera",
        "role",
        "maker",
        "brand",
        "platform",
        "model",
        "firmware",
        "confidence",
        "conflicts",
        "evidence",
        "addresses",
        "macs",
        "behind",
        "visibility",
        "cloud",
    } <= set(first)
    assert {"lower", "upper", "row", "upper_row"} <= set(document["findings"][0]["action"])
    site = next(f for f in document["findings"] if f["subject"] == "site")
    assert site["action"] is None
    assert (
        msgspec.json.decode(json_report.write(model).encode(), type=json_report.Document).schema
        == "camscan-report/1"
    )


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_nothing_of_a_device_becomes_markup(model):
    page = Page()
    page.feed(html_report.write(model))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(
        tag in {"img", "iframe", "link", "object", "embed", "form", "b"} and tag != "b"
        for tag, _ in page.tags
    )
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    hrefs = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert hrefs
    assert all(h.startswith("#") for h in hrefs)
    text = "".join(page.text)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text


def test_every_link_of_the_page_has_its_target(model):
    page = Page()
    page.feed(html_report.write(model))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    missing = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"} - set(ids)
    assert missing == set()


def test_markdown_shows_hostile_text_as_text(model):
    text = markdown_report.write(model)
    assert "<script>" not in text
    assert "](javascript" not in text
    assert "\\<script\\>" in text


def test_a_version_is_never_read_as_a_number(model):
    assert "2.10" in table_report.write(model)
    assert all(d.firmware == "2.10" for d in model.devices)


def test_worst_lower_end_comes_first(model):
    order = [r.lower for r in model.devices]
    assert order == sorted(order, key=["ACT", "PLAN", "DOCUMENT", "NO ACTION"].index)


def test_conflict_and_unknown_are_words_not_blanks(model):
    (row,) = model.others
    assert row.maker == "conflicting: AXIS | Dahua"
    assert row.model == "unknown"
    assert row.cloud == "not examined"
    assert row.is_camera == "unknown"


def test_foreign_rules_stand_in_the_annex_only(model):
    assert {r.record.id for r in model.rules} == {"RS-ZJN-98"}
    assert {r.record.id for r in model.annex} == {"US-NDAA-889"}


@pytest.mark.parametrize(
    ("jurisdiction", "printed"),
    [
        ("RS", ["RS-ZJN-98", "RS-ZZPL-63", "RS-ZIB-2025", "RS-ZZPL-66"]),
        ("EU:HR", ["EU-GDPR-44"]),
        ("", []),
    ],
)
def test_a_jurisdiction_prints_its_own_rules_unconditional_ones_first(jurisdiction, printed):
    from msgspec.structs import replace

    names = (
        "RS-ZIB-2025", "EU-GDPR-44", "RS-ZZPL-66", "EU-CSA2", "RS-ZZPL-63", "EU-EP-2021", "US-NDAA-889",
        "RS-DRAFT-IA", "RS-ZJN-98",
    )  # fmt: skip
    base = assessment()
    first = replace(base.findings[0], rules=names)
    known = knowledge()
    made = build(replace(base, findings=(first,), jurisdiction=jurisdiction), known)
    assert [r.record.id for r in made.rules] == printed
    assert {r.record.id for r in made.annex} == set(names) - set(printed)
    assert list(made.findings[0].rules) == [n for n in names if n in printed]
    assert {"US-NDAA-889", "EU-EP-2021", "EU-CSA2", "RS-DRAFT-IA"} <= {
        r.record.id for r in made.annex
    }


@pytest.mark.parametrize(
    ("as_of", "due"),
    [("2026-11-23T22:00:00.000Z", False), ("2027-05-22", False), ("2027-05-23", True)],
)
def test_old_data_are_due_for_review(as_of, due):
    from msgspec.structs import replace

    base = replace(assessment(), as_of=as_of, knowledge_as_of="2026-11-23")
    line = dict(build(base, knowledge()).front)["Signatures"]
    assert ("due for review" in line) is due
    assert ("181 days before" in line) is due


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_gets_lists_instead_of_tables_that_break(model, width):
    wide, narrow = table_report.write(model), table_report.write(model, width)
    after = narrow[narrow.index("Risk table") : narrow.index("Row: rows of the decision")]
    assert max(map(len, after.splitlines())) <= width
    assert max(map(len, wide.splitlines())) > 120
    for row in model.devices:
        assert f"\n{row.device_id}\n" in after
        assert (
            after.count(f"Action: {row.lower}") + after.count(f"Action: at least {row.lower}")
            or width < 80
        )
    assert table_report.write(model, 400) == wide
