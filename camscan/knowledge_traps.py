"""Which answers must no signature believe?

The honeypot says every maker's words in every protocol and holds no maker's layout. The negatives are
devices that speak a camera maker's protocol or carry its name and are no cameras (facts: fingerprints,
hard negatives and generic programs). All are written from the meaning of the protocols.
"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.observation import Kind, Observation


class Trap(Struct, frozen=True):
    """One answer; `identity`: whether a signature may name a maker here (never a video role)."""

    name: str
    observation: Observation
    identity: bool


_WORDS = (
    "Hikvision Digital Technology",
    "Hikvision-Webs",
    "DNVRS-Webs",
    "App-webs",
    "DVRDVS-Webs",
    "Dahua",
    "Login to",
    "WEB SERVICE",
    "Uniview",
    "LAPI",
    "NETSurveillance WEB",
    "uc-httpd",
    "XiongMai",
    "TVT",
    "Cross Web Server",
    "Tiandy",
    "HoloSens",
    "Huawei",
    "EZVIZ",
    "Imou",
    "Reolink",
    "TP-LINK Tapo VIGI",
    "Tuya",
    "V380",
    "Foscam IPCam Client",
    "AXIS Network Camera",
    "Bosch VCS-VideoJet-Webserver",
    "Hanwha Samsung iPolis Wisenet",
    "VIVOTEK",
    "MOBOTIX Camera User",
    "Panasonic i-PRO",
    "Sony",
    "GeoVision GeoHttpServer",
    "AVTECH",
    "ONVIF",
    "IP Camera",
    "Network Video Recorder",
    "DVR NVR",
)
_ALL = " ".join(_WORDS)
_PAGE = f"<html><head><title>{_ALL}</title></head><body>{_ALL}</body></html>"


def _http(status: str, headers: tuple[str, ...], body: str) -> str:
    length = f"Content-Length: {len(body)}"
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, length, "", body))


def _trap(name: str, kind: Kind, response: str, *, port: int, identity: bool = False) -> Trap:
    seen = Observation(
        id=f"trap:{name}",
        device_id="trap",
        kind=kind,
        response=response.encode("latin-1"),
        port=port,
    )
    return Trap(name, seen, identity)


_NGINX = ("Server: nginx", "Content-Type: text/html")

HONEYPOT: tuple[Trap, ...] = (
    _trap("honeypot-http", Kind.HTTP, _http("200 OK", _NGINX, _PAGE), port=80),
    _trap("honeypot-isapi", Kind.ISAPI, _http("200 OK", _NGINX, _PAGE), port=80),
    _trap("honeypot-title", Kind.TITLE, _http("200 OK", _NGINX, _PAGE), port=80),
    _trap(
        "honeypot-realm",
        Kind.HTTP,
        _http("401 Unauthorized", (*_NGINX, f'WWW-Authenticate: Basic realm="{_ALL}"'), ""),
        port=80,
    ),
    _trap(
        "honeypot-server",
        Kind.HTTP,
        _http("200 OK", (f"Server: {_ALL}", "Content-Type: text/html"), ""),
        port=8080,
    ),
    _trap(
        "honeypot-rtsp",
        Kind.RTSP,
        f"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: {_ALL}\r\nPublic: OPTIONS\r\n\r\n",
        port=554,
    ),
    _trap("honeypot-ftp", Kind.FTP, f"220 {_ALL} ready\r\n", port=21),
    _trap("honeypot-telnet", Kind.TELNET, f"{_ALL}\r\nlogin: ", port=23),
    _trap("honeypot-snmp", Kind.SNMP, f"sysDescr.0 = {_ALL}", port=161),
)

NEGATIVES: tuple[Trap, ...] = (
    *(
        _trap(f"generic-{name}", Kind.HTTP, _http("200 OK", (f"Server: {server}",), ""), port=80)
        for name, server in (
            ("boa", "Boa/0.94.13"),
            ("thttpd", "thttpd/2.25b 29dec2003"),
            ("goahead", "GoAhead-Webs"),
            ("lighttpd", "lighttpd/1.4.35"),
            ("nginx", "nginx/1.18.0"),
            ("rompager", "RomPager/4.07 UPnP/1.0"),
            ("mini-httpd", "mini_httpd/1.19 19dec2003"),
        )
    ),
    _trap(
        "kasa-plug",
        Kind.KASA,
        '{"system":{"get_sysinfo":{"sw_ver":"1.5.4 Build 180815 Rel.121440","hw_ver":"2.0",'
        '"type":"IOT.SMARTPLUGSWITCH","model":"HS110(EU)","mac":"50:C7:BF:00:00:01",'
        '"dev_name":"Smart Wi-Fi Plug With Energy Monitoring","alias":"Plug","relay_state":1}}}',
        port=9999,
        identity=True,
    ),
    _trap(
        "tapo-hub",
        Kind.KASA,
        '{"result":{"device_type":"SMART.TAPOHUB","device_model":"H200(EU)",'
        '"ip":"192.0.2.7","mac":"50-C7-BF-00-00-02","firmware_version":"1.3.6"},"error_code":0}',
        port=20002,
        identity=True,
    ),
    _trap(
        "axis-speaker",
        Kind.SNMP,
        "sysDescr.0 = ; AXIS C1310-E; Network Speaker; 11.9.60; Jun 24 2024 11:57; 8BE; 1;",
        port=161,
        identity=True,
    ),
    _trap(
        "axis-radar",
        Kind.SNMP,
        "sysDescr.0 = ; AXIS D2110-VE; Security Radar; 11.9.60; Jun 24 2024 11:57; 8BE; 1;",
        port=161,
        identity=True,
    ),
    _trap(
        "router-tp-link",
        Kind.HTTP,
        _http(
            "401 N/A", ("Server: Router Webserver", 'WWW-Authenticate: Basic realm="TP-LINK"'), ""
        ),
        port=80,
        identity=True,
    ),
    _trap(
        "router-huawei",
        Kind.SNMP,
        "sysDescr.0 = Huawei Versatile Routing Platform Software VRP (R) software, Version 8.180",
        port=161,
        identity=True,
    ),
    _trap(
        "media-server",
        Kind.RTSP,
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: GStreamer RTSP server\r\nPublic: OPTIONS, DESCRIBE\r\n\r\n",
        port=554,
    ),
)
