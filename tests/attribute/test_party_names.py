"""The short name of a party, as tables print it."""

from __future__ import annotations

import pytest

from camscan.model.party import Party

NAMES = [
    # id, name, spellings, short
    ("tp-link", "TP-Link Systems Inc.", ("TP-LINK TECHNOLOGIES", "TP-Link"), "TP-Link"),
    ("hanwha", "Hanwha Vision Co., Ltd. (before: Samsung Techwin)", (), "Hanwha Vision Co., Ltd."),
    ("bubo", "Bubo Optics", ("Bubo Optics Ltd",), "Bubo Optics"),
]


@pytest.mark.parametrize(("party", "name", "spellings", "short"), NAMES)
def test_short(party, name, spellings, short):
    found = Party(
        id=party, name=name, spellings=spellings, kind=("maker",), source="s", as_of="2026-11"
    )
    assert found.short == short
