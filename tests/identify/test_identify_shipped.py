"""What the shipped signatures say together of devices that are easily taken for something else."""

from __future__ import annotations

import json

import pytest

from camscan import knowledge
from camscan.identify.devices import identify
from camscan.identify.match import Matcher
from camscan.identify.plan import make_next_jobs
from camscan.model.claim import Attribute, Family, Role
from camscan.model.observation import Kind, Observation

KNOWN = knowledge.load()
MATCHER = Matcher(KNOWN)
ONVIF = "onvif://www.onvif.org/"
WSD = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Body><d:ProbeMatches><d:ProbeMatch>'
    "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{}</d:Scopes>"
    "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
)
SADP = (
    "<ProbeMatch><Uuid>1</Uuid><Types>inquiry</Types><DeviceDescription>{}</DeviceDescription>"
    "<CommandPort>8000</CommandPort><SoftwareVersion>V5.7.15build 240201</SoftwareVersion>"
    "<DetailOEMCode>{}</DetailOEMCode></ProbeMatch>"
)
ISAPI = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n"
    '<DeviceInfo xmlns="http://www.hikvision.com/ver20/XMLSchema"><model>DS-2CD2143G2-I</model>'
    "<firmwareVersion>V5.7.15</firmwareVersion>"
    "<firmwareReleasedDate>build 240201</firmwareReleasedDate></DeviceInfo>"
)
INFORMATION = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:t="http://www.onvif.org/ver10/device/wsdl"><s:Body><t:GetDeviceInformationResponse>'
    "<t:Manufacturer>HIKVISION</t:Manufacturer><t:Model>DS-2CD2143G2-I</t:Model>"
    "<t:FirmwareVersion>V5.7.15 build 240201</t:FirmwareVersion>"
    "</t:GetDeviceInformationResponse></s:Body></s:Envelope>"
)


def seen(kind, response, **more):
    data = response if isinstance(response, bytes) else response.encode("latin-1")
    return Observation(
        id=f"1:{kind}:{len(data)}", device_id="192.0.2.1", kind=kind, response=data, **more
    )


def scopes(**values):
    words = (f"{ONVIF}{name}/{value}" for name, value in values.items())
    return seen(Kind.WSD, WSD.format(" ".join(words)))


def challenge(kind, realm):
    version = "RTSP/1.0" if kind is Kind.RTSP else "HTTP/1.1"
    return seen(
        kind,
        f'{version} 401 Unauthorized\r\nWWW-Authenticate: Digest realm="{realm}", nonce="1"\r\n\r\n',
    )


def tdp(device_type, model):
    result = {"device_type": device_type, "device_model": model, "firmware_version": "1.0"}
    return seen(Kind.KASA, json.dumps({"result": result}))


def only(*observations):
    (device,) = identify(observations, KNOWN, matcher=MATCHER)
    return device


@pytest.mark.parametrize(
    ("mac", "registrant", "party"),
    [
        ("10:5a:17:00:00:01", "Tuya Smart Inc.", "tuya"),
        ("64:09:80:00:00:01", "Xiaomi Communications Co Ltd", "xiaomi"),
        ("60:7e:a4:00:00:01", "Shanghai Imilab Technology Co.Ltd", "imilab"),
    ],
)
def test_a_silent_device_keeps_the_registrant_of_its_block(mac, registrant, party):
    device = only(seen(Kind.NEIGHBOUR, f"mac={mac}"))
    assert device.values(Attribute.REGISTRANT) == (registrant,)
    assert device.value(Attribute.MAKER) is None
    claim = device.claim(Attribute.MAKER)
    assert [(e.family, e.value) for e in claim.evidence] == [(Family.MAC_BLOCK, party)]
    assert device.is_camera is None


def test_miio_names_the_ecosystem_and_no_role():
    device = only(seen(Kind.MIIO, bytes.fromhex("21310020000000000a0b0c0d00001234" + "ff" * 16)))
    assert device.value(Attribute.MAKER) == "xiaomi"
    assert (device.role, device.is_camera) == (None, None)


def test_the_peer_to_peer_library_is_a_component():
    punch = bytes.fromhex("f1410014" + b"EUPRAKM\0".hex() + "0001e240" + b"ABCDE\0\0\0".hex())
    device = only(seen(Kind.PPPP, punch))
    assert "pppp" in device.values(Attribute.COMPONENT)
    assert device.claim(Attribute.PLATFORM) is None
    assert device.is_camera is None


def test_an_axis_speaker_is_a_speaker():
    device = only(
        challenge(Kind.HTTP, "AXIS_ACCC8E000001"),
        challenge(Kind.RTSP, "AXIS_ACCC8E000001"),
        seen(
            Kind.SNMP, "sysDescr.0 = ; AXIS C1310-E; Network Speaker; 11.9.60; Jun 24 2024; 8BE; 1"
        ),
    )
    assert (device.role, device.is_camera) == (Role.SPEAKER, False)
    assert device.value(Attribute.MAKER) == "axis"


def test_the_realm_of_axis_is_no_role():
    device = only(
        challenge(Kind.HTTP, "AXIS_ACCC8E000001"), challenge(Kind.RTSP, "AXIS_ACCC8E000001")
    )
    assert device.value(Attribute.PLATFORM) == "axis"
    assert device.is_camera is None


