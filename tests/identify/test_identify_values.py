"""Are values brought into the one form in which they are compared and printed?"""

from __future__ import annotations

import pytest

from camscan.identify.values import detail, normal
from camscan.model.claim import Attribute


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("DS-2CD2143G2-I20240318AAWRF44212124", "DS-2CD2143G2-I"),
        ("DS-7732NI-I4 ", "DS-7732NI-I4"),
        ("CMIP3042W-28M20180911AAWRC53240984", "CMIP3042W-28M"),
        ("IPC-HFW2431S-S-S2", "IPC-HFW2431S-S-S2"),
        ("20240318AAWRF44212124", "20240318AAWRF44212124"),
    ],
)
def test_a_model_ends_where_the_serial_number_goes_on(text, model):
    assert normal(Attribute.MODEL, text) == model


def test_a_serial_number_stays_whole():
    serial = "DS-2CD2143G2-I20240318AAWRF44212124"
    assert normal(Attribute.SERIAL, serial) == serial


def test_of_two_spellings_the_one_with_capitals_says_more():
    assert max("dcs-935l", "DCS-935L", key=detail) == "DCS-935L"
    assert max("DCS-935L", "dcs-935la", key=detail) == "dcs-935la"
