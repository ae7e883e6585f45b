"""Which constructed messages stand for each kind of observation?

Built from the layouts of RFCs and facts, none recorded. Addresses are documentation ranges.
"""

from __future__ import annotations

import struct

import msgspec

from camscan.decode import ber, favicon, reolink, tplink
from camscan.model.firmware import ImageFact, ImageReport
from camscan.model.observation import Kind
from camscan.model.traffic import CaptureSummary, Flow, NameSeen, ServiceSeen

HTTP_401 = (
    b"HTTP/1.1 401 Unauthorized\r\nCONNECTION: close\r\nCONTENT-LENGTH: 0\r\n"
    b'WWW-AUTHENTICATE: Digest realm="Login to 4D0012AAZ", qop="auth", nonce="12345", opaque="0"\r\n\r\n'
)
HTTP_PAGE = (
    b"HTTP/1.0 200 OK\nServer: App-webs/\nSet-Cookie: session=abc; path=/\nContent-Type: text/html\n\n"
    b'<html><head><TITLE>index &amp; more</TITLE><meta name="generator" content="Hand">'
    b'<script type="text/javascript" src="/doc/script/lib.js?v=1"></script></head></html>'
)
RTSP = (
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nServer: H264DVR 1.0\r\nContent-Type: application/sdp\r\n\r\n"
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Session\r\ni=main\r\na=tool:LIVE555\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=control:track1\r\n"
)
SADP = (
    b'<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>0B7E</Uuid><Types>inquiry</Types>'
    b"<DeviceType>1</DeviceType><DeviceDescription>DS-2CD1</DeviceDescription><DeviceSN>DS1</DeviceSN>"
    b"<MAC>aa-bb-cc-00-11-22</MAC><IPv4Address>192.0.2.7</IPv4Address>"
    b"<SoftwareVersion>V5.7.15build 240201</SoftwareVersion><Activated>true</Activated>"
    b"<SupportHCPlatform>true</SupportHCPlatform><HCPlatformEnable>false</HCPlatformEnable></ProbeMatch>"
)
WSD = (
    b'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    b' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    b' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
    b"<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header><s:Body>"
    b"<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>"
    b"</a:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types><d:Scopes>\n"
    b"onvif://www.onvif.org/name/My%20Cam onvif://www.onvif.org/location/city/hangzhou\n"
    b"onvif://www.onvif.org/hardware/X1</d:Scopes><d:XAddrs>http://192.0.2.7/onvif/device_service</d:XAddrs>"
    b"</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
)
_DHIP_BODY = (
    b'{"mac":"aa:bb:cc:00:11:22","method":"client.notifyDevInfo","params":{"deviceInfo":{'
    b'"DeviceClass":"IPC","DeviceType":"IPC-X","HttpPort":80,"IPv4Address":{"DhcpEnable":false,'
    b'"IPAddress":"192.0.2.9"},"Vendor":"General","Version":"2.800.0000000.13.R.220614","SerialNo":"4D0"}}}\n\x00'
)
DHIP = (
    struct.pack("<I4sIIIIII", 0x20, b"DHIP", 0, 0, len(_DHIP_BODY), 0, len(_DHIP_BODY), 0)
    + _DHIP_BODY
)
_LINES = b"aa:bb:cc:00:11:22IPC-X  Name:cam\r\nDevice:IPC-X\r\nSerialNo:4D0\r\n"
DAHUA5050 = (
    b"\xb3\x00\x18\x00\x58"
    + bytes(11)
    + b"\x02\x00\x00\x00"
    + struct.pack("<H", len(_LINES) - 24)
    + bytes(18)
    + b"IPC-X".ljust(16, b"\x00")
    + bytes((192, 0, 2, 9, 255, 255, 255, 0, 192, 0, 2, 1, 192, 0, 2, 53))
    + bytes(0x78 - 0x48)
    + _LINES
)
_XM_BODY = (
    b'{"NetWork.NetCommon":{"MAC":"00:12:16:aa:bb:cc","HostName":"LocalHost","HostIP":"0x0A0200C0",'
    b'"TCPPort":34567,"HttpPort":80,"SN":"abc","BuildDate":"2019-03-04 10:11:12"},"Ret":100}\n\x00'
)
XIONGMAI = struct.pack("<BBHIIHHI", 0xFF, 1, 0, 0, 0, 0, 1531, len(_XM_BODY)) + _XM_BODY
TPLINK = (
    bytes.fromhex("0200000100000000000000000a0b0c0d")
    + b'{"error_code":0,"result":{"device_type":"SMART.IPCAMERA","device_model":"C200","ip":"192.0.2.3",'
    b'"mac":"AA-BB-CC-00-11-22","owner":"1A2B","is_support_iot_cloud":true,"firmware_version":"1.2.5 Build 241224"}}'
)
KASA = tplink.xor(
    b'{"system":{"get_sysinfo":{"model":"HS110(EU)","type":"IOT.SMARTPLUGSWITCH","mac":"AA:BB:CC:00:11:22"}}}'
)