def test_the_onvif_clock_is_only_a_hint():
    clock = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        "<GetSystemDateAndTimeResponse><UTCDateTime><Time><Hour>1</Hour><Minute>2</Minute>"
        "<Second>3</Second></Time><Date><Year>2026</Year><Month>1</Month><Day>2</Day></Date>"
        "</UTCDateTime></GetSystemDateAndTimeResponse></s:Body></s:Envelope>"
    )
    assert only(seen(Kind.ONVIF, clock)).is_camera is None


def test_a_vigi_camera_has_one_model_and_its_brand():
    device = only(tdp("SMART.IPCAMERA", "VIGI C340"), scopes(name="TP-Link", hardware="C340"))
    assert device.value(Attribute.MODEL) == "C340"
    assert device.value(Attribute.BRAND) == "VIGI"
    assert device.is_camera is True


def test_a_plug_keeps_its_model_as_printed():
    device = only(tdp("SMART.KASAPLUG", "KP125M(US)"))
    assert device.value(Attribute.MODEL) == "KP125M(US)"
    assert (device.role, device.is_camera) == (Role.PLUG, False)


def test_a_board_of_reolink_is_no_model():
    device = only(scopes(name="Reolink%20RLC-810A", hardware="IPC_523128M8MP"))
    assert device.value(Attribute.MODEL) == "RLC-810A"


def test_holosens_is_a_brand_of_huawei():
    device = only(scopes(name="HoloSens", manufacturer="HUAWEI", hardware="M2141-10-EI"))
    assert device.value(Attribute.BRAND) == "HoloSens"
    assert device.value(Attribute.MAKER) == "huawei"


def test_three_interfaces_agree_on_one_firmware():
    device = only(
        seen(Kind.SADP, SADP.format("DS-2CD2143G2-I", 1)),
        seen(Kind.ISAPI, ISAPI),
        seen(Kind.ONVIF, INFORMATION),
    )
    assert device.value(Attribute.FIRMWARE) == "V5.7.15"
    assert device.value(Attribute.BUILD_DATE) == "2024-02-01"
    assert len(device.claim(Attribute.FIRMWARE).evidence) == 3


@pytest.mark.parametrize(("code", "customised"), [("0", False), ("1", False), ("10101", True)])
def test_an_oem_code_tells_a_customised_build_and_no_brand(code, customised):
    device = only(seen(Kind.SADP, SADP.format("DS-2CD2143G2-I", code)))
    assert bool(device.values(Attribute.COMPONENT)) is customised
    assert device.claim(Attribute.BRAND) is None


def test_a_recorder_with_the_type_ptz_is_a_recorder():
    types = f"{ONVIF}type/ptz {ONVIF}type/Network%20Video%20Storage {ONVIF}hardware/DS-7208HQHI-K1"
    device = only(seen(Kind.WSD, WSD.format(types)))
    assert device.role is Role.RECORDER
    assert device.value(Attribute.MAKER) == "hikvision"


@pytest.mark.parametrize(
    ("model", "role"),
    [("CS-C6N-A0", Role.CAMERA), ("CS-T31-16A-EU", Role.PLUG), ("DS-K1T671M", Role.ACCESS_CONTROL)],
)
def test_a_sadp_answer_has_the_role_of_its_model(model, role):
    assert only(seen(Kind.SADP, SADP.format(model, 1))).role is role


def test_a_candidate_of_a_routed_segment_is_asked_by_its_own_search():
    jobs = make_next_jobs(KNOWN, MATCHER)
    open_ports = seen(Kind.PORTS, json.dumps({"open": [80, 554], "closed": [], "silent": []}))
    refused = seen(Kind.HTTP, "HTTP/1.1 401 Unauthorized\r\nServer: App-webs/\r\n\r\n", port=80)
    before = {job.probe for job in jobs((open_ports,), ())}
    after = {job.probe for job in jobs((open_ports, refused), ())}
    assert "udp-sadp-candidate" not in before
    assert {"udp-sadp-candidate", "hik-isapi"} <= after


@pytest.mark.parametrize(
    ("mac", "brand", "maker"),
    [
        ("14:2f:fd:00:00:01", "LTS", "hikvision"),
        ("64:25:5e:00:00:01", None, "hikvision"),
    ],
)
def test_a_brand_with_blocks_of_its_own_is_unmasked_by_what_it_does(mac, brand, maker):
    """The registrant names no maker; the answer of the platform does."""
    silent = only(seen(Kind.NEIGHBOUR, f"mac={mac}"))
    assert silent.value(Attribute.MAKER) is None
    assert silent.value(Attribute.BRAND) == brand
    speaking = only(
        seen(Kind.HTTP, "HTTP/1.1 200 OK\r\nServer: DNVRS-Webs\r\n\r\n", mac=mac),
        seen(Kind.SADP, SADP.format("CMIP1142W-28M", "2000100"), mac=mac),
    )
    assert speaking.value(Attribute.MAKER) == maker
    assert speaking.is_camera is True
    if brand is not None:
        assert speaking.value(Attribute.BRAND) == brand


def test_a_registrant_of_cameras_is_still_no_maker():
    device = only(seen(Kind.NEIGHBOUR, "mac=58:d8:a7:00:00:01"))
    assert device.values(Attribute.REGISTRANT) == ("Bird Home Automation GmbH",)
    assert device.value(Attribute.MAKER) is None
    assert device.is_camera is None
