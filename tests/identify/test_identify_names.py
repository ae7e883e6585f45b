"""Names: what is declared is found at the beginning of a text, whole words, the longest wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan import knowledge
from camscan.identify.names import KnownNames

KNOWN = knowledge.load()
NAMES = KnownNames(KNOWN)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Milesight", "Milesight"),
        ("MILESIGHT Network Camera", "Milesight"),
        ("D-Link DCS-935L", "D-Link"),
        ("Hanwha Vision Co., Ltd.", "Hanwha Techwin"),
        ("Arecont Vision/1.0", "Arecont Vision"),
        ("Welcome to Milesight Network Camera", "Milesight"),
        ("Live view - AXIS 211", "AXIS"),
        ("Welcome to the camera of Milesight", ""),
        ("Milesightx", ""),
        ("a Milesight", ""),
        ("IP Camera", ""),
        ("", ""),
    ],
)
def test_the_beginning_is_compared_in_whole_words(text, name):
    assert NAMES.find(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "Shanghai Dahua Scale Factory",  # weighing scales
        "AVTECH Room Alert 32E",  # environment monitors of another company
        "Macchina Security DVR",  # an intermediary is never a maker
        "HiSilicon Hi3516 Network Camera",  # a chip names no maker
    ],
)
def test_other_companies_are_not_named(text):
    assert NAMES.find(text) == ""


def test_brands_without_a_known_maker_are_names_too():
    assert NAMES.find("Digital Watchdog MEGApix") == "Digital Watchdog"


@pytest.mark.parametrize(
    ("text", "organisation", "shortened"),
    [
        ("Speco Technologies", "Speco", "Speco"),
        ("Brickcom Corporation", "Brickcom", ""),  # declared as it stands: nothing to take off
        ("Lorex Technology Inc.", "Lorex", "Lorex"),
        ("Milesight", "Milesight", ""),
        ("Dahua Scale Factory", "", ""),
        ("Axis Bank", "", ""),
        ("ACME Co., Ltd.", "", ""),
    ],
)
def test_a_company_is_its_name_and_the_words_of_its_form(text, organisation, shortened):
    assert NAMES.organisation(text) == organisation
    assert NAMES.shortened(text) == shortened


DECLARED = (
    {b.brand for b in KNOWN.brands}
    | set(KNOWN.vocabulary["brand"])
    | {t for p in KNOWN.parties.values() for t in (*p.spellings, p.name.partition(" (")[0])}
)


@given(st.text(max_size=400))
def test_whatever_is_asked_only_declared_names_come_back(text):
    for asked in (text, f"Milesight {text}"):
        found = NAMES.find(asked)
        assert found == "" or found in DECLARED
    assert NAMES.find(f"Milesight {text}") != ""