def _varbind(oid: str, text: bytes) -> bytes:
    numbers = [int(part) for part in oid.split(".")]
    raw = bytes((numbers[0] * 40 + numbers[1], *numbers[2:]))
    return ber.encode(ber.SEQUENCE, ber.encode(ber.OID, raw) + ber.encode(ber.OCTETS, text))


SNMP_V2 = ber.encode(
    ber.SEQUENCE,
    ber.integer(1)
    + ber.encode(ber.OCTETS, b"public")
    + ber.encode(
        0xA2,
        ber.integer(7)
        + ber.integer(0)
        + ber.integer(0)
        + ber.encode(
            ber.SEQUENCE,
            _varbind("1.3.6.1.2.1.1.1.0", b"AXIS cam") + _varbind("1.3.6.1.2.1.1.5.0", b"cam1"),
        ),
    ),
)
ENGINE = bytes.fromhex("8000016003") + bytes.fromhex("accc8e001122")
SNMP_V3 = ber.encode(
    ber.SEQUENCE,
    ber.integer(3)
    + ber.encode(
        ber.SEQUENCE,
        ber.integer(7) + ber.integer(65507) + ber.encode(ber.OCTETS, b"\x00") + ber.integer(3),
    )
    + ber.encode(
        ber.OCTETS,
        ber.encode(
            ber.SEQUENCE,
            ber.encode(ber.OCTETS, ENGINE)
            + ber.integer(1)
            + ber.integer(2)
            + ber.encode(ber.OCTETS, b"") * 3,
        ),
    )
    + ber.encode(
        ber.SEQUENCE,
        ber.encode(ber.OCTETS, ENGINE)
        + ber.encode(ber.OCTETS, b"")
        + ber.encode(
            0xA8, ber.integer(7) + ber.integer(0) + ber.integer(0) + ber.encode(ber.SEQUENCE, b"")
        ),
    ),
)
SSDP = (
    b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nLOCATION: http://192.0.2.4:49152/IPCDesc.xml\r\n"
    b"SERVER: Linux UPnP/1.0 DCS-935L/1.0\r\nST: upnp:rootdevice\r\nUSN: uuid:AB-1::upnp:rootdevice\r\n\r\n"
)
UPNP = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n"
    b'<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:Basic:1'
    b"</deviceType><friendlyName>Cam</friendlyName><manufacturer>Maker</manufacturer><modelName>M1</modelName>"
    b"<UDN>uuid:1</UDN></device></root>"
)
ONVIF = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetSystemDateAndTimeResponse>'
    b"<SystemDateAndTime><UTCDateTime><Time><Hour>8</Hour><Minute>9</Minute><Second>10</Second></Time>"
    b"<Date><Year>2026</Year><Month>5</Month><Day>1</Day></Date></UTCDateTime></SystemDateAndTime>"
    b"</GetSystemDateAndTimeResponse></s:Body></s:Envelope>"
)
_UDP_BODY = b"<P2P><D2C_S><uid>95270000AAAABBBB</uid></D2C_S></P2P>"
REOLINK_UDP = struct.pack(
    "<4sIIII",
    bytes.fromhex("3acf872a"),
    len(_UDP_BODY),
    1,
    77,
    reolink.crc(reolink.xor(_UDP_BODY, 77)),
) + reolink.xor(_UDP_BODY, 77)
CERTIFICATE_TEXT = b"subject=CN=camera,O=Maker\\, Inc.,C=TW\nissuer=CN=camera,O=Maker\\, Inc.,C=TW"
MDNS = (
    struct.pack(">HHHHHH", 0, 0x8400, 0, 1, 0, 1)
    + b"\x0b_axis-video\x04_tcp\x05local\x00"
    + struct.pack(">HHIH", 12, 1, 120, 13)
    + b"\x0aAXIS M1065\xc0\x0c"
    + b"\xc0\x2e"
    + struct.pack(">HHIH", 16, 1, 120, 24)
    + b"\x17macaddress=ACCC8E001122"
)
ARP = bytes.fromhex("0001080006040002accc8e001122c0000207020000000001c0000201")

