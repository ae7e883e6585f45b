"""Table A3 and what stands around it: order, sources printed once, what no capture holds, nothing cut in silence."""

from __future__ import annotations

import csv
import io

import pytest
from invented import assessment, knowledge
from msgspec.structs import replace

from camscan.model.claim import Endpoint, Mark
from camscan.model.observation import Reason
from camscan.report import csv as csv_report
from camscan.report import html as html_report
from camscan.report import markdown as markdown_report
from camscan.report import table as table_report
from camscan.report.model import build
from camscan.report.order import device_key
from camscan.report.text import en

REGISTER = "registry_country: a register (2026-11)"


def contact(device: str, number: int, **more) -> Endpoint:
    values = {
        "device_id": device,
        "name": f"cloud{number}.example.com",
        "address": f"203.0.113.{number}",
        "port": 443,
        "transport": "tcp",
        "marks": (Mark.NAMED, Mark.CONTACTED),
        "network_operator": f"Host number {number} " + "with a very long name " * 4,
        "sources": (REGISTER, f"network_operator: table {number}"),
        "bytes_up": 1000 + number,
        "packets": 5,
        "first": "2026-11-01T10:00:00.000Z",
        "last": "2026-11-01T10:00:09.000Z",
        "registry_country": "DE",
    }
    return Endpoint(**(values | more))


@pytest.fixture(scope="module")
def model():
    ends = [contact(f"127.0.9.{n}", n) for n in (10, 9, 2)]
    ends += [contact("127.0.9.2", n) for n in range(20, 45)]
    return build(replace(assessment(), endpoints=tuple(ends)), knowledge())


def test_devices_stand_in_the_order_of_their_addresses(model):
    assert [d.device_id for d in model.paths.devices] == ["127.0.9.2", "127.0.9.9", "127.0.9.10"]
    names = [e.device_id for e in model.endpoints]
    assert names == sorted(names, key=device_key)
    mixed = ["b", "10.0.0.10", "fd00::1", "10.0.0.2#82", "a", "10.0.0.2"]
    assert sorted(mixed, key=device_key) == [
        "10.0.0.2",
        "10.0.0.2#82",
        "10.0.0.10",
        "fd00::1",
        "a",
        "b",
    ]


def test_a_source_is_printed_once_and_every_number_leads_to_one(model):
    page = html_report.write(model)
    assert page.count("a register (2026-11)") == 1
    assert page.count('<li id="source-') == 1 + 28
    assert 'registry country <a href="#source-1">[1]</a>' in page


def test_cameras_without_a_packet_are_named_in_every_form(model):
    assert len(model.paths.unseen) == 9
    words = "no capture holds a packet of 9 of the cameras and recorders: 127.0.9.1, 127.0.9.3"
    for writer in (html_report, markdown_report, table_report):
        assert words in writer.write(model).replace("\\", ""), writer


def test_a_list_that_is_cut_says_so(model):
    assert (len(model.paths.parties), model.paths.party_count) == (20, 28)
    assert "The first 20 of 28 by volume." in html_report.write(model)
    assert all(
        len(line) <= 130 for line in table_report.write(model).splitlines() if "Host number" in line
    )
    assert "…" in table_report.write(model)


def test_times_say_their_zone(model):
    text = "".join(csv_report.path_parts(model))
    first = next(csv.DictReader(io.StringIO(text)))
    assert first["first_seen_utc"] == "2026-11-01 10:00:00"
    assert "First and last seen (UTC)" in html_report.write(model)
    assert "2026-11-01 10:00:09 UTC" in markdown_report.write(model).replace("\\", "")


def test_every_reason_and_factor_level_is_explained(model):
    page = html_report.write(model)
    explained = en.TERMS["Why something was not examined"]
    assert set(explained) == {reason.value for reason in Reason}
    assert set(en.TERMS["States of a finding"]) == set(en.STATES.values())
    for factor, levels in knowledge().decision.factors.items():
        for level in (factor,) if factor in "xm" else levels:
            assert f"<dt>{level}</dt>" in page
