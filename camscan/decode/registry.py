"""Which decoder reads which kind of observation?

Reads raw answers and the exchange format alike (DESIGN 4). Fields are derived every time they are
needed, so nothing here is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from camscan.decode import (
    capture_record,
    certificate,
    dahua5050,
    dhcp,
    dhip,
    dvrip,
    favicon,
    ftp,
    greeting,
    http,
    mdns,
    miio,
    neighbour,
    onvif,
    ports,
    pppp,
    rtsp,
    sadp,
    snmp,
    ssdp,
    ssh,
    telnet,
    tls,
    tplink,
    upnp,
    vendor_disc,
    wsd,
    xml,
)
from camscan.decode.collect import Collector
from camscan.decode.message import auth_params, challenges
from camscan.decode.recent import Recent
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields, Kind, Observation

Decoder = Callable[[Observation], Fields]

MAX_RESPONSE = 262_144
"""Bytes of an answer that are looked at."""


def decode(observation: Observation) -> Fields:
    """Fields of an observation, names of `FIELDS[observation.kind]` only.

    Raises DecodeError, and nothing else, when the bytes are not what the kind says.
    """
    fields = DECODERS[observation.kind](observation)
    if not fields:
        raise DecodeError(f"nothing can be read in this {observation.kind} answer")
    return fields


def _data(observation: Observation) -> bytes:
    return observation.response[:MAX_RESPONSE]


def _http(observation: Observation) -> Fields:
    return http.parse(_data(observation), observation.request).fields()


def _header(name: str) -> Decoder:
    """Decoder of a kind that may be the bare value of one header."""

    def read(observation: Observation) -> Fields:
        data = _data(observation)
        if data[:5].upper() == b"HTTP/":
            return _http(observation)
        text = decode_text(data[:8192]).strip()
        key, colon, value = text.partition(":")
        if colon and key.strip().lower() == name:
            text = value.strip()
        if not text:
            raise DecodeError(f"empty {name} value")
        out = Collector()
        out.add(name, text)
        if name == "www-authenticate":
            for challenge in challenges(text):
                out.add("auth-scheme", challenge.scheme)
                out.add("realm", challenge.param("realm"))
                out.add("auth-params", *auth_params(challenge))
        return out.done()

    return read


def _title(observation: Observation) -> Fields:
    data = _data(observation)
    if data[:5].upper() == b"HTTP/" or b"<" in data[:512]:
        return _http(observation)
    out = Collector()
    out.add("title", decode_text(data[:8192]))
    return out.done()


def _over_http(read: Callable[[bytes], Fields]) -> Decoder:
    """Decoder of XML that comes in an HTTP answer, or alone.

    An HTTP answer without readable XML (a 404 page, a 401) is an answer too: HTTP fields alone.
    Error pages repeat themselves, so what stood in a body is remembered.
    """
    bodies: Recent[bytes, Fields] = Recent(4 << 20)

    def decode_xml(observation: Observation) -> Fields:
        data = _data(observation)
        if data.lstrip()[:5].upper() != b"HTTP/":
            return read(data)
        response = http.parse(data, observation.request)
        out = Collector()
        out.extend(response.fields())
        if b"<" in response.body:
            known = bodies.get(response.body)
            if known is None:
                try:
                    known = read(response.body)
                except DecodeError:
                    known = _NONE
                bodies.put(response.body, known, len(response.body) + 4 * _length(known))
            out.extend(known)
        return out.done()

    return decode_xml


_NONE: Fields = {}


def _length(fields: Fields) -> int:
    return 100 + sum(len(text) + 50 for texts in fields.values() for text in texts)


def _xml(data: bytes) -> Fields:
    out = Collector()
    xml.parse(data).add_to(out)
    return out.done()


def _rtsp(observation: Observation) -> Fields:
    return rtsp.parse(_data(observation), observation.request).fields()


def _dhdiscover(observation: Observation) -> Fields:
    data = _data(observation)
    if data[:1] == b"\xb3":
        return dahua5050.parse(data).fields()
    return dhip.parse(data).fields()


DECODERS: Mapping[Kind, Decoder] = {
    Kind.HTTP: _http,
    Kind.RTSP: _rtsp,
    Kind.HTTPS_CERT: lambda seen: certificate.parse(_data(seen)).fields(),
    Kind.SSH: lambda seen: ssh.parse(_data(seen)).fields(),
    Kind.FTP: lambda seen: ftp.parse(_data(seen)).fields(),
    Kind.TELNET: lambda seen: telnet.parse(_data(seen)).fields(),
    Kind.SNMP: lambda seen: snmp.parse(_data(seen)).fields(),
    Kind.SSDP: lambda seen: ssdp.parse(_data(seen)).fields(),
    Kind.UPNP_XML: _over_http(lambda data: upnp.parse(data).fields()),
    Kind.WSD: lambda seen: wsd.parse(_data(seen)).fields(),
    Kind.ONVIF: _over_http(lambda data: onvif.parse(data).fields()),
    Kind.SADP: lambda seen: sadp.parse(_data(seen)).fields(),
    Kind.DHDISCOVER: _dhdiscover,
    Kind.DVRIP: lambda seen: dvrip.parse(_data(seen)).fields(),
    Kind.KASA: lambda seen: tplink.parse(_data(seen)).fields(),
    Kind.MDNS: lambda seen: mdns.parse(_data(seen)).fields(),
    Kind.DHCP: lambda seen: dhcp.parse(_data(seen)).fields(),
    Kind.ISAPI: _over_http(_xml),
    Kind.FAVICON: lambda seen: favicon.parse(_data(seen)).fields(),
    Kind.TITLE: _title,
    Kind.SERVER_HEADER: _header("server"),
    Kind.WWWAUTH: _header("www-authenticate"),
    Kind.VENDOR_DISC: lambda seen: vendor_disc.parse(_data(seen), seen.port).fields(),
    Kind.TLS: lambda seen: tls.parse(_data(seen)).fields(),
    Kind.PPPP: lambda seen: pppp.parse(_data(seen)).fields(),
    Kind.MIIO: lambda seen: miio.parse(_data(seen)).fields(),
    Kind.NEIGHBOUR: lambda seen: neighbour.parse(_data(seen)).fields(),
    Kind.PORTS: lambda seen: ports.parse(_data(seen)).fields(),
    Kind.GREETING: lambda seen: greeting.parse(_data(seen), seen.port).fields(),
    Kind.NAME: capture_record.fields,
    Kind.FLOW: capture_record.fields,
    Kind.SERVICE: capture_record.fields,
    Kind.CAPTURE: capture_record.fields,
}
"""A mapping, not a registration: every kind stands here once."""
