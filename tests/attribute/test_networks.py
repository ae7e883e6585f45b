"""Networks by prefix: as `ipaddress` reads them."""

from __future__ import annotations

import ipaddress

import pytest
from msgspec.structs import replace

from camscan.attribute.networks import NetworkTable
from camscan.knowledge import load

NETWORK = load().networks[0]


@pytest.mark.parametrize(
    "prefix", ["203.0.113.0/24", "203.0.113.7", "203.0.113.7/32", "0.0.0.0/0", "203.0.0.0/255.255.0.0", "2001:db8::/32"]
)  # fmt: skip
def test_the_edges_of_a_prefix_are_in_it_and_their_neighbours_are_not(prefix):
    block = ipaddress.ip_network(prefix)
    table = NetworkTable([replace(NETWORK, prefixes=(prefix,))])
    assert table.find(block[0]) is not None
    assert table.find(block[-1]) is not None
    outside = [int(block[0]) - 1, int(block[-1]) + 1]
    kind = type(block[0])
    there = [kind(n) for n in outside if 0 <= n < 2**block.max_prefixlen]
    assert [table.find(address) for address in there] == [None] * len(there)


@pytest.mark.parametrize(
    "prefix",
    ["203.0.113.1/24", "203.0.113.0/33", "203.0.113.0/", "203.0.113/24", "cam.example", ""],
)
def test_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match=r"\S"):
        NetworkTable([replace(NETWORK, prefixes=(prefix,))])
