"""Hard negatives stay silent, plain words are believed, and no maker is taken for another.

All answers are written here from the meaning of the protocols.
"""

from __future__ import annotations

import json
from functools import lru_cache

import pytest

from camscan import knowledge
from camscan.decode.registry import decode
from camscan.identify.devices import Identifier
from camscan.identify.relations import Relations
from camscan.identify.resolve import resolve
from camscan.knowledge_lint import platform_of, sample_observation
from camscan.model.claim import Attribute, State
from camscan.model.observation import Kind, Observation

KNOWN = knowledge.load()


@lru_cache(maxsize=1)
def identifier():
    return Identifier(KNOWN)


def seen(kind, response, port=80, request=None):
    data = response if isinstance(response, bytes) else response.encode("utf-8")
    return Observation(id="1", device_id="d", kind=kind, response=data, port=port, request=request)


def only(*observations):
    return identifier().device("d", observations)


def page(title="", realm="", server=""):
    status = "401 Unauthorized" if realm else "200 OK"
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html"]
    lines += [f"Server: {server}"] if server else []
    lines += [f'WWW-Authenticate: Basic realm="{realm}"'] if realm else []
    body = f"<html><head><title>{title}</title></head></html>" if title else ""
    return "\r\n".join((*lines, "", body))


def upnp(**leaves):
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in leaves.items())
    return f'<root xmlns="urn:schemas-upnp-org:device-1-0"><device>{inner}</device></root>'


def tdp(device_type, model):
    result = {"device_type": device_type, "device_model": model, "firmware_version": "1.0"}
    return json.dumps({"result": result})


def kasa(kind, model):
    info = {"type": kind, "model": model, "sw_ver": "1.0", "mac": "50:C7:BF:00:00:01"}
    return json.dumps({"system": {"get_sysinfo": info}})


