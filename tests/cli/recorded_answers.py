"""Which recorded answers do the tests of the commands start from?

The answers follow the documented forms (facts: discovery 2 SADP, fingerprints HTTP); the values are
invented.
"""

from __future__ import annotations

import base64
import json

SADP = (
    '<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>0B7E</Uuid><Types>inquiry</Types>'
    "<DeviceType>139</DeviceType><DeviceDescription>DS-2CD2032-I</DeviceDescription>"
    "<DeviceSN>DS-2CD2032-I20160331BBWR586001234</DeviceSN><CommandPort>8000</CommandPort>"
    "<HttpPort>80</HttpPort><MAC>c0-56-e3-00-11-22</MAC><IPv4Address>10.9.0.7</IPv4Address>"
    "<SoftwareVersion>V5.4.0build 160331</SoftwareVersion><DSPVersion>V7.3</DSPVersion>"
    "<Activated>true</Activated><SupportHCPlatform>true</SupportHCPlatform>"
    "<HCPlatformEnable>true</HCPlatformEnable></ProbeMatch>"
)
LOGIN = (
    "HTTP/1.1 401 Unauthorized\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nServer: App-webs/\r\n"
    'WWW-Authenticate: Digest realm="DS-2CD2032-I", nonce="6f1d", qop="auth"\r\n'
    "Content-Length: 0\r\n\r\n"
)
PRINTER = "HTTP/1.1 200 OK\r\nServer: HP HTTP Server\r\n\r\n<title>LaserJet</title>"
HOSTILE = (
    "HTTP/1.1 200 OK\r\nServer: \x1b[2J=cmd|'/C calc'!A0\r\n\r\n"
    "<title><script>alert(1)</script>\u202egnp.exe</title>"
)


def record(device, kind, response, **more):
    """One line of the exchange format (DESIGN section 4)."""
    body = (
        {"response_b64": base64.b64encode(response).decode()}
        if isinstance(response, bytes)
        else {"response": response}
    )
    return json.dumps({"device_id": device, "kind": kind, **body, **more}) + "\n"


ANSWERS = (
    record("10.9.0.7", "sadp", SADP, port=37020, id="a"),
    record("10.9.0.7", "http", LOGIN, port=80, request="GET /", id="b", colour="ignored"),
    record("10.9.0.9", "http", PRINTER, port=80, request="GET /"),
    record("10.9.0.66", "http", HOSTILE.encode(), port=80, request="GET /"),
)
