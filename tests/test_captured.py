"""Which device do the records of a capture belong to (DESIGN rule 4), and what of them is stored?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from camscan.captured import coarse, device_ids, store
from camscan.clock import FixedClock
from camscan.identify.destinations import Traffic, with_destinations
from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.observation import Kind
from camscan.model.run import IntakeInfo
from camscan.model.traffic import Captured, CaptureSummary, ClientFact, Flow, Minute, NameSeen
from camscan.run import Run

ONE, TWO, ROUTER = "9c:8e:cd:11:22:33", "44:47:cc:00:00:01", "02:00:00:00:00:01"


def name(client, mac, first, last):
    return NameSeen(client=client, client_mac=mac, proto="dns", name="a.example.com", first=first, last=last, count=1)  # fmt: skip


def flow(client, remote="203.0.113.7", mac=ONE, minutes=()):
    return Flow(client=client, remote=remote, port=443, transport="tcp", bytes_up=10, bytes_down=5, packets_up=1, packets_down=1, first=1.0, last=9.0, client_mac=mac, minutes=minutes)  # fmt: skip


def captured(*names, flows=(), facts=()):
    return Captured(summary=CaptureSummary(vantage="mirror"), names=names, flows=flows, facts=facts)


def intake(tmp_path, kind="traffic"):
    clock = FixedClock(1_793_000_000.0)
    run = Run.open(tmp_path, clock) if Run.is_run(tmp_path) else Run.create(tmp_path, owner="", authority=None, clock=clock)  # fmt: skip
    info = IntakeInfo(id="", kind=kind, started="2026-11-01T00:00:00Z", tool_version="0", knowledge_hash="x", vantage="mirror")  # fmt: skip
    return run, run.new_intake(info)


def test_a_lease_that_changed_hands_makes_two_devices():
    seen = captured(name("10.0.0.5", ONE, 0, 100), name("10.0.0.5", TWO, 1000, 1100))
    ids = device_ids(seen)
    assert ids["10.0.0.5", ONE] != ids["10.0.0.5", TWO]


def test_a_device_that_moved_is_one_under_its_last_address():
    ids = device_ids(captured(name("10.0.0.5", ONE, 0, 100), name("10.0.0.9", ONE, 1000, 1100)))
    assert set(ids.values()) == {"10.0.0.9"}


def test_a_router_is_not_the_device_behind_it():
    seen = captured(
        name("10.0.0.5", ROUTER, 0, 100),
        name("10.0.0.9", ROUTER, 50, 90),
        name("10.0.0.5", ONE, 0, 100),
    )
    ids = device_ids(seen)
    assert ids["10.0.0.5", ROUTER] == ids["10.0.0.5", ONE] == "10.0.0.5"
    assert ids["10.0.0.9", ROUTER] == "10.0.0.9"


def test_strangers_and_zero_macs_make_no_device(tmp_path):
    run, writer = intake(tmp_path)
    seen = captured(
        name("198.51.100.9", ONE, 0, 1),
        name("10.0.0.5", "00:00:00:00:00:00", 0, 1),
        flows=(flow("198.51.100.9", "203.0.113.7"), flow("198.51.100.9", "10.0.0.5", mac=ROUTER)),
    )
    store(writer, seen)
    writer.seal(complete=True)
    stored = [o for o in run.observations() if o.kind is not Kind.CAPTURE]
    assert {o.device_id for o in stored} == {"10.0.0.5"}
    assert {o.mac for o in stored} == {None}


def test_secrets_in_what_devices_say_are_cut_before_they_are_stored(tmp_path):
    _, writer = intake(tmp_path)
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=TopSecret\r\nX: rtsp://admin:TopSecret@10.0.0.5/\r\n\r\n"
    store(writer, captured(facts=(ClientFact(client="10.0.0.5", kind="http", payload=head, at=1.0, port=80),)))  # fmt: skip
    writer.seal(complete=True)
    assert b"TopSecret" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_minutes_of_a_long_capture_become_wider_and_keep_their_sums():
    minutes = tuple(Minute(60 * n, 3, 1) for n in range(10_000))
    wide = coarse(minutes)
    assert len(wide) <= 1440
    assert sum(m.bytes_up for m in wide) == 30_000


def test_a_capture_joins_the_scan_by_the_mac_and_names_the_reason(tmp_path):
    run, writer = intake(tmp_path, "scan")
    writer.observe(device_id="10.0.0.5", kind=Kind.NEIGHBOUR, response=f"mac={ONE}".encode(), address="10.0.0.5", mac=ONE)  # fmt: skip
    writer.observe(device_id="10.0.0.7", kind=Kind.NEIGHBOUR, response=f"mac={TWO}".encode(), address="10.0.0.7", mac=TWO)  # fmt: skip
    writer.seal(complete=True)
    run, writer = intake(tmp_path)
    # The camera has another address by now, and its old one belongs to the other device.
    store(writer, captured(name("10.0.0.9", ONE, 0, 1), name("10.0.0.5", TWO, 0, 1)))
    writer.seal(complete=True)
    devices = {d.macs: d for d in identify(run.observations(), load())}
    assert set(devices) == {(ONE,), (TWO,)}
    assert set(devices[ONE,].addresses) == {"10.0.0.5", "10.0.0.9"}
    assert any("MAC seen" in reason for reason in devices[ONE,].joins)


HOME, OTHER, CLOUD = "2001:db8:1::50", "2001:db8:1::60", "2606:4700::1"


def observed(tmp_path, *flows):
    run, writer = intake(tmp_path)
    seen = replace(captured(flows=flows), names=(name(HOME, ONE, 1, 2), name(CLOUD, ROUTER, 1, 2)))
    store(writer, seen)
    writer.seal(complete=True)
    return list(run.observations())


def test_who_speaks_on_the_link_is_the_owners_whatever_its_address(tmp_path):
    near, far = flow(HOME, "fe80::1"), flow(HOME, CLOUD)
    found = observed(tmp_path, near, far, flow(HOME, OTHER))
    kinds = [(o.kind, o.address) for o in found if o.kind is not Kind.CAPTURE]
    assert (Kind.NAME, HOME) in kinds
    assert (Kind.NAME, CLOUD) not in kinds
    assert kinds.count((Kind.FLOW, HOME)) == 3
    devices = with_destinations(identify(found, load()), Traffic(found), ())
    (device,) = devices
    assert [e.address for e in device.endpoints if e.address] == [CLOUD]


@pytest.mark.parametrize(("client", "remote"), [(HOME, CLOUD), ("198.51.100.4", "203.0.113.7")])
def test_flows_between_strangers_are_said_not_to_be_looked_at(tmp_path, client, remote):
    found = observed(tmp_path, flow(client, remote), flow("::", "ff02::1"), flow(HOME, "ff05::2"))
    assert [o.kind for o in found] == [Kind.CAPTURE]
    assert b"no end is known to be the owner" in found[0].response
