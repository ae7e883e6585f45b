"""The page about what is known of the market says no more than the data hold."""

from __future__ import annotations

import re

import pytest
from programs import ROOT

from camscan.judge.checks.registry import DEVICE_CHECKS, SITE_CHECKS
from camscan.judge.image_checks import IMAGE_CHECKS
from camscan.knowledge import load

PAGE = (ROOT / "docs" / "coverage-of-market.md").read_text("utf-8")
KNOWN = load()
ROWS = dict(re.findall(r"^\| `([a-z]+)/` \| (\d+) \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("folder", ROWS)
def test_there_is_at_least_what_the_page_says(folder):
    held = getattr(KNOWN, folder)
    assert len(held) >= int(ROWS[folder])


def test_the_page_has_a_row_for_every_kind_of_record_it_speaks_of():
    assert set(ROWS) == {
        "parties",
        "endpoints",
        "networks",
        "advisories",
        "laws",
        "rules",
        "concerns",
        "conditions",
    }


def test_conditions_without_a_check_are_all_named():
    answered = {c.condition for c in (*DEVICE_CHECKS, *SITE_CHECKS, *IMAGE_CHECKS)}
    for condition in set(KNOWN.conditions) - answered:
        assert f"`{condition}`" in PAGE


def test_disputed_seats_are_all_named():
    makers = [p for p in KNOWN.parties.values() if p.group_seat == "disputed" and "maker" in p.kind]
    assert makers
    for party in makers:
        assert party.name.partition(" (")[0] in PAGE, party.id
        assert party.seat_note


def test_prefixes_come_with_their_licence_and_the_number_of_operators_is_right():
    with_prefixes = {n.operator for n in KNOWN.networks if n.prefixes and n.kind != "resolver"} - {
        ""
    }
    (number,) = re.findall(r"Prefixes of (\d+) operators", PAGE)
    assert len(with_prefixes) == int(number)
    for network in KNOWN.networks:
        if network.kind != "resolver" and network.prefixes:
            assert "CC0" in network.source, network.id
