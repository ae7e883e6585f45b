"""A gateway's port table tells which camera is reachable from the internet, and only that one."""

from __future__ import annotations

import pytest

from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.claim import Attribute, Confidence, State
from camscan.model.observation import Kind, Observation

ENTRY = (
    "<s:Envelope><s:Body><r><NewExternalPort>{outside}</NewExternalPort><NewProtocol>TCP</NewProtocol>"
    "<NewInternalPort>{inside}</NewInternalPort><NewInternalClient>{client}</NewInternalClient>"
    "<NewEnabled>{on}</NewEnabled><NewPortMappingDescription>RTSP</NewPortMappingDescription></r></s:Body></s:Envelope>"
)


def seen(number: int, address: str, kind: Kind, body: str, port: int = 80) -> Observation:
    return Observation(
        id=f"0001-scan:{number}", device_id=address, address=address, kind=kind, port=port, transport="tcp",
        response=f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n{body}".encode(),
    )  # fmt: skip


def claims(on: str, client: str = "127.0.0.9") -> dict[str, list[str]]:
    entry = ENTRY.format(outside=18554, inside=554, client=client, on=on)
    observations = [
        seen(1, "127.0.0.1", Kind.UPNP_XML, entry, 1900),
        seen(2, "127.0.0.9", Kind.HTTP, "<html></html>"),
        seen(3, "127.0.0.8", Kind.HTTP, "<html></html>"),
    ]
    found = {}
    for device in identify(observations, load()):
        found[device.device_id] = list(device.values(Attribute.UPNP_MAPPING))
        for claim in device.claims:
            if claim.attribute is Attribute.UPNP_MAPPING:
                assert claim.state is State.OBSERVED
                assert claim.confidence is Confidence.LOW
                assert claim.evidence[0].observation == "0001-scan:1"
    return found


def test_the_camera_behind_the_mapping_has_the_claim():
    assert claims("1") == {
        "127.0.0.1": [],
        "127.0.0.8": [],
        "127.0.0.9": ["TCP 18554 -> 127.0.0.9:554 (RTSP)"],
    }


@pytest.mark.parametrize(("on", "client"), [("0", "127.0.0.9"), ("1", "127.0.0.77")])
def test_a_disabled_mapping_or_one_elsewhere_says_nothing(on, client):
    assert all(values == [] for values in claims(on, client).values())
