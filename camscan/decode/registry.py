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
    image,
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
from camscan.decode.collect import Collector, Wanted
from camscan.decode.message import auth_params, challenges
from camscan.decode.recent import Recent
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields, Kind, Observation

Decoder = Callable[[Observation, Wanted], Fields]

MAX_RESPONSE = 262_144
"""Bytes of an answer that are looked at."""


def decode(observation: Observation, wanted: Wanted = None) -> Fields:
    """Fields of an observation, names of `FIELDS[observation.kind]` only.

    `wanted`: the fields that will be looked at; others may be missing.

    Raises DecodeError, and nothing else, when the bytes are not what the kind says.
    """
    fields = DECODERS[observation.kind](observation, wanted)
    if not fields:
        raise DecodeError(f"nothing can be read in this {observation.kind} answer")
    return fields


def _data(observation: Observation) -> bytes:
    return observation.response[:MAX_RESPONSE]


def _http(observation: Observation, wanted: Wanted) -> Fields:
    return http.parse(_data(observation), observation.request).fields(wanted)


def _header(name: str) -> Decoder:
    """Decoder of a kind that may be the bare value of one header."""

    def read(observation: Observation, wanted: Wanted) -> Fields:
        data = _data(observation)
        if data[:5].upper() == b"HTTP/":
            return _http(observation, wanted)
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


def _title(observation: Observation, wanted: Wanted) -> Fields:
    data = _data(observation)
    if data[:5].upper() == b"HTTP/" or b"<" in data[:512]:
        return _http(observation, wanted)
    out = Collector()
    out.add("title", decode_text(data[:8192]))
    return out.done()


def _over_http(read: Callable[[bytes, Wanted], Fields]) -> Decoder:
    """Decoder of XML that comes in an HTTP answer, or alone.

    An HTTP answer without readable XML (a 404 page, a 401) is an answer too: HTTP fields alone.
    Error pages repeat themselves, so what stood in a body is remembered.
    """
    bodies: Recent[tuple[bytes, Wanted], Fields] = Recent(4 << 20)

    def decode_xml(observation: Observation, wanted: Wanted) -> Fields:
        data = _data(observation)
        if data.lstrip()[:5].upper() != b"HTTP/":
            return read(data, wanted)
        response = http.parse(data, observation.request)
        out = Collector(wanted)
        out.extend(response.fields(wanted))
        if b"<" in response.body:
            known = bodies.get((response.body, wanted))
            if known is None:
                try:
                    known = read(response.body, wanted)
                except DecodeError:
                    known = _NONE
                bodies.put((response.body, wanted), known, len(response.body) + 4 * _length(known))
            out.extend(known)
        return out.done()

    return decode_xml


_NONE: Fields = {}


def _length(fields: Fields) -> int:
    return 100 + sum(len(text) + 50 for texts in fields.values() for text in texts)


def _xml(data: bytes, wanted: Wanted) -> Fields:
    out = Collector(wanted)
    xml.parse(data).add_to(out)
    return out.done()


def _rtsp(observation: Observation, wanted: Wanted) -> Fields:
    return rtsp.parse(_data(observation), observation.request).fields(wanted)


def _dhdiscover(observation: Observation, wanted: Wanted) -> Fields:
    data = _data(observation)
    if data[:1] == b"\xb3":
        return dahua5050.parse(data).fields()
    return dhip.parse(data).fields(wanted)


DECODERS: Mapping[Kind, Decoder] = {
    Kind.HTTP: _http,
    Kind.RTSP: _rtsp,
    Kind.HTTPS_CERT: lambda seen, wanted: certificate.parse(_data(seen), wanted).fields(wanted),
    Kind.SSH: lambda seen, _: ssh.parse(_data(seen)).fields(),
    Kind.FTP: lambda seen, _: ftp.parse(_data(seen)).fields(),
    Kind.TELNET: lambda seen, _: telnet.parse(_data(seen)).fields(),
    Kind.SNMP: lambda seen, wanted: snmp.parse(_data(seen)).fields(wanted),
    Kind.SSDP: lambda seen, wanted: ssdp.parse(_data(seen)).fields(wanted),
    Kind.UPNP_XML: _over_http(lambda data, wanted: upnp.parse(data).fields(wanted)),
    Kind.WSD: lambda seen, wanted: wsd.parse(_data(seen)).fields(wanted),
    Kind.ONVIF: _over_http(lambda data, wanted: onvif.parse(data).fields(wanted)),
    Kind.SADP: lambda seen, wanted: sadp.parse(_data(seen)).fields(wanted),
    Kind.DHDISCOVER: _dhdiscover,
    Kind.DVRIP: lambda seen, _: dvrip.parse(_data(seen)).fields(),
    Kind.KASA: lambda seen, wanted: tplink.parse(_data(seen)).fields(wanted),
    Kind.MDNS: lambda seen, _: mdns.parse(_data(seen)).fields(),
    Kind.DHCP: lambda seen, _: dhcp.parse(_data(seen)).fields(),
    Kind.ISAPI: _over_http(_xml),
    Kind.FAVICON: lambda seen, _: favicon.parse(_data(seen)).fields(),
    Kind.TITLE: _title,
    Kind.SERVER_HEADER: _header("server"),
    Kind.WWWAUTH: _header("www-authenticate"),
    Kind.VENDOR_DISC: lambda seen, _: vendor_disc.parse(_data(seen), seen.port).fields(),
    Kind.TLS: lambda seen, _: tls.parse(_data(seen)).fields(),
    Kind.PPPP: lambda seen, _: pppp.parse(_data(seen)).fields(),
    Kind.MIIO: lambda seen, _: miio.parse(_data(seen)).fields(),
    Kind.NEIGHBOUR: lambda seen, _: neighbour.parse(_data(seen)).fields(),
    Kind.PORTS: lambda seen, _: ports.parse(_data(seen)).fields(),
    Kind.GREETING: lambda seen, _: greeting.parse(_data(seen), seen.port).fields(),
    Kind.NAME: lambda seen, _: capture_record.fields(seen),
    Kind.FLOW: lambda seen, _: capture_record.fields(seen),
    Kind.SERVICE: lambda seen, _: capture_record.fields(seen),
    Kind.CAPTURE: lambda seen, _: capture_record.fields(seen),
    Kind.IMAGE: lambda seen, _: image.parse(seen.response),
}
"""A mapping, not a registration: every kind stands here once."""
