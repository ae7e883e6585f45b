"""The measure: counts per device, per kind and per maker, and what remains without a maker's signatures."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner
from invented_market import build
from msgspec.structs import replace

from camscan import knowledge
from camscan.cli.main import run
from camscan.cli.signatures_cmd import measure_command
from camscan.identify.devices import Identifier
from camscan.identify.measure import Missed, leave_out, makers, measure, wilson
from camscan.model.product import ProductLine

KNOWN = build()
IDENTIFIER = Identifier(KNOWN)
AQUILA = "HTTP/1.1 200 OK\r\nServer: Aquila-Web/2 model=AQ-77\r\n\r\n"
PRINTER = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Paper Printer</title>"


def record(device="d", response=AQUILA, **more):
    base = {"device_id": device, "kind": "http", "port": 80, "request": None, "response": response}
    return json.dumps(base | more).encode()


WILSON = [
    # hits, total, low, high: Wilson's interval at 95 %, computed by hand from the formula
    (0, 10, 0.0, 0.2775),
    (10, 10, 0.7225, 1.0),
    (5, 10, 0.2366, 0.7634),
    (0, 0, 0.0, 1.0),
]


@pytest.mark.parametrize(("hits", "total", "low", "high"), WILSON)
def test_wilson(hits, total, low, high):
    found = wilson(hits, total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def label(is_camera, vendor=None, oem=None, model=None, firmware=None):
    return {"label": {"is_camera": is_camera, "vendor": vendor, "oem": oem, "model": model, "firmware": firmware}}  # fmt: skip


def test_measure_counts_per_device():
    lines = [
        record("right", **label(True, "Aquila", model="AQ-77")),
        record("rebrand", **label(True, "Nest Egg", "aquila", model="other")),
        record("wrong", **label(True, "Bubo")),
        record("missed", "HTTP/1.1 200 OK\r\n\r\n", **label(True, "Aquila")),
        record("false", **label(False)),
        record("printer", PRINTER, **label(False)),
        record("left-out", derived=True, **label(False)),
        record("left-out", auth=True, **label(False)),
        b"nonsense",
    ]
    found = measure(lines, IDENTIFIER)
    assert (found.devices, found.cameras, found.others, found.unreadable) == (6, 4, 2, 1)
    assert found.false_cameras == ("false",)
    assert [(w.device_id, w.named, w.labelled) for w in found.wrong_makers] == [
        ("wrong", "aquila", "Bubo")
    ]
    assert found.missed == ("missed",)
    assert (found.camera_precision.hits, found.camera_precision.total) == (3, 4)
    assert (found.camera_recall.hits, found.camera_recall.total) == (3, 4)
    assert (found.other_precision.hits, found.other_precision.total) == (1, 1)
    assert (found.maker_precision.hits, found.maker_precision.total) == (2, 3)
    assert (found.maker_recall.hits, found.maker_recall.total) == (2, 4)
    assert (found.model_recall.hits, found.model_recall.total) == (1, 2)


def test_a_model_that_stands_nowhere_is_counted_apart():
    lines = [
        record("here", **label(True, "Aquila", model="AQ 77", firmware="9.9")),
        record("nowhere", **label(True, "Aquila", model="ZZ-1")),
    ]
    found = measure(lines, IDENTIFIER)
    assert (found.model_recall.hits, found.model_recall.total) == (1, 2)
    present = found.model_recall_where_present
    assert (present.hits, present.total) == (1, 1)
    assert (found.firmware_recall.total, found.firmware_recall_where_present.total) == (1, 0)


def test_why_a_model_that_is_there_was_missed_is_counted():
    another = AQUILA.replace("AQ-77", "AQ-91")
    lines = [
        record("right", **label(True, "Aquila", model="AQ-77")),
        record("two", **label(True, "Aquila", model="AQ-77")),
        record("two", another, port=81, **label(True, "Aquila", model="AQ-77")),
        record("unnamed", PRINTER, **label(True, "Aquila", model="Paper Printer")),
        record("other", another + "<b>AQ-77</b>", **label(True, "Aquila", model="AQ-77")),
    ]
    found = measure(lines, IDENTIFIER)
    assert (found.model_recall_where_present.hits, found.model_recall_where_present.total) == (1, 4)
    assert found.model_missed_where_present == Missed(conflicting=1, unnamed=1, wrong=1)


def test_rows_by_kind_see_one_kind_alone():
    lines = [
        record("both", **label(True, "Aquila")),
        record("both", "220 ready", kind="ftp", **label(True, "Aquila")),
        record("prn", PRINTER, **label(False)),
    ]
    rows = {r.name: r for r in measure(lines, IDENTIFIER).by_kind}
    assert set(rows) == {"ftp", "http"}
    assert (rows["http"].devices, rows["http"].camera_recall.hits) == (2, 1)
    assert (rows["ftp"].devices, rows["ftp"].camera_recall.hits) == (1, 0)
    assert rows["ftp"].camera_recall.total == 1


def test_rows_by_maker_count_who_is_named_and_who_made_it():
    lines = [
        record("right", **label(True, "Aquila")),
        record("wrong", **label(True, "Bubo")),
        record("silent", "HTTP/1.1 200 OK\r\n\r\n", **label(True, "Aquila")),
    ]
    rows = {r.name: r for r in measure(lines, IDENTIFIER).by_maker}
    aquila = rows["aquila"]
    assert (aquila.devices, aquila.maker_recall.hits, aquila.maker_recall.total) == (2, 1, 2)
    assert (aquila.maker_precision.hits, aquila.maker_precision.total) == (1, 2)
    assert [r.maker_recall.hits for n, r in rows.items() if n != "aquila"] == [0]


def test_without_its_signatures_a_maker_is_not_named():
    lines = [record("a", **label(True, "Aquila")), record("b", **label(True, "Bubo"))]
    assert makers(lines, IDENTIFIER)[0] == "aquila"
    whole = measure(lines, IDENTIFIER)
    assert whole.maker_recall.hits == 1
    left = leave_out(lines, KNOWN, "Aquila")
    assert left.maker == "aquila"
    assert 0 < left.signatures < len(KNOWN.signatures)
    assert (left.camera_recall.total, left.still_named.hits, left.wrong_makers) == (1, 0, ())


def test_its_product_lines_are_taken_away_too():
    line = ProductLine(
        id="aquila.line.seven",
        about="Aquila AQ-7",
        pattern=r"\b(AQ-7\d)\b",
        source="constructed",
        as_of="2026-11-01",
        maker="aquila",
    )
    known = replace(KNOWN, lines=(line, replace(line, id="corvus.line.q", maker="corvus")))
    left = leave_out([record("a", **label(True, "Aquila"))], known, "aquila")
    assert left.product_lines == 1


def test_another_maker_named_instead_is_said():
    """Answers of one maker that carry another's mark: without the first the second stands alone."""
    corvus = (
        "HTTP/1.1 200 OK\r\nServer: Aquila-Web/2 model=AQ-77\r\nContent-Type: text/html\r\n\r\n"
        "<title>Corvus Q1</title>"
    )
    left = leave_out([record("a", corvus, **label(True, "Aquila"))], KNOWN, "aquila")
    assert [(w.named, w.labelled) for w in left.wrong_makers] == [("corvus", "Aquila")]


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(knowledge, "load", lambda *_: KNOWN)
    file = tmp_path / "labelled.ndjson"
    file.write_bytes(
        b"\n".join(
            [
                record("right", **label(True, "Aquila", model="AQ-77")),
                record("prn", PRINTER, **label(False, "Aquila")),
                record("bad\x1b[2J", **label(True, "Bubo")),
            ]
        )
    )
    return file


def test_the_command_prints_tables_and_lists(corpus):
    result = CliRunner().invoke(measure_command, [str(corpus)], standalone_mode=False)
    assert result.return_value == 0
    assert "3 devices: 2 cameras, 1 others" in result.output
    assert "2/2 100.0% (34.2-100.0)" in result.output
    assert "wrong makers: bad named aquila, labelled Bubo" in result.output
    assert "\x1b" not in result.output
    as_json = CliRunner().invoke(measure_command, [str(corpus), "--json"], standalone_mode=False)
    assert msgspec.json.decode(as_json.output)["camera_recall"]["hits"] == 2


def test_a_camera_where_there_is_none_is_exit_code_1(corpus):
    corpus.write_bytes(record("x", **label(False)))
    assert run(["signatures", "measure", str(corpus)]) == 1


def test_leave_out_every_maker(corpus):
    result = CliRunner().invoke(
        measure_command, [str(corpus), "--leave-out", "every"], standalone_mode=False
    )
    assert result.return_value == 1, "Bubo has no signatures of its own: Aquila is named"
    assert "all of these, one by one" in result.output
    assert "labelled Bubo" in result.output