NEGATIVES = [
    ("plug of TP-Link", Kind.KASA, kasa("IOT.SMARTPLUGSWITCH", "HS110(EU)")),
    ("bulb of TP-Link", Kind.KASA, kasa("IOT.SMARTBULB", "LB130(EU)")),
    ("plug of Tapo", Kind.KASA, tdp("SMART.TAPOPLUG", "P110(EU)")),
    ("bulb of Tapo", Kind.KASA, tdp("SMART.TAPOBULB", "L530E(EU)")),
    ("hub of Tapo", Kind.KASA, tdp("SMART.TAPOHUB", "H200(EU)")),
    ("chime of Tapo", Kind.KASA, tdp("SMART.TAPOCHIME", "D100C(US)")),
    ("vacuum of Tapo", Kind.KASA, tdp("SMART.TAPOROBOVAC", "RV30(EU)")),
    ("switch of Kasa", Kind.KASA, tdp("SMART.KASASWITCH", "KS225(US)")),
    ("plug name of Tapo", Kind.MDNS, "PTR Tapo_P110_1A2B._http._tcp.local"),
    ("plug of D-Link", Kind.HTTP, page("D-Link SMART PLUG DSP-W215")),
    ("plug of D-Link in mDNS", Kind.MDNS, "PTR DSP-W215._dhnap._tcp.local"),
    ("sensor of D-Link", Kind.MDNS, "PTR DCH-S150._dhnap._tcp.local"),
    ("plug of Edimax", Kind.HTTP, page(realm="SP-2101W")),
    ("switch of D-Link", Kind.SNMP, "sysDescr.0 = D-Link DGS-1210-28 6.10.B008"),
    ("switch of Arista", Kind.SNMP, "sysDescr.0 = Arista Networks EOS on DCS-7150S-24"),
    ("speaker of Axis", Kind.SNMP, "sysDescr.0 = ; AXIS C1310-E; Network Speaker; 11.9.60; Jun 24 2024 11:57; 8BE; 1;"),
    ("radar of Axis", Kind.SNMP, "sysDescr.0 = ; AXIS D2110-VE; Security Radar; 11.9.60; Jun 24 2024 11:57; 8BE; 1;"),
    ("door controller of Axis", Kind.DHCP, "vendor-class AXIS,Network Door Controller,A1001,1.65.2"),
    ("print server of Axis", Kind.FTP, "220 AXIS 5600+ Network Print Server V7.10.2 ready.\r\n"),
    ("access point of UniFi", Kind.SNMP, "sysDescr.0 = Linux UAP-AC-Pro 3.3.8"),
    ("access point of Ubiquiti", Kind.DHCP, "vendor-class ubnt"),
    ("router of Huawei", Kind.HTTP, page("HG8245H", server="lighttpd")),
    ("switch of Huawei", Kind.SNMP, "sysDescr.0 = Huawei Versatile Routing Platform Software VRP S5720"),
    ("router of TP-Link", Kind.HTTP, page(realm="TP-LINK Wireless N Router WR841N")),
    ("modem of TP-Link", Kind.HTTP, page(realm="TD-W8960N")),
    ("monitor of AVTECH", Kind.SNMP, "sysDescr.0 = AVTECH Software, Room Alert 32E v4.4.0"),
    ("monitor of AVTECH, page", Kind.HTTP, page("AVTECH Room Alert 4E")),
    ("scales", Kind.HTTPS_CERT, "subject=CN=scale,O=Shanghai Dahua Scale Factory"),
    ("set-top box", Kind.SSDP, "HTTP/1.1 200 OK\r\nSERVER: Linux/3.3 UPnP/1.0 TiVo DVR/1.0\r\nST: urn:schemas-upnp-org:device:MediaServer:1\r\nUSN: uuid:1::x\r\n\r\n"),
    ("set-top box, description", Kind.UPNP_XML, upnp(deviceType="urn:schemas-upnp-org:device:MediaServer:1", manufacturer="Humax", modelName="HDR-FOX T2", modelDescription="Digital Video Recorder")),
    ("phone of Grandstream", Kind.HTTP, page(server="Grandstream GXV3275 1.0.3.6")),
    ("printer of Canon", Kind.HTTP, page(server="Canon HTTP Server")),
    ("photo camera of Sony", Kind.UPNP_XML, upnp(deviceType="urn:schemas-upnp-org:device:Basic:1", manufacturer="Sony Corporation", modelName="SonyImagingDevice", friendlyName="ILCE-6000")),
    ("television of LG", Kind.UPNP_XML, upnp(deviceType="urn:schemas-upnp-org:device:MediaRenderer:1", manufacturer="LG Electronics", modelName="LG TV")),
    ("intercom without a camera", Kind.SNMP, "sysDescr.0 = 2N IP Force"),
    ("lamp in HomeKit", Kind.MDNS, "PTR Lamp._hap._tcp.local\nTXT md=L1\nTXT ci=5"),
    ("conference camera, page", Kind.TITLE, page("Sony Video Conference Camera")),
    ("conference system", Kind.SNMP, "sysDescr.0 = Polycom HDX 8000 HD Camera"),
    ("program that shows cameras", Kind.TITLE, page("IP Camera Viewer")),
    ("program for industrial cameras", Kind.TITLE, page("Basler camera software")),
    ("photo camera, page", Kind.TITLE, page("Canon Camera Connect")),
    ("shop", Kind.TITLE, page("IP Camera Shop - buy online")),
    ("media server", Kind.RTSP, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Cisco MediaSense Media Server\r\n\r\n"),
    ("access panel with ONVIF", Kind.WSD, None),
    ("router-named-tenda", Kind.HTTP, page("Tenda AC10")),
    ("ham-radio-ic", Kind.HTTP, page("IC-7300 Remote")),
    ("television-lg", Kind.SNMP, "sysDescr.0 = LG LV550"),
    ("switch-of-a-camera-maker", Kind.SNMP, "sysDescr.0 = Swann PoE Switch"),
    ("shop-of-a-camera-maker", Kind.HTTP, page("Zosi Store")),
    ("computer-named-after-a-maker", Kind.MDNS, "PTR Jovision-Desktop._smb._tcp.local"),
    ("broadcast-encoder", Kind.SNMP, "sysDescr.0 = H.264 HD Video Encoder"),
    ("television-recorder", Kind.HTTP, page("HDHomeRun DVR")),
    ("cable-box", Kind.SNMP, "sysDescr.0 = Cisco DVR 8640 cable modem"),
    ("photo-camera", Kind.UPNP_XML, upnp(deviceType="urn:schemas-upnp-org:device:Basic:1", manufacturer="Sony", friendlyName="Sony Camera", modelName="DSC-RX100")),
    ("desktop-iq", Kind.SNMP, "sysDescr.0 = HP TouchSmart IQ506"),
]  # fmt: skip
SCOPES = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body><d:ProbeMatches><d:ProbeMatch>'
    "<d:Types>tds:Device</d:Types><d:Scopes>{}</d:Scopes>"
    "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
)
PANEL = SCOPES.format(
    "onvif://www.onvif.org/Profile/A onvif://www.onvif.org/Profile/C onvif://www.onvif.org/name/Door"
)