IMAGE = ImageReport(
    image="camera.bin",
    size=8,
    sha256="00" * 32,
    facts=(ImageFact(attribute="version", value="1.2.3", path="etc/version", offset=0),),
)
_FROM = {"client": "192.0.2.7", "first": 1_700_000_000.0, "last": 1_700_000_060.0}
NAME = NameSeen(**_FROM, proto="dns", name="p2p.example.com", count=2, answers=("203.0.113.7",))
FLOW = Flow(
    **_FROM,
    remote="203.0.113.7",
    port=443,
    transport="tcp",
    bytes_up=900,
    bytes_down=300,
    packets_up=4,
    packets_down=3,
    names=("p2p.example.com",),
)
SERVICE = ServiceSeen(
    **_FROM, service="dahua.p2p", remote="203.0.113.7", port=8800, transport="udp", packets=2
)

SAMPLES: tuple[tuple[Kind, bytes], ...] = (
    (Kind.HTTP, HTTP_401),
    (Kind.HTTP, HTTP_PAGE),
    (Kind.RTSP, RTSP),
    (Kind.HTTPS_CERT, CERTIFICATE_TEXT),
    (Kind.SSH, b"SSH-2.0-dropbear_2019.78 x\r\n"),
    (Kind.FTP, b"220-Welcome\r\n220 AXIS M1 Network Camera 5.5 ready.\r\n"),
    (Kind.TELNET, b"\xff\xfd\x01\xff\xfb\x03\r\n192.0.0.64 login: "),
    (Kind.SNMP, SNMP_V2),
    (Kind.SNMP, SNMP_V3),
    (Kind.SNMP, b"sysDescr.0 = Camera\nsecond line\nsysObjectID.0 = .1.3.6.1.4.1.39165.1.1"),
    (Kind.SSDP, SSDP),
    (Kind.UPNP_XML, UPNP),
    (Kind.WSD, WSD),
    (Kind.ONVIF, ONVIF),
    (Kind.SADP, SADP),
    (Kind.DHDISCOVER, DHIP),
    (Kind.DHDISCOVER, DAHUA5050),
    (Kind.DVRIP, XIONGMAI),
    (Kind.DVRIP, b"Realm:Login to 4D0012\r\nRandom:1\r\n"),
    (Kind.KASA, TPLINK),
    (Kind.KASA, KASA),
    (Kind.MDNS, MDNS),
    (Kind.MDNS, b"TXT model=M1"),
    (Kind.DHCP, b"vendor-class AXIS,Network Camera,M1065,9.8"),
    (Kind.ISAPI, b"HTTP/1.1 200 OK\r\n\r\n<DeviceInfo xmlns='x'><model>DS</model></DeviceInfo>"),
    (Kind.FAVICON, favicon.describe(b"icon").encode()),
    (Kind.TITLE, b"HTTP/1.1 200 OK\r\n\r\n<title>NETSurveillance WEB</title>"),
    (Kind.SERVER_HEADER, b"Server: uc-httpd 1.0.0"),
    (Kind.WWWAUTH, b'Basic realm="DCS-935L"'),
    (Kind.VENDOR_DISC, REOLINK_UDP),
    (Kind.VENDOR_DISC, b"\x02MAC:aabbcc001122\xffMODEL:SNC-1\xffDNS1:192.0.2.53\xff\x03"),
    (Kind.TLS, b"version=TLSv1 cipher=AES128-SHA fallback=yes"),
    (
        Kind.PPPP,
        b"\xf1\x41\x00\x14VSTC\x00\x00\x00\x00" + struct.pack(">I", 1234) + b"ABCDE\x00\x00\x00",
    ),
    (Kind.MIIO, bytes.fromhex("21310020000000000102030400000abc") + b"\xff" * 16),
    (Kind.NEIGHBOUR, ARP),
    (Kind.NEIGHBOUR, b"mac=02:BB:CC:00:11:22"),
    (Kind.PORTS, b'{"open":[80,554],"closed":[23],"silent":[]}'),
    (Kind.GREETING, b"\x00\x01hello"),
    (Kind.IMAGE, msgspec.json.encode(IMAGE)),
    (Kind.NAME, msgspec.json.encode(NAME)),
    (Kind.FLOW, msgspec.json.encode(FLOW)),
    (Kind.SERVICE, msgspec.json.encode(SERVICE)),
    (
        Kind.CAPTURE,
        msgspec.json.encode(CaptureSummary(vantage="mirror", packets=3, dns_visible=True)),
    ),
)
