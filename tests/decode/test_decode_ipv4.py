"""Addresses as numbers: what `ipaddress` says, or nothing."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import ipv4

OCTETS = st.sampled_from(
    ["0", "1", "9", "10", "255", "256", "00", "01", "+1", " 1", "1_0", "", "a", "\u0661"]
)


@given(st.one_of(st.text(max_size=20), st.lists(OCTETS, max_size=5).map(".".join)))
def test_nothing_is_taken_that_is_no_address(text):
    try:
        expected = int(ipaddress.IPv4Address(text))
    except ValueError:
        expected = -1
    assert ipv4.number(text) == expected


@given(st.integers(0, 2**32 - 1))
def test_every_address_is_its_number(number):
    assert ipv4.number(str(ipaddress.IPv4Address(number))) == number


@pytest.mark.parametrize("text", ["::1", "::ffff:10.0.0.1", "10.0.0.1%eth0", "10.0.0.1/32"])
def test_other_forms_are_left_to_others(text):
    assert ipv4.number(text) == -1