@pytest.mark.parametrize(("name", "kind", "response"), NEGATIVES, ids=[n for n, _, _ in NEGATIVES])
def test_it_is_called_no_camera(name, kind, response):
    del name
    device = only(seen(kind, response if response is not None else PANEL))
    assert decode(seen(kind, response if response is not None else PANEL))
    assert device.is_camera is not True


@pytest.mark.parametrize(
    ("kind", "response", "maker"),
    [
        (Kind.SNMP, "sysDescr.0 = AVTECH Software, Room Alert 32E v4.4.0", None),
        (Kind.HTTPS_CERT, "subject=CN=scale,O=Shanghai Dahua Scale Factory", None),
        (Kind.HTTP, page("Macchina Security DVR"), None),
        (Kind.HTTP, page("HiSilicon Hi3516 IP Camera"), None),
        (Kind.HTTP, page("Honeywell IP Camera"), None),  # sold by several, see brands/
        (Kind.HTTP, page("Digital Watchdog Network Camera"), None),
    ],
)
def test_nobody_is_named_who_is_not_known_to_have_built_it(kind, response, maker):
    assert only(seen(kind, response)).value(Attribute.MAKER) == maker


POSITIVES = [
    (Kind.HTTP, page("Toshiba Network Camera - User Login"), True, None, "Toshiba"),
    (Kind.HTTP, page("Brickcom IP Camera"), True, "brickcom", "Brickcom"),
    (Kind.HTTP, page(realm="LevelOne FCS-0030"), True, "levelone", "LevelOne"),
    (Kind.HTTP, page(server="Vivotek Network Camera"), True, "vivotek", "VIVOTEK"),
    (Kind.FTP, "220 Milesight Network Camera ready\r\n", True, "milesight", "Milesight"),
    (Kind.TELNET, "Welcome to Surveon IP Camera\r\nlogin: ", True, "surveon", "Surveon"),
    (Kind.SNMP, "sysDescr.0 = Dallmeier Network Camera", True, "dallmeier", "Dallmeier"),
    (Kind.UPNP_XML, upnp(deviceType="urn:schemas-upnp-org:device:Basic:1", manufacturer="Grandstream", modelName="GXV3610_FHD"), True, "grandstream", "Grandstream"),
    (Kind.MDNS, "PTR INSTAR IP Camera._http._tcp.local", True, "instar", "INSTAR"),
    (Kind.DHCP, "vendor-class Bolin PTZ camera", True, "bolin", "Bolin"),
    (Kind.WSD, SCOPES.format("onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/KEDACOM%20IPC"), True, "kedacom", "KEDACOM"),
    (Kind.HTTPS_CERT, "subject=CN=IP Camera,O=Brickcom Corporation", True, "brickcom", "Brickcom"),
    (Kind.HTTP, page("Swann NVR"), True, None, "Swann"),
    (Kind.HTTP, page("Netzwerkkamera"), True, None, None),
    (Kind.HTTP, page("Mrežna kamera"), True, None, None),
    (Kind.HTTP, page("网络摄像机"), True, None, None),
    (Kind.HTTP, page(realm="ipcamera_0011AABBCCDD"), True, None, None),
    (Kind.RTSP, "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Grandstream Rtsp Server V100R001\r\n\r\n", True, "grandstream", "Grandstream"),
    (Kind.SNMP, "sysDescr.0 = Linux\nsysObjectID.0 = 1.3.6.1.4.1.29908.1", True, "indigovision", None),
    (Kind.SNMP, "sysDescr.0 = Avigilon H4A camera", True, "avigilon", "Avigilon"),
    (Kind.FTP, "220 Uniview NVR ready\r\n", True, "uniview", "UNV"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "response", "camera", "maker", "brand"), POSITIVES)
