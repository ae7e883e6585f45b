"""Names of server certificates: the server's word, told apart from the client's; hidden by TLS 1.3."""

from __future__ import annotations

import pytest
import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st

from camscan.identify.name_flows import NameIndex
from camscan.model.traffic import Flow
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.server_names import MAX_NAMES, certificate_names

DER = wire.certificate("dev.example.com", "*.cloud.example.com")


def served(flight, *, src=wire.SERVER, dst=wire.CAMERA):
    namer = Namer()
    for packet in wire.segments(flight, size=200, src=src, sport=443, dst=dst, dport=40000):
        namer.feed(packet)
    return namer


def test_names_of_a_certificate_in_several_segments_are_the_servers():
    names = served(wire.server_flight(DER)).names()
    assert [(n.client, n.proto, n.name) for n in names] == [
        (wire.CAMERA, "tls-cert", "*.cloud.example.com"),
        (wire.CAMERA, "tls-cert", "dev.example.com"),
    ]
    flow = Flow(client=wire.CAMERA, remote=wire.SERVER, port=443, transport="tcp", bytes_up=1, bytes_down=1, packets_up=1, packets_down=1, first=0.0, last=1.0)  # fmt: skip
    named = NameIndex(names).of(flow)
    assert not named.by_device
    assert named.by == ("certificate",)


@pytest.mark.parametrize(("count", "said"), [(MAX_NAMES, 0), (MAX_NAMES + 1, 1)])
def test_names_that_are_not_kept_are_counted(count, said):
    der = wire.certificate(*(f"site-{n}.example.com" for n in range(count)))
    namer = served(wire.server_flight(der))
    assert len(namer.names()) == MAX_NAMES
    assert dict(namer.not_examined()).get("certificates with more names than are kept", 0) == said


def test_tls_1_3_shows_none():
    assert served(wire.server_flight(None)).names() == ()
    assert certificate_names(wire.server_flight(None)) == ((), b"")


def test_the_certificate_of_an_own_device_is_a_fact_about_it():
    namer = served(wire.server_flight(DER), src=wire.CAMERA, dst="10.20.0.50")
    assert namer.names() == ()
    (fact,) = namer.facts()
    assert (fact.client, fact.kind, fact.payload) == (wire.CAMERA, "https-cert", DER)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_flight_ends(data, place):
    whole = wire.server_flight(DER)
    certificate_names(whole[:place] + data + whole[place + len(data) :])
