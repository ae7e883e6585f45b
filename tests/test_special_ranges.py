"""Special-purpose ranges are never parties; what IANA calls globally reachable may be one."""

from __future__ import annotations

import ipaddress

import pytest

from camscan.decode.own_networks import is_group
from camscan.special_ranges import SPECIAL_RANGES, Nobody, special


@pytest.mark.parametrize(
    "row", [r for r in SPECIAL_RANGES if not r.reachable], ids=lambda r: r.cidr
)
def test_the_edges_of_a_range_are_nobody(row):
    nobody = Nobody()
    network = ipaddress.ip_network(row.cidr)
    edges = [str(p) for p in (network[0], network[-1]) if special(str(p)) is row]
    assert edges
    for place in edges:
        assert nobody(place) == row.name


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "1.1.1.255", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.0.1.1", "198.17.255.255",
        "198.20.0.0", "223.255.255.255", "2400:3200::1", "2606:4700::1111",
        # Reachable by their registries, or forms of an address that is.
        "192.0.0.9", "192.88.99.1", "64:ff9b::808:808", "2002:808:808::1", "2001:0:1::1",
        # No address at all.
        "", "cam.example", "300.1.1.1",
    ],
)  # fmt: skip
def test_ordinary_addresses_may_be_parties(address):
    assert Nobody()(address) == ""


def test_the_owners_table_outranks_the_ranges():
    nobody = Nobody(["203.0.113.0/25", "fd12::/16"])
    assert nobody("203.0.113.9") == ""
    assert nobody("203.0.113.200").startswith("documentation")
    assert nobody("fd12::1") == ""
    assert nobody("fd13::1").startswith("unique local")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("224.0.0.251", True), ("239.255.255.250", True), ("255.255.255.255", True), ("0.0.0.0", True),
        ("ff02::fb", True), ("::", True), ("10.20.0.255", True), ("192.168.1.255", True),
        ("8.8.8.255", False), ("60.12.3.255", False), ("10.20.0.9", False), ("x", False),
    ],
)  # fmt: skip
def test_a_public_address_that_ends_in_255_is_a_host(address, expected):
    assert is_group(address) is expected


def test_an_address_that_sends_is_a_host_whatever_it_ends_in():
    assert not is_group("10.20.3.255", sends=True)
    assert is_group("224.0.0.251", sends=True)