def test_plain_words_and_declared_names_suffice(kind, response, camera, maker, brand):
    device = only(seen(kind, response))
    assert (device.is_camera, device.value(Attribute.MAKER)) == (camera, maker)
    assert (device.value(Attribute.BRAND) or "").casefold() == (brand or "").casefold()


def information(manufacturer, model):
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:t="http://www.onvif.org/ver10/device/wsdl"><s:Body><t:GetDeviceInformationResponse>'
        f"<t:Manufacturer>{manufacturer}</t:Manufacturer><t:Model>{model}</t:Model>"
        "<t:FirmwareVersion>1.0</t:FirmwareVersion></t:GetDeviceInformationResponse></s:Body>"
        "</s:Envelope>"
    )


@pytest.mark.parametrize(
    ("manufacturer", "model", "camera", "maker", "brand"),
    [
        ("UNIVIEW", "IPC322SR3", True, "uniview", "UNV"),  # a maker of video alone, and a hint
        ("VIVOTEK INC.", "X1", True, "vivotek", "VIVOTEK INC."),
        ("AXIS", "P3245-LV", True, "axis", "AXIS"),
        ("AXIS", "A1001", None, "axis", "AXIS"),  # a door controller speaks ONVIF too
        ("AXIS", "C1310-E", None, "axis", "AXIS"),
        ("ACME", "X1", None, None, "ACME"),
        ("H264", "X1", None, None, None),  # a filler names nobody
        ("HiSilicon", "Hi3516", None, None, None),  # nor does a chip
        ("Lorex Technology Inc.", "X8921", None, None, "Lorex"),
        ("Lorex Technology Inc.", "LNB8921", True, None, "Lorex"),  # its line of cameras
    ],
)
def test_what_an_onvif_device_says_of_itself(manufacturer, model, camera, maker, brand):
    device = only(seen(Kind.ONVIF, information(manufacturer, model)))
    assert (device.is_camera, device.value(Attribute.MAKER)) == (camera, maker)
    assert device.value(Attribute.BRAND) == brand
    assert device.value(Attribute.MODEL) == model


def test_a_maker_whose_signatures_are_taken_away_is_not_given_to_another():
    """Leave one platform out: its samples, read by everybody else's signatures, name no other maker."""
    relations = Relations(KNOWN)
    wrong = []
    for signature in KNOWN.signatures:
        owner = platform_of(signature.id)
        maker = relations.platform_maker(owner)
        if maker is None:
            continue
        for number, sample in enumerate(signature.sample):
            reading = identifier().matcher.read(sample_observation(signature, sample))
            shared = {
                o for s in KNOWN.signatures if s.id == signature.id for o in s.platforms_sharing
            }
            others = [
                e for e in reading.evidence
                if platform_of(e.signature) not in {owner, *shared}
            ]  # fmt: skip
            for claim in resolve("d", others, relations):
                named = claim.attribute is Attribute.MAKER and claim.state is State.OBSERVED
                if named and not relations.agree(Attribute.MAKER, claim.value, maker):
                    wrong.append((signature.id, number, claim.value))
    assert wrong == []
