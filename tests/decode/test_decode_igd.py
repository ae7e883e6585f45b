"""A gateway's port table is read, one entry at a time, and no other action can be built."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import igd, registry, xml
from camscan.errors import DecodeError
from camscan.model.observation import Kind, Observation

DESCRIPTION = b"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/ctl/L3F</controlURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<controlURL>/ctl/IPConn</controlURL></service></serviceList></device></root>"""
ANSWER = b"""<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:GetGenericPortMappingEntryResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">
<NewRemoteHost></NewRemoteHost><NewExternalPort>18554</NewExternalPort><NewProtocol>TCP</NewProtocol>
<NewInternalPort>554</NewInternalPort><NewInternalClient>127.0.0.9</NewInternalClient><NewEnabled>1</NewEnabled>
<NewPortMappingDescription>RTSP</NewPortMappingDescription></u:GetGenericPortMappingEntryResponse></s:Body></s:Envelope>"""


def test_the_control_path_is_that_of_the_connection_service():
    assert igd.control(DESCRIPTION) == igd.Control(
        "urn:schemas-upnp-org:service:WANIPConnection:1", "/ctl/IPConn"
    )


@pytest.mark.parametrize(
    "other", [b"http://127.0.0.7/x", b"//127.0.0.7/x", b"ctl", b"/ctl?reboot=1"]
)
def test_a_control_address_elsewhere_is_not_followed(other):
    assert igd.control(DESCRIPTION.replace(b"/ctl/IPConn", other)) is None


def test_the_request_reads_and_nothing_else_can_be_built():
    header, body = igd.mapping_request("urn:schemas-upnp-org:service:WANIPConnection:1", 3)
    assert header == '"urn:schemas-upnp-org:service:WANIPConnection:1#GetGenericPortMappingEntry"'
    assert b"<NewPortMappingIndex>3</NewPortMappingIndex>" in body
    source = inspect.getsource(igd)
    assert "<u:AddPortMapping" not in source
    assert "<u:DeletePortMapping" not in source
    assert source.count("<u:") == 1
    with pytest.raises(ValueError, match="not a service type"):
        igd.mapping_request('x"><u:AddPortMapping', 0)


def test_an_entry_is_decoded_with_the_other_fields():
    seen = Observation(
        id="1",
        device_id="d",
        kind=Kind.UPNP_XML,
        response=b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + ANSWER,
    )
    fields = registry.decode(seen)
    assert fields["mapping"] == ("TCP 18554 -> 127.0.0.9:554 (RTSP)",)
    assert fields["mapping-client"] == ("127.0.0.9",)
    assert igd.more(ANSWER)


def test_the_end_of_the_table_is_no_entry():
    fault = b"<e><detail><UPnPError><errorCode>713</errorCode></UPnPError></detail></e>"
    assert igd.mapping(xml.parse(fault)) is None
    assert not igd.more(fault)


@given(
    st.binary(max_size=600)
    | st.builds(
        lambda a, b: DESCRIPTION[:a] + b + DESCRIPTION[a:],
        st.integers(0, 500),
        st.binary(max_size=40),
    )
)
@settings(max_examples=200, deadline=None)
def test_hostile_descriptions_raise_nothing_but_decode_error(data):
    try:
        found = igd.control(data)
    except DecodeError:
        return
    assert found is None or found.path.startswith("/")
    igd.more(data)
