"""Only a device that says it is a gateway is asked for its table, at its own address and a listed path."""

from __future__ import annotations

import pytest

from camscan.identify.gateway import PROBE, gateway_job
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.probe import Exchange

GATEWAY = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"


def ssdp(location: str, st: str = GATEWAY) -> Observation:
    return Observation(
        id="0001-scan:1", device_id="127.0.0.1", address="127.0.0.1", kind=Kind.SSDP, port=1900,
        response=f"HTTP/1.1 200 OK\r\nST: {st}\r\nUSN: uuid:x::{st}\r\nLOCATION: {location}\r\n\r\n".encode(),
    )  # fmt: skip


def test_the_table_is_read_where_the_answer_says():
    job = gateway_job([ssdp("http://127.0.0.1:1900/rootDesc.xml")], (), frozenset())
    assert (job.exchange, job.port, job.path) == (Exchange.IGD_MAPPINGS, 1900, "/rootDesc.xml")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.7:1900/rootDesc.xml",
        "http://127.0.0.1:9100/rootDesc.xml",
        "http://127.0.0.1:1900/cgi-bin/reboot",
        "http://127.0.0.1:1900/rootDesc.xml?reboot=1",
        "https://127.0.0.1:1900/rootDesc.xml",
        "http://127.0.0.1:99999/rootDesc.xml",
        "http://[::1/rootDesc.xml",
        "",
    ],
)
def test_other_places_are_not_followed(location):
    assert gateway_job([ssdp(location)], (), frozenset({9100})) is None


def test_another_kind_of_device_is_not_asked():
    other = ssdp("http://127.0.0.1:1900/rootDesc.xml", "upnp:rootdevice")
    assert gateway_job([other], (), frozenset()) is None


def test_it_is_asked_once():
    first = ssdp("http://127.0.0.1:1900/rootDesc.xml")
    answer = Observation(
        id="0001-scan:2", device_id="127.0.0.1", kind=Kind.UPNP_XML, response=b"", job=PROBE
    )
    refusal = Attempt(id="0001-scan:a1", device_id="127.0.0.1", test=PROBE, reason=Reason.TIMEOUT)
    assert gateway_job([first, answer], (), frozenset()) is None
    assert gateway_job([first], (refusal,), frozenset()) is None
