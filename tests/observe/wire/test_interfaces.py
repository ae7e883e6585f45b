"""Is each part of a scope laid to the right way out?"""

from __future__ import annotations

import ipaddress
import socket

import pytest

from camscan.observe.wire import interfaces, netlink
from camscan.scope import build_scope

LINKS = (
    netlink.Link(1, "lo", 0x49, "00:00:00:00:00:00", 65536),
    netlink.Link(2, "eth0", 0x1043, "02:00:00:00:00:01", 1500),
    netlink.Link(3, "tun0", 0x10D1, "", 1400),
    netlink.Link(4, "eth1", 0x1002, "02:00:00:00:00:02", 1500),
)
ADDRESSES = (
    netlink.Address(1, "127.0.0.1", 8),
    netlink.Address(2, "10.20.0.1", 24),
    netlink.Address(3, "10.99.0.2", 24),
    netlink.Address(4, "10.50.0.1", 24),
)


def route(destination, prefix, index, *, gateway=None, type_=1, table=254, metric=0):
    return netlink.Route(
        version=4, destination=destination, prefix=prefix, table=table, type=type_, index=index,
        gateway=gateway, source=None, metric=metric,
    )  # fmt: skip


ROUTES = (
    route("10.20.0.0", 24, 2),
    route("10.20.0.1", 32, 2, type_=2, table=255),
    route("127.0.0.0", 8, 1, type_=2, table=255),
    route("10.30.0.0", 16, 2, gateway="10.20.0.254"),
    route("10.30.7.0", 24, None, type_=7),
    route("10.99.0.0", 24, 3),
    route("10.50.0.0", 24, 4),
)


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(netlink, "available", lambda: True)
    monkeypatch.setattr(netlink, "links", lambda: LINKS)
    monkeypatch.setattr(netlink, "addresses", lambda: ADDRESSES)
    monkeypatch.setattr(netlink, "routes", lambda: ROUTES)


def parts(*targets):
    return interfaces.segments(build_scope(targets, authority="x"))


def test_on_link_own_routed_unreachable(machine):
    found = parts("10.20.0.0/24", "10.30.6.0-10.30.7.255", "10.40.0.1", "127.0.0.1")
    assert [(s.cidr, s.reach, s.interface, s.gateway, s.hosts) for s in found] == [
        ("10.20.0.1/32", "local", "eth0", None, 1),
        ("10.20.0.0/24", "on-link", "eth0", None, 253),
        ("10.30.6.0/24", "routed", "eth0", "10.20.0.254", 256),
        ("10.0.0.0/10", "none", None, None, 257),
        ("127.0.0.1/32", "local", "lo", None, 1),
    ]
    assert found[2].source == "10.20.0.1"
    assert found[2].text == "10.30.6.0/24 routed eth0 via 10.20.0.254"
    assert set(found[3].ranges) == {"10.30.7.0/24", "10.40.0.1/32"}


def test_every_address_is_in_exactly_one_segment(machine):
    found = parts("10.20.0.0/16")
    assert sum(s.hosts for s in found) == 65_534
    ranges = [text for s in found for text in s.ranges]
    assert sum(ipaddress.ip_network(r).num_addresses for r in ranges) == 65_534


def test_a_tunnel_has_no_neighbours_and_a_link_that_is_down_no_way(machine):
    tunnel, down = parts("10.99.0.7")[0], parts("10.50.0.7")[0]
    assert (tunnel.reach, tunnel.gateway) == ("routed", None)
    assert down.reach == "none"


def test_without_netlink(monkeypatch):
    monkeypatch.setattr(netlink, "available", lambda: False)
    assert {i.name for i in interfaces.interfaces()} == {n for _, n in socket.if_nameindex()}
    (found,) = parts("127.0.0.1")
    assert (found.reach, found.source, found.hosts) == ("local", "127.0.0.1", 1)


@pytest.mark.skipif(not netlink.available(), reason="this system has no netlink")
def test_the_kernel_answers():
    loopback = [i for i in interfaces.interfaces() if i.loopback]
    assert [i.name for i in loopback] == ["lo"]
    assert all(r.version in {4, 6} for r in netlink.routes())
    assert isinstance(netlink.neighbours(), tuple)
