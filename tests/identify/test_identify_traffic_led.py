"""A name whose flow went where no party stands is not called a name without a flow."""

from __future__ import annotations

import msgspec

from camscan.identify.destinations import Traffic, with_destinations
from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.claim import Mark
from camscan.model.observation import Kind, Observation
from camscan.model.traffic import Flow, NameSeen

KNOWLEDGE = load()
CAMERA = "10.20.0.9"
SEEN = {"client": CAMERA, "first": 1_793_000_000.0, "last": 1_793_000_060.0}


def records(*addresses):
    for n, address in enumerate(addresses):
        name = NameSeen(**SEEN, proto="dns", name=f"n{n}.example.net", count=1, answers=(address,))
        yield Kind.NAME, name
        yield Kind.FLOW, Flow(**SEEN, remote=address, port=443, transport="tcp", bytes_up=9, bytes_down=9, packets_up=1, packets_down=1)  # fmt: skip
    yield Kind.NAME, NameSeen(**SEEN, proto="dns", name="alone.example.net", count=1)


def endpoints(*addresses):
    seen = [
        Observation(id=f"t:{n}", device_id=CAMERA, address=CAMERA, kind=kind, response=msgspec.json.encode(record))
        for n, (kind, record) in enumerate(records(*addresses))
    ]  # fmt: skip
    (device,) = with_destinations(identify(seen, KNOWLEDGE), Traffic(seen), KNOWLEDGE.services)
    return {e.name: e for e in device.endpoints}


def test_parties_special_ranges_and_own_networks_are_told_apart():
    found = endpoints("81.2.69.142", "203.0.113.7", "10.20.0.77")
    assert set(found) == {"n0.example.net", "n1.example.net", "alone.example.net"}
    assert found["n0.example.net"].marks == (Mark.NAMED, Mark.CONTACTED)
    assert found["n1.example.net"].marks == found["alone.example.net"].marks == (Mark.NAMED,)
    (why,) = found["n1.example.net"].why
    assert why.startswith("led to 203.0.113.7, no party: ")
    assert found["alone.example.net"].why == ()
